"""HEAD, OPTIONS and the address of a redirect, which HTTP requires of every resource, for all routes (RFC 9110)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVERY: Final = ("GET", "POST")


def allowed(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """What may be done at a path, as the header Allow has it; empty if nothing is there."""
    found = {method for method in _EVERY for route in routes if _is_there(route, {**scope, "method": method})}
    if not found and scope["path"] != "*":
        return ""
    found = found or set(_EVERY)
    return ", ".join([*sorted(found | ({"HEAD"} if "GET" in found else set())), "OPTIONS"])


def _is_there(route: BaseRoute, scope: Scope) -> bool:
    if isinstance(route, Mount) and scope["method"] != "GET":  # the page's files; a mount takes whatever is asked
        return False
    return route.matches(scope)[0] is Match.FULL


class Methods:
    """The layer around the routes.

    Args:
        app: what answers GET and POST.
        routes: of the application.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS; HEAD as GET, without what GET would send."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and (allow := allowed(self._routes, scope)):
            await Response(status_code=204, headers={"Allow": allow})(scope, receive, send)
            return
        headless, over = scope["method"] == "HEAD", False

        async def sending(message: Message) -> None:
            nonlocal over
            if over:
                return
            if message["type"] == "http.response.start":
                _relative(MutableHeaders(scope=message))
            await send(message)
            if headless and message["type"] == "http.response.start":
                over = True  # a stream would never end of itself
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"} if headless else scope, receive, sending)


def _relative(headers: MutableHeaders) -> None:
    """A redirect with a relative location: only the proxy knows the scheme and host of the request."""
    location = headers.get("location")
    if location is None:
        return
    parts = urlsplit(location)
    # Two slashes at the beginning would name another host.
    headers["location"] = urlunsplit(("", "", "/" + parts.path.lstrip("/\\"), parts.query, parts.fragment))
