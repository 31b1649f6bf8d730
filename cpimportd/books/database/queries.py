"""The named queries of ``sql/*.sql``: every statement that a run sends, each with a name and a description.

A query begins with ``-- name: NAME``; the comment lines under it describe it. Identifiers in braces are filled in from
a :class:`Shape`, so that one query serves receipts and expenses; values always travel as
parameters (``$1``).
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_HEADER = re.compile(r"^-- name: *(\S+) *$", re.MULTILINE)


class Query(NamedTuple):
    """One named statement: why it is there, and its text."""

    description: str
    text: str


@cache
def queries(page: str) -> Mapping[str, Query]:
    """All queries of ``sql/PAGE.sql`` by name.

    Raises:
        ValueError: a name stands twice on the page, or a query has no description.
    """
    text = (files("cpimportd.books") / "sql" / f"{page}.sql").read_text(encoding="utf-8")
    pieces = _HEADER.split(text)[1:]
    found: dict[str, Query] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = body.strip().splitlines()
        comment = [line[2:].strip() for line in lines if line.startswith("--")]
        if name in found or not comment:
            raise ValueError(f"sql/{page}.sql: query {name} stands twice or has no description")
        found[name] = Query(" ".join(comment), "\n".join(line for line in lines if not line.startswith("--")).strip())
    return found


def sql(page: str, name: str, **identifiers: str) -> str:
    """The text of one query, led by a comment with its name (so that pg_stat_activity says what runs).

    Args:
        page: the file under ``sql/``, without its suffix.
        name: of the query.
        **identifiers: what stands in braces in it: table and column names of ours, or a piece that several queries
            share; never values.
    """
    text = queries(page)[name].text
    return f"/* cpimportd: {name} */ " + (text.format(**identifiers) if identifiers else text)
