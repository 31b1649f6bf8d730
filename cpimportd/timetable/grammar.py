"""Parses an OnCalendar expression as systemd 252 does, exactly by the grammar of systemd.time(7). Pure.

The package oncalendar computes dates correctly, but reads several spellings differently from systemd: ``15..15/1`` as
the 15th and all days after it, steps in ``~`` ranges from the wrong end, steps that are longer than their range. So an
expression is parsed here, by the rules of systemd's src/shared/calendarspec.c, and passed on with every value spelled
out, which both read alike. An expression that systemd refuses is refused, with the correct form.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS: Final = {name[:length]: number for number, name in enumerate(_DAYS) for length in (3, len(name))}

_HALF_YEARLY: Final = "*-01,07-01 00:00:00"
_YEARLY: Final = "*-01-01 00:00:00"
_SHORTHANDS: Final = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    **dict.fromkeys(("biannually", "bi-annually", "semiannually", "semi-annually"), _HALF_YEARLY),
    **dict.fromkeys(("yearly", "annually", "anually"), _YEARLY),  # sic: systemd takes this one, too
}
"""Words that stand for a whole expression; systemd takes them in capitals, too."""

_ITEM: Final = re.compile(r"(?a:(?P<start>\d+)(?:\.\.(?P<stop>\d+))?(?:/(?P<step>\d+))?)")
_DECIMAL: Final = re.compile(r"(?a:(?<!\.)\.\d)")
_CRON: Final = re.compile(r"(?a:[\d*/,-]+( +[\d*/,A-Za-z-]+){4})")

_TWO_DIGITS: Final = 100
_THIS_CENTURY: Final = 70
"""Years below it are of the 2000s, those from it on to 99 of the 1900s."""

_TIME_PARTS: Final = (2, 3)
_DATE_PARTS: Final = (2, 3)
_UNSURE_DAYS: Final = 3
"""Days that not every month has: none of them can be counted to from the month's end."""


class GrammarError(ValueError):
    """What was given is no expression; says why, and how it is written."""


class _Field(msgspec.Struct, frozen=True):
    """One of the numbers of an instant: its name, and from what to what it goes."""

    name: str
    low: int
    high: int

    @property
    def all(self) -> frozenset[int]:
        return frozenset(range(self.low, self.high + 1))


_YEAR: Final = _Field("year", 1970, 2199)
_MONTH: Final = _Field("month", 1, 12)
_DAY: Final = _Field("day-of-month", 1, 31)
_LAST_DAY: Final = _Field("day before the month's end", 1, _DAY.high - _UNSURE_DAYS)
_HOUR: Final = _Field("hour", 0, 23)
_MINUTE: Final = _Field("minute", 0, 59)
_SECOND: Final = _Field("second", 0, 59)


def spelled_out(expression: str) -> str:
    """An expression with every value spelled out: no shorthand, range, step or name of a weekday in another form.

    Args:
        expression: one OnCalendar expression without a zone, without blanks around it.

    Returns:
        What means the same, in a form that oncalendar reads as systemd does.

    Raises:
        GrammarError: systemd would not understand it, or it names parts of a second, which no slot of ours has.
    """
    if not expression.isascii():
        raise GrammarError("it has a character that is no part of any; write it anew")
    if _CRON.fullmatch(expression):
        raise GrammarError("this is written as for cron; write e.g. Mon..Fri *-*-* 06:00:00")
    words = _SHORTHANDS.get(expression.lower(), expression).split(" ")
    rest = [word for word in words if word]
    weekdays = _weekdays(rest.pop(0)) if rest and rest[0][0].isalpha() else ""
    date = _date(rest.pop(0)) if rest and ":" not in rest[0] else "*-*-*"
    time = _time(rest.pop(0)) if rest else "0:0:0"
    if rest or not words[0]:
        raise GrammarError("it goes weekdays, date, time, as in Mon..Fri *-*-* 06:00:00" if rest else "it is empty")
    return f"{weekdays} {date} {time}".strip()


def _weekdays(word: str) -> str:
    days: set[int] = set()
    for piece in word.removesuffix(",").split(","):
        first, separator, last = piece.replace("..", "-").partition("-")
        begin = _weekday(first, word)
        end = _weekday(last, word) if separator else begin
        if end < begin:
            raise GrammarError(f"bad day-of-week: {piece} goes backwards; write both ends, as in Sat..Sun,Mon")
        days.update(range(begin, end + 1))
    return ",".join(_DAYS[day][:3] for day in sorted(days)) if len(days) < len(_DAYS) else ""


def _weekday(name: str, word: str) -> int:
    found = _WEEKDAYS.get(name.lower())
    if found is None:
        raise GrammarError(f"bad day-of-week: {name or word!r} is none; write e.g. Mon, Mon,Thu or Mon..Fri")
    return found


def _date(word: str) -> str:
    if word.startswith("@"):
        raise GrammarError(f"bad date: {word!r}; seconds since 1970 are digits, and stand alone, such as @1800000000")
    parts = re.split("[-~]", word)
    marks = re.findall("[-~]", word)
    if len(parts) not in _DATE_PARTS or "~" in marks[:-1]:
        raise GrammarError(_bad_date(word))
    from_the_end = marks[-1] == "~" and parts[-1] != "*"
    *years, month, day = parts
    days = _values(_LAST_DAY, day, backwards=True) if from_the_end else _values(_DAY, day)
    return f"{_values(_YEAR, years[0] if years else '*')}-{_values(_MONTH, month)}{'~' if from_the_end else '-'}{days}"


def _bad_date(word: str) -> str:
    return f"bad date: {word!r}; write it as year-month-day, such as *-*-01, or *-*~01 for a month's last day"


def _time(word: str) -> str:
    parts = word.split(":")
    if len(parts) not in _TIME_PARTS:
        raise GrammarError(f"bad time: {word!r}; write it as hour:minute or hour:minute:second")
    if _DECIMAL.search(parts[-1]):
        raise GrammarError("bad second: a slot begins with a whole second")
    hour, minute, second = (*parts, "0")[:3]
    return f"{_values(_HOUR, hour)}:{_values(_MINUTE, minute)}:{_values(_SECOND, second)}"


def _values(field: _Field, text: str, *, backwards: bool = False) -> str:
    """The values of one field as a list; ``*`` where they are all there are.

    Args:
        field: which.
        text: as it is written: ``*``, or numbers, ranges and steps with commas between.
        backwards: whether they count from the month's end.
    """
    if text == "*":
        return text
    values: set[int] = set()
    for item in text.split(","):
        values.update(_expanded(field, item, backwards=backwards))
    if values == field.all and not backwards:
        return "*"
    return ",".join(str(value) for value in sorted(values))


def _expanded(field: _Field, item: str, *, backwards: bool) -> Sequence[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        hint = f"; write {field.low}/{item[2:]}" if re.fullmatch(r"(?a:\*/\d+)", item) else ""
        raise GrammarError(f"bad {field.name}: {item!r} is no number, range or step{hint}")
    start, stop, step = (None if match[part] is None else int(match[part]) for part in ("start", "stop", "step"))
    assert start is not None  # noqa: S101  the pattern begins with it
    if field is _YEAR:
        start, stop = _whole_year(start), None if stop is None else _whole_year(stop)
    if step == 0:
        raise GrammarError(f"bad {field.name}: a step of 0 leads nowhere; write {item.rpartition('/')[0]}")
    if stop is not None and stop < start:
        raise GrammarError(f"bad {field.name}: {item!r} goes backwards; write the smaller number first")
    if stop is not None:
        stop -= (stop - start) % (step or 1)  # the last number that a step leads to: what lies behind it is not asked
    for number in (start, stop):
        if number is not None and not field.low <= number <= field.high:
            raise GrammarError(f"bad {field.name}: {number} is not from {field.low} to {field.high}")
    if stop is not None:
        return range(start, stop + 1, step or 1)
    if step is None:
        return (start,)
    found = range(start, field.low - 1, -step) if backwards else range(start, field.high + 1, step)
    if len(found) == 1:
        end = field.low if backwards else field.high
        raise GrammarError(f"bad {field.name}: no step of {step} fits between {start} and {end}; write {start}")
    return found


def _whole_year(year: int) -> int:
    if year >= _TWO_DIGITS:
        return year
    return year + (2000 if year < _THIS_CENTURY else 1900)
