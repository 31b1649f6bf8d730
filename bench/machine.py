"""The machine that was measured on, as far as figures depend on it."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.environments import version_of
from bench.laboratory import SETTINGS, Laboratory

PEERS = {
    "pandas": ("pandas", "openpyxl", "python-calamine", "SQLAlchemy"),
    "dlt": ("dlt", "python-calamine"),
    "polars": ("polars", "fastexcel", "adbc-driver-postgresql"),
    "predecessor": ("SQLAlchemy", "openpyxl", "psycopg2-binary"),
}


def describe(laboratory: Laboratory) -> dict[str, object]:
    """Processor, memory, kernel, and the versions of everything that takes part."""
    cpu = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "processor": cpu[0] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "postgresql": laboratory.server.version.removeprefix("PostgreSQL "),
        "settings": SETTINGS,
        "peers": {
            name: ", ".join(f"{package} {version_of(name, package)}" for package in packages)
            for name, packages in PEERS.items()
        },
    }


def now() -> dict[str, object]:
    """When a part is measured, and how busy the machine is then."""
    return {"at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "load": round(os.getloadavg()[0], 1)}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
