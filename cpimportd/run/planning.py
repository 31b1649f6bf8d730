"""Turns the checks' verdict into the plan of a publication: its files and units, and the call of the guards."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime

from cpimportd.books.publish.notices import readers
from cpimportd.books.publish.plan import JudgeIfAccepted, NewName, Publication, Today
from cpimportd.checks.guards import closed_before
from cpimportd.checks.plausibility import plausibility
from cpimportd.core.catalog import Effect
from cpimportd.core.model import Unit
from cpimportd.core.unit_facts import UnitFacts
from cpimportd.core.verdicts import Judgement
from cpimportd.core.workbooks import Content
from cpimportd.run.checking import Intake
from cpimportd.run.request import Run, RunRequest


def plan_publication(run: Run, intake: Intake) -> Publication:
    """What the checks let through becomes what the books are asked to do.

    Args:
        run: the run that publishes, or tries to.
        intake: today's files and the checks' verdict.
    """
    verdict, settings = intake.verdict, run.settings
    first_open = closed_before(settings.guards.closed_before, datetime.now(settings.zone).date())
    units = {unit: found for unit, found in verdict.units.items() if not found.held and not found.unchanged}
    judge = _judge(run, intake, first_open)
    return Publication(
        run_id=run.run_id,
        department_id=settings.department_id,
        zone=settings.zone,
        files={file.snapshot.file_no: file for file in verdict.files.values() if not file.snapshot.unchanged},
        units=units,
        held={unit: found.problems for unit, found in verdict.units.items() if found.held},
        judge=lambda facts: judge(facts, ()),
        judge_if_accepted=judge,
        channel=settings.tell.channel,
        readers=readers(settings),
        seconds=lambda: run.seconds,
        closed_before=first_open,
        today=today(run.request, intake),
        older=frozenset(unit for unit, found in intake.earlier.items() if found.older),
        problems=verdict.problems,
        put_right=frozenset(unit for unit in units if _only_put_right(intake, unit)),
    )


def today(request: RunRequest, intake: Intake) -> Today:
    """What the run saw of all units, those included that it does not publish."""
    verdict = intake.verdict
    unfetched = any(found.effect is not Effect.WARNS for found in verdict.problems)
    nobodys = any(file.held and not file.organizations for file in verdict.files.values())
    unchanged = [unit for unit, found in verdict.units.items() if found.unchanged and not found.held]
    return Today(
        groups=request.groups,
        file_nos={unit: found.file_nos for unit, found in verdict.units.items()},
        contents={unit: intake.contents(unit) for unit in verdict.units},
        whole=not unfetched and not nobodys and not request.alone,
        new_names=tuple(name for unit in unchanged for name in _new_names(intake, unit)),
    )


def _new_names(intake: Intake, unit: Unit) -> Iterator[NewName]:
    """The workbooks of a unit that serve as before, and by another name."""
    for entry in intake.read.served:
        if (entry.organization, entry.kind.group) != (unit.organization, unit.group):
            continue
        served = (Content(entry.digest, entry.sha256),)
        # A copy that takes no part still bears its name.
        names = {snapshot.file.name for snapshot in intake.read.snapshots if snapshot.content.among(served)}
        now = next((snapshot for snapshot in intake.snapshots(unit) if snapshot.content.among(served)), None)
        if now is not None and entry.file not in names:
            yield NewName(entry.kind, entry.organization, entry.file, now.file.name, now.content)


def _only_put_right(intake: Intake, unit: Unit) -> bool:
    """Whether the unit is published only because another program wrote to it: its files are those of last time."""
    if unit not in intake.read.foreign:
        return False
    then = {entry.digest for entry in intake.read.served if entry.organization == unit.organization
            and entry.kind.group is unit.group}  # fmt: skip
    return {snapshot.digest for snapshot in intake.snapshots(unit)} == then


def _judge(run: Run, intake: Intake, first_open: date | None) -> JudgeIfAccepted:
    """The guards, in the form in which the books ask them."""
    organizations = frozenset(unit.organization for unit, found in intake.verdict.units.items() if found.has_file)
    if run.request.alone:  # others are not gone: nobody looked for their workbooks
        organizations |= {entry.organization for entry in intake.read.served}

    def judge(facts: Sequence[UnitFacts], accepted: Collection[Unit]) -> Mapping[Unit, Judgement]:
        return plausibility(
            facts,
            run.settings.guards,
            frozenset(run.request.accepted) | {unit.name for unit in accepted},
            organizations_today=organizations,
            strict=run.request.is_strict(run.settings),
            first_open=first_open,
            undone=intake.undone,
            earlier=intake.earlier,
        )

    return judge
