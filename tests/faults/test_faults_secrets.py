"""Where passwords could come to light: processes, logs, answers, backups, core dumps, error texts; and that none does."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg
import click
import pytest
from pydantic import SecretStr

from cpimportd.books.database import programs
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.cli import cli
from cpimportd.cli.checkup.checkup import checkup
from cpimportd.config.load import load
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json
from cpimportd.demo.ftp import LoopbackFtpServer
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support.daemon.living_daemon import environment
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.daemon.other_user import NOBODY
from tests.support.daemon.place import Place
from tests.support.faults.onlookers import Onlooker
from tests.support.faults.table import Chapter
from tests.support.notify.redis_server import RedisServer
from tests.support.polling import signal_all
from tests.support.secrets import DATABASE, DATABASE_WRONG, FTP, FTP_WRONG, REDIS, REDIS_WRONG, TLS_KEY, leaked

ROOT = Path(__file__).parent.parent.parent
CPIMPORTD = [sys.executable, "-m", "cpimportd"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def guarded() -> Iterator[Callable[[str], str]]:
    """A database that asks for its password; gives its URL with one in it, or without."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        rules = Path(folder) / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        rules.chmod(0o644)
        configuration = {"listen_addresses": "127.0.0.1", "port": str(port), "hba_file": str(rules)}
        with EmbeddedPostgres(fast=True, configuration=configuration) as server:
            asyncio.run(_make_books(f"{server.url()}&port={port}"))

            def url(password: str = "") -> str:
                login = f"keeper:{quote(password, safe='')}" if password else "keeper"
                return f"postgresql://{login}@/books?host=127.0.0.1&port={port}"

            asyncio.run(upgrade(Database(url=SecretStr(url(DATABASE)))))
            yield url


async def _make_books(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{DATABASE}'")
    await connection.execute("CREATE DATABASE books OWNER keeper")
    await connection.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, "--requirepass", REDIS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def locked_up(guarded, sql, redis_server) -> Iterator[Place]:
    """A place whose FTP server, database and cache all ask for a password; its configuration has none of them yet."""
    with ExitStack() as things:
        folder = Path(tempfile.mkdtemp(prefix="secrets-", dir="/tmp"))
        things.callback(shutil.rmtree, folder)
        made = Place(folder, guarded(DATABASE), sql, things.enter_context(NotifySocket()))
        things.callback(made.end)
        ftp = things.enter_context(LoopbackFtpServer(made.upload, password=FTP))
        made.sql("TRUNCATE fin_receipts, fin_expenses, fin_expense_details CASCADE")
        _forget_runs(made)
        made.sample("day1")
        made.configure({"source.url": ftp.url, "source.user": ftp.user, "cache.url": redis_server.url})
        made.configure({"database.url": guarded()})
        yield made


def _forget_runs(place: Place) -> None:
    place.sql("TRUNCATE cpimportd.runs, cpimportd.snapshot, cpimportd.served, cpimportd.lineage CASCADE")


def tell_secrets(place: Place, way: str) -> dict[str, str]:
    """Give the passwords in one of the ways that there are; the environment that goes with it."""
    if way == "file":
        with_login = str(place.keys["source.url"]).replace("//", f"//finance:{quote(FTP, safe='')}@")
        place.configure({"source.url": with_login, "database.url": place.url, "cache.password": REDIS})
        return {}
    secrets = {"source.password": FTP, "database.password": DATABASE, "cache.password": REDIS}
    if way == "environment":
        return {f"CPIMPORTD_{key.upper().replace('.', '__')}": secret for key, secret in secrets.items()}
    folder = place.folder / "credentials"
    folder.mkdir(mode=0o700)
    for key, secret in secrets.items():
        (folder / key).write_text(secret, "utf-8")
    return {"CREDENTIALS_DIRECTORY": str(folder)}


@contextmanager
def held(url: str, table: str) -> Iterator[None]:
    """Nobody can read a table meanwhile."""
    with asyncio.Runner() as loop:
        connection = loop.run(asyncpg.connect(url))
        loop.run(connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        try:
            yield
        finally:
            loop.run(connection.close())


@pytest.mark.parametrize("way", ["file", "credential", "environment"])
def test_no_onlooker_learns_a_password_while_a_daemon_imports_and_backs_up(locked_up, faults, whole, way):
    if not whole and way != "environment":
        pytest.skip("with --whole; its like is in the sample")
    place = locked_up
    environ = tell_secrets(place, way)
    done = place.command("run", env=environment(**environ))
    assert done.returncode == 0, done.stdout + done.stderr
    _forget_runs(place)  # books that somebody else filled: they are backed up first
    with Onlooker() as onlooker:
        with held(place.url, "fin_import_logs"):
            daemon = place.start(**environ)
            daemon.send(signal.SIGUSR1)
            readers = daemon.frozen_readers()
            onlooker.wait_for("reader of a workbook")
            signal_all(readers, signal.SIGCONT)
            onlooker.wait_for("pg_dump")
        assert daemon.wait_runs(1)[0]["status"] in {"published", "unchanged"}, daemon.last_words
        verbs = [
            *(ANSWERS if whole else ANSWERS[:4]),
            ("show", last := str(place.runs[-1]["id"])),
            ("show", last, "--json"),
        ]
        answers = [place.command(*verb, env=environment(**environ)) for verb in verbs]
        daemon.send(signal.SIGUSR2)
        daemon.wait_event("status")
        onlooker.wait_for("reader of the configuration")
        (copy,) = place.runtime.glob("configuration-*")
        assert (copy.stat().st_mode & 0o777, place.runtime.stat().st_mode & 0o777) == (0o600, 0o700)
        assert daemon.stop() == 0
    assert {sight.role for sight in onlooker.seen} == {
        "daemon", "reader of the configuration", "run", "reader of a workbook", "pg_dump",
    }  # fmt: skip
    assert [sight.command for sight in onlooker.seen if leaked(sight.command)] == []
    assert [sight.environment for sight in onlooker.of("reader of a workbook") if len(sight.environment) > 100] == []
    assert {sight.role for sight in onlooker.seen if leaked(sight.environment)} == KNOWS[way]
    # One that is asked for its version alone has none, as has one that is just being started.
    assert {tuple(leaked(sight.environment)) for sight in onlooker.of("pg_dump")} - {()} == {("database",)}
    assert [answer.args for answer in answers if answer.returncode not in {0, 1}] == []
    texts = {str(answer.args[3:5]): answer.stdout + answer.stderr for answer in answers}
    texts |= {path.name: path.read_text("utf-8") for path in place.state.rglob("*.json")} | {"log": daemon.log}
    assert [name for name, text in texts.items() if leaked(text)] == []
    assert not list(place.runtime.glob("configuration-*"))
    look_into_backup(place)
    who = "; ".join(sorted({role for sight in onlooker.seen if leaked(sight.environment) for role in [sight.role]}))
    told = f"no command line, log line, answer, state file or backup has one; in the environment of: {who}"
    faults.tell(Chapter.SECRETS, f"a whole run with a backup, observed; passwords given by {WAYS[way]}", told)


WAYS = {"file": "the configuration file", "credential": "systemd credentials", "environment": "the environment"}
KNOWS = {
    "file": {"pg_dump"},
    "credential": {"pg_dump"},
    "environment": {"daemon", "reader of the configuration", "run", "pg_dump"},
}
ANSWERS = [
    *(("status", "--json"), ("history", "--json"), ("config", "show", "--json"), ("check", "--json")),
    *(("status",), ("history",), ("config", "show"), ("check",), ("run", "--json")),
]


def look_into_backup(place: Place) -> None:
    """The dump is the owner's alone, and has no password in it."""
    (dump,) = (place.state / "backups").glob("*.dump")
    assert (dump.stat().st_mode & 0o777, dump.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for program in programs.found("pg_dump"):  # an older one does not know the format
        done = subprocess.run(
            [program.with_name("pg_restore"), "--file=-", dump], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            break
    assert "COPY public.fin_expenses" in done.stdout
    assert leaked(done.stdout) == []


WRONG = {
    "FTP server": ("source.password", FTP_WRONG, "source-login", "source-login"),
    "FTP server, in the URL": ("source.url", FTP_WRONG, "source-login", "source-login"),
    "database": ("database.password", DATABASE_WRONG, "database-login", "database-login"),
    "database, in the URL": ("database.url", DATABASE_WRONG, "database-login", "database-login"),
    "cache": ("cache.password", REDIS_WRONG, "cache-stale", "cache-unreachable"),
    "cache, in the URL": ("cache.url", REDIS_WRONG, "cache-stale", "cache-unreachable"),
}
SAMPLED = ["FTP server, in the URL", "database, in the URL", "cache"]
USERS = {"source.url": "finance", "database.url": "keeper", "cache.url": ""}


@pytest.mark.parametrize("where", WRONG)
def test_a_wrong_password_is_told_by_its_code_and_never_repeated(locked_up, faults, whole, where):
    if not whole and where not in SAMPLED:
        pytest.skip("with --whole; its like is in the sample")
    place = locked_up
    key, wrong, told_by_run, told_by_check = WRONG[where]
    right = {"source.password": FTP, "database.password": DATABASE, "cache.password": REDIS}
    value = wrong
    if key in USERS:
        value = str(place.keys[key]).replace("keeper@", "").replace("//", f"//{USERS[key]}:{quote(wrong, safe='')}@", 1)
        del right[key.replace("url", "password")]
    place.configure({**right, key: value, "cache.timeout": 1, "retry.within": 0})
    texts = {}
    for verb in (("run", "--json"), ("check", "--json")):
        done = place.command(*verb)
        texts[verb[0]] = done.stdout + done.stderr
    assert [verb for verb, text in texts.items() if leaked(text) or "Traceback" in text] == []
    assert told_by_run in texts["run"]
    assert told_by_check in texts["check"]
    status = re.search(r'"status": "(\w+)"', texts["run"])
    faults.tell(Chapter.SECRETS, f"a wrong password: {where}", f"`{told_by_run}`, run {status[1]}; no text repeats it")


BROKEN = [
    ("database.url", "postgresql://u:{encoded}@h:port/books"),
    ("database.url", "postgresql://u:{bare}@h/books"),
    ("database.url", "postgresql://u:{encoded}@[::1/books"),
    ("database.url", "oracle://u:{encoded}@h/books"),
    ("database.url", "postgresql://u@127.0.0.1:1/books?password={encoded}&sslmode=perhaps"),
    ("database.url", "postgresql://u:{encoded}@127.0.0.1:1/books?sslkey=/nowhere&sslpassword={encoded}"),
    ("database.url", "postgresql://u:{encoded}@/books?host=/nowhere"),
    ("database.url", "u:{bare}@h"),
    ("source.url", "ftp://u:{bare}@h/"),
    ("source.url", "ftp://u:{encoded}@h:port/"),
    ("source.url", "ftp://u:{encoded}@[::1/"),
    ("source.url", "ftp://u:{encoded}@127.0.0.1:1/"),
    ("source.url", "gopher://u:{encoded}@h/"),
    ("cache.url", "redis://:{bare}@h/0"),
    ("cache.url", "redis://:{encoded}@h:port/0"),
    ("cache.url", "http://:{encoded}@h/"),
]


@pytest.mark.parametrize("secret", [DATABASE_WRONG, TLS_KEY, FTP], ids=["special", "plain", "umlauts"])
@pytest.mark.parametrize(("key", "pattern"), BROKEN)
def test_a_broken_url_is_refused_without_its_password_at_debug_level_too(
    tmp_path, faults, key, pattern, secret, caplog
):
    caplog.set_level("DEBUG")
    url = pattern.format(encoded=quote(secret, safe=""), bare=secret)
    keys = {"source.url": tmp_path.as_uri(), "database.url": "postgresql://u@127.0.0.1:1/books", key: url}
    keys["state_directory"] = str(tmp_path)
    file = tmp_path / "cpimportd.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items()), "utf-8")
    file.chmod(0o600)
    said = [to_json(line) for line in asyncio.run(checkup(file))]
    try:
        report = asyncio.run(run_once(load(file, {}).settings, RunRequest()))
        said.append(to_json(report))
        assert report.code != 0
    except ProblemError as error:
        said += [to_json(found) for found in error.problems]
        said.append({"text": repr(error) + str(error)})
    text = json.dumps(said, ensure_ascii=False) + caplog.text
    assert leaked(text) == []
    assert "internal" not in text, text
    told = "a coded problem; no text, and no log line at debug level, repeats it"
    faults.tell(Chapter.SECRETS, f"a {key} that cannot be used, with a password inside", told)


def test_nothing_of_a_run_can_be_dumped_or_read_by_another_process_of_its_user(place, as_nobody, faults):
    place.sample("day1")
    place.give_to(NOBODY)
    os.chown(place.folder, NOBODY, NOBODY)
    with Onlooker() as onlooker:
        daemon = place.start()
        daemon.send(signal.SIGUSR1)
        readers = daemon.frozen_readers()
        pids = {"daemon": daemon.pid, "run": daemon.run_pid()}
        # proc(5): where a process cannot be dumped, what is in its folder belongs to root.
        owners = {name: Path(f"/proc/{pid}/environ").stat().st_uid for name, pid in pids.items()}
        for pid in pids.values():
            look = subprocess.run(["cat", f"/proc/{pid}/environ"], capture_output=True, check=False, **as_nobody)
            assert (look.returncode, look.stdout) == (1, b"")
        signal_all(readers, signal.SIGCONT)
        daemon.wait_runs(1)
        assert daemon.stop() == 0
    assert owners == {"daemon": 0, "run": 0}
    # Between fork and its first instruction a process has the limit of whoever started it.
    assert {sight.core_limit for sight in onlooker.seen if sight.pid in pids.values()} >= {"0"}
    told = "no core dump, whatever the kernel's setting; memory and environment unreadable even for its own user"
    faults.tell(Chapter.SECRETS, "another process of the daemon's user looks, or the run crashes", told)


def test_no_verb_takes_a_password_on_its_command_line():
    def options(command: click.Command, path: str) -> Iterator[str]:
        for parameter in command.params:
            yield from (f"{path} {name}" for name in (*parameter.opts, *parameter.secondary_opts))
        for name, verb in getattr(command, "commands", {}).items():
            yield from options(verb, f"{path} {name}")

    named = list(options(cli, "cpimportd"))
    assert "cpimportd run --config" in named
    assert [one for one in named if re.search("pass|secret|url|user", one)] == []


def test_the_example_and_the_pages_hold_no_password():
    done = subprocess.run([*CPIMPORTD, "config", "example"], capture_output=True, text=True, check=True)
    set_there = tomllib.loads(done.stdout)
    assert not re.search("password", str(set_there), re.IGNORECASE)
    pages = [
        path for folder in ("docs", "packaging", "systemd") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    assert [path for path in pages if leaked(path.read_text("utf-8", errors="replace"))] == []
    assert "LimitCORE=0" in (ROOT / "systemd" / "cpimportd.service").read_text("utf-8")


def _listening(pid: int) -> list[str]:
    """The sockets on which a process listens, TCP and Unix ones."""
    links = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            links.add(str(link.readlink()))
    tables = {"tcp": (3, "0A", 9), "tcp6": (3, "0A", 9), "unix": (3, "00010000", 6)}  # proc(5): state or flags, inode
    found = []
    for table, (column, listens, inode) in tables.items():
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[column] == listens and f"socket:[{words[inode]}]" in links:
                found.append(line)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may see what a process without core dumps has open")
def test_a_daemon_at_work_listens_on_nothing(place):
    place.sample("day1")
    daemon = place.start()
    daemon.send(signal.SIGUSR1)
    readers = daemon.frozen_readers()
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        assert len(_listening(os.getpid())) >= 1
        assert [_listening(pid) for pid in (daemon.pid, daemon.run_pid(), *readers)] == [[]] * (2 + len(readers))
    signal_all(readers, signal.SIGCONT)
    daemon.wait_runs(1)


def test_every_test_that_security_md_names_is_there():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    files = (ROOT / "tests").rglob("test_*.py")
    there = {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text("utf-8"))}
    assert len(named) > 30
    assert named - there == set()
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| wall"))
    ]
    assert [row for row in rows if "`test_" not in row] == []
    assert "SECURITY.md" in (ROOT / "README.md").read_text("utf-8")
