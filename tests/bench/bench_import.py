"""How long a whole run takes: first import, the next day, the same day again; with memory of parent and children.

    python tests/bench/bench_import.py [--organizations 5 --receipts 1000 --expenses 10000]

Starts an embedded PostgreSQL of its own, writes generated exports, and runs the real command as a process for each
figure, so that start-up and memory are those of a real run. Not collected by pytest.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pydantic import SecretStr

from cpimportd.books import upgrade
from cpimportd.demo.exports import Holding
from cpimportd.demo.postgres import EmbeddedPostgres
from cpimportd.settings import Database


def run(config: Path, upload: Path) -> tuple[float, dict[str, object]]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "cpimportd", "run", "--config", str(config), "--from", str(upload), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return time.monotonic() - began, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--organizations", type=int, default=5)
    parser.add_argument("--receipts", type=int, default=1000)
    parser.add_argument("--expenses", type=int, default=10000)
    asked = parser.parse_args()
    holding = Holding(organizations=asked.organizations, receipts=asked.receipts, expenses=asked.expenses)
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as server:
        place = Path(folder)
        url = server.url("postgres")
        asyncio.run(upgrade(Database(url=SecretStr(url))))
        config = place / "cpimportd.toml"
        config.write_text(f'state_directory = "{place}/state"\n[database]\nurl = "{url}"\n[source]\nstable_for = 0\n')
        config.chmod(0o600)
        for number in (1, 2):
            (place / f"day{number}").mkdir()
            holding.day(number).write(place / f"day{number}")
        print(f"{os.cpu_count()} processors, {server.version}")
        for name, day in (("first import", 1), ("the same day again", 1), ("the next day", 2)):
            seconds, report = run(config, place / f"day{day}")
            rows = sum(kind["rows"] for kind in report["totals"].values())  # type: ignore[attr-defined]
            print(f"{name}: {seconds:.2f} s, {report['status']}, {rows:,} rows in the books")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"largest single process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
