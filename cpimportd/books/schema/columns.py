"""Definitions for the columns of our own tables, each with a comment that is stored in the database."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Integer, MetaData, Numeric, text
from sqlalchemy.types import TypeEngine

from cpimportd.books.database.connection import SCHEMA

# PostgreSQL's own habit, so that a constraint is called the same whoever made it.
NAMING: Final = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
}

metadata: Final = MetaData(schema=SCHEMA, naming_convention=NAMING)

SUM: Final = Numeric(20, 2)
AMOUNT: Final = Numeric(15, 2)
MOMENT: Final = DateTime(timezone=True)


def needed(name: str, kind: TypeEngine[Any], comment: str, default: str | None = None) -> Column[Any]:
    """A column that always holds something."""
    return Column(name, kind, nullable=False, server_default=text(default) if default else None, comment=comment)


def count(name: str, comment: str) -> Column[Any]:
    """A count, 0 where nothing is said."""
    return needed(name, Integer(), comment, "0")


def key(name: str, kind: TypeEngine[Any], comment: str) -> Column[Any]:
    """A part of the primary key."""
    return Column(name, kind, primary_key=True, autoincrement=False, comment=comment)


def run(comment: str, *, key: bool = False) -> Column[Any]:
    """The number of a run, pointing to its row."""
    return Column(
        "run_id",
        BigInteger(),
        ForeignKey(f"{SCHEMA}.runs.id"),
        primary_key=key,
        autoincrement=False,
        nullable=False,
        comment=comment,
    )


def department(*, key: bool = False) -> Column[Any]:
    """Whose row it is."""
    comment = "Whose books: departments.id in the backend."
    return Column("department_id", Integer(), primary_key=key, autoincrement=False, nullable=False, comment=comment)


def bridge(came: str, went: str, *, nullable: bool = False) -> tuple[Column[Any], ...]:
    """The sums of a bridge; ``came`` and ``went`` say of which documents."""
    comments = {
        "opening": "Their sum before: opening + added - removed + changed = closing.",
        "added": came,
        "removed": went,
        "changed": "By how much documents in both differ, with its sign.",
        "closing": "Their sum after.",
    }
    return tuple(Column(name, SUM, nullable=nullable, comment=comment) for name, comment in comments.items())


def identity(comment: str) -> Column[Any]:
    """The primary key that PostgreSQL counts up."""
    return Column("id", BigInteger(), Identity(), primary_key=True, comment=comment)
