"""Dates on which a local time does not exist or exists twice are named, and no other date is."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.core.typed import to_json
from cpimportd.timetable.calendar import slots
from cpimportd.timetable.irregular import IrregularDate, Irregularity, irregular_dates
from tests.support.timetable.clock_changes import instants, zone_names

MISSING, REPEATED = Irregularity.MISSING, Irregularity.REPEATED


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def in_year(expression: str, zone: str, year: int) -> list[tuple[date, Irregularity, str]]:
    found = irregular_dates(expression, ZoneInfo(zone), utc(year, 1, 1), utc(year + 1, 1, 1))
    return [(one.day, one.kind, one.describe(zone)) for one in found]


@pytest.mark.parametrize(
    ("expression", "zone", "year", "expected"),
    [
        ("02:30", "Europe/Moscow", 2011, [(date(2011, 3, 27), MISSING, "02:30 does not exist: no slot on that day")]),
        ("02:30", "Europe/Moscow", 2026, []),
        ("06:00", "Europe/Moscow", 2011, []),
        (
            "02:30",
            "Europe/Berlin",
            2027,
            [
                (date(2027, 3, 28), MISSING, "02:30 does not exist: no slot on that day"),
                (date(2027, 10, 31), REPEATED, "02:30 exists twice: one slot, the first"),
            ],
        ),
        ("06:00", "Pacific/Apia", 2011, [(date(2011, 12, 30), MISSING, "06:00 does not exist: no slot on that day")]),
        (
            "00:00",
            "America/Sao_Paulo",
            2018,
            [(date(2018, 11, 4), MISSING, "00:00 does not exist: no slot on that day")],
        ),
        ("Mon 02:30", "Europe/Berlin", 2027, []),
        ("*:0/30", "Australia/Lord_Howe", 2024, [
            (date(2024, 4, 7), REPEATED, "01:30 exists twice: one slot, the first"),
            (date(2024, 10, 6), MISSING, "02:00 does not exist: no slot for it"),
        ]),
        ("02:30\n02:45\n14:00", "Europe/Berlin", 2027, [
            (date(2027, 3, 28), MISSING, "02:30, 02:45 do not exist: no slots for them"),
            (date(2027, 10, 31), REPEATED, "02:30, 02:45 exist twice: one slot each, the first"),
        ]),
        ("2:0/5:30", "Europe/Moscow", 2011, [
            (date(2011, 3, 27), MISSING, "12 local times from 02:00:30 to 02:55:30 do not exist: no slot on that day"),
        ]),
        ("02:30 Europe/Berlin\n02:30", "Europe/Moscow", 2027, [
            (date(2027, 3, 28), MISSING, "02:30 Europe/Berlin does not exist: no slot for it"),
            (date(2027, 10, 31), REPEATED, "02:30 Europe/Berlin exists twice: one slot, the first"),
        ]),
    ],
)  # fmt: skip
def test_the_irregular_dates_of_a_year(expression, zone, year, expected):
    assert in_year(expression, zone, year) == expected


def test_an_irregular_date_as_scripts_get_it():
    (found,) = irregular_dates("02:30", ZoneInfo("Europe/Moscow"), utc(2011, 1, 1), utc(2012, 1, 1))
    assert found == IrregularDate(date(2011, 3, 27), (time(2, 30),), MISSING, "Europe/Moscow", slotless=True)
    assert to_json(found) == {
        "date": "2011-03-27",
        "times": ["02:30:00"],
        "kind": "missing",
        "timezone": "Europe/Moscow",
        "slotless": True,
    }


def test_only_what_lies_after_the_start_and_not_after_the_end_is_named():
    berlin, slot = ZoneInfo("Europe/Berlin"), utc(2027, 10, 31, 0, 30)
    second = timedelta(seconds=1)
    assert irregular_dates("02:30", berlin, slot - second, slot)
    assert not irregular_dates("02:30", berlin, slot, slot + timedelta(hours=3))
    assert not irregular_dates("02:30", berlin, slot - timedelta(days=3), slot - second)


def test_a_schedule_by_the_second_is_one_date_per_change():
    found = irregular_dates("*:*:*", ZoneInfo("Antarctica/Troll"), utc(2024, 1, 1), utc(2025, 1, 1))
    assert [(one.day, len(one.times), one.slotless) for one in found] == [
        (date(2024, 3, 31), 7200, False),
        (date(2024, 10, 27), 7200, False),
    ]


@given(data=st.data(), zone=zone_names, hour=st.integers(0, 3) | st.integers(0, 23), minute=st.integers(0, 59))
@settings(deadline=None, max_examples=200)
def test_a_day_lacks_its_daily_slot_exactly_where_it_is_named(data, zone, hour, minute):
    start, place, at = data.draw(instants(zone)), ZoneInfo(zone), f"{hour}:{minute}"
    end = start + timedelta(days=4)
    having = {slot.astimezone(place).date() for slot in takewhile(lambda slot: slot <= end, slots(at, place, start))}
    first, last = start.astimezone(place).date(), end.astimezone(place).date()
    between = {first + timedelta(days=n) for n in range(1, (last - first).days)}
    named = {one.day for one in irregular_dates(at, place, start, end) if one.kind is MISSING and one.slotless}
    assert between - having == named & between


@given(data=st.data(), zone=zone_names, hour=st.integers(0, 23), minute=st.integers(0, 59))
@settings(deadline=None, max_examples=200)
def test_a_slot_lies_on_a_repeated_local_time_exactly_where_it_is_named(data, zone, hour, minute):
    start, place, at = data.draw(instants(zone)), ZoneInfo(zone), f"{hour}:{minute}"
    end = start + timedelta(days=4)
    local = [slot.astimezone(place) for slot in takewhile(lambda slot: slot <= end, slots(at, place, start))]
    twice = {one.date() for one in local if one.utcoffset() > one.replace(fold=1).utcoffset()}
    assert twice == {one.day for one in irregular_dates(at, place, start, end) if one.kind is REPEATED}
