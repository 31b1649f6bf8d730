"""What held units would change, in the lines of an alert: the sums, and the first documents."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import asyncpg

from cpimportd.books.journal.movements import Movement
from cpimportd.books.publish.held import held_units
from cpimportd.books.reports.decisions import Decision, decision_about, held_documents
from cpimportd.core.formatting import amount, count, signed
from cpimportd.core.lists import first
from cpimportd.core.problems import printable
from cpimportd.notify.texts import Say
from cpimportd.render.diff import amounts

_DOCUMENTS: Final = 10


async def lines_of_held(
    connection: asyncpg.Connection, department_id: int, subjects: Iterable[str], say: Say
) -> Mapping[str, Sequence[str]]:
    """The lines of those subjects that are held units of which it is known what they would change.

    Args:
        connection: any.
        department_id: whose books.
        subjects: of what an alert tells: units by their names, and other things.
        say: a text in the language of the alert.
    """
    wanted = frozenset(subjects)
    found = {}
    for held in await held_units(connection, department_id):
        unit = held.unit
        if unit.name not in wanted:
            continue
        one = await decision_about(connection, department_id, held)
        if one.difference is not None:
            documents = await first(held_documents(connection, department_id, unit, limit=_DOCUMENTS), _DOCUMENTS)
            found[unit.name] = tuple(_lines(one, documents, say))
    return found


def _lines(one: Decision, documents: Sequence[Movement], say: Say) -> Iterator[str]:
    difference = one.difference
    if difference is None or not difference.total:
        return
    yield say("alert", "If it were accepted:")
    for sums in difference.sums:
        if sums.bridge is None:
            continue
        yield say(
            "alert", "  {kind}: {opening} → {closing} (added {added}, removed {removed}, changed {changed})"
        ).format(
            kind=say("word", sums.kind.value),
            opening=amount(sums.bridge.opening),
            closing=amount(sums.bridge.closing),
            added=amount(sums.added),
            removed=amount(sums.removed),
            changed=signed(sums.changed),
        )
    for movement in documents:
        what, document = say("word", movement.what.value), printable(movement.key.operation_id)
        yield f"  {what}: {document}, {amounts(movement)}"
    if more := difference.total - len(documents):
        text = say("alert", "  … and {count} more: `cpimportd diff {run} --held`")
        yield text.format(count=count(more), run=one.held.run)
