"""The demo: three days of a holding, imported and compared with the truth."""

import asyncio
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import FrameType

import asyncpg
from pydantic import SecretStr
from rich.console import Console

from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database, Retry, Settings, Source
from cpimportd.core.formatting import amount
from cpimportd.core.model import Kind
from cpimportd.core.report import RunReport, RunStatus, UnitStatus
from cpimportd.demo.dashboard import DashboardError, dashboard
from cpimportd.demo.exports import ExportDay, Holding, Truth, books_after, upload
from cpimportd.demo.ftp import LoopbackFtpServer
from cpimportd.render.run import render
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest

Echo = Callable[[str], None]

_SECONDS_TO_SIGNAL_AGAIN = 0.01
_DATABASE, _ROLE = "credit_portfolio", "cpimportd"

_AMOUNTS = {Kind.RECEIPTS: "amount", Kind.EXPENSES: "amount", Kind.DETAILS: "payment_amount"}
_BY_PAYMENT_TYPE = """
    SELECT coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS principal,
           coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS interest
    FROM fin_expense_details
"""


@dataclass(frozen=True)
class _Servers:
    """The servers and settings of one demo."""

    folder: Path
    settings: Settings
    database_url: str
    postgres: EmbeddedPostgres
    ftp: LoopbackFtpServer
    holding: Holding = field(default_factory=Holding)


def run_story(*, keep: bool, echo: Echo) -> int:
    """Run the demo from the empty database to the comparison; its exit code: 0 where all days went as announced."""
    with _ending_once(), _start_servers(echo) as servers:
        holding = servers.holding
        days = (holding.day(1), holding.day(2), holding.broken_day(3))
        went_well = all(_import_day(servers, days[: n + 1], echo) for n in range(len(days)))
        echo("")
        echo(
            "All three days went as told: the books agree with 1C to the kopeck, and nothing broken got in."
            if went_well
            else "Something did not go as told: see above. Please report this as a defect."
        )
        if keep:
            _wait(servers, echo)
    if keep:
        echo("The servers and their files are gone.")
    return 0 if went_well else 1


@contextmanager
def _ending_once() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo like Ctrl-C does; from then on it cleans up undisturbed."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def again(lost: "sys.UnraisableHookArgs") -> None:
        # Python drops what a handler raises while an object is finalised, and the demo would go on deaf to signals.
        if lost.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_SIGNAL_AGAIN)
        else:
            usual(lost)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What was ignored stays so: nohup(1) means it.
    before = {n: signal.signal(n, end) for n in signals if signal.getsignal(n) is not signal.SIG_IGN}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, end)
    usual, sys.unraisablehook = sys.unraisablehook, again
    try:
        yield
    finally:
        sys.unraisablehook = usual
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _start_servers(echo: Echo) -> Iterator[_Servers]:
    with tempfile.TemporaryDirectory(prefix="cpimportd-demo-") as name:
        folder = Path(name)
        uploads = folder / "ftp"
        uploads.mkdir()
        echo("Starting a PostgreSQL and an FTP server of our own, in temporary folders ...")
        with EmbeddedPostgres() as postgres, LoopbackFtpServer(uploads) as ftp:
            asyncio.run(_prepare_database(postgres.url(), _DATABASE, _ROLE))
            url = postgres.url(_DATABASE, _ROLE)
            settings = Settings(
                state_directory=folder / "state",
                database=Database(url=SecretStr(url)),
                source=Source(url=ftp.url, user=ftp.user, password=SecretStr(ftp.password), stable_for=timedelta(0)),
                retry=Retry(within=timedelta(0)),
            )
            settings.state_directory.mkdir()
            asyncio.run(upgrade(settings.database, department_id=settings.department_id))
            echo(f"  {postgres.version}, {ftp.url}")
            yield _Servers(folder, settings, url, postgres, ftp)


def _import_day(servers: _Servers, days: tuple[ExportDay, ...], echo: Echo) -> bool:
    """One day: the upload, the import, the comparison; whether it went as announced."""
    today = days[-1]
    _announce(today, echo)
    upload(today, servers.folder / "ftp")
    report = _run_import(servers.settings)
    echo(_rendered(report, servers.settings.zone))
    return _compare(report, today, books_after(days), asyncio.run(read_books(servers.database_url)), echo)


def _announce(day: ExportDay, echo: Echo) -> None:
    echo(f"\n--- Day {day.number}, {day.stamp:%d.%m.%Y} " + "-" * 40)
    if day.overnight:
        echo("Overnight, in 1C:")
    else:
        echo(f"1C uploads {len(day.files)} workbooks for the first time; the database is empty.")
    for name, night in day.overnight.items():
        echo(
            f"  {name}: {len(night.added)} documents new, {len(night.deleted)} deleted, "
            f"{len(night.retimed)} posted at another time, {len(night.repriced)} with another amount"
        )
    for file in day.files:
        if file.damage:
            echo(f"  but the upload of {file.name} went wrong: {file.damage}")
    echo("")


def _run_import(settings: Settings) -> RunReport:
    """The product's own run, as ``cpimportd run`` starts it."""
    return asyncio.run(run_once(settings, RunRequest()))


def _rendered(report: RunReport, zone: tzinfo) -> str:
    text = StringIO()
    width = shutil.get_terminal_size((110, 25)).columns
    render(report, Console(file=text, width=width, force_terminal=sys.stdout.isatty()), zone=zone)
    return text.getvalue().rstrip()


def _compare(report: RunReport, day: ExportDay, truth: Truth, found: Truth, echo: Echo) -> bool:
    echo(f"\n  {'':<10} {'rows':>7} {'in the database':>22} {'by the documents':>22}")
    lines = [(kind.value, str(found.rows[kind]), found.sums[kind], truth.sums[kind]) for kind in Kind]
    lines += [("principal", "", found.principal, truth.principal), ("interest", "", found.interest, truth.interest)]
    for name, rows, ours, theirs in lines:
        echo(f"  {name:<10} {rows:>7} {amount(ours):>22} {amount(theirs):>22}  {'=' if ours == theirs else '≠'}")
    held = frozenset(unit.unit for unit in report.units if unit.status is UnitStatus.HELD)
    expected = RunStatus.PARTIAL if day.held else RunStatus.PUBLISHED
    if report.status is not expected:
        echo(f"  The run ended as {report.status}, not as {expected}.")
    if held != day.held:
        echo(f"  Held: {_names(held)}; it should have been: {_names(day.held)}.")
    elif held:
        echo(f"  Held, with yesterday's numbers: {_names(held)}.")
    return found == truth and held == day.held and report.status is expected


def _names(units: frozenset[object]) -> str:
    return ", ".join(sorted(str(getattr(unit, "name", unit)) for unit in units)) or "nothing"


def _wait(servers: _Servers, echo: Echo) -> None:
    try:
        try:
            with dashboard(servers.folder, servers.settings) as address:
                board = f"The dashboard, with a daemon that imports when you ask it there:\n\n  {address}"
                echo(_invitation(servers, board))
                _sleep()
        except DashboardError as error:
            echo(_invitation(servers, f"The dashboard does not start: {error}"))
            _sleep()
    except KeyboardInterrupt:
        echo("")


def _sleep() -> None:
    while True:
        signal.pause()


def _invitation(servers: _Servers, board: str) -> str:
    psql = servers.postgres.programs / "psql"
    # Another terminal has another PATH.
    verb = shlex.join([sys.executable, "-m", "cpimportd"])
    return (
        f"\nThe servers keep running. {board}\n\n"
        "Look at the books, in another terminal:\n\n"
        f"  {shlex.quote(str(psql))} {shlex.quote(servers.database_url)}\n"
        "      TABLE fin_receipts LIMIT 10;\n"
        "      TABLE cpimportd.runs;\n\n"
        f"  export CPIMPORTD_CONFIG={shlex.quote(str(servers.folder / 'cpimportd.toml'))}\n"
        f"  {verb} history\n"
        f"  {verb} summary\n"
        f"  {verb} status\n\n"
        f"The files of day 3 lie in {servers.folder / 'ftp'}, and on {servers.ftp.url}\n"
        f"for user {servers.ftp.user} with password {servers.ftp.password}.\n\n"
        "Ctrl-C ends the demo and removes everything."
    )


async def _prepare_database(superuser_url: str, database: str, role: str) -> None:
    """Create an empty database that belongs to a role of its own, who is no superuser.

    Args:
        superuser_url: where, and as whom.
        database: its name.
        role: whose it is; created too.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f'CREATE ROLE "{role}" LOGIN')
        await connection.execute(f'CREATE DATABASE "{database}" OWNER "{role}"')
    finally:
        await connection.close()


async def read_books(url: str) -> Truth:
    """What the backend's tables hold, by SQL of the demo's own: a witness that is not the product judging itself."""
    connection = await asyncpg.connect(url)
    try:
        rows: dict[Kind, int] = {}
        sums: dict[Kind, Decimal] = {}
        for kind, amount in _AMOUNTS.items():
            query = f"SELECT count(*) AS rows, coalesce(sum({amount}), 0) AS sum FROM {kind.table}"  # noqa: S608  our names
            found = await connection.fetchrow(query)
            rows[kind], sums[kind] = found["rows"], found["sum"]
        by_type = await connection.fetchrow(_BY_PAYMENT_TYPE)
    finally:
        await connection.close()
    return Truth(rows, sums, by_type["principal"], by_type["interest"])
