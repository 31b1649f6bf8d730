"""Computes what a held unit would change: publishes it behind a savepoint, records the diff, and rolls back.

The same statements publish the unit after it is accepted, so the preview shows exactly what will happen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from cpimportd.books.database.queries import sql
from cpimportd.books.journal.diff import Diff, diff, movements
from cpimportd.books.journal.movements import Movement
from cpimportd.books.publish import account, facts, merge, record
from cpimportd.core.lists import first
from cpimportd.core.model import Unit
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.report import UnitReport, UnitStatus
from cpimportd.core.verdicts import Judgement, stops

MOST: Final = 2_000
"""As many documents of a held unit are kept; its sums and counts tell of all."""

_TRIAL: Final = 2**62
"""The number of the run that publishes on trial: later than every run, and never seen by anybody."""


@dataclass(frozen=True, slots=True)
class HeldDifference:
    """What would become of the books if somebody accepted a unit.

    Attributes:
        diff: the counts and sums of all of it.
        movements: the first documents, at most :data:`MOST`.
    """

    diff: Diff
    movements: tuple[Movement, ...]


async def held_differences(
    connection: asyncpg.Connection,
    run_id: int,
    judgements: Mapping[Unit, Judgement],
    if_accepted: Mapping[Unit, Judgement],
) -> Mapping[Unit, HeldDifference | Problem]:
    """What each held unit that a human may accept would change, or why that cannot be said.

    All of them together: documents that move between two of them do so here, too.

    Args:
        connection: in the publishing transaction, after the guards have judged; what this changes is rolled back.
        run_id: the run that holds them.
        judgements: of all units that are compared.
        if_accepted: the same, had a human accepted those that he may.
    """
    asked = {
        unit: judgement
        for unit, judgement in if_accepted.items()
        if not judgement.held and unit in judgements and judgements[unit].held
    }
    if not asked:
        return {}
    savepoint = connection.transaction()
    await savepoint.start()
    try:
        return await _on_trial(connection, run_id, asked, judgements.keys() - asked.keys())
    except (asyncpg.PostgresError, ProblemError) as error:
        reason = error.problems[0] if isinstance(error, ProblemError) else str(error)
        return {
            unit: problem("difference-unknown", organization=unit.organization, unit=unit.name, reason=reason)
            for unit in asked
        }
    finally:
        if not connection.is_closed():
            await savepoint.rollback()


def may_be_accepted(judgement: Judgement) -> bool:
    """Whether a human decides about a held unit: nothing holds it but guards."""
    return judgement.held and not judgement.stuck and not any(stops(found) for found in judgement.problems)


async def _on_trial(
    connection: asyncpg.Connection, run_id: int, asked: Mapping[Unit, Judgement], others: Iterable[Unit]
) -> dict[Unit, HeldDifference | Problem]:
    await connection.execute(sql("held", "begin_trial"), run_id, _TRIAL)
    await connection.execute(sql("held", "on_trial"), _TRIAL)
    await facts.forget(connection, list(others))
    await merge.merge(connection, merge.Journal(connection), asked)
    bridges = await account.bridges(connection)
    reports = [
        UnitReport(
            unit,
            UnitStatus.PUBLISHED,
            bridges=tuple(bridges[figure, unit.organization] for figure in unit.group.figures),
        )
        for unit in asked
    ]
    await record.add_run_units(connection, _TRIAL, reports, lambda _kind, _unit: [])
    return {unit: await _of_unit(connection, run_id, unit) for unit in asked}


async def _of_unit(connection: asyncpg.Connection, run_id: int, unit: Unit) -> HeldDifference:
    found = await diff(connection, _TRIAL, organization=unit.organization, group=unit.group)
    told = await first(movements(connection, found, limit=MOST), MOST)
    return HeldDifference(replace(found, run=run_id), tuple(_by_run(one, run_id) for one in told))


def _by_run(movement: Movement, run_id: int) -> Movement:
    """The same, said of the run that holds it."""
    if movement.origin.since != _TRIAL:
        return movement
    return replace(movement, origin=replace(movement.origin, since=run_id))
