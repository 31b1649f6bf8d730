"""A place for a daemon to work in: configuration, upload folder, state; and the daemon as a real child process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from cpimportd.daemon.store import Store
from cpimportd.demo.ftp import LoopbackFtpServer
from cpimportd.timetable import Remembered
from tests.daemon.gate import Gate
from tests.daemon.notify_socket import NotifySocket
from tests.daemon.polling import alive, children, processes, signal_all, until

SAMPLES = Path(__file__).parent.parent / "samples"
MOSCOW = ZoneInfo("Europe/Moscow")

_NOT_INHERITED = ("CPIMPORTD_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET",
                  "WATCHDOG_", "JOURNAL_STREAM", "DATABASE_URL", "REDIS_", "CREDIT_PORTFOLIO_", "SCHEDULER_")  # fmt: skip

_KINDS = ("receipts", "expenses", "details")

_BOOKS = """
    SELECT (SELECT count(*) FROM fin_receipts WHERE department_id = 8) AS receipts,
           (SELECT count(*) FROM fin_expenses WHERE department_id = 8) AS expenses,
           (SELECT count(*) FROM fin_expense_details WHERE department_id = 8) AS details,
           (SELECT coalesce(sum(amount), 0) FROM fin_receipts WHERE department_id = 8) AS receipts_sum,
           (SELECT coalesce(sum(amount), 0) FROM fin_expenses WHERE department_id = 8) AS expenses_sum,
           (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details WHERE department_id = 8) AS details_sum
"""


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without anything that would configure a daemon."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}, **more}


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
        at = time_of_day(slot)
        store = Store(self.state)
        record, _ = store.load()
        for name in schedules or ("import",):
            self.configure({f"schedules.{name}.at": at})
            remembered = Remembered(at, MOSCOW.key, slot - timedelta(minutes=10), newest_upload=newest_upload)
            record = replace(record, memory=record.memory.put(name, remembered))
        store.save(record)
        return slot

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
    def standing(self, phase: str) -> Iterator[Callable[["LivingDaemon"], Callable[[], None]]]:
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

            def stand(daemon: "LivingDaemon") -> Callable[[], None]:
                if phase == "read":
                    readers = daemon.frozen_readers()
                    return lambda: signal_all(readers, signal.SIGCONT)
                assert gate.reached.wait(20), daemon.last_words
                return gate.open

            yield stand

    def command(self, *arguments: str, config: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a verb as a user would."""
        argv = [self.python, "-m", "cpimportd", *arguments, "--config", str(config or self.file)]
        options = {"env": environment(), "timeout": 60, "cwd": "/", **options}
        return subprocess.run(argv, capture_output=True, text=True, check=False, **options)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a verb that takes its time."""
        argv = [self.python, "-m", "cpimportd", *arguments, "--config", str(self.file)]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd="/"
        )

    def start(self, *options: str, ready: bool = True, form: str = "json", **environ: str) -> "LivingDaemon":
        """Start the daemon, with options for Python itself, and wait until it is ready."""
        daemon = LivingDaemon(self, options, form, environ)
        self._daemons.append(daemon)
        return daemon.wait_ready() if ready else daemon

    def end(self) -> None:
        """Nothing that was started here is left."""
        for daemon in self._daemons:
            daemon.process.kill()
            daemon.process.wait()
        until(lambda: not self._kill_orphans(), "end of the daemons' children")

    def _kill_orphans(self) -> list[int]:
        orphans = [pid for pid, (_, command) in processes().items() if f"--config {self.runtime}/" in command]
        signal_all(orphans, signal.SIGKILL)
        return orphans


class LivingDaemon:
    """The real ``cpimportd daemon``; its log lines are JSON unless told otherwise."""

    _number = 0

    def __init__(self, place: Place, options: tuple[str, ...], form: str, environ: Mapping[str, str]) -> None:
        self.place, self.notify = place, place.notify
        self._after = len(place.notify.notices)
        LivingDaemon._number += 1
        self._log = place.folder / f"log-{LivingDaemon._number}"
        argv = [place.python, *options, "-m", "cpimportd", "daemon", "--log-format", form]
        if "CPIMPORTD_DATABASE__URL" not in environ:
            argv += ["--config", str(place.file)]
        # systemd names the process that WATCHDOG_USEC is meant for; only a shell that becomes it knows its number.
        argv = ["/bin/sh", "-c", 'WATCHDOG_PID=${WATCHDOG_PID:-$$} exec "$@"', "sh", *argv]
        environ = environment(NOTIFY_SOCKET=str(place.notify.path), **environ)
        self.began = time.monotonic()
        with self._log.open("w") as log:
            user = {} if place.user is None else {"user": place.user, "group": place.user, "extra_groups": []}
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd="/", **user
            )
        self.pid = self.process.pid

    def wait_ready(self) -> Self:
        def ready() -> bool:
            assert self.process.poll() is None, self.last_words
            return any(n.pid == self.pid and "READY" in n.lines for n in self.notify.notices[self._after :])

        until(ready, f"READY; {self.last_words}")
        return self

    # What it says.

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8")

    @property
    def last_words(self) -> str:
        """The end of its log, for a failure's text."""
        return "".join(f"\n{line[:300]}" for line in self.log.splitlines()[-12:])

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log lines, as far as they were written to their end."""
        return [json.loads(line) for line in self.log.splitlines(keepends=True) if line.endswith("\n")]

    def having(self, **fields: object) -> list[dict[str, Any]]:
        """The log lines with these fields: ``event`` is ``CPIMPORTD_EVENT``."""
        wanted = {f"CPIMPORTD_{name.upper()}": str(value) for name, value in fields.items()}
        return [line for line in self.events if wanted.items() <= line.items()]

    @property
    def remembered(self) -> dict[str, Any]:
        """What it keeps of its schedules, by name."""
        found: dict[str, Any] = json.loads((self.place.state / "daemon.json").read_text("utf-8"))["schedules"]
        return found

    def wait_event(self, event: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """The log line of an event, once there are so many of them."""
        return self._wait({"event": event, **fields}, count)

    def wait_slot(self, slot: datetime, **fields: object) -> dict[str, Any]:
        """The log line that a slot is done, once the status shows it too."""
        line = self.wait_event("slot-done", slot=slot.isoformat(), **fields)
        self.wait_status(lambda found: found["last"] and found["last"]["slot"] == slot.isoformat(), f"shows {slot}")
        return line

    def wait_problem(self, code: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """The log line of a problem."""
        return self._wait({"code": code, **fields}, count)

    def _wait(self, fields: dict[str, object], count: int) -> dict[str, Any]:
        try:
            return until(lambda: self.having(**fields)[count - 1 : count], f"log line with {fields}")[0]
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.last_words}") from None

    @property
    def status(self) -> dict[str, Any]:
        """What it shows of itself now."""
        found: dict[str, Any] = json.loads((self.place.runtime / "status.json").read_text("utf-8"))
        return found

    def wait_status(self, look: Callable[[dict[str, Any]], Any], what: str) -> Any:
        return until(lambda: look(self.status), f"status that {what}; {self.last_words}")

    def wait_runs(self, count: int) -> list[dict[str, Any]]:
        """The runs that are over since it started, once there are so many, and none is under way."""

        def over() -> list[dict[str, Any]]:
            status = self.status
            return status["jobs"] if len(status["jobs"]) >= count and status["running"] is None else []

        return until(over, f"end of {count} runs; {self.last_words}")

    # Its runs.

    def run_pid(self) -> int:
        """The process of the run under way, once it is there."""
        return until(lambda: children(self.pid, " run --config "), f"run of {self.pid}; {self.last_words}")[0]

    def frozen_readers(self) -> list[int]:
        """The run under way stands still while it reads workbooks: the processes that read them are stopped."""
        run = self.run_pid()

        def stopped() -> list[int]:
            readers = children(run, "cpimportd.worker")
            signal_all(readers, signal.SIGSTOP)
            return readers

        return until(stopped, "process that reads a workbook")

    # What is done to it.

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def turn(self) -> None:
        """Let the loop turn: what it answers to this signal it says after a turn."""
        told = len(self.having(event="status"))
        self.send(signal.SIGUSR2)
        until(lambda: len(self.having(event="status")) > told, "answer to SIGUSR2")

    def trigger(self, count: int = 1) -> list[dict[str, Any]]:
        """Ask for a run, and wait until so many are over since the start."""
        self.send(signal.SIGUSR1)
        return self.wait_runs(count)

    def wait(self, within: float = 20) -> int:
        """Its exit code, once it ended."""
        return self.process.wait(within)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self, *, with_runs: bool = False) -> None:
        """``kill -9``; with its runs, as systemd does to what is left of a unit that died."""
        runs = children(self.pid, " run --config ") if with_runs else []
        self.process.kill()
        self.process.wait()
        signal_all(runs, signal.SIGKILL)
        until(lambda: not any(map(alive, runs)), f"end of {runs}")
