"""Reading on a Dask cluster, the run's side: workbooks are sent to workers, and their replies are not trusted.

The run speaks to a child process (``client``), the child to the scheduler, and the scheduler to workers, each
of which reads in a limited child process (``task``). A reply is checked like the output of a local child.
"""

import asyncio
import itertools
import json
import logging
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from cpimportd.config.settings import Engine, Reader
from cpimportd.core.phrases import Reason, UnfitError, phrase, reason_of
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.system import unusable
from cpimportd.core.waiting import report_slow
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.workbook.cluster.reply import read_head, read_lines
from cpimportd.workbook.cluster.task import order, reader_identity
from cpimportd.workbook.reading import ReadJob, Report, child_command, parse_reader_output

logger = logging.getLogger(__name__)

_PIECE = 256 * 1024
_STDERR_KEPT = 4096
_TO_START = 30.0
"""Seconds that the client may take to start and to look around, beside the connection itself."""
_CODES = ("cluster-not-installed", "cluster-unreachable", "cluster-versions", "cluster-failed")


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """What is there.

    Attributes:
        workers: how many are known to the scheduler.
        threads: of all workers together; each reads one workbook at a time.
        readers: whatever readers the workers have, or why one cannot say; only where it was asked for.
    """

    workers: int
    threads: int
    readers: tuple[str, ...] = ()


class Cluster:
    """A cluster at work, behind its client process.

    Args:
        client: the process.
        stderr: what it writes to stderr.
        engine: where the cluster is.
        limits: of the readers.
    """

    def __init__(self, client: Process, stderr: IO[bytes], engine: Engine, limits: Reader) -> None:
        self._client, self._stderr = client, stderr
        self._address = str(engine.dask_scheduler)
        # A worker may be lost when it is nearly through, and another one begins anew.
        self._silence = 2 * limits.wall_time.total_seconds() + engine.scheduler_timeout.total_seconds()
        self._tickets = itertools.count()
        self._pending: dict[int, asyncio.Future[object]] = {}
        self._received = 0
        self._turn = asyncio.Lock()

    async def read(
        self,
        file: FetchedFile,
        file_no: int,
        job: ReadJob,
        limits: Reader,
        rows_folder: Path,
        *,
        progress: Report = lambda _: None,
    ) -> Snapshot:
        """Read one workbook on the cluster; arguments and result are those of :func:`cpimportd.workbook.reading.read`.

        Raises:
            ProblemError: ``cluster-unreachable``, ``cluster-failed``, ``cluster-versions``, ``disk``.
        """
        reply = rows_folder / f"{file_no:03}.reply"
        words = {"path": str(file.path.resolve()), "reply": str(reply), "asked": order(file.name, file_no, job, limits)}
        try:
            await self._ask(words, file.name)
            with await asyncio.to_thread(reply.open, "rb") as stream:
                head = read_head(stream, file.name)
                if head is not None and head.reader != reader_identity():
                    raise ProblemError(versions_differ(head.reader))
                said = read_lines(stream, head, limits.max_unpacked)
                return await parse_reader_output(said, file, file_no, limits, rows_folder, progress=progress)
        except OSError as error:
            raise ProblemError(unusable(reply, error)) from error
        finally:
            reply.unlink(missing_ok=True)

    async def _ask(self, words: Mapping[str, str], file: str) -> None:
        """Send an order and wait until its reply is in the folder.

        Raises:
            ProblemError: there will be none.
        """
        assert self._client.stdin is not None  # noqa: S101  asked for below
        ticket = next(self._tickets)
        answer = self._pending[ticket] = asyncio.get_running_loop().create_future()
        try:
            async with self._turn:
                with suppress(BrokenPipeError, ConnectionResetError):  # its stdout reports the end
                    self._client.stdin.write(json.dumps({"ticket": ticket, **words}).encode() + b"\n")
                    await self._client.stdin.drain()
            await self._wait_for_reply(answer, file)
        finally:
            del self._pending[ticket]
        if (failed := answer.result()) is not None:
            raise ProblemError(_as_problem(failed, self._address, file))

    async def _wait_for_reply(self, answer: "asyncio.Future[object]", file: str) -> None:
        """Wait as long as anything at all comes back."""
        while not answer.done():
            received = self._received
            async with report_slow("cluster", f"a worker reads {file}", self._silence, trouble=False, times=4):
                await asyncio.wait({answer}, timeout=self._silence)
            if not answer.done() and received == self._received:
                reason = phrase("nothing-came-back", seconds=timedelta(seconds=round(self._silence)))
                raise ProblemError(problem("cluster-failed", file=file, reason=reason))

    async def greeting(self, within: float) -> ClusterInfo:
        """The client's first words.

        Raises:
            ProblemError: ``cluster-not-installed``, ``cluster-unreachable``.
        """
        try:
            async with asyncio.timeout(within), report_slow("cluster", f"no answer yet from {self._address}", within):
                said = json.loads(await self._line())
            if "failed" in said:
                raise ProblemError(_as_problem(said["failed"], self._address))
            ready = said["ready"]
            readers = tuple(printable(reader) for reader in ready["readers"])
            return ClusterInfo(int(ready["workers"]), int(ready["threads"]), readers)
        except TimeoutError:
            reason: Reason = phrase("did-not-answer-within", limit=timedelta(seconds=round(within)))
        except (ValueError, LookupError, TypeError) as error:
            reason = self._last_stderr_line() or reason_of(error)
        raise ProblemError(problem("cluster-unreachable", value=self._address, reason=reason))

    async def listen(self) -> None:
        """Take the client's answers, until it ends."""
        try:
            while line := await self._line():
                said = json.loads(line)
                self._received += 1
                self._resolve(said["ticket"], said.get("failed"))
            reason = f"its client ended: {self._last_stderr_line() or 'it said nothing'}"
        except (ValueError, LookupError, TypeError) as error:
            reason = f"its client broke the protocol: {error}"
        while True:  # later requests get the same answer
            for ticket in tuple(self._pending):
                self._resolve(ticket, {"code": "cluster-unreachable", "reason": reason})
            await asyncio.sleep(0.1)

    def _resolve(self, ticket: int, failed: object) -> None:
        answer = self._pending.get(ticket)
        if answer is not None and not answer.done():
            answer.set_result(failed)

    async def _line(self) -> bytes:
        assert self._client.stdout is not None  # noqa: S101  asked for below
        return await self._client.stdout.readline()

    def _last_stderr_line(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        said = os.pread(self._stderr.fileno(), _STDERR_KEPT, max(0, size - _STDERR_KEPT))
        return printable(said.decode(errors="replace").strip().rpartition("\n")[2])


@asynccontextmanager
async def connected(
    engine: Engine, limits: Reader, *, look: bool = False
) -> AsyncIterator[tuple[Cluster, ClusterInfo]]:
    """A cluster, for as long as the block lasts.

    Args:
        engine: where it is.
        limits: of the readers.
        look: whether the workers are asked for their readers.

    Raises:
        ProblemError: ``cluster-not-installed``, ``cluster-unreachable``.
    """
    timeout = engine.scheduler_timeout.total_seconds()
    with tempfile.TemporaryFile() as stderr:
        client = await asyncio.create_subprocess_exec(
            *child_command("cpimportd.workbook.cluster.client"), stdin=PIPE, stdout=PIPE, stderr=stderr,
            env=_environment(), start_new_session=True, limit=_PIECE,
        )  # fmt: skip
        listening = None
        try:
            assert client.stdin is not None  # noqa: S101  asked for above
            place = {"scheduler": engine.dask_scheduler, "timeout": timeout, "look": look}
            client.stdin.write(json.dumps(place).encode() + b"\n")
            cluster = Cluster(client, stderr, engine, limits)
            found = await cluster.greeting(timeout + _TO_START)
            logger.info("reading on the cluster: %d workers with %d threads", found.workers, found.threads)
            listening = asyncio.create_task(cluster.listen())
            yield cluster, found
        finally:
            if listening is not None:
                listening.cancel()
            with suppress(ProcessLookupError):
                client.kill()
            await client.wait()


def versions_differ(theirs: str) -> Problem:
    """The problem of a worker that would read otherwise than we do."""
    return problem("cluster-versions", theirs=theirs, ours=reader_identity())


def _environment() -> dict[str, str]:
    """What Dask is configured by, and nothing that may hold a secret of ours."""
    kept = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("DASK_")}
    return {"LANG": "C.UTF-8", **kept}


def _as_problem(failed: Any, address: str, file: str | None = None) -> Problem:  # noqa: ANN401 - whatever JSON can hold
    """What the client says went wrong, in words of the catalog."""
    code, reason = failed["code"], printable(failed["reason"])
    if code not in _CODES:
        raise UnfitError("no-such-problem")
    if code == "cluster-versions":
        return versions_differ(reason)
    return problem(code, file=file, value=address, reason=reason)
