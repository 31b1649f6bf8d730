"""Formats output for people: a run's report, lists and tables, for a terminal, a pipe and the journal."""
