"""The embedded server starts wherever pip can install it, minds its own folder, and leaves nothing behind."""

import os
import pwd
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cpimportd.books.database.embedded import EmbeddedPostgres, PostgresError, bin_folder

ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[2]
DEBIAN = Path("/usr/lib/postgresql/15/bin")

CHOICES = [
    pytest.param({"version": 16}, "PostgreSQL 16", id="16"),
    pytest.param({"version": 18}, "PostgreSQL 18", id="18"),
    pytest.param(
        {"bindir": DEBIAN},
        "PostgreSQL 15",
        id="debian-15",
        marks=pytest.mark.skipif(not DEBIAN.exists(), reason="no PostgreSQL 15 from Debian here"),
    ),
]


@pytest.mark.parametrize(("choice", "version"), CHOICES)
def test_it_starts_answers_and_leaves_nothing(choice, version, sql):
    with EmbeddedPostgres(**choice, fast=True) as server:
        folder = server.folder
        assert server.version.startswith(version)
        (row,) = sql(server.url(), "SELECT version() AS says, upper('ё') AS upper, current_setting('fsync') AS fsync")
        assert row["says"].startswith(version)
        assert (row["upper"], row["fsync"]) == ("Ё", "off")
    assert not folder.exists()
    assert not running(folder)


def running(folder):
    """Processes whose command line names the folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(folder).encode() in (process / "cmdline").read_bytes():
                    found.append(process.name)
            except OSError:
                continue
    return found


def test_two_servers_run_side_by_side(sql):
    with EmbeddedPostgres(fast=True) as first, EmbeddedPostgres(fast=True) as second:
        sql(first.url(), "CREATE DATABASE only_here")
        names = [row["datname"] for row in sql(second.url(), "SELECT datname FROM pg_database")]
        assert "only_here" not in names


def test_a_server_can_be_started_again_and_is_empty_then(sql):
    server = EmbeddedPostgres(fast=True)
    for _ in range(2):
        server.start()
        sql(server.url(), "CREATE DATABASE once")
        server.stop()
    server.stop()


def test_no_other_user_reaches_the_socket():
    with EmbeddedPostgres(fast=True) as server:
        assert server.folder.stat().st_mode & 0o077 == 0


def test_names_in_a_url_are_escaped(sql):
    with EmbeddedPostgres(fast=True) as server:
        sql(server.url(), 'CREATE DATABASE "два слова/#?"')
        (row,) = sql(server.url("два слова/#?"), "SELECT current_database() AS name")
        assert row["name"] == "два слова/#?"


def test_settings_reach_the_server(sql):
    with EmbeddedPostgres(fast=True, configuration={"log_line_prefix": "it's "}) as server:
        (row,) = sql(server.url(), "SHOW log_line_prefix")
        assert row[0] == "it's "


def test_a_setting_that_the_server_refuses_is_told_and_nothing_is_left(place):
    with pytest.raises(PostgresError, match="no_such_setting"):
        EmbeddedPostgres(place, configuration={"no_such_setting": "1"}).start()
    assert list(place.iterdir()) == []


@pytest.fixture
def place(folders_for_all):
    """A folder that the server's user can enter."""
    return folders_for_all()


def test_missing_programs_are_told(tmp_path):
    with pytest.raises(PostgresError, match="there is no initdb in"):
        EmbeddedPostgres(bindir=tmp_path).start()
    with pytest.raises(PostgresError, match="cannot be run"):
        _ = EmbeddedPostgres(bindir=tmp_path).version
    with pytest.raises(PostgresError, match="16 and 18, not 17"):
        bin_folder(17)


def test_the_users_screen_stays_clean():
    code = "from cpimportd.books.database.embedded import EmbeddedPostgres as E\nwith E() as s: print(s.url())"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("postgresql://postgres@/postgres?host=/")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def copied_programs(folder: Path) -> Path:
    """The wheel's programs, with what they find relative to themselves, in a folder of the test's choice."""
    package = bin_folder(16).parents[1]
    copy = folder / package.name
    shutil.copytree(package / "pginstall", copy / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return copy / "pginstall" / "bin"


@pytest.mark.skipif(not ROOT, reason="only root has to become another user")
def test_root_runs_programs_that_lie_where_nobody_can_enter(tmp_path, sql):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(bindir=copied_programs(closed), fast=True) as server:
        assert sql(server.url(), "SELECT 1 AS one")[0]["one"] == 1
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not ROOT, reason="an ordinary user's server is what every other test starts then")
def test_an_ordinary_user_starts_one_too(place):
    """The script needs the standard library alone, so that any Python that the other user can enter will do."""
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("no Python that another user can run")
    open_to_all = place
    copy = open_to_all / "cpimportd" / "books" / "database"
    copy.mkdir(parents=True)
    for folder in (copy, copy.parent, copy.parent.parent):
        (folder / "__init__.py").touch()
    shutil.copy(PROJECT / "cpimportd" / "books" / "database" / "embedded.py", copy)
    code = textwrap.dedent(
        """
        import os, subprocess, sys
        from pathlib import Path
        from cpimportd.books.database.embedded import EmbeddedPostgres
        with EmbeddedPostgres(bindir=Path(sys.argv[1])) as server:
            psql = [str(server.programs / "psql"), "-Atc", "SELECT 6 * 7", server.url()]
            print(os.geteuid(), subprocess.run(psql, capture_output=True, text=True, check=True).stdout.strip())
            folder = server.folder
        print(folder.exists())
        """
    )
    # The environment that runs this test may lie where nobody else can enter.
    programs = copied_programs(open_to_all)
    nobody = pwd.getpwnam("nobody")
    try:
        done = subprocess.run(
            [python, "-c", code, str(programs)],
            capture_output=True,
            text=True,
            cwd=place,
            env={"PATH": os.defpath},
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            check=False,
        )
    except PermissionError:
        pytest.skip("another user cannot run this Python")
    assert (done.stdout, done.stderr) == (f"{nobody.pw_uid} 42\nFalse\n", "")
