"""Books: the database, the journal of changes and the memory of runs."""

from cpimportd.books.connection import connect, engine
from cpimportd.books.failures import translate
from cpimportd.books.upgrade import UpgradeResult, current, require_current, upgrade

__all__ = ["UpgradeResult", "connect", "current", "engine", "require_current", "translate", "upgrade"]
