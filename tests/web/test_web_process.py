"""The process: what it refuses to start as, that it cannot write, what becomes of it when others go, and how it ends."""

import asyncio
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
from pydantic import ValidationError

from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.config.sections import Web
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from cpimportd.web.dependencies import BooksReader
from cpimportd.web.server import bind, require_closed
from tests.support import launcher
from tests.support.daemon.living_daemon import environment
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.polling import until
from tests.support.web.served import API, TOKEN, Served, configure


@pytest.fixture
def refused(web_folder, shared_books):
    """What the command says where it does not start, and its exit code."""

    def start(**keys):
        named = {name.replace("__", "."): value for name, value in keys.items()}
        config = configure(
            web_folder / "c.toml", {"state_directory": str(web_folder), "database.url": shared_books, **named}
        )
        done = launcher.run("web", "--config", str(config), env=environment())
        return done.returncode, done.stderr

    return start


@pytest.mark.parametrize(
    "web",
    [
        Web(),
        Web(listen="0.0.0.0:0", open_on_loopback=True),
        Web(listen="[::]:0", open_on_loopback=True),
        Web(token="put-the-output-of-openssl-rand-here"),
        Web(token="put-the-output-of-openssl-rand-here", open_on_loopback=True),
    ],
)
def test_it_does_not_start_where_it_would_let_everybody_in(web):
    with pytest.raises(ProblemError) as caught:
        require_closed(web)
    assert (caught.value.problems[0].code, caught.value.exit_code) == ("web-open", 2)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:8008", "localhost:8008"])
def test_a_loopback_address_is_known_however_it_is_written(listen):
    require_closed(Web(listen=listen, open_on_loopback=True))


def test_the_command_says_how_to_make_a_token(refused):
    code, said = refused()
    assert code == 2
    assert "[web-open]" in said
    assert "openssl rand" in said


def test_wrong_settings_are_named_and_a_token_is_never_repeated(refused):
    code, said = refused(
        web__token="with blanks in between it", web__listen="example.org:80", web__hosts=["https://example.org"]
    )
    assert code == 2
    for key in ("web.token", "web.listen", "web.hosts"):
        assert key in said
    assert "with blanks" not in said


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:70000", "::1:80", "[127.0.0.1]:80", "host:80", ":80"])
def test_an_address_that_is_none_is_refused(listen):
    with pytest.raises(ValidationError):
        Web(listen=listen)


def test_an_address_in_use_is_reported(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = refused(web__token=TOKEN, web__listen=f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 1
    assert "[web-address]" in said


def test_no_answer_waits_for_the_acknowledgement_of_its_head():
    with bind("127.0.0.1:0") as listening, socket.create_connection(listening.getsockname()) as client:
        accepted, _ = listening.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_without_the_extra_the_remedy_is_reported(web_folder, shared_books):
    config = configure(
        web_folder / "c.toml", {"database.url": shared_books, "web.token": TOKEN, "state_directory": str(web_folder)}
    )
    hidden = "import sys; sys.modules['uvicorn'] = None; from cpimportd.cli import main; main()"
    argv = [sys.executable, "-c", hidden, "web", "--config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environment(), check=False)
    assert done.returncode == 2
    assert "pip install -c constraints.txt '.[web]'" in done.stderr


def test_on_a_loopback_address_it_may_be_open(serve, shared_books, web_folder):
    config = configure(
        web_folder / "open.toml",
        {
            "state_directory": str(web_folder),
            "database.url": shared_books,
            "web.listen": "127.0.0.1:0",
            "web.open_on_loopback": True,
        },
    )
    with Served(web_folder, config) as process:
        assert process.ask(f"{API}/summary", token=None).status_code == 200
        foreign = {"Origin": "https://evil.example"}
        assert process.ask(f"{API}/import/trigger", "POST", token=None, headers=foreign).status_code == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_notifies_systemd_and_ends_in_order_though_a_stream_is_open(web_folder, shared_books, number):
    keys = {
        "state_directory": str(web_folder),
        "database.url": shared_books,
        "web.listen": "127.0.0.1:0",
        "web.token": TOKEN,
    }
    with (
        NotifySocket() as notify,
        Served(web_folder, configure(web_folder / "c.toml", keys), NOTIFY_SOCKET=str(notify.path)) as process,
    ):
        notify.wait("READY", "1")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.stream("GET", f"{process.address}{API}/import/events", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: status"
            assert process.stop(number) == 0
        notify.wait("STOPPING", "1")
    assert "Traceback" not in process.log.read_text()


def reader(url: str) -> BooksReader:
    return BooksReader(Database(url=url, statement_timeout=timedelta(seconds=1)), timedelta(seconds=5))


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO fin_organizations (name, department_id, is_active) VALUES ('x', 8, true)", "DELETE FROM fin_receipts",
     "CREATE TABLE x ()", "UPDATE cpimportd.runs SET status = 'failed'", "WITH gone AS (DELETE FROM fin_expenses RETURNING 1) SELECT count(*) FROM gone"],
)  # fmt: skip
def test_nothing_can_be_written_through_its_connections(shared_books, statement):
    async def write():
        books = reader(shared_books)
        try:
            async with books.reading() as connection:
                assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
                await connection.execute(statement)
        finally:
            await books.close()

    with pytest.raises(ProblemError) as caught:
        asyncio.run(write())
    assert caught.value.problems[0].code in {"database-read-only", "database-failed"}


def test_a_query_that_takes_too_long_is_ended(shared_books):
    async def dawdle():
        books = reader(shared_books)
        try:
            async with books.reading() as connection:
                await connection.execute("SELECT pg_sleep(60)")
        finally:
            await books.close()

    with pytest.raises(ProblemError):
        asyncio.run(dawdle())


def test_a_role_that_may_only_read_is_enough(serve, templates, published_template, superuser_url, sql):
    url = templates.server.url(templates.fresh(published_template, "cpimportd"), "cpimportd")
    sql(
        superuser_url(url),
        "DO $$ BEGIN CREATE ROLE web_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT USAGE ON SCHEMA public, cpimportd TO web_reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public, cpimportd TO web_reader",
        "SELECT 1",
    )
    # The daemon's own login leads nowhere here: everything comes over the reader's.
    process = serve("postgresql://cpimportd@/nowhere", web__database_url=url.replace("//cpimportd@", "//web_reader@"))
    run = process.get(f"{API}/import/history")["runs"][0]["run"]
    for path in (
        "summary",
        "import/overview",
        "import/logs",
        "import/months",
        f"import/runs/{run}",
        f"import/runs/{run}/diff",
    ):
        assert process.ask(f"{API}/{path}").status_code == 200, path


def test_another_departments_runs_are_not_shown(serve, make_database, published_template, sql):
    url = make_database(published_template)
    sql(url, "UPDATE cpimportd.runs SET department_id = 9 WHERE id = 1")
    process = serve(url)
    assert [process.ask(f"/runs/{run}").status_code for run in (1, 2)] == [404, 200]
    assert process.ask("/runs/1/diff").status_code == 404


def test_a_database_that_becomes_unreachable_is_a_problem_and_no_end(serve, tmp_path):
    with EmbeddedPostgres(fast=True) as server:
        process = serve(server.url())
        answer = process.ask(f"{API}/summary")
        assert (answer.status_code, answer.json()["code"]) == (503, "database-schema")
    for path in ("summary", "import/overview", "import/logs"):
        answer = process.ask(f"{API}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.json()["code"] == "database-unreachable"
        assert answer.headers["retry-after"] == "5"
    until(lambda: process.ask("/healthz", token=None).status_code == 503, "bad health", 30)
    assert process.ask("/healthz", token=None).json() == {"status": "unwell"}
    assert process.process.poll() is None
    assert "Traceback" not in process.log.read_text()


def test_it_is_well_again_when_the_database_is_back(serve, make_database, published_template, superuser_url, sql):
    url = make_database(published_template)
    process = serve(url)
    assert process.ask(f"{API}/summary").status_code == 200
    sql(
        superuser_url(url),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cpimportd web'",
    )
    until(lambda: process.ask(f"{API}/summary").status_code == 200, "answer after the connections were lost")


def test_connections_to_the_database_are_few(serve, make_database, published_template, sql):
    url = make_database(published_template)
    process = serve(url)

    async def many():
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
            return await asyncio.gather(*(client.get(f"{process.address}{API}/import/overview") for _ in range(24)))

    assert {answer.status_code for answer in asyncio.run(many())} == {200}
    (row,) = sql(
        url,
        "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'cpimportd web' AND datname = current_database()",
    )
    assert 1 <= row["n"] <= 4
