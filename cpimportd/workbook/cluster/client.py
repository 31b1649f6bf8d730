"""The child process that is the client of a Dask cluster: requests come on stdin, a line for each goes to stdout.

Dask's protocol lets anybody who answers at the scheduler's address run code in its client. So the client is a separate
process without secrets, database and configuration; its results are not trusted (``parent``). It reads the workbooks
from their files and writes the replies as files, so that neither passes through a pipe.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cpimportd.core.process import forbid_core_dumps
from cpimportd.workbook.cluster.task import reader_identity

if TYPE_CHECKING:
    from distributed import Client

_PR_SET_PDEATHSIG = 1  # prctl(2)
_ATTEMPTS = 2
# As texts, which every version of Python and a worker without us can receive: a function that a worker cannot import
# ends that worker, and one sent as bytecode needs the same Python.
_READ = "__import__('cpimportd.workbook.cluster.task', fromlist=['*']).read_workbook(asked, content)"
_IDENTIFY = "__import__('cpimportd.workbook.cluster.task', fromlist=['*']).reader_identity()"
_LONGEST_REASON = 600


class _LineWriter:
    """Writes one line at a time to the parent, from whichever thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def write(self, **words: object) -> None:
        with self._lock:
            self._stream.write(json.dumps(words).encode() + b"\n")
            self._stream.flush()


def _failed(code: str, error: BaseException) -> dict[str, str]:
    return {"code": code, "reason": f"{type(error).__name__}: {error}"[:_LONGEST_REASON]}


def _why(error: BaseException) -> str:
    """The code of the catalog for what became of a task."""
    if isinstance(error, CancelledError | asyncio.CancelledError):
        return "cluster-unreachable"  # the client gives its tasks up when it finds the scheduler no more
    if isinstance(error, ImportError | AttributeError):  # a worker has another version of us, or none
        return "cluster-versions"
    return "cluster-failed"


def _serve(client: "Client", orders: IO[bytes], writer: _LineWriter, threads: int) -> None:
    """Hand every order to the cluster, no more at once than keep it busy: their bytes lie in the scheduler's memory."""
    executor = client.get_executor(retries=_ATTEMPTS)
    turns = threading.BoundedSemaphore(max(4, 2 * threads))

    def done(order: Mapping[str, Any], future: "Future[bytes]") -> None:
        try:
            Path(order["reply"]).write_bytes(memoryview(future.result()))
            writer.write(ticket=order["ticket"])
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever a cluster can raise
            writer.write(ticket=order["ticket"], failed=_failed(_why(error), error))
        finally:
            turns.release()

    for line in orders:
        order = json.loads(line)
        turns.acquire()
        words = {"asked": order["asked"], "content": Path(order["path"]).read_bytes()}
        executor.submit(eval, _READ, words).add_done_callback(partial(done, order))


def _send_greeting(client: "Client", writer: _LineWriter, *, look: bool) -> int:
    """Say what there is; gives the number of threads."""
    threads: dict[str, int] = client.nthreads()
    readers = client.run(eval, _IDENTIFY, on_error="return") if look and threads else {}
    writer.write(ready={"workers": len(threads), "threads": sum(threads.values()), "mine": reader_identity(),
                     "readers": sorted({str(reader) for reader in readers.values()})})  # fmt: skip
    return sum(threads.values())


def main() -> None:
    """Connect, serve until nothing more is asked for, and end."""
    forbid_core_dumps()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    writer = _LineWriter(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever a library prints is no word to the parent
    orders = sys.stdin.buffer
    place = json.loads(orders.readline())
    try:
        from distributed import Client  # noqa: PLC0415 - half a second, and an extra
    except ImportError as error:
        writer.write(failed=_failed("cluster-not-installed", error))
        return
    try:
        client = Client(place["scheduler"], timeout=place["timeout"], set_as_default=False)
        threads = _send_greeting(client, writer, look=place["look"])
    except Exception as error:  # noqa: BLE001 - addresses, certificates, versions: the parent reports it
        writer.write(failed=_failed("cluster-unreachable", error))
    else:
        _serve(client, orders, writer, threads)
    os._exit(0)  # the parent is done; a scheduler drops the tasks of a disconnected client


if __name__ == "__main__":
    main()
