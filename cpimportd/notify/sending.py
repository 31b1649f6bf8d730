"""Sending with Apprise, to each address separately, with the reason of each failure.

Every part of an address may be a secret, such as a token in place of a host. So an address is named by its position in
``alerts.urls`` and its scheme, and all parts of the address are removed from Apprise's messages.

Blocking calls run in a daemon thread with a time limit. Python would wait for asyncio's own threads at its exit; a
thread that hangs on a silent name server or mail server must delay neither a run nor its end.
"""

import asyncio
import http.client
import logging
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import unquote, unquote_plus

from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.waiting import report_slow

Result = TypeVar("Result")


async def run_with_timeout(work: Callable[[], Result], seconds: float) -> Result:
    """Run blocking work in a thread, with a time limit in seconds.

    Raises:
        TimeoutError: it takes longer; the thread is abandoned.
        Exception: whatever the work raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def set_outcome(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - passed to the caller
            failed = error
        with suppress(RuntimeError):  # the loop is closed: the result is no longer needed
            loop.call_soon_threadsafe(set_outcome, result, failed)

    threading.Thread(target=run, name="alert", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done


UNKNOWN: Final = "Apprise does not understand it; see https://appriseit.com for how it is written"

_LONGEST_REASON: Final = 200
_SHORTEST_SECRET: Final = 3
_NOISY_LOGGERS: Final = ("apprise", "requests", "urllib3")
"""Loggers of Apprise and its libraries: some write addresses, headers or texts, including tokens."""

_KINDS: Final = {"failure": "failure", "held": "warning", "upload": "warning", "recovery": "success"}


def label_of(place: int, url: str) -> str:
    """The label of an address that must not be shown: ``1 mailtos``."""
    return f"{place} {url.partition('://')[0].lower()}"


def labelled_urls(urls: Sequence[str]) -> dict[str, str]:
    """The addresses by label, counted from 1."""
    return {label_of(place, url): url for place, url in enumerate(urls, 1)}


def require_apprise() -> None:
    """Require Apprise.

    Raises:
        ProblemError: ``alerts-not-installed``.
    """
    try:
        import apprise  # noqa: F401, PLC0415 - optional, and heavy
    except ImportError as error:
        raise ProblemError(problem("alerts-not-installed", reason=str(error))) from None


async def send(urls: Mapping[str, str], message: tuple[str, str], occasion: str, seconds: float) -> dict[str, Reason]:
    """Send one message to several addresses in parallel.

    Args:
        urls: by label.
        message: title and body.
        occasion: as of :class:`cpimportd.notify.texts.Message`.
        seconds: the time limit.

    Returns:
        The reason of each failure, by label; empty if all were sent.

    Raises:
        ProblemError: ``alerts-not-installed``.
    """
    require_apprise()
    names = list(urls)
    async with report_slow("alerts", "no answer yet", seconds):
        with _logs_silenced():
            reasons = await asyncio.gather(*(_send_one(urls[name], message, occasion, seconds) for name in names))
    return {name: reason for name, reason in zip(names, reasons, strict=True) if reason is not None}


async def _send_one(url: str, message: tuple[str, str], occasion: str, seconds: float) -> Reason | None:
    log = _PluginLog()
    try:
        sent = await run_with_timeout(lambda: _notify(url, message, occasion, log), seconds)
    except TimeoutError:
        return phrase("no-answer-within", limit=timedelta(seconds=seconds))
    except Exception as error:  # noqa: BLE001 - a plugin's defect is no reason for a run to fail
        return without_secrets(f"{type(error).__name__}: {error}", url)
    return None if sent else without_secrets(log.reason, url)


def is_valid_url(url: str) -> bool:
    """Whether Apprise supports the service and can parse the address; nothing is sent."""
    with _logs_silenced():
        return _plugin(url) is not None


def _plugin(url: str) -> Any:  # noqa: ANN401 - of Apprise's many classes
    import apprise  # noqa: PLC0415

    # An attachment by address, a file of configuration: nothing of a message may make Apprise read anything.
    asset = apprise.AppriseAsset(app_id="cpimportd", app_desc="cpimportd", async_mode=False, secure_logging=True)
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _notify(url: str, message: tuple[str, str], occasion: str, log: "_PluginLog") -> bool:
    import apprise  # noqa: PLC0415

    plugin = _plugin(url)
    if plugin is None:
        log.last = UNKNOWN
        return False
    plugin.logger = log
    if "overflow=" not in url:
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE  # the remedy comes first, so the end of the report is cut
    kind = _KINDS.get(occasion, "info")
    return bool(plugin.notify(body=message[1], title=message[0], notify_type=kind, body_format="text"))


class _PluginLog(logging.Logger):
    """Keeps a plugin's error messages; they are not written anywhere."""

    def __init__(self) -> None:
        super().__init__("cpimportd.alerts.heard", logging.DEBUG)
        self.propagate = False
        self.last = ""
        self.cause = ""

    def handle(self, record: logging.LogRecord) -> None:
        """Keep the last error, and its exception, which plugins log at level debug only."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.last = text
        elif "Exception" in text:
            self.cause = text

    @property
    def reason(self) -> str:
        """The reason of the failure."""
        return " ".join(part for part in (self.last, self.cause) if part) or "it was not taken"


@contextmanager
def _logs_silenced() -> Iterator[None]:
    """Silence, from now on, all loggers that may write secrets, whatever their level."""
    for name in _NOISY_LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.CRITICAL)
    yield


def without_secrets(reason: str, url: str) -> str:
    """The reason without any part of the address except its scheme."""
    rest = url.partition("://")[2]
    pieces = {rest, *re.split(r"[/?&=@:#,;+\s]", rest)}
    pieces |= {decode(piece) for piece in pieces for decode in (unquote, unquote_plus)}
    for piece in sorted((one for one in pieces if len(one) >= _SHORTEST_SECRET), key=len, reverse=True):
        reason = re.sub(re.escape(piece), "********", reason, flags=re.IGNORECASE)
    return printable(" ".join(reason.split()), limit=_LONGEST_REASON)


LIMIT: Final = 5.0
"""Time limit of one message, in seconds."""

LONGEST_BODY: Final = 10_000
"""Bytes."""


class Beat(StrEnum):
    """What is sent, as the path below the check's address."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"


async def beat(url: str, what: Beat, text: str = "") -> tuple[Problem, ...]:
    """Notify the service.

    Args:
        url: the check's address.
        what: has happened.
        text: sent along, cut to 10 kB.

    Returns:
        ``heartbeat-unsent`` where it could not be sent; nothing is ever raised for it.
    """
    try:
        await run_with_timeout(lambda: _post(url + what, text), LIMIT)
    except TimeoutError:
        return (problem("heartbeat-unsent", reason=phrase("no-answer-within", limit=timedelta(seconds=LIMIT))),)
    except urllib.error.HTTPError as error:
        error.close()
        return (problem("heartbeat-unsent", reason=phrase("it-answers", code=error.code)),)
    except (OSError, ValueError, http.client.HTTPException, RuntimeError) as error:
        cause = getattr(error, "reason", None) or error
        return (
            problem(
                "heartbeat-unsent",
                reason=phrase("exception", kind=type(cause).__name__, said=without_secrets(str(cause), url)),
            ),
        )
    return ()


def _post(url: str, text: str) -> None:
    body = text.encode("utf-8", "replace")[:LONGEST_BODY]
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "cpimportd"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - http(s), by settings
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
        answer.read(1)
