"""Clients that dawdle, are too many or go away: nobody else waits for them."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from cpimportd.web.connections import MAX_PER_ADDRESS
from tests.support.polling import until
from tests.support.web.served import API, TOKEN, Served

EVENTS = f"{API}/import/events"


def dial(process: Served, *, receive_buffer: int | None = None) -> socket.socket:
    parts = urlsplit(process.address)
    plug = socket.socket()
    if receive_buffer is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plug.settimeout(60)
    plug.connect((parts.hostname, parts.port))
    return plug


def head(path: str, method: str = "GET", *more: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}", *more, "", "")
    return "\r\n".join(lines).encode()


def is_closed(plug: socket.socket) -> bool:
    """Whether the server has ended this connection; what it said before is read away."""
    try:
        while select.select([plug], [], [], 0)[0]:
            if not plug.recv(65536):
                return True
    except ConnectionResetError:
        return True
    return False


def status_of(plug: socket.socket) -> int:
    return int(plug.recv(65536).split(b" ", 2)[1])


@pytest.fixture
def many() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("said", [b"", b"G", head("/healthz")[:-2]], ids=["silent", "one byte", "all but its end"])
def test_a_good_client_is_served_while_two_hundred_hang(serve, shared_books, many, said):
    process = serve(shared_books)
    hanging = []
    for _ in range(200):
        hanging.append(many.enter_context(dial(process)))
        hanging[-1].sendall(said)
        assert len(hanging) % 50 or process.ask("/healthz", token=None).status_code == 200
    for path in ("/", f"{API}/summary", f"{API}/import/overview"):
        assert process.ask(path).status_code == 200
    # No more than the bound are kept, and those are the latest.
    until(lambda: sum(map(is_closed, hanging)) >= 200 - MAX_PER_ADDRESS, "hanging connections closed")
    assert not is_closed(hanging[-1])


def test_an_active_connection_is_never_closed(serve, shared_books, many):
    process = serve(shared_books)
    stream = many.enter_context(dial(process))
    stream.sendall(head(EVENTS))
    assert status_of(stream) == 200
    for _ in range(MAX_PER_ADDRESS + 20):
        many.enter_context(dial(process))
    assert process.ask("/healthz").status_code == 200
    assert not is_closed(stream)


def slowly(plug: socket.socket, rest: bytes) -> None:
    try:
        plug.sendall(rest)
    except OSError:  # it was closed already
        return


def test_a_request_that_does_not_become_whole_is_given_up(serve, shared_books, many):
    """Silence, a head byte by byte, a head byte by byte after a good request, a body that stays away or drips."""
    process = serve(shared_books)
    trigger = f"{API}/import/trigger"
    silent, dripping, second, bodiless, drop, chunks = (many.enter_context(dial(process)) for _ in range(6))
    second.sendall(head("/healthz"))
    assert status_of(second) == 200
    for plug, first in (
        (dripping, b"GET / HT"),
        (second, b"GET / HT"),
        (bodiless, head(trigger, "POST", "Content-Length: 1000")),
        (drop, head(trigger, "POST", "Content-Length: 1000")),
        (chunks, head(trigger, "POST", "Transfer-Encoding: chunked")),
    ):
        plug.sendall(first)
    hanging = {silent: b"", dripping: b"T", second: b"T", bodiless: b"", drop: b"x", chunks: b"1\r\nx\r\n"}
    deadline = time.monotonic() + 60
    while hanging:
        assert time.monotonic() < deadline, "some are never given up"
        for plug in [plug for plug in hanging if is_closed(plug)]:
            del hanging[plug]
        for plug, more in hanging.items():
            slowly(plug, more)
        time.sleep(0.2)
    assert process.ask("/healthz").status_code == 200


def test_an_answer_that_nobody_reads_is_given_up(serve, shared_books, many):
    """Requests in a row, each with a long answer, by a client that reads none of them."""
    process = serve(shared_books, web__page_limit=10_000)
    plug = many.enter_context(dial(process, receive_buffer=4096))
    for _ in range(40):
        slowly(plug, head(f"{API}/import/runs/1/diff?limit=10000"))

    def ended() -> bool:
        try:
            plug.send(b"\r\n")
        except OSError:
            return True
        return False

    until(ended, "connection of a client that does not read closed", 90)
    assert process.ask("/healthz").status_code == 200


def test_of_sixty_streams_at_once_sixteen_are_let_in(serve, shared_books, many):
    process = serve(shared_books)
    streams = [many.enter_context(dial(process)) for _ in range(60)]
    for stream in streams:
        stream.sendall(head(EVENTS))
    assert sorted(map(status_of, streams)) == [200] * 16 + [503] * 44
    assert process.ask(EVENTS).json()["code"] == "web-too-many"


@pytest.mark.parametrize("abruptly", [False, True])
def test_streams_of_clients_that_went_are_free_again(serve, shared_books, many, abruptly):
    process = serve(shared_books)
    for _ in range(3):
        streams = [many.enter_context(dial(process)) for _ in range(16)]
        for stream in streams:
            stream.sendall(head(EVENTS))
        assert [status_of(stream) for stream in streams] == [200] * 16
        for stream in streams:
            if abruptly:  # a reset instead of an end
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            stream.close()
        until(lambda: process.ask(EVENTS, "HEAD").status_code == 200, "free stream")


def test_a_client_that_goes_before_its_stream_begins_takes_no_place(serve, shared_books, many):
    process = serve(shared_books)
    for _ in range(40):
        with dial(process) as plug:
            plug.sendall(head(EVENTS))
    until(lambda: process.ask(EVENTS, "HEAD").status_code == 200, "free stream")
    streams = [many.enter_context(dial(process)) for _ in range(16)]
    for stream in streams:
        stream.sendall(head(EVENTS))
    until(lambda: process.ask(EVENTS, "HEAD").status_code == 503, "all places taken")
    assert [status_of(stream) for stream in streams] == [200] * 16
