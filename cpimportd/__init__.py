"""cpimportd: brings a holding's credit portfolio from 1C exports into PostgreSQL, every day, to the kopeck."""

__version__ = "0.1.0"
