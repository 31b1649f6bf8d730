"""What a daemon is to do, as tests of its decisions need it: one schedule at 06:00, or any."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cpimportd.daemon.plan import Plan
from cpimportd.timetable.memory import PlannedSchedule

HOUR = timedelta(hours=1)
MOSCOW = ZoneInfo("Europe/Moscow")
SCHEDULE = PlannedSchedule("import", "*-*-* 06:00:00", MOSCOW, HOUR)
PLAN = Plan(
    "here", Path("/copy"), Path("/state"), Path("/run"), "Europe/Moscow", (SCHEDULE,),
    retry_within=timedelta(minutes=20), wait_first=timedelta(seconds=2), wait_longest=timedelta(minutes=2),
    look_again=timedelta(minutes=5), run_time_limit=2 * HOUR, stale_after=36 * HOUR,
)  # fmt: skip


def plan(**at: str) -> Plan:
    return Plan(
        "here", Path("/copy"), Path("/state"), Path("/run"), "Europe/Moscow",
        tuple(PlannedSchedule(name, when, MOSCOW, HOUR) for name, when in at.items()),
        retry_within=HOUR, wait_first=timedelta(seconds=2), wait_longest=timedelta(minutes=2),
        look_again=timedelta(minutes=5), run_time_limit=2 * HOUR, stale_after=36 * HOUR,
    )  # fmt: skip
