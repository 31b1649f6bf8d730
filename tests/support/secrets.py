"""The planted passwords, and the watch over the whole suite that finds them wherever they should not be.

A pytest plugin. Every log record, what tests and children of ours wrote to stdout and stderr, and what helpers hand
over (:func:`look_at`: logs, status files, reports) is searched; a test in which a planted password was seen fails.
"""

import base64
import json
import logging
import re
import subprocess
import traceback
from collections.abc import Generator
from typing import Any, Final
from urllib.parse import quote, quote_plus

import pytest

FTP: Final = "Pfl4nz-ftp-Pärole 42$"
FTP_ASCII: Final = "Pfl4nz-ftp-ascii-p4role"  # Pure-FTPd and anonymous logins take nothing else
FTP_WRONG: Final = "Pfl4nz-ftp-vertan"
DATABASE: Final = "Pfl4nz-db p@ss/ w:rd%"  # every character that a URL makes trouble of
DATABASE_WRONG: Final = "Pfl4nz-db-vertan@/"
REDIS: Final = "Pfl4nz-redis-Schlüssel"
REDIS_WRONG: Final = "Pfl4nz-redis-vertan/"
DATABASE_CREDENTIAL: Final = "Zq7-database-Пароль"
SOURCE_CREDENTIAL: Final = "Zq7-source-Pärole$"
TLS_KEY: Final = "Pfl4nz-tls-key-pass"
ALERT_TOKEN: Final = "Pfl4nz-alert-T0ken"
ALERT_PASSWORD: Final = "Pfl4nz-alert p@ss/w:rd"
HEARTBEAT: Final = "Pfl4nz-heartbeat-7f3a"
CONFIGURED: Final = "hunter2"  # the one that tests of the configuration write into every key

PLANTED: Final = {
    "FTP server": FTP,
    "FTP server, ASCII": FTP_ASCII,
    "FTP server, mistyped": FTP_WRONG,
    "database": DATABASE,
    "database, mistyped": DATABASE_WRONG,
    "Redis": REDIS,
    "Redis, mistyped": REDIS_WRONG,
    "key of a TLS certificate": TLS_KEY,
    "token of an alert's address": ALERT_TOKEN,
    "mail server": ALERT_PASSWORD,
    "address of a heartbeat": HEARTBEAT,
    "database, as a credential": DATABASE_CREDENTIAL,
    "FTP server, as a credential": SOURCE_CREDENTIAL,
    "configuration": CONFIGURED,
}
"""Every planted password by its role. A test that needs one takes it from here, so that the watch knows it."""


def forms(secret: str) -> frozenset[str]:
    """The secret in every form that some layer may give it: as it is, encoded for a URL, quoted, or in base64."""
    found = {secret, repr(secret)[1:-1], ascii(secret)[1:-1], secret.encode("unicode_escape").decode("ascii")}
    found |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for charset in ("utf-8", "cp1252"):
        data = secret.encode(charset, "replace")
        found |= {repr(data)[2:-1], data.hex(), data.decode("latin-1")}
        for safe in ("", "/", "/:@$"):
            for encode in (quote, quote_plus):
                encoded = encode(data, safe=safe)
                found |= {encoded, re.sub("%..", lambda match: match[0].lower(), encoded)}
        found |= _base64(data)
    return frozenset(found)


def _base64(data: bytes) -> set[str]:
    """What does not depend on its neighbours, at each of the three places that it can begin at in a group of 24 bits."""
    found = set()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        # The first letters hold bits of what stands before; the last one those of what follows.
        kept = whole[(0, 2, 3)[before] : -1]
        found |= {kept, kept.replace("+", "-").replace("/", "_")}
    return found


_FORMS: Final = {role: forms(secret) for role, secret in PLANTED.items()}


def leaked(text: str) -> list[str]:
    """The roles of the planted passwords that a text holds, in whatever form."""
    texts = [text]
    while "\\\\" in texts[-1]:  # what was quoted twice, such as JSON inside JSON
        texts.append(texts[-1].replace("\\\\", "\\"))
    return [role for role, all_forms in _FORMS.items() if any(form in one for one in texts for form in all_forms)]


class Watch(logging.Handler):
    """What was seen since the last look: places with a planted password in them, without repeating it."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.seen: list[str] = []

    def look_at(self, place: str, text: str | bytes | None) -> None:
        """Search a text; remember its place if a planted password is in it."""
        if text:
            text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            self.seen += [f"the password of {role} is in {place}" for role in leaked(text)]

    def emit(self, record: logging.LogRecord) -> None:
        parts = [str(record.msg), repr(record.args), repr(vars(record)), record.exc_text or ""]
        try:
            parts.append(record.getMessage())
        except (TypeError, ValueError) as error:  # a test's own malformed record
            parts.append(repr(error))
        if record.exc_info and record.exc_info[1]:
            parts += traceback.format_exception(record.exc_info[1])
        self.look_at(f"a log record of {record.name}", "\n".join(parts))

    def take(self) -> list[str]:
        """What was seen, once each; begins anew."""
        seen, self.seen = list(dict.fromkeys(self.seen)), []
        return seen


WATCH: Final = Watch()
look_at: Final = WATCH.look_at


_OURS: Final = re.compile(r"(^|.*/)cpimportd(\.[a-z.]+)?$")


def _ours(args: Any) -> bool:
    """Whether a command line is that of our product, as it is installed or as a module."""
    words = [str(word) for word in args] if isinstance(args, list | tuple) else [str(args)]
    program = words[words.index("-m") + 1] if "-m" in words[:-1] else words[0]
    return _OURS.fullmatch(program) is not None


def pytest_configure(config: pytest.Config) -> None:
    """Listen to every logger, and to every child of ours whose output a test reads."""
    logging.getLogger().addHandler(WATCH)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    config.add_cleanup(lambda: logging.getLogger().removeHandler(WATCH))
    for name in ("cpimportd", "aioftp", "asyncpg", "redis"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    communicate, read = subprocess.Popen.communicate, pytest.CaptureFixture.readouterr

    def heard(process: subprocess.Popen[Any], *args: Any, **options: Any) -> tuple[Any, Any]:
        out, err = communicate(process, *args, **options)
        if _ours(process.args):
            look_at("the standard output of a child", out)
            look_at("the standard error of a child", err)
        return out, err

    def captured(fixture: pytest.CaptureFixture[Any]) -> Any:
        result = read(fixture)
        look_at("the captured standard output", result.out)
        look_at("the captured standard error", result.err)
        return result

    patch.setattr(subprocess.Popen, "communicate", heard)
    patch.setattr(pytest.CaptureFixture, "readouterr", captured)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail the test in whose setup, call or teardown a planted password was seen."""
    report = yield
    for title, text in report.sections:
        if title.endswith(call.when):  # a report repeats the sections of the phases before
            look_at(title, text)
    if seen := WATCH.take():
        report.outcome = "failed"
        report.longrepr = "\n".join([*([report.longreprtext] if report.longrepr else []), *seen])
    return report
