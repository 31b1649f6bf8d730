"""The human faces of the product: a run's report, lists and tables, in a terminal, a pipe and the journal."""
