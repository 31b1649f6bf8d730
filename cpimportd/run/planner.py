"""The child process that reads the configuration for the daemon: ``python -m cpimportd.run.planner``.

It prints a plan, or all errors, as one JSON document, and keeps a copy of an accepted configuration for the runs.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from cpimportd.config.load import Loaded, check_expression, load, require_database, require_source
from cpimportd.config.settings import Settings
from cpimportd.core.files import own_folder
from cpimportd.core.problems import ProblemError
from cpimportd.core.process import forbid_core_dumps
from cpimportd.core.system import unusable
from cpimportd.daemon.command_lines import STARTING
from cpimportd.daemon.plan import (
    COPY_PREFIX,
    RESCHEDULED,
    Plan,
    encode,
    encode_problems,
    env_copy,
    read_rescheduled,
)
from cpimportd.run.usable import require_usable
from cpimportd.timetable.memory import PlannedSchedule


def runtime_directory(settings: Settings) -> Path:
    """Where the daemon keeps what need not outlive it: systemd's ``RuntimeDirectory=``, else beside its memory."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]  # systemd.exec(5): several are separated by colons
    return Path(given) if given else settings.state_directory / "run"


def make_plan(loaded: Loaded, runtime: Path, *, starting: bool = False) -> Plan:
    """The plan that a configuration makes.

    Args:
        loaded: the configuration.
        runtime: the daemon's runtime folder, where rescheduled expressions lie.
        starting: whether the daemon starts: these hold no more, and whatever a power cut left of them is not looked at.

    Raises:
        ProblemError: something that runs or jobs cannot do without is missing or wrong, or a rescheduled expression is.
    """
    settings = loaded.settings
    require_database(settings, loaded.path)
    require_source(settings, loaded.path)
    require_usable(loaded)
    schedules = _schedules(settings)
    return Plan(
        source=str(loaded.path) if loaded.path else "the environment",
        copy=runtime,
        state_directory=settings.state_directory,
        runtime_directory=runtime,
        timezone=settings.timezone,
        schedules=tuple(schedules if starting else _with_rescheduled(schedules, runtime / RESCHEDULED)),
        retry_within=settings.retry.within,
        wait_first=settings.retry.wait_first,
        wait_longest=settings.retry.wait_longest,
        look_again=settings.daemon.look_again,
        run_time_limit=settings.daemon.run_time_limit,
        stale_after=settings.source.stale_after,
        warnings=loaded.problems,
    )


def _schedules(settings: Settings) -> Iterator[PlannedSchedule]:
    for name, found in settings.schedules.items():
        if found.enabled:
            waits = found.wait_for_upload if found.job == "import" else timedelta(0)
            yield PlannedSchedule(
                name,
                found.at,
                settings.zone,
                found.grace,
                found.catch_up,
                found.only,
                waits,
                job=found.job,
                started_grace=max(waits, settings.retry.within, settings.daemon.run_time_limit),
            )


def _with_rescheduled(schedules: Iterator[PlannedSchedule], file: Path) -> Iterator[PlannedSchedule]:
    changed = read_rescheduled(file)
    for schedule in schedules:
        if schedule.name in changed:
            at = check_expression(changed[schedule.name], f"{file}, {schedule.name}")
            yield replace(schedule, at=at, rescheduled=True)
        else:
            yield schedule


def _keep(text: str, variables: str, runtime: Path) -> Path:
    """Write what was accepted where only this user can read it; it may hold a password."""
    handle, name = tempfile.mkstemp(prefix=COPY_PREFIX, suffix=".toml", dir=runtime)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    if variables:
        beside = env_copy(Path(name))
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(variables)
    return Path(name)


def _main(arguments: list[str]) -> int:
    """Print the plan, or what is wrong; 0 or the exit code of what is wrong."""
    files = [Path(argument) for argument in arguments if argument != STARTING]
    try:
        loaded = load(files[0] if files else None)
        runtime = runtime_directory(loaded.settings)
        plan = make_plan(loaded, runtime, starting=STARTING in arguments)
        try:
            for folder in (loaded.settings.state_directory, runtime):
                own_folder(folder)
            plan = replace(plan, copy=_keep(loaded.text, loaded.env_text, runtime))
        except OSError as error:
            raise ProblemError(unusable(error.filename or runtime, error)) from error
    except ProblemError as error:
        print(encode_problems(error.problems))  # noqa: T201 - this is the answer
        return error.exit_code
    print(encode(plan))  # noqa: T201
    return 0


if __name__ == "__main__":
    forbid_core_dumps()
    sys.exit(_main(sys.argv[1:]))
