"""The daemon at rest and at work: time to READY, memory, CPU, wake-ups; its loop during a large import; after ten runs.

    python -m tests.bench.bench_daemon [--rest 120] [--starts 10] [--runs 10] [--expenses 10000]

Starts an embedded PostgreSQL and a socket that plays systemd, and measures the real process from outside (proc(5)); for
the loop's longest gap the same program runs with a probe beside it on its loop. Not collected by pytest.
"""

import argparse
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

from pydantic import SecretStr

from cpimportd.books import upgrade
from cpimportd.demo.books import prepare_database
from cpimportd.demo.exports import Holding
from cpimportd.demo.postgres import EmbeddedPostgres
from cpimportd.settings import Database
from tests.daemon.living_daemon import environment
from tests.daemon.notify_socket import NotifySocket
from tests.daemon.polling import until

SAMPLES = Path(__file__).parent.parent / "samples"
WATCHDOG = 30
"""Seconds, as the unit has it: it decides how often the loop turns."""
PROBE = 0.005
"""Seconds between two beats of the probe."""


class Bench:
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


def starting(bench: Bench, starts: int) -> None:
    times = []
    for _ in range(starts):
        with bench.daemon() as (_, ready):
            times.append(ready)
    show(
        "start to READY, median", f"{statistics.median(times):.3f} s", "0.4 s", f"{min(times):.3f} to {max(times):.3f}"
    )


def resting(bench: Bench, seconds: int) -> None:
    with bench.daemon() as (process, _):
        time.sleep(5)
        before, woken, began = cpu(process.pid), wakeups(process.pid), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        used, woken = cpu(process.pid) - before, wakeups(process.pid) - woken
        found = memory(process.pid)
    show("RSS at rest", f"{found['RSS']:.1f} MiB", "30 MB", f"PSS {found['PSS']:.1f}, USS {found['USS']:.1f}")
    show("CPU per hour at rest", f"{used / took * 3600:.2f} s", "0.5 s", f"{used * 1000:.1f} ms in {took:.0f} s")
    show("wake-ups per minute at rest", f"{woken / took * 60:.1f}", "", f"watchdog {WATCHDOG} s")


def ten_runs(bench: Bench, runs: int) -> None:
    with bench.daemon() as (process, _):
        time.sleep(2)
        found = [memory(process.pid)]
        for number in range(runs):
            bench.sample(f"day{number % 2 + 1}")
            done = bench.run(process)
            assert done["status"] == "published", done
            found.append(memory(process.pid))
        time.sleep(2)
        found.append(memory(process.pid))
    for name in ("RSS", "USS"):
        values = [one[name] for one in found]
        show(
            f"{name} before, after 1 and after {runs} runs",
            f"{values[0]:.1f}, {values[1]:.1f}, {values[-1]:.1f} MiB",
            "the same",
            "",
        )


def during_an_import(bench: Bench, folder: Path, expenses: int) -> None:
    holding = Holding(organizations=5, receipts=expenses // 10, expenses=expenses, seed=1)
    day = holding.day(1)
    folder.mkdir()
    day.write(folder)
    bench.fill(folder)
    gaps, control = bench.folder / "gaps.json", Control()
    with bench.daemon("-m", "tests.bench.bench_daemon", "--probed", str(gaps)) as (process, _), control:
        done = bench.run(process)
        rows = sum(day.truth.rows.values())
    assert done["status"] == "published", done
    found = json.loads(gaps.read_text())
    longest, more = found["longest"] * 1000, f"{found['beats']} beats, 99.9 %: {found['most'] * 1000:.1f} ms"
    show(f"longest gap of the loop, {rows:,} rows", f"{longest:.1f} ms", "100 ms", more)
    show("the same of a thread that only sleeps", f"{control.longest * 1000:.1f} ms", "", "the machine's own share")


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
    from cpimportd.daemon.beginning import begin

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
    code = main.main(config, "text", begin(config))
    late.sort()
    found = {"longest": late[-1], "most": late[int(len(late) * 0.999)], "beats": len(late)}
    results.write_text(json.dumps(found))
    return code


def show(what: str, found: str, aim: str, more: str) -> None:
    print(f"{what:45} {found:28} {f'aim {aim}' if aim else '':14} {more}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--rest", type=int, default=120, help="seconds")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--expenses", type=int, default=10_000, help="of each of five organizations")
    parser.add_argument("--probed", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.probed:
        sys.exit(probed(asked.config, asked.probed))
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as server, NotifySocket() as notify:
        benches = []
        for name in ("small", "large"):
            asyncio.run(prepare_database(server.url(), name, f"cpimportd_{name}"))
            url = server.url(name, f"cpimportd_{name}")
            asyncio.run(upgrade(Database(url=SecretStr(url))))
            benches.append(Bench(Path(folder) / name, url, notify))
        small, large = benches
        print(
            f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}, Python {sys.version.split()[0]}, {server.version}"
        )
        starting(small, asked.starts)
        resting(small, asked.rest)
        ten_runs(small, asked.runs)
        during_an_import(large, Path(folder) / "exports", asked.expenses)


if __name__ == "__main__":
    main()
