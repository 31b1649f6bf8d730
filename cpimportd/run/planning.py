"""From the checks' verdict to the books' plan: which files and units go on, and how the guards are asked."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from cpimportd.books.publish.notices import readers
from cpimportd.books.publish.plan import FilePlan, Judge, Judgement, NewName, Publication, Today, UnitPlan
from cpimportd.checks.closed import closed_before
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Settings
from cpimportd.core.catalog import Effect
from cpimportd.core.model import Content, Unit, UnitFacts
from cpimportd.core.problems import Problem, problem
from cpimportd.core.verdicts import FileVerdict
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
    read = frozenset(found for snapshot in intake.snapshots for found in snapshot.problems)
    files = {
        file_no: FilePlan(intake.snapshots[file_no], file.kind, file.organizations, _own(file, read), file.ignored)
        for file_no, file in verdict.files.items()
        if not intake.snapshots[file_no].unchanged
    }
    units = {
        unit: UnitPlan(
            unit=unit,
            file_nos=found.file_nos,
            put_right=_only_put_right(intake, unit),
            problems=found.problems,
            accepted=found.accepted,
        )
        for unit, found in verdict.units.items()
        if not found.held and not found.unchanged
    }
    return Publication(
        run_id=run_id,
        department_id=settings.department_id,
        zone=settings.zone,
        files=files,
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


def _own(file: FileVerdict, read: frozenset[Problem]) -> tuple[Problem, ...]:
    """A file's problems less those that its reader found, which its snapshot holds."""
    return tuple(p for p in file.problems if p not in read)


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

    def judge(facts: Sequence[UnitFacts]) -> dict[Unit, Judgement]:
        found = plausibility(
            facts,
            settings.guards,
            asked.accepted,
            organizations_today=organizations,
            first_open=first_open,
            undone=intake.undone,
            earlier=intake.earlier,
        )
        one_holds_all = asked.strict and any(verdict.held for verdict in found.values())
        judgements = {}
        for unit, verdict in found.items():
            late = (problem("strict", organization=unit.organization),) if one_holds_all and not verdict.held else ()
            judgements[unit] = Judgement(
                held=verdict.held or bool(late),
                problems=(*verdict.problems, *late),
                accepted=verdict.accepted,
                retimed=verdict.retimed,
                rekeyed=verdict.rekeyed,
                renamed_from=verdict.renamed_from,
            )
        return judgements

    return judge
