"""From the checks' verdict to the books' plan: which files and units go on, and how the guards are asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

from cpimportd.books.publish.notices import readers
from cpimportd.books.publish.plan import Judge, NewName, Publication, Today
from cpimportd.checks.closed import closed_before
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Settings
from cpimportd.core.model import Content, Unit, UnitFacts
from cpimportd.core.problems import Effect
from cpimportd.core.verdicts import Judgement
from cpimportd.run.intake import Asked, Intake


def plan_publication(
    settings: Settings, asked: Asked, intake: Intake, run_id: int | None, seconds: Callable[[], float]
) -> Publication:
    """What the checks let through becomes what the books are asked to do.

    Args:
        settings: the effective settings.
        asked: what the caller wants.
        intake: today's files and the checks' verdict.
        run_id: the run's number; None for a dry run.
        seconds: how long the run has lasted so far.
    """
    verdict = intake.verdict
    first_open = closed_before(settings.guards.closed_before, datetime.now(settings.zone).date())
    units = {unit: found for unit, found in verdict.units.items() if not found.held and not found.unchanged}
    return Publication(
        run_id=run_id,
        department_id=settings.department_id,
        zone=settings.zone,
        files={file.snapshot.file_no: file for file in verdict.files.values() if not file.snapshot.unchanged},
        units=units,
        held={unit: found.problems for unit, found in verdict.units.items() if found.held},
        judge=_judge(settings, asked, intake, first_open),
        channel=settings.tell.channel,
        readers=readers(settings),
        seconds=seconds,
        closed_before=first_open,
        today=today(asked, intake),
        older=frozenset(unit for unit, found in intake.earlier.items() if found.older),
        problems=verdict.problems,
        put_right=frozenset(unit for unit in units if _only_put_right(intake, unit)),
    )


def today(asked: Asked, intake: Intake) -> Today:
    """What the run saw of all units, those included that it does not publish."""
    verdict = intake.verdict
    unfetched = any(found.effect is not Effect.WARNS for found in verdict.problems)
    nobodys = any(file.held and not file.organizations for file in verdict.files.values())
    unchanged = [unit for unit, found in verdict.units.items() if found.unchanged and not found.held]
    return Today(
        groups=frozenset(kind.group for kind in asked.only),
        file_nos={unit: found.file_nos for unit, found in verdict.units.items()},
        contents={unit: intake.contents(unit) for unit in verdict.units},
        whole=not unfetched and not nobodys,
        new_names=tuple(name for unit in unchanged for name in _new_names(intake, unit)),
    )


def _new_names(intake: Intake, unit: Unit) -> Iterator[NewName]:
    """The workbooks of a unit that serve as before, and by another name."""
    own = [intake.snapshots[file_no] for file_no in sorted(intake.verdict.units[unit].file_nos)]
    for entry in intake.served:
        if (entry.organization, entry.kind.group) != (unit.organization, unit.group):
            continue
        served = (Content(entry.digest, entry.sha256),)
        # A copy that takes no part still bears its name.
        names = {snapshot.file.name for snapshot in intake.snapshots if snapshot.content.among(served)}
        now = next((snapshot for snapshot in own if snapshot.content.among(served)), None)
        if now is not None and entry.file not in names:
            yield NewName(entry.kind, entry.organization, entry.file, now.file.name, now.content)


def _only_put_right(intake: Intake, unit: Unit) -> bool:
    """Whether the unit is published only because somebody else wrote to it: its files are those of last time."""
    if unit not in intake.foreign:
        return False
    then = {entry.digest for entry in intake.served if entry.organization == unit.organization
            and entry.kind.group is unit.group}  # fmt: skip
    return {intake.snapshots[n].digest for n in intake.verdict.units[unit].file_nos} == then


def _judge(settings: Settings, asked: Asked, intake: Intake, first_open: date | None) -> Judge:
    """The guards, in the form in which the books ask them."""
    organizations = frozenset(unit.organization for unit, found in intake.verdict.units.items() if found.has_file)

    def judge(facts: Sequence[UnitFacts]) -> Mapping[Unit, Judgement]:
        return plausibility(
            facts,
            settings.guards,
            asked.accepted,
            organizations_today=organizations,
            strict=asked.strict,
            first_open=first_open,
            undone=intake.undone,
            earlier=intake.earlier,
        )

    return judge
