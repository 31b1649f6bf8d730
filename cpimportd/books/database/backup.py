"""A copy of our schema and the backend's tables before something risky, by PostgreSQL's own ``pg_dump``.

``pg_restore --list FILE`` shows what is in it. Into the same database it goes back with
``pg_restore --clean --if-exists --single-transaction --dbname=… FILE``; a fresh one needs ``CREATE SCHEMA cpimportd``
first.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cpimportd.books.database import programs
from cpimportd.books.database.connection import SCHEMA, opened
from cpimportd.books.database.programs import Program, Relation
from cpimportd.books.database.session import patient
from cpimportd.books.database.target import Target
from cpimportd.config.settings import Database
from cpimportd.core.files import own_folder
from cpimportd.core.model import BACKEND_TABLES
from cpimportd.core.phrases import Reason, phrase
from cpimportd.core.problems import ProblemError, printable, problem
from cpimportd.core.spool_locks import abandoned, take_lock
from cpimportd.core.waiting import report_slow

KEPT: Final = 7
"""How many backups stay in the folder."""

_LONGEST: Final = timedelta(hours=1)
_NAME: Final = f"{SCHEMA}-*.dump"
_SERVICE: Final = SCHEMA


async def backup(
    database: Database, folder: Path, *, keep: int = KEPT, candidates: Sequence[Path] | None = None
) -> Path:
    """Write a dump in pg_dump's custom format, prove that everything is in it, and remove the oldest ones.

    The pg_dump is chosen by its version: an older one than the server refuses. The password goes to it in its
    environment, never on its command line. The file has mode 0600 and gets its name when it is whole and proven:
    pg_restore of the same version lists every table, partition, sequence and their data.

    Args:
        database: ``direct_url`` is preferred.
        folder: made with mode 0700 where it is missing.
        keep: how many backups stay, this one included.
        candidates: the pg_dump to choose from; by default all that are found.

    Returns:
        The file, ``cpimportd-DATETIME.dump`` in UTC.

    Raises:
        ProblemError: ``state-foreign``,
            ``backup-failed`` (no pg_dump, none new enough, disk full, a right missing), ``backup-incomplete``
            (something that was wanted is not in it), and those of ``connect``.
    """
    target = Target.of(database, direct=True)
    wanted, major, encoding = await _wanted(database)
    programs.require_rows(wanted)
    pg_dump, pg_restore = await _chosen(programs.found("pg_dump") if candidates is None else candidates, major)
    limits = [f"--lock-wait-timeout={round(database.lock_timeout.total_seconds() * 1000)}"]
    if encoding != "SQL_ASCII":  # whose texts are in no encoding that could be converted from
        limits.append("--encoding=UTF8")
    command = [str(pg_dump.path), "--format=custom", "--no-password", *limits, *programs.selection(wanted)]
    try:
        _make(folder)
        final = folder / f"{SCHEMA}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.dump"
        partial = final.with_suffix(".partial")
        _forget_killed(folder)
        lock = take_lock(partial)
        try:
            async with _at(target, database) as (environment, passed):
                where = target.url_with(patient(major))
                await _run([*command, f"--dbname={where}"], environment, partial, passed)
            await _prove(pg_restore, partial, wanted)
            _publish(partial, final)
        finally:
            partial.unlink(missing_ok=True)
            if lock is not None:
                os.close(lock)
        _prune(folder, keep)
    except OSError as error:
        raise _failed(f"{error.strerror}: {error.filename}") from error
    return final


async def _wanted(database: Database) -> tuple[tuple[Relation, ...], int, str]:
    """What a backup has to hold; the server's major version, and its encoding."""
    async with opened(database, direct=True) as connection:
        wanted = await programs.relations(connection, SCHEMA, ("departments", *BACKEND_TABLES))
        encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
        return wanted, connection.get_server_version().major, encoding


async def _chosen(candidates: Sequence[Path], major: int) -> tuple[Program, Program]:
    """The pg_dump for a server, and a pg_restore that reads what it writes."""
    pg_dump, looked_at = await programs.not_older(candidates, major)
    if pg_dump is None:
        there = [one.told for one in looked_at] or phrase("nowhere")
        raise _failed(phrase("no-pg-dump", major=major, found=there))
    siblings = [pg_dump.path.with_name("pg_restore"), *programs.found("pg_restore")]
    pg_restore, readers = await programs.not_older([path for path in siblings if path.exists()], pg_dump.major)
    if pg_restore is None:
        there = [one.told for one in readers] or phrase("none")
        raise _failed(phrase("no-pg-restore", program=pg_dump.told, found=there))
    return pg_dump, pg_restore


@contextlib.asynccontextmanager
async def _at(target: Target, database: Database) -> AsyncIterator[tuple[dict[str, str], tuple[int, ...]]]:
    """What pg_dump is told in its environment, and what files it inherits."""
    wait = max(2, round(target.connect_timeout(database.connect_timeout)))
    environment = {**programs.environment(), "PGCONNECT_TIMEOUT": str(wait)}
    if target.password is not None:
        environment["PGPASSWORD"] = target.password
    if not target.secrets:
        yield environment, ()
        return
    # A key file's own password has no variable: libpq finds it in a service, whose file never touches a disk.
    lines = [f"[{_SERVICE}]", *(f"{name}={value}" for name, value in target.secrets.items()), ""]
    descriptor = os.memfd_create(_SERVICE)
    try:
        os.write(descriptor, "\n".join(lines).encode())
        environment |= {"PGSERVICE": _SERVICE, "PGSERVICEFILE": f"/proc/self/fd/{descriptor}"}
        yield environment, (descriptor,)
    finally:
        os.close(descriptor)


async def _run(command: Sequence[str], environment: dict[str, str], file: Path, passed: tuple[int, ...]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        code, _, said = await _ended(command, environment, output.fileno(), passed)
    if code != 0:
        if isinstance(said, str) and said:
            said = printable(said.removeprefix("pg_dump: ").replace("\n", "; "))
        raise _failed(said or phrase("program-ended", program=command[0], code=code))


async def _ended(
    command: Sequence[str],
    environment: dict[str, str],
    output: int = asyncio.subprocess.PIPE,
    passed: tuple[int, ...] = (),
) -> tuple[int, str, Reason]:
    """A program's exit code, and what it wrote; one that takes too long is ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        pass_fds=passed,
    )
    try:
        limit = _LONGEST.total_seconds()
        async with (
            asyncio.timeout(limit),
            report_slow("backup", "it is not through yet", limit, trouble=False, times=4),
        ):
            written, errors = await process.communicate()
    except TimeoutError:
        return 1, "", phrase("program-too-long", program=command[0], limit=_LONGEST)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, (written or b"").decode(errors="replace"), errors.decode(errors="replace").strip()


async def _prove(pg_restore: Program, file: Path, wanted: Sequence[Relation]) -> None:
    code, listed, said = await _ended([str(pg_restore.path), "--list", str(file)], programs.environment())
    missing: tuple[Reason, ...] = (said or phrase("program-ended", program=pg_restore.told, code=code),)
    if code == 0:
        missing = programs.missing(wanted, listed)
    if missing:
        raise _incomplete(missing)


def _incomplete(missing: Sequence[Reason]) -> ProblemError:
    return ProblemError(problem("backup-incomplete", reason=phrase("lacks", missing=missing)))


def _make(folder: Path) -> None:
    own_folder(folder.parent)
    own_folder(folder, tighten=True)


def _forget_killed(folder: Path) -> None:
    """Remove what backups left that were killed; one that is being written holds its lock."""
    for partial in folder.glob(f"{SCHEMA}-*.partial"):
        with abandoned(partial) as free:
            if free:
                partial.unlink(missing_ok=True)


def _publish(partial: Path, final: Path) -> None:
    descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _prune(folder: Path, keep: int) -> None:
    # The names sort by time.
    for old in sorted(folder.glob(_NAME))[:-keep]:
        old.unlink(missing_ok=True)


def _failed(reason: Reason) -> ProblemError:
    return ProblemError(problem("backup-failed", reason=reason))
