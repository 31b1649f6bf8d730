"""A place for a daemon to work in: configuration, upload folder, state; and the daemon as a real child process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from cpimportd.daemon.store import Store
from cpimportd.demo.ftp import LoopbackFtpServer
from cpimportd.timetable.memory import Remembered
from tests.support import launcher
from tests.support.daemon.gate import Gate
from tests.support.daemon.living_daemon import LivingDaemon, environment
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.polling import LONG, processes, signal_all, until
from tests.support.secrets import look_at

SAMPLES = Path(__file__).parents[2] / "samples"
MOSCOW = ZoneInfo("Europe/Moscow")

_KINDS = ("receipts", "expenses", "details")

_BOOKS = """
    SELECT (SELECT count(*) FROM fin_receipts WHERE department_id = 8) AS receipts,
           (SELECT count(*) FROM fin_expenses WHERE department_id = 8) AS expenses,
           (SELECT count(*) FROM fin_expense_details WHERE department_id = 8) AS details,
           (SELECT coalesce(sum(amount), 0) FROM fin_receipts WHERE department_id = 8) AS receipts_sum,
           (SELECT coalesce(sum(amount), 0) FROM fin_expenses WHERE department_id = 8) AS expenses_sum,
           (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details WHERE department_id = 8) AS details_sum
"""


def time_of_day(moment: datetime) -> str:
    """A schedule's expression that is due daily at this moment."""
    return f"*-*-* {moment.astimezone(MOSCOW):%H:%M:%S}"


def whole_second(seconds: float) -> datetime:
    """A moment so far from now, at least, on a whole second."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return (moment + timedelta(microseconds=999_999)).replace(microsecond=0)


class Place:
    """A database, a folder that 1C uploads into, a configuration, and what is needed to look into all of them."""

    def __init__(self, folder: Path, url: str, sql: Callable[..., list[Any]], notify: NotifySocket) -> None:
        self.folder, self.url, self.notify = folder, url, notify
        self._sql = sql
        self.state, self.upload, self.file = folder / "state", folder / "upload", folder / "cpimportd.toml"
        self.runtime = self.state / "run"
        self.state.mkdir(mode=0o700)
        self.upload.mkdir()
        self._server = parse_qs(urlsplit(url).query)["host"][0]
        self.user: int | None = None
        self.python = sys.executable
        self._daemons: list[LivingDaemon] = []
        self.keys: dict[str, object] = {
            "state_directory": str(self.state),
            "database.url": url,
            "source.url": self.upload.as_uri(),
            "source.stable_for": 0,
            "retry.within": 60,
            "retry.wait_first": 0.2,
            "retry.wait_longest": 0.5,
            "schedules.import.at": time_of_day(datetime.now(UTC) + timedelta(hours=6)),
        }
        self.configure()

    def configure(self, keys: Mapping[str, object] | None = None) -> Path:
        """Write the configuration with these keys set, and keep them for the next time."""
        self.keys |= keys or {}
        # JSON's texts, numbers and lists are TOML's, too.
        self.file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in self.keys.items()))
        self.file.chmod(0o600)
        if self.user is not None:
            os.chown(self.file, self.user, self.user)
        return self.file

    @property
    def variables(self) -> dict[str, str]:
        """The configuration as environment variables."""
        return {f"CPIMPORTD_{key.upper().replace('.', '__')}": str(value) for key, value in self.keys.items()}

    def give_to(self, user: int) -> None:
        """Let the daemon be another user's."""
        self.user = user
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, user, user)

    def sample(self, day: str, hours_ago: float = 2, organization: str = "Lotos") -> None:
        """1C uploads a sample day of one organization (of all, if the name is empty).

        It did so two hours ago, as a fresh upload's other half would be waited for.
        """
        for path in (SAMPLES / day).glob(f"{organization}*"):
            target = self.upload / path.name
            shutil.copyfile(path, target)
            os.utime(target, (time.time() - hours_ago * 3600,) * 2)

    def workbook(self, part: str) -> Path:
        """The uploaded workbook with this in its name."""
        (found,) = (path for path in self.upload.iterdir() if part in path.name)
        return found

    def slot_in(self, seconds: float, *schedules: str, newest_upload: datetime | None = None) -> datetime:
        """A slot so far from now, of schedules that an earlier daemon has put in force (``import`` if none is named)."""
        slot = whole_second(seconds)
        self.slot_at(slot, *schedules, newest_upload=newest_upload)
        return slot

    def slot_at(self, slot: datetime, *schedules: str, newest_upload: datetime | None = None) -> None:
        """The same for a slot that is known."""
        at = time_of_day(slot)
        store = Store(self.state)
        record, _ = store.load()
        for name in schedules or ("import",):
            self.configure({f"schedules.{name}.at": at})
            remembered = Remembered(at, MOSCOW.key, slot - timedelta(minutes=10), newest_upload=newest_upload)
            record = replace(record, memory=record.memory.put(name, remembered))
        store.save(record)

    def due_slot(self) -> datetime:
        """A slot came while no daemon was there: the next one to start finds it due."""
        return self.slot_in(-20)

    def sql(self, *statements: str) -> list[Any]:
        return self._sql(self.url, *statements)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What the database knows of runs, the oldest first."""
        return [dict(row) for row in self.sql("SELECT id, status, schedule, slot FROM cpimportd.runs ORDER BY id")]

    def outcomes(self, slot: datetime | None = None) -> list[str]:
        """How the runs ended that the database knows of: all, or those of a slot."""
        return [run["status"] for run in self.runs if slot is None or run["slot"] == slot]

    @property
    def books(self) -> dict[str, Decimal]:
        """Rows and sums of the three tables."""
        return dict(self.sql(_BOOKS)[0])

    def truth(self, day: str | None) -> dict[str, Decimal]:
        """What the books have to be once the uploaded files of a sample day are imported; None: nothing."""
        truth = dict.fromkeys((name for kind in _KINDS for name in (kind, f"{kind}_sum")), Decimal(0))
        if day is not None:
            for name, file in json.loads((SAMPLES / f"{day}.json").read_text("utf-8"))["files"].items():
                if (self.upload / name).exists():
                    truth[file["kind"]] += file["rows"]
                    truth[f"{file['kind']}_sum"] += Decimal(file["total"])
        return truth

    def wait_for_lock(self) -> None:
        """A run stands before a lock that somebody else holds."""
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: self.sql(waits), "run that waits for a lock")

    @contextmanager
    def database_gate(self, hold_at: bytes, *, answer: bool = False) -> Iterator[Gate]:
        """A gate before the database; from now on the configuration names it."""
        folder = self.behind_the_gate()
        address = str(folder / ".s.PGSQL.5432")
        with Gate(address, f"{self._server}/.s.PGSQL.5432", hold_at, answer=answer) as gate:
            Path(address).chmod(0o777)
            yield gate

    def behind_the_gate(self) -> Path:
        """The configuration names the database behind a gate, which need not be there yet; gives the gate's folder."""
        folder = self.folder / "gate"
        folder.mkdir(exist_ok=True)
        self.configure({"database.url": self.url.replace(self._server, str(folder))})
        return folder

    @contextmanager
    def standing(self, phase: str) -> Iterator[Callable[[LivingDaemon], Callable[[], None]]]:
        """Ways to let a run stand still in a phase: ``fetch``, ``read``, ``merge``, or ``commit``, which is carried out.

        Gives a function that waits until the daemon's run stands there; what it returns lets go.
        """
        with ExitStack() as things:
            if phase == "fetch":
                ftp = things.enter_context(LoopbackFtpServer(self.upload))
                gate = things.enter_context(Gate(("127.0.0.1", 0), ("127.0.0.1", ftp.port)))
                url = f"ftp://127.0.0.1:{gate.address[1]}/"
                self.configure({"source.url": url, "source.user": ftp.user, "source.password": ftp.password})
            elif phase != "read":
                request = {"merge": b"LOCK TABLE", "commit": b"COMMIT;"}[phase]
                gate = things.enter_context(self.database_gate(request, answer=True))

            def stand(daemon: LivingDaemon) -> Callable[[], None]:
                if phase == "read":
                    readers = daemon.frozen_readers()
                    return lambda: signal_all(readers, signal.SIGCONT)
                assert gate.reached.wait(LONG), daemon.last_words
                return gate.open

            yield stand

    def command(self, *arguments: str, config: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a verb as a user would."""
        argv = [self.python, "-m", "cpimportd", *arguments, "--config", str(config or self.file)]
        options = {"env": environment(), "timeout": 120, "cwd": "/", **options}
        if self.python == sys.executable:
            return launcher.run(*argv[3:], **options)
        return subprocess.run(argv, capture_output=True, text=True, check=False, **options)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a verb that takes its time."""
        argv = [self.python, "-m", "cpimportd", *arguments, "--config", str(self.file)]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd="/"
        )

    def start(self, *options: str, ready: bool = True, form: str = "json", **environ: str) -> LivingDaemon:
        """Start the daemon, with options for Python itself, and wait until it is ready."""
        daemon = LivingDaemon(self, options, form, environ)
        self._daemons.append(daemon)
        return daemon.wait_ready() if ready else daemon

    def end(self) -> None:
        """Nothing that was started here is left."""
        for daemon in self._daemons:
            daemon.end()
        self._search()
        until(lambda: not self._kill_orphans(), "end of the daemons' children")

    def _search(self) -> None:
        """No planted password is in what the daemons wrote."""
        for path in (*self.folder.glob("log-*"), *self.state.rglob("*.json")):
            with suppress(OSError):  # other tests take the rights away, or the file
                look_at(f"the file {path.name} of a daemon", path.read_bytes())
        for notice in self.notify.notices:
            look_at("what a daemon told systemd", str(notice.lines))

    def _kill_orphans(self) -> list[int]:
        orphans = [pid for pid, (_, command) in processes().items() if f"--config {self.runtime}/" in command]
        signal_all(orphans, signal.SIGKILL)
        return orphans
