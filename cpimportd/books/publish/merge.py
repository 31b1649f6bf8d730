"""Writes the differences into the books, and the previous values into the journal.

The order matters: the journal reads what is about to change; all deletions come before any insertion (an amount may
move between two lines under a unique index); lineage comes last, when the present content stands.
"""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from cpimportd.books.database.queries import DETAIL_COLUMNS, EXPENSES, SHAPES, Shape, sql
from cpimportd.books.journal.lives import Link, links
from cpimportd.books.journal.states import Key
from cpimportd.core.model import Kind, Unit
from cpimportd.core.verdicts import Judgement


class Journal:
    """Numbers the entries of one run's journal over the statements that write it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._entries = 0

    async def write(self, page: str, name: str, *arguments: object, **identifiers: str) -> None:
        """Run a statement that writes journal entries, numbered from the last one on: its first argument."""
        tag = await self._connection.execute(sql(page, name, **identifiers), self._entries, *arguments)
        self._entries += int(tag.rpartition(" ")[2])


async def merge(connection: asyncpg.Connection, journal: Journal, judgements: Mapping[Unit, Judgement]) -> None:
    """Make the books what the stage says, for the units that take part."""
    await _pair(connection, judgements)
    await _references(connection, journal)
    await _rekey(connection, journal)
    await connection.execute(sql("merge", "find_changed_details"))
    await connection.execute(sql("merge", "mark_money_details"))
    await connection.execute(sql("merge", "collect_lines"))
    await connection.execute(sql("stage", "analyze_lines"))
    for shape in SHAPES:
        await connection.execute(sql("merge", "find_changed", **shape.identifiers))
    await connection.execute(sql("stage", "analyze_changed"))
    for shape in SHAPES:
        await journal.write("merge", "journal_changed", **shape.identifiers)
        await journal.write("merge", "journal_gone", **shape.identifiers)
    await connection.execute(sql("merge", "delete_details", paid=sql("account", "paid")))
    for name in ("delete_documents", "update_documents", "insert_documents"):
        for shape in SHAPES:
            await connection.execute(sql("merge", name, **shape.identifiers))
    await connection.execute(sql("merge", "insert_details"))
    for shape in SHAPES:
        await journal.write("merge", "journal_restored", **shape.identifiers)
    for name in ("drop_lineage", "add_lineage", "update_lineage"):
        for shape in SHAPES:
            await connection.execute(sql("merge", name, **shape.identifiers))
    await journal.write("references", "deactivate_contracts")
    await journal.write("references", "reactivate_organizations")
    if old := _old_names(judgements):
        await journal.write("references", "deactivate_organizations", old)


async def left_active(connection: asyncpg.Connection, judgements: Mapping[Unit, Judgement]) -> frozenset[str]:
    """Old names of renamed organizations that are empty now and stay in the backend's list: they are not ours."""
    old = _old_names(judgements)
    rows = await connection.fetch(sql("references", "left_active"), old) if old else ()
    return frozenset(row["name"] for row in rows)


def _old_names(judgements: Mapping[Unit, Judgement]) -> list[str]:
    return sorted({one.renamed_from for one in judgements.values() if one.renamed_from is not None})


async def _pair(connection: asyncpg.Connection, judgements: Mapping[Unit, Judgement]) -> None:
    pairs = [
        (unit.group.value, old, new, rekeyed)
        for unit, judgement in judgements.items()
        for pairing, rekeyed in ((judgement.retimed, False), (judgement.rekeyed, True))
        for old, new in pairing.items()
    ]
    await connection.executemany(
        "INSERT INTO stage_pair (kind, old_id, new_id, rekeyed) VALUES ($1, $2, $3, $4)", pairs
    )


async def _references(connection: asyncpg.Connection, journal: Journal) -> None:
    for name in ("add_organizations", "add_bank_accounts", "wanted", "find_contract_changes"):
        await connection.execute(sql("references", name))
    await journal.write("references", "journal_contracts")
    for name in ("complete_contracts", "note_reactivated_contracts", "add_contracts"):
        await connection.execute(sql("references", name))
    await connection.execute(sql("facts", "find_organizations"))
    for shape in SHAPES:
        await connection.execute(sql("references", "views", **shape.identifiers))


async def _rekey(connection: asyncpg.Connection, journal: Journal) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM stage_pair WHERE rekeyed)"):
        return
    for shape in SHAPES:
        await journal.write("merge", "rekey_lines_before", **shape.identifiers)
        if shape is EXPENSES:
            await connection.execute(sql("merge", "rekey", **shape.identifiers, paid=sql("account", "paid")))
        for name in ("rekey_rows", "rekey_lineage", "rekey_matches"):
            await connection.execute(sql("merge", name, **shape.identifiers))
    await connection.execute(sql("merge", "rekey_detail_matches"))


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
