"""A proxy in front of a server that holds traffic back at a chosen moment: PostgreSQL's socket, or an FTP server's port.

It stands still before a request that holds certain bytes, or before the answer to it, until it is opened; whoever ends
meanwhile is gone for the server, too.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Self

Address = str | tuple[str, int]
"""A Unix socket's path, or host and port."""


def connect(address: Address) -> socket.socket:
    """A connection to an address of either kind."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return client


class Gate:
    """A context manager that listens at ``address``.

    Args:
        address: where to listen; port 0 becomes a free one.
        server: whose traffic passes.
        hold_at: the request that is held; empty: every connection, before its first byte.
        answer: let the request pass, and hold what the server says to it.
    """

    def __init__(self, address: Address, server: Address, hold_at: bytes = b"", *, answer: bool = False) -> None:
        self.reached = threading.Event()
        """Somebody stands at the gate."""
        self._opened = threading.Event()
        self._hold_at, self._answer = hold_at, answer
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self._listener.bind(address)
        self._listener.listen()
        self.address: Address = self._listener.getsockname()
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._ended = False

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._opened.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (*self._sockets, self._listener):
            one.close()

    def open(self) -> None:
        """Let everything pass from now on."""
        self._opened.set()

    def _accept(self) -> None:
        while not self._ended:
            try:
                client = self._listener.accept()[0]
                server = connect(self._server)
            except OSError:
                return
            self._sockets += [client, server]
            muted = threading.Event()
            for target, arguments in (
                (self._requests, (client, server, muted)),
                (self._answers, (server, client, muted)),
            ):
                thread = threading.Thread(target=target, args=arguments)
                self._threads.append(thread)
                thread.start()

    def _requests(self, client: socket.socket, server: socket.socket, muted: threading.Event) -> None:
        def take(data: bytes) -> None:
            held = not self._opened.is_set() and self._hold_at in data
            if held and not self._answer:
                self._stand(client)
            if held and self._answer:
                muted.set()
            server.sendall(data)

        self._pump(client, server, take, self._stand if not self._hold_at else None)

    def _answers(self, server: socket.socket, client: socket.socket, muted: threading.Event) -> None:
        def take(data: bytes) -> None:
            if muted.is_set():
                self.reached.set()  # not before: only now what was asked for is carried out
            if muted.is_set() or not self._hold_at:
                self._opened.wait()
            client.sendall(data)

        self._pump(server, client, take)

    def _stand(self, client: socket.socket) -> None:
        """Wait until the gate opens, or the client is gone."""
        self.reached.set()
        while not self._opened.wait(0.02):
            if select.select([client], [], [], 0)[0] and not client.recv(1, socket.MSG_PEEK):
                raise ConnectionError("the client is gone")

    @staticmethod
    def _pump(
        source: socket.socket,
        target: socket.socket,
        take: Callable[[bytes], None],
        begin: Callable[[socket.socket], None] | None = None,
    ) -> None:
        with contextlib.suppress(OSError):
            if begin is not None:
                begin(source)
            while data := source.recv(65536):
                take(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
