"""The books: database, publication, journal of changes, reports, and the records of runs."""
