"""Sending by Apprise, to each address by itself: which took the message, and why the others did not.

Every part of an address may be a secret: a token may stand where others have a host. So an address is named by its
place in ``alerts.urls`` and its scheme, and whatever Apprise says is cleared of all that the address holds.

What may hang is done in a thread that nobody waits for longer than a limit. A thread of asyncio's own would be waited
for when the program ends; one that hangs in the silence of a name server or a mail server must hold up neither a run
nor its end.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar
from urllib.parse import unquote, unquote_plus

from cpimportd.core.problems import ProblemError, printable, problem
from cpimportd.core.waiting import report_slow

Result = TypeVar("Result")


async def run_with_timeout(work: Callable[[], Result], seconds: float) -> Result:
    """Do the work, for at most so long.

    Raises:
        TimeoutError: it takes longer; it is left to itself.
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
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(set_outcome, result, failed)

    threading.Thread(target=run, name="alert", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done


UNKNOWN: Final = "Apprise does not understand it; see https://appriseit.com for how it is written"

_LONGEST_REASON: Final = 200
_SHORTEST_SECRET: Final = 3
_NOISY_LOGGERS: Final = ("apprise", "requests", "urllib3")
"""Loggers of Apprise and of what it sends by: some write addresses, headers or texts, tokens and all."""

_KINDS: Final = {"failure": "failure", "held": "warning", "upload": "warning", "recovery": "success"}


def label_of(place: int, url: str) -> str:
    """How an address is called where it may not be shown: ``1 mailtos``."""
    return f"{place} {url.partition('://')[0].lower()}"


def labelled_urls(urls: Sequence[str]) -> dict[str, str]:
    """The addresses by their names, counted from 1."""
    return {label_of(place, url): url for place, url in enumerate(urls, 1)}


def require_apprise() -> None:
    """Make sure that Apprise is there.

    Raises:
        ProblemError: ``alerts-not-installed``.
    """
    try:
        import apprise  # noqa: F401, PLC0415 - optional, and heavy
    except ImportError as error:
        raise ProblemError(problem("alerts-not-installed", reason=str(error))) from None


async def send(urls: Mapping[str, str], message: tuple[str, str], occasion: str, seconds: float) -> dict[str, str]:
    """Send one message to addresses, to all at once.

    Args:
        urls: by name.
        message: title and body.
        occasion: as of :class:`cpimportd.notify.texts.Message`.
        seconds: that it may take.

    Returns:
        Why it did not go, by the name of the address; empty where it went to all.

    Raises:
        ProblemError: ``alerts-not-installed``.
    """
    require_apprise()
    names = list(urls)
    async with report_slow("alerts", "no answer yet", seconds):
        with _logs_silenced():
            reasons = await asyncio.gather(*(_send_one(urls[name], message, occasion, seconds) for name in names))
    return {name: reason for name, reason in zip(names, reasons, strict=True) if reason is not None}


async def _send_one(url: str, message: tuple[str, str], occasion: str, seconds: float) -> str | None:
    log = _PluginLog()
    try:
        sent = await run_with_timeout(lambda: _notify(url, message, occasion, log), seconds)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except Exception as error:  # noqa: BLE001 - a plugin's defect is no reason for a run to fail
        return without_secrets(f"{type(error).__name__}: {error}", url)
    return None if sent else without_secrets(log.reason, url)


def is_valid_url(url: str) -> bool:
    """Whether Apprise knows the service and can take the address apart; nobody is spoken to."""
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
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE  # the way out stands first, the end of a report last
    kind = _KINDS.get(occasion, "info")
    return bool(plugin.notify(body=message[1], title=message[0], notify_type=kind, body_format="text"))


class _PluginLog(logging.Logger):
    """What a plugin complains of; kept here, written nowhere."""

    def __init__(self) -> None:
        super().__init__("cpimportd.alerts.heard", logging.DEBUG)
        self.propagate = False
        self.last = ""
        self.cause = ""

    def handle(self, record: logging.LogRecord) -> None:
        """Keep the last complaint, and the exception behind it, which plugins tell at debug level alone."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.last = text
        elif "Exception" in text:
            self.cause = text

    @property
    def reason(self) -> str:
        """Why it did not go."""
        return " ".join(part for part in (self.last, self.cause) if part) or "it was not taken"


@contextmanager
def _logs_silenced() -> Iterator[None]:
    """Within it and after it, what may write secrets into a log is not heard, whatever level is asked for."""
    for name in _NOISY_LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.CRITICAL)
    yield


def without_secrets(reason: str, url: str) -> str:
    """A reason without anything that the address holds but its scheme."""
    rest = url.partition("://")[2]
    pieces = {rest, *re.split(r"[/?&=@:#,;+\s]", rest)}
    pieces |= {decode(piece) for piece in pieces for decode in (unquote, unquote_plus)}
    for piece in sorted((one for one in pieces if len(one) >= _SHORTEST_SECRET), key=len, reverse=True):
        reason = re.sub(re.escape(piece), "********", reason, flags=re.IGNORECASE)
    return printable(" ".join(reason.split()), limit=_LONGEST_REASON)
