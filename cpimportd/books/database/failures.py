"""Turns exceptions of the driver and errors of the server into problems of the catalog.

No text made here holds a secret: the server never repeats a password, and of a URL only host and database are shown.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg

from cpimportd.books.database import remedies
from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.system import exhausted


def connecting_failed(error: Exception, place: str) -> Problem:
    """What it means that a connection could not be made.

    Args:
        error: what asyncpg, the TLS library or the operating system raised.
        place: host and database, without user or password.
    """
    if (found := exhausted(error)) is not None:
        return found
    if isinstance(error, TimeoutError):
        return problem("database-unreachable", reason=phrase("at", place=place, said=phrase("connect-timeout")))
    for kinds, explain in _CONNECTING:
        if isinstance(error, kinds):
            return explain(error, place)
    return problem("database-unreachable", reason=_at(place, _text(error)))


def translate(error: BaseException, *, creating: bool = False) -> Problem:
    """What an exception on an open connection means.

    A ``ProblemError`` gives its own problem; one that wraps an exception of asyncpg, as SQLAlchemy's do, is taken for
    that. What is no database's failure at all is ``internal``.

    Args:
        error: what was raised.
        creating: whether tables were to be made: that takes another right to a schema.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ProblemError):
            return cause.problems[0]
        if isinstance(cause, asyncpg.InsufficientPrivilegeError):
            return _rights(cause, creating=creating)
        for kinds, explain in _WORKING:
            if isinstance(cause, kinds) and (found := explain(cause)):
                return found
        cause = cause.__cause__
    return problem("internal", reason=phrase("exception", kind=type(error).__name__, said=_text(error)))


@contextmanager
def failures_as_problems() -> Iterator[None]:
    """Whatever the driver or the server raises becomes a problem; what a file or the machine refuses is raised as is.

    Raises:
        ProblemError: as of :func:`translate`.
    """
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if isinstance(error, OSError) and (error.filename or exhausted(error)):
            raise
        raise ProblemError(translate(error)) from error


def _tls(error: BaseException, place: str) -> Problem:
    reason: Reason
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
    elif isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
    else:
        return problem("database-tls", reason=_at(place, phrase("no-tls-offered")), way=phrase("way-no-tls"))
    return problem("database-tls", reason=_at(place, reason), way=phrase("way-tls"))


def _refused(error: BaseException, place: str) -> Problem:
    if "rejected SSL" in str(error):
        return _tls(error, place)
    return problem("database-unreachable", reason=_at(place, _text(error)))


def _misconfigured(error: BaseException, _place: str) -> Problem:
    # A text about a URL may repeat it with its password; only asyncpg's own sentences are known not to.
    own = isinstance(error, asyncpg.ClientConfigurationError)
    reason = str(error) if own else phrase("url-unreadable")
    return problem("config-value", key="database.url", place=phrase("the-configuration"), reason=reason)


def _login(error: BaseException, _place: str = "") -> Problem:
    text = _text(error)
    return problem("database-login", reason=text, way=remedies.login(text))


def _rights(error: BaseException, *, creating: bool = False) -> Problem:
    text = _text(error)
    return problem("database-rights", reason=text, grant=remedies.right(text, creating=creating))


def _locked(error: BaseException) -> Problem:
    return problem(
        "database-locked", value=getattr(error, "table_name", None) or phrase("what-we-need"), reason=_text(error)
    )


def _missing(error: BaseException) -> Problem:
    text = _text(error)
    return problem("database-schema" if "cpimportd" in text else "database-foreign", reason=text)


def _gone(error: BaseException) -> Problem | None:
    if getattr(error, "filename", None):  # a file of ours, no connection
        return None
    return problem("database-unreachable", reason=_text(error))


def _misused(error: BaseException) -> Problem | None:
    return problem("database-unreachable", reason=_text(error)) if "closed" in str(error) else None


def _busy(error: BaseException, place: str | None = None) -> Problem:
    return problem("database-busy", reason=_at(place, _text(error)))


def _starting(error: BaseException, place: str | None = None) -> Problem:
    return problem("database-starting", reason=_at(place, _text(error)))


def _read_only(error: BaseException) -> Problem:
    return problem("database-read-only", reason=_text(error))


def _full(error: BaseException) -> Problem:
    return problem("database-full", reason=_text(error))


def _failed(error: BaseException) -> Problem:
    reason: Reason = _text(error)
    if isinstance(error, asyncpg.UntranslatableCharacterError):
        reason = phrase("with-note", said=reason, note=phrase("encoding-lacks-characters"))
    if isinstance(error, asyncpg.QueryCanceledError):
        reason = phrase("with-note", said=reason, note=phrase("statement-cancelled"))
    return problem("database-failed", reason=reason)


def _at(place: str | None, said: Reason) -> Reason:
    return said if place is None else phrase("at", place=place, said=said)


def _text(error: BaseException) -> str:
    if isinstance(error, asyncpg.PostgresError):
        text, detail = getattr(error, "message", None) or str(error), getattr(error, "detail", None)
        return f"{text} ({detail})" if detail else str(text)
    if isinstance(error, OSError) and error.errno is not None:
        text = os.strerror(error.errno) if error.errno > 0 else error.strerror
        return f"{text}: {error.filename}" if error.filename else str(text)
    return str(error) or type(error).__name__


_Kinds = type[BaseException] | tuple[type[BaseException], ...]

_REFUSED_LOGIN: Final = (
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# The first rule that fits counts: what is more special stands first.
_CONNECTING: Final[tuple[tuple[_Kinds, Callable[[Any, str], Problem]], ...]] = (
    (ProblemError, lambda error, _place: error.problems[0]),
    (ssl.SSLError, _tls),
    (ConnectionError, _refused),
    ((asyncpg.ClientConfigurationError, UnicodeError, ValueError), _misconfigured),
    ((*_REFUSED_LOGIN, asyncpg.InsufficientPrivilegeError), _login),
    (asyncpg.TooManyConnectionsError, _busy),
    (asyncpg.CannotConnectNowError, _starting),
)

_WORKING: Final[tuple[tuple[_Kinds, Callable[[Any], Problem | None]], ...]] = (
    ((asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError), _locked),
    (_REFUSED_LOGIN, _login),
    (asyncpg.ReadOnlySQLTransactionError, _read_only),
    (asyncpg.DiskFullError, _full),
    ((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError), _missing),
    (asyncpg.TooManyConnectionsError, _busy),
    (asyncpg.CannotConnectNowError, _starting),
    (
        (
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.InternalClientError,
            OSError,
        ),
        _gone,
    ),
    (asyncpg.InterfaceError, _misused),
    (asyncpg.PostgresError, _failed),
)
