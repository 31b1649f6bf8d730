"""When clocks were and will be changed, found by looking at every day: independent of the code under test."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = (
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight is skipped
    "America/St_Johns",  # one minute past midnight is skipped
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # 2011-12-30 is skipped
    "Africa/Casablanca",  # a few weeks each year
    "Antarctica/Troll",  # two hours
    "Antarctica/Vostok",  # seven hours
    "Europe/Dublin",  # summer is the standard time
    "Asia/Kathmandu",  # a quarter of an hour, once
    "UTC",
)

_FIRST = datetime(1980, 1, 1, tzinfo=UTC)
_LAST = datetime(2045, 1, 1, tzinfo=UTC)


@cache
def clock_changes(name: str) -> tuple[datetime, ...]:
    """The first instants, to the second and in UTC, of every offset that a zone had from 1980 to 2045."""
    zone, found = ZoneInfo(name), []
    day = _FIRST
    while day < _LAST:
        after = day + timedelta(days=1)
        if offset(zone, day) != offset(zone, after):
            low, high = day, after
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if offset(zone, middle) == offset(zone, day) else (low, middle)
            found.append(high)
        day = after
    return tuple(found)


def offset(zone: ZoneInfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


zone_names = st.sampled_from(ZONES)


@st.composite
def instants(draw, zone: str) -> datetime:
    """Instants in UTC, most of them within a day and a half of a clock change."""
    changes = clock_changes(zone)
    if not changes or draw(st.integers(0, 4)) == 0:
        return _FIRST + draw(st.timedeltas(timedelta(0), _LAST - _FIRST))
    near = timedelta(hours=draw(st.sampled_from((2, 36))))
    return draw(st.sampled_from(changes)) + draw(st.timedeltas(-near, near))


@st.composite
def times_of_day(draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Hours and minutes that an expression names together, more often at night, when clocks are changed."""
    hours = st.one_of(st.integers(0, 3), st.integers(0, 23))
    minutes = st.one_of(st.sampled_from((0, 1, 15, 30, 45, 59)), st.integers(0, 59))
    return (
        tuple(sorted(draw(st.sets(hours, min_size=1, max_size=4)))),
        tuple(sorted(draw(st.sets(minutes, min_size=1, max_size=4)))),
    )


def as_expression(times: tuple[tuple[int, ...], tuple[int, ...]]) -> str:
    hours, minutes = (",".join(str(number) for number in numbers) for numbers in times)
    return f"*-*-* {hours}:{minutes}:00"


def brute_force(times: tuple[tuple[int, ...], tuple[int, ...]], zone: ZoneInfo, after: datetime, until: datetime):
    """The slots in (after, until], by looking at a clock on the wall every minute; what it shows again is no slot."""
    hours, minutes = times
    instant = after.astimezone(UTC).replace(second=0, microsecond=0)
    while instant <= until:
        local = instant.astimezone(zone)
        if (
            instant > after
            and local.fold == 0
            and local.hour in hours
            and local.minute in minutes
            and local.second == 0
        ):
            yield instant
        instant += timedelta(minutes=1)
