"""The daemon is a clock: whatever a run needs is loaded by the run's process, never by the daemon's."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "pydantic", "pydantic_core", "pydantic_settings", "asyncpg", "sqlalchemy", "aioftp", "openpyxl", "python_calamine",
    "alembic", "redis", "rich", "aiohttp", "tenacity", "babel",
}  # fmt: skip


def test_the_daemons_code_imports_nothing_heavy():
    code = "import sys, cpimportd.daemon.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("module", ["daemon.main", "workbook.worker", "workbook.preload"])
def test_neither_the_daemon_nor_the_reader_of_a_workbook_loads_translations(module):
    code = f"import sys, cpimportd.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith(("babel", "cpimportd.core.texts"))] == []


def test_a_daemon_that_has_done_all_it_can_has_loaded_nothing_heavy(place):
    place.sample("day1")
    daemon = place.start("-X", "importtime", form="text")
    daemon.trigger()
    place.file.write_text("[")
    daemon.send(signal.SIGHUP)
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 1, "answers")
    place.configure()
    daemon.send(signal.SIGHUP)
    daemon.wait_status(lambda found: found["answers"]["reloads_answered"] == 2, "answers again")
    daemon.send(signal.SIGUSR2)
    maps = Path(f"/proc/{daemon.pid}/maps").read_text() if os.geteuid() == 0 else ""  # closed to its own user
    mapped = {Path(line.split()[-1]).name for line in maps.splitlines() if "/" in line}
    assert daemon.stop() == 0
    imported = {name.partition(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", daemon.log, re.MULTILINE)}
    assert {"cpimportd", "sdnotify", "oncalendar", "asyncio"} <= imported
    assert not HEAVY & imported
    assert [name for name in mapped if re.search("pydantic|protocol|asyncpg|calamine|sqlalchemy|libpq", name)] == []
