"""The types of the configuration's values: time spans, sizes, calendar expressions, zones and URLs.

A type checks the text of a value and reports the expected form. It never repeats the value, which may be a secret.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from cpimportd.core import addresses
from cpimportd.core.formatting import parse_zone
from cpimportd.core.phrases import UnfitError
from cpimportd.timetable.calendar import ExpressionError, never_matches, parse

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec"), 0.001),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LONGEST = timedelta(days=36_500)
"""A century: an instant so long before or after any of ours is still one that Python and PostgreSQL can tell."""


_DRIVER = re.compile(r"(postgres(?:ql)?)(?:\+\w+)?(://.*)", re.DOTALL)


def parse_span(value: object) -> object:
    """Read a time span as systemd.time(7) writes it: ``90``, ``90s``, ``1h 30min``.

    Args:
        value: text, seconds as a number, or a timedelta, which passes through.

    Raises:
        ValueError: it is no time span, or a negative one, or longer than :data:`_LONGEST`.
    """
    if isinstance(value, str):
        value = _seconds(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError) as error:
            raise UnfitError("expected-longest", days=_LONGEST.days) from error
    if not isinstance(value, timedelta) or value < timedelta(0):
        raise UnfitError("expected-span")
    if value > _LONGEST:
        raise UnfitError("expected-longest", days=_LONGEST.days)
    return value


def _seconds(text: str) -> float:
    text, seconds, at = text.strip().lower(), 0.0, 0
    while at < len(text):
        match = _SPAN.match(text, at)
        if match is None or match[2] not in _SECONDS:
            raise UnfitError("expected-span")
        seconds += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if not text:
        raise UnfitError("expected-span")
    return seconds


def format_span(span: timedelta) -> str:
    """Write a time span as :func:`parse_span` reads it, in the largest units that fit: ``1h 30min``."""
    microseconds = span // timedelta(microseconds=1)
    if microseconds % 1_000_000:
        return f"{microseconds / 1000:f}".rstrip("0").rstrip(".") + "ms"
    seconds, words = microseconds // 1_000_000, []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            words.append(f"{seconds // size}{unit}")
            seconds %= size
    return " ".join(words) or "0s"


def parse_size(value: object) -> object:
    """Read a size in bytes with systemd's suffixes K, M, G (base 1024); anything but text passes through."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d{1,19})\s*([kmg]?)i?b?\s*", value.lower())
    if match is None:
        raise UnfitError("expected-size")
    return int(match[1]) * _BYTES[match[2]]


def format_size(size: int) -> str:
    """Write a size as :func:`parse_size` reads it: ``200M``."""
    for suffix, unit in (("G", 1024**3), ("M", 1024**2), ("K", 1024)):
        if size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)


def _positive(span: timedelta) -> timedelta:
    if not span:
        raise UnfitError("expected-some-span")
    return span


def _number(value: object) -> object:
    # To Python, and so to pydantic, true is 1; to a reader of a configuration it is a mistake.
    if isinstance(value, bool):
        raise UnfitError("expected-number")
    return value


def _words(value: object) -> object:
    # An environment variable holds no list; systemd separates words by blanks, others by commas.
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _closed_before(value: object) -> object:
    if value == "previous-month" or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UnfitError("expected-open-day") from None


def _known_zone(name: str) -> str:
    return parse_zone(name).key


def _known_encoding(name: str) -> str:
    try:
        fits = "LIST".encode(name) == b"LIST"  # RFC 959, 5.3: the commands around the names are ASCII
    except (LookupError, ValueError) as error:
        raise UnfitError("expected-encoding") from error
    if not fits:
        raise UnfitError("expected-ascii-encoding")
    return name


def _calendar(expression: str) -> str:
    try:
        parse(expression, UTC)
    except ExpressionError as error:
        raise UnfitError("expected-calendar", reason=error.reason) from error
    if never := never_matches(expression):
        raise UnfitError("never-comes", part=repr(never))
    return expression


def _postgresql(url: SecretStr) -> SecretStr:
    match = _DRIVER.fullmatch(url.get_secret_value())
    if match is None:
        raise UnfitError("expected-postgresql")
    with suppress(addresses.UnknownOptionError):  # what can be done instead is said where the option is used
        addresses.parse(match[1] + match[2])
    return SecretStr(match[1] + match[2])  # SQLAlchemy's name of a driver is none of libpq's business


def _one_line(text: str) -> str:
    # A line break in a login would be a second command to an FTP server (RFC 959, 5.3.1).
    if not text.isprintable():
        raise UnfitError("expected-one-line")
    return text


def _secret_line(secret: SecretStr) -> SecretStr:
    _one_line(secret.get_secret_value())
    if not secret.get_secret_value():
        raise UnfitError("expected-secret")
    return secret


def _channel(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise UnfitError("expected-channel")
    return name


def _fingerprint(text: str) -> str:
    bare = text.strip().replace(":", "").upper()
    if not re.fullmatch(r"[0-9A-F]{64}", bare):
        raise UnfitError("expected-fingerprint")
    return ":".join(re.findall("..", bare))


def _schedule_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name):
        raise UnfitError("expected-name")
    return name


def _listen(address: str) -> str:
    host, _, port = address.strip().rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        ip = ip_address("127.0.0.1" if bare == "localhost" else bare)
        number = int(port)
    except ValueError:
        raise UnfitError("expected-listen") from None
    if not 0 <= number < 65536 or (ip.version == 6) != host.startswith("["):
        raise UnfitError("expected-listen")
    return f"{host}:{number}"


def _scheduler(address: str) -> str:
    if not re.fullmatch(r"(tcp|tls)://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", address):
        raise UnfitError("expected-scheduler")
    return address


def _token(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,512}", _secret_line(secret).get_secret_value()):
        # RFC 6750, 2.1: what can stand in a header.
        raise UnfitError("expected-token")
    return secret


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", name.lower()):
        raise UnfitError("expected-hosts")
    return name.lower()


def _lines(value: object) -> object:
    # A credential or a variable holds one text; a comma may be part of a URL, white space may not.
    return tuple(value.split()) if isinstance(value, str) else value


def _checked(check: Callable[[str], str]) -> AfterValidator:
    """A validator of a secret URL."""

    def checked(url: SecretStr) -> SecretStr:
        return SecretStr(check(url.get_secret_value()))

    return AfterValidator(checked)


Span = Annotated[timedelta, BeforeValidator(parse_span)]
PositiveSpan = Annotated[Span, AfterValidator(_positive)]
Whole = Annotated[int, BeforeValidator(_number)]
Percent = Annotated[float, BeforeValidator(_number), Field(ge=0, le=100)]
Times = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1_000_000)]
Size = Annotated[int, BeforeValidator(parse_size), BeforeValidator(_number), Field(gt=0, lt=2**63)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Calendar = Annotated[str, AfterValidator(_calendar)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgresql)]
SourceUrl = Annotated[str, AfterValidator(addresses.source)]
AbsolutePath = Annotated[Path, AfterValidator(addresses.absolute)]
Words = BeforeValidator(_words)
ClosedBefore = Annotated[date | Literal["previous-month"], BeforeValidator(_closed_before)]
KindName = Literal["receipts", "expenses", "details"]
ScheduleName = Annotated[str, AfterValidator(_schedule_name)]
Channel = Annotated[str, AfterValidator(_channel)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Line = Annotated[str, AfterValidator(_one_line)]
Password = Annotated[SecretStr, AfterValidator(_secret_line)]
CacheUrl = Annotated[SecretStr, _checked(addresses.cache)]
AlertUrls = Annotated[tuple[Annotated[SecretStr, _checked(addresses.alert)], ...], BeforeValidator(_lines)]
HeartbeatUrl = Annotated[SecretStr, _checked(addresses.heartbeat)]
Listen = Annotated[str, AfterValidator(_listen)]
Scheduler = Annotated[str, AfterValidator(_scheduler)]
Token = Annotated[SecretStr, AfterValidator(_token)]
HostName = Annotated[str, AfterValidator(_host_name)]
