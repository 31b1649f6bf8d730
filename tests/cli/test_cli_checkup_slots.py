"""`check` warns of coming dates on which a schedule's local time does not exist or exists twice."""

from datetime import UTC, datetime

import pytest

from cpimportd.cli.checkup.checkup import checkup
from cpimportd.cli.checkup.machine import regular_slots
from cpimportd.config.settings import Schedule, Settings

NOW = datetime(2026, 11, 24, 11, tzinfo=UTC)


def settings(zone: str, **schedules: str | Schedule) -> Settings:
    return Settings(
        timezone=zone,
        schedules={name: at if isinstance(at, Schedule) else Schedule(at=at) for name, at in schedules.items()},
    )


def test_a_schedule_that_no_clock_change_touches_is_ok():
    (line,) = regular_slots(settings("Europe/Berlin", daily="06:00"), NOW)
    assert line.status == "OK"
    assert "2027-11-24" in line.text


def test_each_irregular_date_of_the_coming_year_is_a_warning_with_its_schedule():
    lines = regular_slots(settings("Europe/Berlin", night="02:30", daily="06:00"), NOW)
    assert [(line.status, line.code) for line in lines] == [("WARNING", "slot-irregular")] * 2
    assert [line.ok for line in lines] == [True, True]
    assert "schedule night: on 2027-03-28 its local time 02:30 does not exist" in lines[0].text
    assert "schedule night: on 2027-10-31 its local time 02:30 exists twice" in lines[1].text
    assert all(line.way_out for line in lines)


def test_a_schedule_that_is_not_enabled_is_not_warned_of():
    (line,) = regular_slots(settings("Europe/Berlin", night=Schedule(at="02:30", enabled=False)), NOW)
    assert line.status == "OK"


def test_a_line_with_a_zone_of_its_own_is_looked_at_there():
    first, _ = regular_slots(settings("Europe/Moscow", night="02:30 Europe/Berlin"), NOW)
    assert "02:30 Europe/Berlin does not exist" in first.text


@pytest.mark.asyncio
async def test_check_has_the_warning_among_its_lines(write_configuration, tmp_path):
    path = write_configuration(
        f"postgresql://u@/x?host={tmp_path}", '[schedules.night]\nat = "02:30"', 'timezone = "Europe/Berlin"'
    )
    found = [line for line in await checkup(path) if line.name == "slots"]
    assert {line.code for line in found} == {"slot-irregular"}
    assert len(found) == 2
