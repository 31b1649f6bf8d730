"""Admits or refuses requests before anything else handles them, and sets the headers of every answer.

The list of host names prevents DNS rebinding (a page of another site whose host name resolves to our address).
Sec-Fetch-Site and Origin identify cross-site requests, because a server without a token has no other sign of them.
"""

import logging
import re
import secrets
import time
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cpimportd.config.sections import Web
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import Problem, printable, problem
from cpimportd.web.connections import LARGEST_BODY
from cpimportd.web.problem_details import response

_WITHOUT_TOKEN: Final = frozenset({"/", "/healthz", "/openapi.json"})
"""They hold no data; neither do the page's own files."""
_STATIC: Final = "/static/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?")
"""A Host header (RFC 9110, 7.2): no text after the port that could be parsed as a path."""

_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

logger = logging.getLogger("cpimportd.web")


class Guard:
    """The outermost layer around the application.

    Args:
        app: what answers those that may ask.
        settings: the token, the host names, and whether it may do without a token.
    """

    def __init__(self, app: ASGIApp, settings: Web) -> None:
        self._app = app
        self._token = None if settings.token is None else settings.token.get_secret_value().encode()
        self._hosts = frozenset(settings.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # the application's own start and end; of websockets there are none
            return
        request, began, status = Request(scope), time.monotonic(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        try:
            refused = self._refused(request)
            answer = self._app if refused is None else response(request, *refused)
            await answer(scope, receive, sending)
        finally:
            client = request.client.host if request.client else "somebody"
            took = round((time.monotonic() - began) * 1000)
            # Without the query: a token in it must not reach the log.
            logger.info("%s %s %s: %s, %d ms", client, scope["method"], printable(scope["path"]), status, took)

    def _refused(self, request: Request) -> tuple[Problem, int | None] | None:
        headers, path = request.headers, request.scope["path"]  # what is routed by; request.url is made of Host, too
        host = headers.get("host", "")
        if not self._is_allowed_host(host):
            return problem("web-host", value=host), None
        if request.method not in _SAFE and _foreign_origin(headers, host):
            return problem("web-foreign"), None
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
            return problem("web-request", reason=phrase("body-too-large", limit=LARGEST_BODY)), 413
        if (reason := _unreadable(request.scope)) is not None:
            return problem("web-request", reason=reason), None
        if path in _WITHOUT_TOKEN or path.startswith(_STATIC) or self._has_valid_token(headers):
            return None
        return problem("web-unauthorized"), None

    def _is_allowed_host(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        try:
            ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return name == "localhost" or name in self._hosts
        return True

    def _has_valid_token(self, headers: Headers) -> bool:
        if self._token is None:
            return True  # open on a loopback address, by web.open_on_loopback
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return secrets.compare_digest(token.strip().encode(), self._token) and scheme.lower() == "bearer"


def _foreign_origin(headers: Headers, host: str) -> bool:
    """Whether a page of another origin sends this; a program that is no browser sends neither header."""
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def _unreadable(scope: Scope) -> Phrase | None:
    """Why an address is no text that a database or a file system could take; None if it is one.

    A NUL is a character to Python and to nobody else; half of a surrogate pair, or a byte that is not UTF-8, is none.
    """
    for name, encoded in (("path", scope["raw_path"]), ("query", scope["query_string"])):
        written = unquote_to_bytes(encoded)
        if b"\0" in written:
            return phrase("holds-nul", name=name)
        try:
            written.decode("utf-8")
        except UnicodeDecodeError:
            return phrase("is-no-utf8", name=name)
    return None


def _add_headers(headers: MutableHeaders, path: str) -> None:
    for name, value in _SECURITY.items():
        headers[name] = value
    # The page's files are asked for anew, by their ETag; data is kept nowhere.
    headers.setdefault("Cache-Control", "no-cache" if path == "/" or path.startswith(_STATIC) else "no-store")
