"""The daemon as a real child process: started, listened to, looked into, signalled, killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.polling import LONG, alive, children, processes, signal_all, until

if TYPE_CHECKING:
    from tests.support.daemon.place import Place

_NOT_INHERITED = ("CPIMPORTD_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET",
                  "WATCHDOG_", "JOURNAL_STREAM", "DATABASE_URL", "REDIS_", "CREDIT_PORTFOLIO_", "SCHEDULER_")  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without anything that would configure a daemon."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}, **more}


class LivingDaemon:
    """The real ``cpimportd daemon``; its log lines are JSON unless told otherwise."""

    _number = 0

    def __init__(self, place: "Place", options: tuple[str, ...], form: str, environ: Mapping[str, str]) -> None:
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
        self._frozen: list[int] = []

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

    @property
    def kept_waiting(self) -> timedelta:
        """How long it was ready and got no processor since it started: proc(5), schedstat."""
        _, nanoseconds, _ = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        return timedelta(microseconds=int(nanoseconds) / 1000)

    # Its runs.

    def run_pid(self) -> int:
        """The process of the run under way, once it is there."""
        return until(lambda: children(self.pid, " run --config "), f"run of {self.pid}; {self.last_words}")[0]

    def kill_run(self, stand: Callable[[Self], Callable[[], None]]) -> None:
        """Ask for a run, and kill it where it stands: see ``Place.standing``."""
        self.send(signal.SIGUSR1)
        release = stand(self)
        os.kill(self.run_pid(), signal.SIGKILL)
        release()

    def frozen_readers(self) -> list[int]:
        """The run under way stands still while it reads workbooks: the processes that read them are stopped."""
        run = self.run_pid()

        def stopped() -> list[int]:
            readers = children(run, "cpimportd.workbook.preload")
            signal_all(readers, signal.SIGSTOP)
            self._frozen += readers
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

    def wait(self, within: float = LONG) -> int:
        """Its exit code, once it ended."""
        return self.process.wait(within)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """It is gone, and so is what it may have left standing still."""
        self.process.kill()
        self.process.wait()
        # One that was stopped before it could ask to die with its parent would stand for ever.
        signal_all(
            [pid for pid in self._frozen if "cpimportd.workbook.preload" in processes().get(pid, (0, ""))[1]],
            signal.SIGKILL,
        )

    def kill(self, *, with_runs: bool = False) -> None:
        """``kill -9``; with its runs, as systemd does to what is left of a unit that died."""
        runs = children(self.pid, " run --config ") if with_runs else []
        self.process.kill()
        self.process.wait()
        signal_all(runs, signal.SIGKILL)
        until(lambda: not any(map(alive, runs)), f"end of {runs}")
