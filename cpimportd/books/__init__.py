"""Books: the database, the journal of changes and the memory of runs."""

from cpimportd.books.backup import backup
from cpimportd.books.connection import connect, engine
from cpimportd.books.failures import translate
from cpimportd.books.history import Change, Inserted, RunLine, Shown, changes, history, inserted, show
from cpimportd.books.rights import (
    check_tables,
    department_exists,
    details_unique_index,
    missing_rights,
    text_limits,
)
from cpimportd.books.summary import Summary, summary
from cpimportd.books.upgrade import REVISION, UpgradeResult, current, require_current, upgrade

__all__ = [
    "REVISION",
    "Change",
    "Inserted",
    "RunLine",
    "Shown",
    "Summary",
    "UpgradeResult",
    "backup",
    "changes",
    "check_tables",
    "connect",
    "current",
    "department_exists",
    "details_unique_index",
    "engine",
    "history",
    "inserted",
    "missing_rights",
    "require_current",
    "show",
    "summary",
    "text_limits",
    "translate",
    "upgrade",
]
