"""The process: a socket, uvicorn on it, notices to systemd, and a clean end on SIGTERM."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final

import sdnotify
import uvicorn

from cpimportd.config.sections import Web
from cpimportd.config.settings import Settings
from cpimportd.core.problems import ProblemError, problem
from cpimportd.web.application import make_application, make_services
from cpimportd.web.connections import Connection
from cpimportd.web.dependencies import Services

_BACKLOG: Final = 128
_SHUTDOWN_TIMEOUT: Final = 5
"""Seconds that requests under way have to end when the process is asked to."""
_KEEP_ALIVE: Final = 15

_EXAMPLE: Final = (Web.model_fields["token"].examples or [""])[0]


def require_closed(web: Web) -> None:
    """Make sure that not everybody is let in: there is a token, or a loopback address and the word for it.

    Raises:
        ProblemError: ``web-open``.
    """
    if web.token is not None and web.token.get_secret_value() != _EXAMPLE:
        return
    if web.token is not None or not (web.open_on_loopback and _loopback(web.listen)):
        raise ProblemError(problem("web-open", value=web.listen))


def _loopback(listen: str) -> bool:
    host, _ = _address(listen)
    return ip_address("127.0.0.1" if host == "localhost" else host).is_loopback


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bind(listen: str) -> socket.socket:
    """Take the address.

    Raises:
        ProblemError: ``web-address``.
    """
    host, port = _address(listen)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ProblemError(problem("web-address", value=listen, reason=error.strerror or str(error))) from error
    # asyncio does this only for sockets that name their protocol, which create_server's do not: the body of each answer
    # then waits 40 ms for the client to acknowledge its head. Connections have it from the socket that accepts them.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: it would end the process by the signal that asked it to end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        settings: the configuration.
        ready: told the address once requests are answered.

    Raises:
        ProblemError: ``web-open``, ``web-address``.
    """
    require_closed(settings.web)
    with bind(settings.web.listen) as listening:
        asyncio.run(_serve(settings, listening, ready))


async def _serve(settings: Settings, listening: socket.socket, ready: Callable[[str], None]) -> None:
    services, systemd = make_services(settings), sdnotify.SystemdNotifier()
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def print_address() -> None:
        systemd.notify(f"READY=1\nSTATUS=Answering at {address}")
        ready(address)

    server = _Server(_config(services), print_address)

    def stop() -> None:
        systemd.notify("STOPPING=1")
        services.stopping.set()  # streams end of themselves
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve([listening])


def _config(services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        make_application(services),
        log_config=None,
        access_log=False,  # the guard's, which leaves out what may hold a token
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=Connection,
        loop="asyncio",
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
    )
