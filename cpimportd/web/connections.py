"""One HTTP connection with deadlines, so that a slow client cannot take the place of others.

uvicorn's own timeout begins after the first answer, and its limit counts connections that never sent a request. So a
request must be complete within some seconds, and the client must read the answer. If there are too many connections,
the one that has waited longest without a request is closed: a client that sends its request at once is always served.
"""

import logging
import socket
import time
from asyncio import TimerHandle, Transport
from collections import Counter
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_TIMEOUT: Final = 10.0
"""Seconds within which a request has to be whole, its body included, from the connection or its first byte on."""
MAX_CONNECTIONS: Final = 200
"""Connections at once."""
MAX_PER_ADDRESS: Final = 100
"""Connections of one address at once: behind a proxy that is everybody."""

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a request's body; no request needs one."""

_READ_WITHIN: Final = 20.0
_SLOWEST: Final = 1024
"""Bytes a second that a client has to read of its answer."""
_DEAD_AFTER: Final = 30
"""Seconds without acknowledgement after which the peer counts as dead (TCP_USER_TIMEOUT)."""
_CHECK_EVERY: Final = 1.0
_WARN_EVERY: Final = 60.0
_NETWORK: Final = 64
"""Bits of an IPv6 address that are one customer's: the rest he chooses himself."""

_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n"
)

logger = logging.getLogger("cpimportd.web")


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines and bounds."""

    warned_at: ClassVar[float] = float("-inf")
    """When the log last warned of too many connections."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._since = time.monotonic()
        self._heard = False
        self._body = 0
        self._answer: tuple[float, int] | None = None
        self._next_check: TimerHandle | None = None
        self.given_up = False
        self.address = ""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Count the connection; if there are too many, one is closed."""
        super().connection_made(transport)
        self.address = _address(self.client[0] if self.client else "")
        _detect_dead_peer(transport)
        self._next_check = self.loop.call_later(_CHECK_EVERY, self._check_deadlines)
        self._evict_if_full()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop checking its deadlines."""
        self.given_up = True
        if self._next_check is not None:
            self._next_check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; the first byte of the next request starts its time."""
        if self.given_up:
            return
        if not self._heard:
            # A silent connection's time runs since it was made; that of one kept alive since it asks again.
            self._since = time.monotonic() if self.cycle is not None else self._since
            self._heard = True
        super().data_received(data)
        self._count_chunks(len(data))

    def _count_chunks(self, size: int) -> None:
        """No header has the length of a chunked body; it is not read, only counted as it comes."""
        chunked = self.conn.their_state is h11.SEND_BODY and any(
            name == b"transfer-encoding" for name, _ in self.headers
        )
        self._body = self._body + size if chunked else 0
        if self._body > LARGEST_BODY:
            started = self.cycle is not None and self.cycle.response_started
            self.give_up(b"" if started else _TOO_LARGE)

    def on_response_complete(self) -> None:
        """After an answer it may be silent for a while: uvicorn's timeout_keep_alive."""
        self._heard = bool(self.conn.trailing_data[0]) or self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()

    def resume_writing(self) -> None:
        """The client has read a good part of the answer."""
        self._answer = None
        super().resume_writing()

    @property
    def waiting(self) -> bool:
        """Whether nothing is done for it now: its request is not whole, or it asked for nothing (more)."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.transport.get_write_buffer_size()

    @property
    def since(self) -> float:
        """When its present request, or its silence, began."""
        return self._since

    def give_up(self, farewell: bytes = b"") -> None:
        """Close it now, even if the client has not read everything.

        Args:
            farewell: the last ones.
        """
        self.given_up = True
        self._unset_keepalive_if_required()
        if farewell and not self.transport.get_write_buffer_size():
            self.transport.write(farewell)
            self.transport.close()
        else:
            self.transport.abort()

    def _evict_if_full(self) -> None:
        there = [one for one in self.connections if isinstance(one, Connection) and not one.given_up]
        by_address = Counter(one.address for one in there)
        if by_address[self.address] > MAX_PER_ADDRESS:
            same_address = self.address
        elif len(there) > MAX_CONNECTIONS:
            same_address = by_address.most_common(1)[0][0]
        else:
            return
        _evict_one([one for one in there if one.address == same_address and one.waiting] or [self], self)

    def _check_deadlines(self) -> None:
        self._next_check = self.loop.call_later(_CHECK_EVERY, self._check_deadlines)
        now = time.monotonic()
        if self._incomplete and now - self._since > REQUEST_TIMEOUT:
            started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
            self.give_up(b"" if started or not self._heard else _TOO_LATE)
        elif not self._is_read(now):
            self.give_up()

    @property
    def _incomplete(self) -> bool:
        if self.conn.their_state is h11.SEND_BODY:
            return True
        return self.conn.their_state is h11.IDLE and (self._heard or self.cycle is None)

    def _is_read(self, now: float) -> bool:
        """Whether what was written is read, slowly perhaps."""
        left = self.transport.get_write_buffer_size()
        if not left:
            self._answer = None
        elif self._answer is None:
            self._answer = (now, left)
        elif now - self._answer[0] > _READ_WITHIN:
            began, before = self._answer
            self._answer = (now, left)
            return before - left >= _SLOWEST * (now - began)
        return True


def _evict_one(idle: Collection[Connection], new: Connection) -> None:
    evicted = min(idle, key=lambda one: one.since)
    if time.monotonic() - Connection.warned_at > _WARN_EVERY:
        Connection.warned_at = time.monotonic()
        logger.warning("too many connections, the most from %s: those that ask for nothing are closed", evicted.address)
    evicted.give_up(_TOO_MANY if evicted is new else b"")


def _address(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    mapped = address.ipv4_mapped
    return str(mapped or ip_network((address, _NETWORK), strict=False))


def _detect_dead_peer(transport: Transport) -> None:
    """Let the kernel detect a peer that was switched off: it does not close its connection."""
    connected = transport.get_extra_info("socket")
    if connected is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER * 1000)
