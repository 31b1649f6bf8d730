"""Whole runs over a folder of exports and a real database; books of three days, to rehearse on."""

from tests.support.run.three_days import books, books_beside, scratch_databases, three_days
from tests.support.run.workplace import truth, workplace, workplace_for

__all__ = ["books", "books_beside", "scratch_databases", "three_days", "truth", "workplace", "workplace_for"]
