"""What a machine should have and has not: time zone data, name resolution. Said with a way out, and in bounded time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.daemon.living_daemon import environment
from tests.support.faults.machine import BEFORE, configuration, run
from tests.support.faults.table import Chapter
from tests.support.polling import until

_NO_PACKAGE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tzdata":
            raise ModuleNotFoundError("No module named 'tzdata'", name="tzdata")

sys.meta_path.insert(0, Hidden())
"""

_ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def zoneless(tmp_path) -> dict[str, str]:
    """The environment of a machine without /usr/share/zoneinfo and without the package tzdata."""
    folder = tmp_path / "zoneless"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_NO_PACKAGE)
    return environment(PYTHONTZPATH="", PYTHONPATH=f"{folder}:{_ROOT}")


@pytest.mark.parametrize("verb", ["run", "next", "status", "check", "daemon"])
def test_a_machine_without_time_zone_data_is_told_what_to_install(books, zoneless, faults, verb):
    before = books.exact
    ended = subprocess.run(
        [sys.executable, "-m", "cpimportd", verb, "--config", configuration(books)],
        capture_output=True, text=True, env=zoneless, timeout=120, check=False,
    )  # fmt: skip
    said = ended.stdout + ended.stderr
    assert ended.returncode in {1, 2}, said
    assert "install the package tzdata" in said
    assert "timezone" in said
    assert "Traceback" not in said
    assert "[internal]" not in said
    assert books.exact == before
    code = "`config-value`" if "[config-value]" in said else "FAILED"
    faults.tell(Chapter.MACHINE, f"no time zone data: `cpimportd {verb}`", f"{code}: install the package tzdata")


def test_the_package_tzdata_does_where_the_system_has_no_time_zone_data(books, faults):
    ended = run(configuration(books), env=environment(PYTHONTZPATH="", PYTHONPATH=str(_ROOT)))
    assert ended.report["status"] == "published", ended
    books.assert_right()
    faults.tell(Chapter.MACHINE, "no time zone data except the package tzdata, which cpimportd depends on", "published")


_PLACES = {
    "FTP server": {"source__url": "ftp://nowhere.invalid/"},
    "database": {"database__url": "postgresql://cpimportd@nowhere.invalid/books"},
}

# A machine of its own: no network but a loopback, and a name server at an address that nobody answers from.
_BLACK_HOLE = """
ip link set lo up 2>/dev/null || true
echo 'nameserver 192.0.2.1' > "$1" && mount --bind "$1" /etc/resolv.conf || exit 99
shift && exec "$@"
"""


def _skip_unless_it_runs(*way):
    tried = subprocess.run([*way, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no machine of its own is to be had: {tried.stderr.decode(errors='replace').strip()}")


@pytest.mark.asyncio
@pytest.mark.parametrize("where", _PLACES)
@pytest.mark.parametrize("dns", ["does not know the name", "does not answer"])
async def test_a_name_that_cannot_be_resolved_is_said_in_bounded_time(books, tmp_path, faults, where, dns):
    before, way = books.exact, ()
    if dns == "does not answer":
        way = ("unshare", "--mount", "--net", "/bin/sh", "-c", _BLACK_HOLE, "sh", str(tmp_path / "resolv.conf"))
        _skip_unless_it_runs(*way)
    began = time.monotonic()
    ended = run(configuration(books, **_PLACES[where], database__connect_timeout=3), *way)
    seconds = time.monotonic() - began
    ended.assert_told()
    assert "nowhere.invalid" in ended.report["problems"][0]["message"]
    assert seconds < 90
    assert books.exact == before
    await books.put_right()
    faults.tell(Chapter.MACHINE, f"DNS {dns}: {where}", f"{ended.codes} within seconds, {BEFORE}")


def test_a_daemon_without_dns_lives_on_tries_again_and_imports_when_there_is_some(place, faults):
    place.sample("day1")
    url = place.keys["database.url"]
    place.configure({"database.url": _PLACES["database"]["database__url"]})
    slot = place.due_slot()
    daemon = place.start()
    daemon.wait_event("retry")
    place.configure({"database.url": url})
    assert place.command("reload").returncode == 0
    daemon.wait_slot(slot, status="published")
    until(lambda: place.books == place.truth("day1"), "import")
    assert "Traceback" not in daemon.log
    faults.tell(
        Chapter.MACHINE, "DNS unavailable at the slot", "daemon keeps running, retries, and publishes when DNS works"
    )
