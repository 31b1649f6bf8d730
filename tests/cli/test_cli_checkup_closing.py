"""`check` says which day is the first open one: a period "closed before" a day leaves that very day open."""

from datetime import UTC, date, datetime

import pytest

from cpimportd.cli.checkup.machine import first_open_day
from cpimportd.config.settings import Guards, Settings

NOW = datetime(2026, 11, 30, 21, 30, tzinfo=UTC)
"""Half past midnight of 1 December in Moscow."""


def line(setting: date | str | None, zone: str = "Europe/Moscow"):
    guards = Guards(closed_before=setting)  # type: ignore[arg-type]
    (found,) = first_open_day(Settings(timezone=zone, guards=guards), NOW)
    return found


@pytest.mark.parametrize(
    ("setting", "zone", "day"),
    [
        (date(2025, 1, 1), "Europe/Moscow", "01.01.2025"),
        (date(2025, 1, 15), "Europe/Moscow", "15.01.2025"),
        ("previous-month", "Europe/Moscow", "01.11.2026"),  # it is December there already
        ("previous-month", "UTC", "01.10.2026"),
    ],
)
def test_the_first_open_day_is_named(setting, zone, day):
    found = line(setting, zone)
    assert (found.status, f"the first open day is {day};" in found.text) == ("OK", True)


@pytest.mark.parametrize(("day", "meant"), [("2024-12-31", "2025-01-01"), ("2024-02-29", "2024-03-01")])
def test_the_last_day_of_a_month_is_warned_of_since_it_stays_open(day, meant):
    found = line(date.fromisoformat(day))
    assert (found.status, found.ok) == ("WARNING", True)
    assert "the first open day is" in found.text
    assert found.way_out is not None
    assert found.way_out.endswith(f"guards.closed_before = {meant}")


def test_nothing_is_closed_where_nothing_is_set():
    assert line(None).text == "none: guards.closed_before is not set"
