"""Slots: strictly increasing, the same wherever one begins to count them, and the newest one found without a list."""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.timetable.calendar import ExpressionError, SlotOrderError, count_slots, newest_slot, next_slot, slots
from tests.support.timetable.clock_changes import as_expression, brute_force, instants, times_of_day, zone_names

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")

EXPRESSIONS = (
    "*-*-* 06:00:00", "02:30", "*-*-* 00:00", "*:*", "*:0/15", "hourly", "weekly", "Sun 01:30", "Mon..Fri 23:59:59",
    "*-*~1 00:30", "*-02-29 02:00", "*-*-* 1..3:0/20:30", "02:30 Europe/Berlin\n02:30 Europe/Moscow\n02:30",
)  # fmt: skip

any_expression = st.sampled_from(EXPRESSIONS)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def first(expression: str, zone: tzinfo, after: datetime, count: int) -> list[datetime]:
    return list(islice(slots(expression, zone, after), count))


def listed(expression: str, zone: tzinfo, after: datetime, until: datetime) -> list[datetime]:
    return list(takewhile(lambda slot: slot <= until, slots(expression, zone, after)))


def test_the_day_of_25_hours_in_moscow():
    assert next_slot("06:00", MOSCOW, datetime(2014, 10, 25, 6, 0, 1, tzinfo=MOSCOW)) == utc(2014, 10, 26, 3)


def test_the_day_of_23_hours_in_moscow():
    assert next_slot("06:00", MOSCOW, datetime(2011, 3, 26, 6, 0, 1, tzinfo=MOSCOW)) == utc(2011, 3, 27, 2)


def test_a_slot_is_never_its_own_successor():
    slot = utc(2026, 11, 24, 3)
    assert next_slot("06:00", MOSCOW, slot) == slot + timedelta(days=1)
    assert next_slot("06:00", MOSCOW, slot - timedelta(microseconds=1)) == slot


def test_slots_are_given_in_utc():
    assert next_slot("06:00", MOSCOW, datetime(2026, 11, 24, tzinfo=MOSCOW)).tzinfo is UTC


def test_a_local_time_that_does_not_exist_has_no_slot():
    assert first("02:30", MOSCOW, utc(2011, 3, 26), 2) == [utc(2011, 3, 27, 22, 30), utc(2011, 3, 28, 22, 30)]


def test_a_day_that_does_not_exist_has_no_slot():
    found = first("06:00", ZoneInfo("Pacific/Apia"), utc(2011, 12, 29, 10), 2)
    assert [slot.astimezone(ZoneInfo("Pacific/Apia")).day for slot in found] == [29, 31]


def test_a_local_time_that_exists_twice_has_one_slot_the_first():
    found = first("02:30", BERLIN, utc(2024, 10, 26, 12), 2)
    assert found == [utc(2024, 10, 27, 0, 30), utc(2024, 10, 28, 1, 30)]


@pytest.mark.parametrize("expression", ["02:30", "*:*", "*:*:*"])
def test_in_the_second_pass_of_a_repeated_hour_the_slots_of_the_first_are_over(expression):
    after = datetime(2024, 10, 27, 2, 10, tzinfo=BERLIN, fold=1)
    assert after.astimezone(UTC) == utc(2024, 10, 27, 1, 10)
    expected = {"02:30": utc(2024, 10, 28, 1, 30)}.get(expression, utc(2024, 10, 27, 2))
    assert next_slot(expression, BERLIN, after) == expected


def test_what_exists_after_a_skipped_hour_keeps_its_slot():
    # systemd 252 steps over these three.
    assert next_slot("Sun 01:30", ZoneInfo("America/St_Johns"), utc(2009, 3, 8, 2, 27, 45)) == utc(2009, 3, 8, 4)
    assert next_slot("1..3:0/20", ZoneInfo("Europe/Dublin"), utc(2025, 3, 29, 20, 57)) == utc(2025, 3, 30, 1)
    assert next_slot("*:0/15", ZoneInfo("Pacific/Chatham"), utc(2024, 9, 28, 13, 45)) == utc(2024, 9, 28, 14)


def test_a_zone_in_the_expression_is_stronger_than_the_schedules():
    assert next_slot("06:00 Europe/Riga", MOSCOW, utc(2026, 11, 24)) == utc(2026, 11, 24, 4)
    assert next_slot("06:00 UTC", MOSCOW, utc(2026, 11, 24)) == utc(2026, 11, 24, 6)


def test_lines_are_merged_and_an_instant_that_two_of_them_name_is_one_slot():
    found = first("06:00\n05:00 Europe/Riga\n07:00 UTC\n03:00 UTC", MOSCOW, utc(2026, 11, 24), 3)
    assert found == [utc(2026, 11, 24, 3), utc(2026, 11, 24, 7), utc(2026, 11, 25, 3)]


@given(data=st.data(), zone=zone_names, times=times_of_day())
@settings(deadline=None, max_examples=150)
def test_the_slots_are_what_a_clock_on_the_wall_shows_for_the_first_time(data, zone, times):
    after = data.draw(instants(zone))
    until = after + timedelta(hours=30)
    expected = list(brute_force(times, ZoneInfo(zone), after, until))
    assert listed(as_expression(times), ZoneInfo(zone), after, until) == expected


@given(data=st.data(), zone=zone_names, expression=any_expression)
@settings(deadline=None)
def test_slots_strictly_increase_and_each_is_the_next_of_the_one_before(data, zone, expression):
    after = data.draw(instants(zone))
    found = first(expression, ZoneInfo(zone), after, 100)
    assert all(earlier < later for earlier, later in zip([after, *found], found, strict=False))
    for earlier, later in zip([after, *found][:20], found, strict=False):
        assert next_slot(expression, ZoneInfo(zone), earlier) == later


@given(data=st.data(), zone=zone_names, expression=any_expression)
@settings(deadline=None)
def test_slots_do_not_depend_on_where_one_begins_to_count(data, zone, expression):
    after = data.draw(instants(zone))
    later = after + data.draw(st.timedeltas(timedelta(0), timedelta(hours=8)))
    assert [slot for slot in listed(expression, ZoneInfo(zone), after, later + timedelta(days=1)) if slot > later] == (
        listed(expression, ZoneInfo(zone), later, later + timedelta(days=1))
    )


@given(data=st.data(), zone=zone_names, expression=any_expression, hours=st.floats(0, 60))
@settings(deadline=None)
def test_the_newest_slot_is_the_last_of_all_and_all_are_counted(data, zone, expression, hours):
    after = data.draw(instants(zone))
    until = after + timedelta(hours=hours)
    found = listed(expression, ZoneInfo(zone), after, until)
    assert newest_slot(expression, ZoneInfo(zone), after, until) == (found[-1] if found else None)
    assert count_slots(expression, ZoneInfo(zone), after, until, 100_000) == len(found)
    assert count_slots(expression, ZoneInfo(zone), after, until, 2) == min(len(found), 2)


def test_the_newest_slot_can_be_the_instant_itself_but_never_the_one_after_which_it_is_asked():
    slot = utc(2026, 11, 24, 3)
    assert newest_slot("06:00", MOSCOW, slot - timedelta(days=1), slot) == slot
    assert newest_slot("06:00", MOSCOW, slot, slot + timedelta(hours=23)) is None
    assert newest_slot("06:00", MOSCOW, slot, slot) is None
    assert newest_slot("06:00", MOSCOW, slot, slot - timedelta(days=3)) is None
    assert count_slots("06:00", MOSCOW, slot, slot - timedelta(days=3), 10) == 0


@pytest.mark.parametrize("zone", ["Europe/Moscow", "Antarctica/Troll", "Africa/Casablanca"])
def test_a_clock_set_thirty_years_ahead_is_answered_at_once(zone):
    began = time.perf_counter()
    found = newest_slot("*:*", ZoneInfo(zone), utc(2026, 11, 24), utc(2056, 11, 24, 12, 0, 30))
    assert found == utc(2056, 11, 24, 12)
    assert count_slots("*:*", ZoneInfo(zone), utc(2026, 11, 24), utc(2056, 11, 24), 1000) == 1000
    assert time.perf_counter() - began < 1, "a list of all 15.8 million slots would take a minute"


def test_there_are_no_slots_from_2200_on():
    last = first("*-*-* 06:00", MOSCOW, utc(2199, 12, 30), 10)
    assert last == [utc(2199, 12, 30, 3), utc(2199, 12, 31, 3)]
    assert next_slot("*:*", MOSCOW, utc(2200, 6, 1)) is None
    assert newest_slot("*:*", MOSCOW, utc(2199, 12, 1), utc(2300, 1, 1)) == utc(2199, 12, 31, 20, 59)


def test_an_expression_that_names_no_date_has_no_slot():
    assert next_slot("*-02-30 06:00", MOSCOW, utc(2026, 1, 1)) is None
    assert newest_slot("*-02-30 06:00", MOSCOW, utc(2026, 1, 1), utc(2056, 1, 1)) is None


def test_the_ends_of_the_calendar_are_instants_like_others():
    begin, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=MOSCOW)
    assert next_slot("06:00", MOSCOW, begin) == utc(1970, 1, 1, 3)
    assert next_slot("00:00", ZoneInfo("Pacific/Kiritimati"), begin) == utc(1970, 1, 1, 10, 40)
    assert next_slot("06:00", MOSCOW, end) is None
    assert newest_slot("06:00", MOSCOW, begin, end) == utc(2199, 12, 31, 3)


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        slots("06:00", MOSCOW, utc(2026, 1, 1).replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        newest_slot("06:00", MOSCOW, utc(2026, 1, 1), utc(2026, 1, 2).replace(tzinfo=None))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "it is empty"),
        ("25:00", "bad hour"),
        ("06:00\n\n07:00", "it is empty"),
        ("Tag 06:00", "bad day-of-week"),
        ("06:00 Europe/Moskva", "unknown time zone"),
        ("06:00 Europe", "unknown time zone"),
        ("06:00 ../../etc/passwd", "it goes weekdays, date, time"),
    ],
)
def test_what_is_no_expression_is_refused_before_the_first_slot_is_asked_for(expression, reason):
    with pytest.raises(ExpressionError, match=reason):
        slots(expression, MOSCOW, utc(2026, 1, 1))


@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z]{0,3} ?[0-9*~/.,-]{0,10} [0-9*:/.,]{0,10}( [A-Za-z/]{0,9})?"))
def test_whatever_is_written_is_an_expression_or_is_refused_as_none(text):
    try:
        found = slots(text, MOSCOW, utc(2026, 1, 1))
    except ExpressionError:
        return
    assert next(found, utc(2026, 1, 2)) > utc(2026, 1, 1)


class SetBackByNearlyTwoDays(tzinfo):
    """A zone whose clock goes from +23:00 to -23:00: further back than any real one ever went."""

    at = utc(2026, 6, 1).replace(tzinfo=None)

    def utcoffset(self, dt):
        repeated = self.at - timedelta(hours=23) <= dt.replace(tzinfo=None) < self.at + timedelta(hours=23)
        before = dt.replace(tzinfo=None, fold=0) < self.at + timedelta(hours=23) and not (repeated and dt.fold)
        return timedelta(hours=23 if before else -23)

    def dst(self, dt):
        return None

    def fromutc(self, dt):
        naive = dt.replace(tzinfo=None)
        if naive < self.at:
            return (naive + timedelta(hours=23)).replace(tzinfo=self)
        local = naive - timedelta(hours=23)
        return local.replace(tzinfo=self, fold=int(local < self.at + timedelta(hours=23)))


def test_answers_that_do_not_come_after_the_question_end_in_an_error_never_in_a_loop():
    zone, after = SetBackByNearlyTwoDays(), utc(2026, 6, 1)
    assert after.astimezone(zone).astimezone(UTC) == after
    assert next_slot("*:*", zone, after) == utc(2026, 6, 2, 22), "a minute's answers can still be stepped past"
    with pytest.raises(SlotOrderError, match="no slot after 2026-06-01"):
        next_slot("*:*:*", zone, after)
