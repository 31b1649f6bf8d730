"""Parses ``source.url``. No other module does."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes, urlsplit

from cpimportd.config import settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem

DEFAULT_PORT = 21
_SCHEMES: dict[str, Literal["ftp", "ftps", "file"]] = {"ftp": "ftp", "ftps": "ftps", "file": "file"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the folder is.

    Attributes:
        scheme: ``ftp``, ``ftps`` (explicit TLS) or ``file``.
        host: name or address; empty for ``file``.
        port: of the control connection; 0 for ``file``.
        path: the folder's bytes. As in RFC 1738, section 3.2.2, ``ftp://host/a/b`` is relative to the folder in which
            the login ends, and ``ftp://host//a/b`` (or ``/%2Fa/b``) is absolute. Where there is no such relative
            folder the absolute one is tried, for that is what people mean who do not know the RFC.
    """

    scheme: Literal["ftp", "ftps", "file"]
    host: str
    port: int
    path: bytes

    @property
    def label(self) -> str:
        """The server as problems name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return "the folder" if self.scheme == "file" else f"{self.scheme}://{host}:{self.port}"

    @property
    def folder(self) -> str:
        """The folder as problems name it."""
        return self.path.decode("utf-8", "backslashreplace") or "the login folder"


def parse(source: settings.Source) -> Address:
    """Read ``source.url``.

    Raises:
        ProblemError: config-incomplete, config-value; the url is never repeated, for it may hold a password.
    """
    if not source.url:
        raise ProblemError(
            problem("config-incomplete", key="source.url", place="[source]", variable="CPIMPORTD_SOURCE__URL")
        )
    parts = urlsplit(source.url)  # core/addresses.py has made sure that it can be taken apart
    scheme = _SCHEMES[parts.scheme]
    if parts.username is not None or parts.password is not None:
        raise _wrong("source.url", "login-has-keys")
    if scheme == "ftp" and source.tls_fingerprint is not None:
        # Whoever pins a certificate believes that the password is safe; under ftp:// it would go in the clear.
        raise _wrong("source.tls_fingerprint", "pinned-without-tls")
    path = _path_bytes(parts.path, source.encoding)
    if scheme == "file":
        if parts.hostname not in (None, "localhost") or not path.startswith(b"/"):
            raise _wrong("source.url", "write-absolute-folder")
        return Address(scheme, "", 0, path)
    return Address(scheme, parts.hostname or "", parts.port or DEFAULT_PORT, path.removeprefix(b"/"))


def _path_bytes(path: str, encoding: str) -> bytes:
    try:
        raw = unquote_to_bytes(path.encode(encoding))
    except UnicodeEncodeError:
        raise _wrong("source.url", "folder-not-in-encoding", encoding=encoding) from None
    if any(byte in raw for byte in b"\0\r\n"):
        raise _wrong("source.url", "folder-has-line-break")
    return raw


def _wrong(key: str, code: str, **facts: str) -> ProblemError:
    return ProblemError(problem("config-value", key=key, place="[source]", reason=phrase(code, **facts)))
