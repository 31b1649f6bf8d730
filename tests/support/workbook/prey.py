"""What a reader that was taken over would like to have, and the attack upon it.

As a program, with what the tests' own Python may lack: ``python prey.py ROOT WAY FOLDER`` prints what came of each attempt.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@contextmanager
def prey(folder: Path) -> Iterator[dict[str, Any]]:
    """Files, sockets and a process within reach of everybody, and how they are found.

    Args:
        folder: an empty one.
    """
    with ExitStack() as open_:
        for name in ("book.xlsx", "secret", "own"):
            (folder / name).write_text("x" * 100)
        (folder / "empty").mkdir()
        tcp = open_.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = open_.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix, datagram, abstract = (
            open_.enter_context(socket.socket(socket.AF_UNIX, kind))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM)
        )
        unix.bind(str(folder / "stream"))
        datagram.bind(str(folder / "datagram"))
        abstract.bind(f"\0{folder}")
        for one in (unix, abstract):
            one.listen()
        for path in (folder, *folder.iterdir()):
            path.chmod(0o777)
        yield {
            "path": str(folder / "book.xlsx"), "folder": str(folder), "secret": str(folder / "secret"),
            "own": str(folder / "own"), "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1],
            "unix": str(folder / "stream"), "unix_datagram": str(folder / "datagram"), "abstract": str(folder),
            "parent": os.getpid(), "address": id(folder), "timezone": "Europe/Moscow", "most_problems": 1,
            "sheet": None, "columns": {}, "notes": [], "name": "book.xlsx",
        }  # fmt: skip


async def attack(root: str, way: str, job: dict[str, Any], refused: str = "", uid: int = 0) -> dict[str, str]:
    """What came of each attempt of a reader that was taken over.

    Args:
        root: the folder that holds the package cpimportd.
        way: ``forked``, ``spawned``, or ``marker``.
        job: the prey.
        refused: what the kernel lacks, for ``refusing.py``.
        uid: the user that the reader becomes; 0: it stays who it is.
    """
    from cpimportd.config.settings import Reader
    from cpimportd.workbook.forking import ForkServer
    from cpimportd.workbook.sandbox import run_limited, spawned

    hostile = [sys.executable, "-I", str(HERE / "hostile_reader.py"), root, way, *([str(uid)] if uid else [])]
    argv = [sys.executable, "-I", str(HERE / "refusing.py"), refused, *hostile] if refused else hostile
    async with AsyncExitStack() as stack:
        start = (await stack.enter_async_context(ForkServer(argv))).fork if way == "forked" else spawned(argv)
        lines = run_limited(start, json.dumps(job).encode(), Reader(), file="book.xlsx")
        said = b"".join([block async for block in lines])
    return json.loads(said.splitlines()[0])


if __name__ == "__main__":
    _, root, way, folder = sys.argv
    sys.path.insert(0, root)
    with prey(Path(folder)) as job:
        print(json.dumps(asyncio.run(attack(root, way, job))))  # noqa: T201
