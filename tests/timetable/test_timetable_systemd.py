"""Slots against those of a real systemd: `systemd-analyze calendar`, in 12 zones, around clock changes."""

import os
import random
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from cpimportd.timetable.calendar import slots
from tests.support.timetable.clock_changes import clock_changes

# What systemd 252 answers from within the second pass of a repeated hour depends on where one begins to count, and in
# other zones (Dublin, Kyiv, Troll, Vostok, Havana, St. John's, Chatham) it steps over local times that do exist: there
# it goes by what mktime(3) guesses. We give neither up: see test_timetable_calendar.py.
ZONES = (
    "Europe/Moscow", "Asia/Yekaterinburg", "Europe/Kaliningrad", "Europe/Berlin", "Europe/London", "America/New_York",
    "America/Sao_Paulo", "America/Santiago", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
    "Africa/Casablanca",
)  # fmt: skip

EXPRESSIONS = (
    "*-*-* 06:00:00", "02:30", "*-*-* 00:00", "*:0/15", "*:00", "Sun 01:30", "*-*-01 02:00:30", "Mon..Fri 23:59:59",
    "*-*-* 1..3:0/20", "*-02-29 12:00", "*-*~1 00:30", "*-*-* 00,12:00:00", "weekly", "*-10-* 02:00:00", "*:*:0/30",
)  # fmt: skip

CASES_PER_ZONE = 20
ITERATIONS = 6
_ELAPSE = re.compile(r"(?:Next elapse|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")

Case = tuple[str, str, datetime]


def cases(zone: str) -> list[Case]:
    """The same ones every time: near clock changes, but never in the second pass of a repeated hour."""
    dice, found = random.Random(f"slots in {zone}"), []
    while len(found) < CASES_PER_ZONE:
        near = timedelta(minutes=dice.choice((150, 1440)))
        base = dice.choice(clock_changes(zone)) + (2 * dice.random() - 1) * near
        if not base.astimezone(ZoneInfo(zone)).fold:
            found.append((dice.choice(EXPRESSIONS), zone, base.replace(microsecond=0)))
    return found


def of_systemd(case: Case) -> list[datetime]:
    expression, zone, base = case
    said = subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC",
         f"--iterations={ITERATIONS}", f"{expression} {zone}"],
        capture_output=True, text=True, timeout=30, check=True, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
    ).stdout  # fmt: skip
    return [datetime.fromisoformat(f"{found}+00:00") for found in _ELAPSE.findall(said)]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_slots_are_those_of_systemd_in_12_zones_around_clock_changes():
    asked = [case for zone in ZONES for case in cases(zone)]
    with ThreadPoolExecutor(4) as pool:
        theirs = list(pool.map(of_systemd, asked))
    ours = [list(islice(slots(f"{at} {zone}", UTC, base), ITERATIONS)) for at, zone, base in asked]
    assert all(len(answer) == ITERATIONS for answer in theirs), "systemd-analyze was not understood"
    assert [(case, answer) for case, answer in zip(asked, ours, strict=True)] == list(zip(asked, theirs, strict=True))
