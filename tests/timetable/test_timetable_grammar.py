"""Expressions mean what systemd means by them, or are refused with words that say how they are written."""

import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest

from cpimportd.timetable.calendar import ExpressionError, next_slot, slots
from tests.support.timetable import analyze

MOSCOW = ZoneInfo("Europe/Moscow")
BASE = analyze.BASE


def ours(expression: str, base: datetime = BASE) -> list[datetime] | None:
    try:
        return list(islice(slots(expression, UTC, base), analyze.ITERATIONS))
    except ExpressionError:
        return None


def test_each_expression_of_the_table_is_read_or_refused_as_by_systemd():
    table = analyze.table()
    assert list(table) == list(analyze.EXPRESSIONS)
    assert {one: ours(one) for one in table} == table


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_table_is_what_systemd_here_says():
    assert analyze.ask(analyze.EXPRESSIONS, BASE) == analyze.table()


# From the issue: what each means, by hand.


def days(expression: str, count: int) -> list[str]:
    return [f"{slot:%m-%d}" for slot in islice(slots(expression, UTC, datetime(2027, 1, 1, tzinfo=UTC)), count)]


def test_a_range_of_one_day_is_that_day():
    assert days("*-*-15..15/1", 3) == ["01-15", "02-15", "03-15"]


def test_steps_from_the_months_end_count_from_the_smaller_number():
    # The 20th last; a step of 8 leads to the 28th last, which is beyond the 26th.
    assert days("2027-*~20..26/8", 12)[:4] == ["01-12", "02-09", "03-12", "04-11"]
    assert len(days("2027-*~20..26/8", 20)) == 12
    # The 6th and the 13th last of September.
    assert days("*-9~06..14/7", 2) == ["09-18", "09-25"]


@pytest.mark.parametrize("zone", ["utc", "UTC", "Utc", "uTC"])
def test_utc_in_any_case_is_utc(zone):
    assert next_slot(f"06:00 {zone}", MOSCOW, BASE) == datetime(2026, 12, 11, 6, tzinfo=UTC)
    assert next_slot(f"weekly {zone}", MOSCOW, BASE) == datetime(2026, 12, 14, tzinfo=UTC)


@pytest.mark.parametrize("word", ["biannually", "bi-annually", "semiannually", "semi-annually", "Semi-Annually"])
def test_half_yearly_shorthands_go_with_every_zone(word):
    assert next_slot(word, MOSCOW, BASE) == datetime(2026, 12, 31, 21, tzinfo=UTC)
    assert next_slot(f"{word} Asia/Tokyo", MOSCOW, BASE) == datetime(2026, 12, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", " UTC", " Asia/Tokyo"])
def test_an_instant_is_one_slot_whatever_the_zone(zone):
    assert list(slots(f"@1800000000{zone}", MOSCOW, BASE)) == [datetime(2027, 1, 15, 8, tzinfo=UTC)]
    assert list(slots("@1800000000", MOSCOW, datetime(2027, 1, 15, 8, tzinfo=UTC))) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    {
        "*:0/60": "bad minute: no step of 60 fits between 0 and 59; write 0",
        "*-*~3/3": "bad day before the month's end: no step of 3 fits between 3 and 1; write 3",
        "*:*/15": "write 0/15",
        "*-*/3-1": "write 1/3",
        "22..6:00": "bad hour: '22..6' goes backwards",
        "Fri..Mon": "bad day-of-week: Fri..Mon goes backwards; write both ends, as in Sat..Sun,Mon",
        "*-*~31": "bad day before the month's end: 31 is not from 1 to 28",
        "0 6 * * *": "this is written as for cron; write e.g. Mon..Fri *-*-* 06:00:00",
        "*/15 * * * *": "this is written as for cron",
        "06:00:00.5": "a slot begins with a whole second",
        "2027-01-01 6": "write it as hour:minute",
        "2027": "write it as year-month-day",
        "06:00 2027-01-01": "it goes weekdays, date, time",
        "06:00 MSK": "unknown time zone 'MSK'",
        "06:00 europe/moscow": "such as Europe/Moscow",
        "weekly Europe/Berln": "such as Europe/Berlin",
        "@99999999999": "after 2199, where systemd's calendar ends",
        "@1800000000 06:00": "stand alone, such as @1800000000",
        "Mon @1800000000": "stand alone, such as @1800000000",
        "fortnightly": "bad day-of-week: 'fortnightly' is none",
        "wee\u212aly": "it has a character that is no part of any",
        "٠٦:٠٠": "it has a character that is no part of any",
        "06:00\n\n07:00": "it is empty",
    }.items(),
)
def test_what_is_refused_says_how_it_is_written(expression, words):
    with pytest.raises(ExpressionError) as refused:
        slots(expression, MOSCOW, BASE)
    assert words in str(refused.value)


def test_systemd_refuses_two_spellings_that_mean_only_one_thing():
    """Defects of systemd 252: each further day from the month's end may be three days less, and seconds no range of one."""
    assert days("*-*~1,26", 2) == ["01-06", "01-31"]
    assert next_slot("06:00:30..30", UTC, BASE) == datetime(2026, 12, 11, 6, 0, 30, tzinfo=UTC)


def test_after_an_open_step_a_new_month_begins_with_its_first_value():
    """systemd 252 steps over it, but only where a month ends: from 21:00 by seven hours more into the next day."""
    found = [slot.hour for slot in islice(slots("0/7:00", UTC, datetime(2026, 11, 30, 20, tzinfo=UTC)), 4)]
    assert found == [21, 0, 7, 14]


_FIELDS = {
    "year": (2026, 2030),
    "month": (1, 12),
    "day": (1, 31),
    "last": (1, 28),
    "hour": (0, 23),
    "minute": (0, 59),
}
_WEEKDAYS = ("Mon", "tue", "WED", "Thursday", "friday", "SATURDAY", "Sun")
_SHORTHANDS = (
    "minutely",
    "Hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semi-annually",
    "biannually",
    "anually",
)


class Dice:
    """Expressions of the whole grammar, most of them right."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def expression(self) -> str:
        if self._often(0.05):
            words = [self._dice.choice(_SHORTHANDS)]
        else:
            parts = ((0.3, self._weekdays), (0.7, self._date), (0.7, self._time))
            words = [make() for chance, make in parts if self._often(chance)] or [self._time()]
        zone = [self._dice.choice(("UTC", "utc", "Asia/Tokyo", "Etc/GMT+5"))] if self._often(0.15) else []
        return " ".join(words + zone)

    def _often(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _weekdays(self) -> str:
        names = [self._dice.choice(_WEEKDAYS) for _ in range(self._dice.randint(1, 3))]
        ranges = [name + self._dice.choice(("", "", f"..{_WEEKDAYS[-1]}", "-sat")) for name in names]
        return ",".join(ranges) + ("," if self._often(0.1) else "")

    def _date(self) -> str:
        year = f"{self._chain('year')}-" if self._often(0.5) else ""
        day = self._dice.choice((f"-{self._chain('day')}", f"~{self._chain('last')}"))
        return f"{year}{self._chain('month')}{day}"

    def _time(self) -> str:
        parts = [self._chain("hour"), self._chain("minute"), self._chain("minute")]
        return ":".join(parts[: self._dice.choice((2, 3))])

    def _chain(self, field: str) -> str:
        if self._often(0.35):
            return "*"
        return ",".join(self._item(field) for _ in range(self._dice.choice((1, 1, 1, 2, 3))))

    def _item(self, field: str) -> str:
        low, high = _FIELDS[field]
        wrong = self._often(0.01)
        first, last = sorted(self._dice.randint(low, high + wrong) for _ in "ab")
        item = self._dice.choice(
            (f"{first}", f"{first:02d}", f"{first}..{last}", f"{first:02d}..{last}", f"{last}..{last}")
        )
        return f"{item}/{self._dice.randint(1, 12)}" if self._often(0.4) else item


_OPEN_STEP = re.compile(r"(?<![.\d])\d+/")


def beyond_the_defects(expression: str, base: datetime, theirs: list[datetime] | None) -> bool:
    """Whether an answer differs from ours otherwise than by the three defects of systemd 252 that are tested above."""
    found = ours(expression, base)
    if theirs is None and found is not None:
        last = expression.partition("~")[2].partition(" ")[0] if "~" in expression else ""
        seconds = re.search(r":[^: ]+:(?:.*,)?0*(\d+)\.\.0*\1(?![\d/])", expression)
        return "," not in last and seconds is None
    if not theirs or found is None or found == theirs or not _OPEN_STEP.search(expression):
        return found != theirs
    every = list(takewhile(lambda slot: slot <= theirs[-1], slots(expression, UTC, base)))
    left_out = [slot for slot in every if slot not in theirs]
    # Each follows the end of a day or a month, the only places where systemd can go wrong.
    before = dict(zip(every, [base, *every], strict=False))
    ends = all((slot - before[slot] >= timedelta(minutes=1)) and slot.day != before[slot].day for slot in left_out[:1])
    return not (set(theirs) <= set(every) and left_out and ends)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_random_expressions_of_the_whole_grammar_mean_what_systemd_means(seed):
    dice = Dice(seed)
    asked = {dice.expression() for _ in range(1000)}
    base = BASE + timedelta(days=37 * seed, hours=5 * seed)
    answers = analyze.ask(sorted(asked), base)
    assert sum(found is not None for found in answers.values()) > 500
    different = {
        one: (found, ours(one, base)) for one, found in answers.items() if beyond_the_defects(one, base, found)
    }
    assert different == {}
