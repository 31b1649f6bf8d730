"""Books: the database, the journal of changes and the memory of runs."""
