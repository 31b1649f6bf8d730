"""The daemon at rest and at work: time to READY, memory, CPU, wake-ups; its loop during a large import; after ten runs.

A socket plays systemd, and the real process is measured from outside (proc(5)); for the loop's longest gap the same
program runs with a probe beside it on its loop.
"""

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.race import Bench, say
from bench.workload import FIRST
from tests.support.daemon.living_daemon import environment
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.polling import until

SAMPLES = Path(__file__).parents[1] / "tests" / "samples"
WATCHDOG = 30
"""Seconds, as the unit has it: it decides how often the loop turns."""
PROBE = 0.005
"""Seconds between two beats of the probe."""


REST = 60
"""Seconds of rest that are looked at, each time."""

Row = dict[str, object]
"""What was measured, its figure and its aim where the daemon's issue has one, the unit, and what else is to be said."""


class Place:
    """A folder with a configuration, and the daemon over it."""

    def __init__(self, folder: Path, url: str, notify: NotifySocket) -> None:
        folder.mkdir()
        self.folder, self.notify = folder, notify
        self.upload, self.config = folder / "upload", folder / "cpimportd.toml"
        self.upload.mkdir()
        self.config.write_text(
            f'state_directory = "{folder}/state"\ndatabase.url = "{url}"\n'
            f'source.url = "{self.upload.as_uri()}"\nsource.stable_for = 0\n'
        )
        self.config.chmod(0o600)

    @contextmanager
    def daemon(self, *program: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
        """The daemon and the seconds from its start until it said READY."""
        environ = environment(NOTIFY_SOCKET=str(self.notify.path), WATCHDOG_USEC=str(WATCHDOG * 1_000_000))
        before, began = len(self.notify.notices), time.monotonic()
        argv = [sys.executable, *(program or ("-m", "cpimportd", "daemon")), "--config", str(self.config)]
        with (self.folder / "log").open("a") as log, subprocess.Popen(argv, env=environ, stderr=log) as process:
            try:
                yield process, self.notify.wait("READY", after=before).at - began
            finally:
                process.terminate()
                process.wait()

    def run(self, process: subprocess.Popen[bytes]) -> dict[str, object]:
        """Ask for a run, and wait until it is over."""
        shown = self.folder / "state" / "run" / "status.json"

        def newest() -> dict[str, object]:
            jobs = json.loads(shown.read_text())["jobs"]
            return jobs[-1] if jobs else {"job": 0}

        before = newest()["job"]
        process.send_signal(signal.SIGUSR1)
        until(lambda: newest()["job"] != before, "end of the run", 600)
        return newest()

    def sample(self, day: str) -> None:
        self.fill(SAMPLES / day)

    def fill(self, folder: Path) -> None:
        shutil.rmtree(self.upload)
        shutil.copytree(folder, self.upload)
        for path in self.upload.iterdir():
            os.utime(path, (time.time() - 7200,) * 2)


def memory(pid: int) -> dict[str, float]:
    """RSS, PSS and USS in MiB."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = line.split()
        found[name.rstrip(":")] = int(size) / 1024
    return {"RSS": found["Rss"], "PSS": found["Pss"], "USS": found["Private_Clean"] + found["Private_Dirty"]}


def cpu(pid: int) -> float:
    """Seconds on a processor; the scheduler counts nanoseconds where ``stat`` counts hundredths."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def wakeups(pid: int) -> int:
    """Voluntary context switches of all threads."""
    texts = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def starting(place: Place, starts: int) -> list[Row]:
    times = []
    for _ in range(starts):
        with place.daemon() as (_, ready):
            times.append(ready)
    more = f"median of {starts}; {min(times):.3f} to {max(times):.3f}"
    return [row("start to READY", statistics.median(times), "s", 0.4, more)]


def resting(place: Place, times: int) -> list[Row]:
    used, woken = [], []
    with place.daemon() as (process, _):
        time.sleep(5)
        for _ in range(times):
            before, turns, began = cpu(process.pid), wakeups(process.pid), time.monotonic()
            time.sleep(REST)
            took = time.monotonic() - began
            used.append((cpu(process.pid) - before) / took * 3600)
            woken.append((wakeups(process.pid) - turns) / took * 60)
        found = memory(process.pid)
    more = f"median of {times} times {REST} s; {min(used):.3f} to {max(used):.3f}"
    return [
        row("RSS at rest", found["RSS"], "MiB", 30, f"PSS {found['PSS']:.1f}, USS {found['USS']:.1f}"),
        row("CPU per hour at rest", statistics.median(used), "s", 0.5, more),
        row("wake-ups per minute at rest", statistics.median(woken), "", None, f"watchdog {WATCHDOG} s"),
    ]


def ten_runs(place: Place, runs: int) -> list[Row]:
    with place.daemon() as (process, _):
        time.sleep(2)
        found = [memory(process.pid)]
        for number in range(runs):
            place.sample(f"day{number % 2 + 1}")
            done = place.run(process)
            assert done["status"] == "published", done
            found.append(memory(process.pid))
        time.sleep(2)
        found.append(memory(process.pid))
    rows = []
    for name in ("RSS", "USS"):
        values = [one[name] for one in found]
        more = f"{values[0]:.1f}, {values[1]:.1f}, {values[-1]:.1f} MiB before, after 1 and after {runs} runs"
        rows.append(row(f"{name} grown by {runs} runs", values[-1] - values[0], "MiB", None, more))
    return rows


def during_an_import(place: Place, exports: Path, rows: int) -> list[Row]:
    place.fill(exports)
    gaps, control = place.folder / "gaps.json", Control()
    with place.daemon("-m", "bench.daemon", str(gaps)) as (process, _), control:
        done = place.run(process)
    assert done["status"] == "published", done
    found = json.loads(gaps.read_text())
    more = f"{found['beats']} beats, 99.9 %: {found['most'] * 1000:.1f} ms"
    return [
        row(f"longest gap of the loop, {rows:,} rows", found["longest"] * 1000, "ms", 100, more),
        row("the same of a thread that only sleeps", control.longest * 1000, "ms", None, "the machine's own share"),
    ]


class Control(threading.Thread):
    """How late a thread of this otherwise idle process wakes meanwhile: what the machine is to blame for."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(PROBE):
            now = time.monotonic()
            self.longest, before = max(self.longest, now - before - PROBE), now

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def probed(config: Path, results: Path) -> int:
    """The daemon, with a probe beside it on its loop that notes how late it is called."""
    from cpimportd.daemon import main
    from cpimportd.daemon.command_lines import start_planner

    late: list[float] = []

    class Probed(main.Daemon):
        async def serve(self) -> None:
            task = asyncio.create_task(self._probe())
            await super().serve()
            task.cancel()

        async def _probe(self) -> None:
            loop = asyncio.get_running_loop()
            while True:
                before = loop.time()
                await asyncio.sleep(PROBE)
                late.append(loop.time() - before - PROBE)

    main.Daemon = Probed  # type: ignore[misc]
    code = main.main(config, "text", start_planner(config))
    late.sort()
    found = {"longest": late[-1], "most": late[int(len(late) * 0.999)], "beats": len(late)}
    results.write_text(json.dumps(found))
    return code


def row(what: str, figure: float, unit: str, aim: float | None, more: str) -> Row:
    say(f"  {what}: {figure:.3f} {unit} ({more})")
    return {"what": what, "figure": round(figure, 3), "unit": unit, "aim": aim, "more": more}


def measure(bench: Bench) -> dict[str, object]:
    """All of it, with databases of its own in the bench's server."""
    workload = bench.workload()
    exports = workload.folder(FIRST)
    names = ("daemon_small", "daemon_large")
    with tempfile.TemporaryDirectory() as folder, NotifySocket() as notify:
        small, large = (Place(Path(folder) / name, bench.laboratory.fresh(name), notify) for name in names)
        rows = [
            *starting(small, bench.rounds(10)),
            *resting(small, bench.rounds(5)),
            *ten_runs(small, bench.rounds(10)),
            *during_an_import(large, exports, workload.rows),
        ]
    bench.laboratory.drop(*names)
    return {"rows": rows}


if __name__ == "__main__":
    gaps, _, config = sys.argv[1:]
    sys.exit(probed(Path(config), Path(gaps)))
