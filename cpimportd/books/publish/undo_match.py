"""What an undo makes of each document: the books before it and after it, matched as a publication matches its snapshot.

So an undo's bridges and counts are those of a publication (``account``): a document that several of the runs had
touched is told once, by what it was and what it is.
"""

from collections.abc import Iterable, Sequence

import asyncpg

from cpimportd.books.database.queries import DETAIL_COLUMNS, SHAPES, Shape, sql
from cpimportd.books.journal.lives import Link, links
from cpimportd.books.journal.states import Key
from cpimportd.core.model import Kind


async def remember(connection: asyncpg.Connection) -> None:
    """Keep what the units hold, before anything is taken back.

    Args:
        connection: in the undo's transaction; its units and runs are in their temporary tables, the books are locked.
    """
    await connection.execute(sql("undo_match", "create"))
    for shape in SHAPES:
        await connection.execute(sql("undo_match", "remember_documents", **shape.identifiers))
        await connection.execute(sql("undo_match", "remember_contents", **shape.identifiers, whole=_whole(shape)))
    await connection.execute(sql("undo_match", "remember_lines", paid=sql("account", "paid")))


async def match(connection: asyncpg.Connection, run_id: int) -> None:
    """Match what was kept with what the books hold now that everything is taken back by this run."""
    found = links(
        (row["op"], Key(Kind(row["kind"]), row["operation_id"]), row["paired_with"])
        for row in await connection.fetch(sql("undo_match", "links"), run_id)
    )
    rekeyed, retimed = [one for one in found if not one.retimed], [one for one in found if one.retimed]
    for shape in SHAPES:
        await _add(connection, "add_rekeyed", shape, rekeyed)
        await connection.execute(sql("undo_match", "match_present", **shape.identifiers))
        await connection.execute(sql("undo_match", "match_new", **shape.identifiers))
        await _add(connection, "add_retimed", shape, retimed)
        await connection.execute(sql("undo_match", "find_changed", **shape.identifiers, whole=_whole(shape)))
    await connection.execute(sql("undo_match", "match_lines"))
    await connection.execute(sql("undo_match", "write_lines_anew"))
    await connection.execute(sql("stage", "analyze_match"))
    await connection.execute(sql("stage", "analyze_changed"))


async def _add(connection: asyncpg.Connection, name: str, shape: Shape, found: Iterable[Link]) -> None:
    own: Sequence[Link] = [one for one in found if one.old.kind is shape.kind]
    if own:
        names = [one.old.operation_id for one in own], [one.new.operation_id for one in own]
        await connection.execute(sql("undo_match", name, **shape.identifiers), *names)


def _whole(shape: Shape) -> str:
    line_columns = ", ".join(f"x.{column}" for column in DETAIL_COLUMNS)
    return sql("undo_match", "whole", **shape.identifiers, line_columns=line_columns)
