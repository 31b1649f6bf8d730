"""Logging in: every form of URL, timeouts, TLS, and what is said when it fails (never a password)."""

import asyncio
import os
import pwd
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
import trustme
from pydantic import SecretStr, ValidationError
from sqlalchemy import text

from cpimportd.books.database.connection import connect, engine
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.database.failures import translate
from cpimportd.books.database.target import Target
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError, problem
from tests.support.secrets import DATABASE

PASSWORD = DATABASE


def at(url, **more):
    return Database(url=SecretStr(str(url)), **more)


async def ask(database, question="SELECT current_user::text", **options):
    connection = await connect(database, **options)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def refused(database):
    with pytest.raises(ProblemError) as caught:
        await ask(database)
    (found,) = caught.value.problems
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "wr0ng"):
        assert secret not in f"{found.message} {found.way_out} {caught.value}"
    return found


class Guarded:
    """A server that listens on TCP with TLS and asks for a password."""

    def __init__(self, server, port, authority):
        self.server, self.port, self.authority = server, port, authority

    def url(self, user="clerk", host="127.0.0.1", name="postgres", password=None, **query):
        login = user if password is None else f"{user}:{quote(password, safe='')}"
        return f"postgresql://{login}@{host}:{self.port}/{name}?" + "&".join(f"{k}={v}" for k, v in query.items())


def give(path, content, owner):
    path.write_text(content)
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)
    return str(path)


def server_with_tls():
    # The embedded server is built without TLS.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else None


@pytest.fixture(scope="module")
def guarded(folders_for_all):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = folders_for_all()
    authority = trustme.CA()
    certificate = authority.issue_cert("db.example.test", "localhost")
    chain = "".join(blob.bytes().decode() for blob in certificate.cert_chain_pems)
    programs = server_with_tls()
    rules = "local all all trust\nhost all clerk 127.0.0.1/32 scram-sha-256\nhost all plain 127.0.0.1/32 trust\n"
    configuration = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "ssl": "on" if programs else "off",
        "ssl_cert_file": give(folder / "server.crt", chain, "nobody"),
        "ssl_key_file": give(folder / "server.key", certificate.private_key_pem.bytes().decode(), "nobody"),
        "hba_file": give(folder / "pg_hba.conf", rules, "nobody"),
    }
    with EmbeddedPostgres(bindir=programs, fast=True, configuration=configuration) as server:
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        asyncio.run(_make_users(server.url() + f"&port={port}"))
        yield Guarded(server, port, folder / "ca.pem")


async def _make_users(url):
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")
    await connection.execute("CREATE ROLE plain LOGIN")
    await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"])
async def test_every_spelling_of_the_scheme_logs_in_over_a_unix_socket(empty_database, scheme):
    url = empty_database.replace("postgresql", scheme, 1)
    assert await ask(at(url)) == "cpimportd"


@pytest.mark.asyncio
async def test_timeouts_are_in_force_and_the_time_zone_is_the_servers(empty_database, sql):
    database = at(empty_database, statement_timeout=timedelta(seconds=90), lock_timeout=timedelta(milliseconds=1500))
    wanted = {"statement_timeout": "90s", "lock_timeout": "1500ms", "application_name": "a test"}
    for name, value in wanted.items():
        assert await ask(database, f"SHOW {name}", application_name="a test") in {value, "1min 30s" * (value == "90s")}
    assert await ask(database, "SHOW idle_in_transaction_session_timeout") == "0"
    assert await ask(database, "SELECT source FROM pg_settings WHERE name = 'TimeZone'") != "client"


@pytest.mark.asyncio
@pytest.mark.parametrize("encrypted", [False, True])
async def test_both_ends_notice_within_a_minute_that_the_other_is_cut_off(guarded, encrypted):
    if encrypted and not server_with_tls():
        pytest.skip("no PostgreSQL with TLS on this machine")
    connection = await connect(at(guarded.url(user="plain", sslmode="require" if encrypted else "disable")))
    try:
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
        asked = [int(await connection.fetchval(f"SELECT current_setting('{name}')")) for name in names]
        ours = connection._transport.get_extra_info("socket")
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert [ours.getsockopt(socket.IPPROTO_TCP, option) for option in options] == asked
    finally:
        await connection.close()
    idle, interval, count = asked
    assert idle + interval * count <= 60


@pytest.mark.asyncio
async def test_libpqs_own_keywords_do_not_reach_the_server(empty_database):
    more = "&connect_timeout=5&keepalives=1&keepalives_idle=30&gssencmode=disable&channel_binding=prefer&sslsni=1"
    assert await ask(at(empty_database + more)) == "cpimportd"


@pytest.mark.asyncio
async def test_server_settings_in_the_url_are_passed_on(empty_database):
    url = empty_database + "&options=-c%20search_path%3Delsewhere%2Cpublic"
    assert await ask(at(url), "SHOW search_path") == "elsewhere,public"


@pytest.mark.asyncio
async def test_the_direct_url_is_used_where_it_is_asked_for(make_database):
    here, there = make_database(), make_database()
    database = Database(url=SecretStr(here), direct_url=SecretStr(there))
    name = "SELECT current_database()::text"
    assert f"/{await ask(database, name)}?" in here
    assert f"/{await ask(database, name, direct=True)}?" in there
    assert f"/{await ask(at(here), name, direct=True)}?" in here


@pytest.mark.asyncio
async def test_a_password_is_taken_from_the_url_or_else_from_its_own_key(guarded, monkeypatch, tmp_path):
    assert await ask(at(guarded.url(password=PASSWORD))) == "clerk"
    assert await ask(at(guarded.url(), password=SecretStr(PASSWORD))) == "clerk"
    assert await ask(at(guarded.url(password=PASSWORD), password=SecretStr("wr0ng"))) == "clerk"
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert await ask(at(guarded.url())) == "clerk"
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:clerk:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert await ask(at(guarded.url())) == "clerk"


@pytest.mark.asyncio
async def test_no_password_stays_in_a_url_that_travels(guarded):
    target = Target.of(at(guarded.url(password=PASSWORD, sslmode="require")), direct=False)
    assert target.password == PASSWORD
    in_query = Target.of(at(guarded.url() + "password=" + quote(PASSWORD, safe="")), direct=False)
    assert in_query.password == PASSWORD
    for text_ in (target.url, target.place, repr(target), in_query.url, in_query.place, repr(in_query)):
        assert quote(PASSWORD, safe="") not in text_
        assert PASSWORD not in text_


def test_a_url_is_complete_for_those_that_are_given_it():
    url = "postgresql://u@/books?host=/run/postgresql&options=-c%20search_path%3Da%2Cb&sslpassword=wr0ng"
    target = Target.of(at(url), direct=False)
    assert target.url == ("postgresql://u@/books?host=%2Frun%2Fpostgresql&port=5432&options=-c%20search_path%3Da%2Cb")
    several = Target.of(at("postgres://u:x@one:5432,two:5433/d?target_session_attrs=primary"), direct=False)
    assert several.url == "postgresql://u@/d?host=one%2Ctwo&port=5432%2C5433&target_session_attrs=primary"


@pytest.mark.asyncio
@pytest.mark.skipif(server_with_tls() is None, reason="no PostgreSQL with TLS here")
async def test_tls_is_verified_where_the_url_asks_for_it(guarded):
    encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    good = guarded.url(host="localhost", password=PASSWORD, sslmode="verify-full", sslrootcert=guarded.authority)
    assert await ask(at(good), encrypted) is True
    assert await ask(at(guarded.url(user="plain", sslmode="disable")), encrypted) is False
    for url, reason in (
        (good.replace("@localhost", "@127.0.0.1"), "127.0.0.1"),
        (guarded.url(host="localhost", password=PASSWORD, sslrootcert="system"), "self-signed|local issuer"),
    ):
        found = await refused(at(url))
        assert found.code == "database-tls"
        assert any(part in found.message for part in reason.split("|")), found.message


@pytest.mark.asyncio
async def test_a_server_without_tls_is_told_from_one_that_is_away():
    with (
        EmbeddedPostgres(fast=True, configuration={"listen_addresses": "127.0.0.1", "port": "0"})
        if False
        else (socket.socket()) as listener
    ):
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        port = listener.getsockname()[1]

        async def answer_no():
            loop = asyncio.get_running_loop()
            peer, _ = await loop.sock_accept(listener)
            await loop.sock_recv(peer, 8)
            await loop.sock_sendall(peer, b"N")
            peer.close()

        task = asyncio.create_task(answer_no())
        found = await refused(at(f"postgresql://u@127.0.0.1:{port}/d?sslmode=require"))
        await task
    assert found.code == "database-tls"
    assert "offers no TLS" in found.message


@pytest.mark.asyncio
async def test_wrong_passwords_users_and_databases_are_told_apart(guarded):
    wrong = await refused(at(guarded.url(password="wr0ng")))
    assert (wrong.code, "clerk" in wrong.message) == ("database-login", True)
    nobody = await refused(at(guarded.url(user="stranger", password="wr0ng")))
    assert (nobody.code, "stranger" in nobody.message) == ("database-login", True)
    lost = await refused(at(guarded.url(user="plain", name="nowhere")))
    assert (lost.code, '"nowhere" does not exist' in lost.message) == ("database-login", True)
    assert not wrong.kind.passing


@pytest.mark.asyncio
async def test_a_server_that_cannot_be_reached_is_named_with_the_reason(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        cases = {
            f"postgresql://u:wr0ng@127.0.0.1:{port}/d": ("127.0.0.1", "refused"),
            "postgresql://u:wr0ng@no-such-host.invalid/d": ("no-such-host.invalid", "not known"),
            f"postgresql://u:wr0ng@/d?host={tmp_path}": (str(tmp_path), "No such file"),
        }
        for url, words in cases.items():
            found = await refused(at(url))
            assert found.code == "database-unreachable"
            assert found.kind.passing
            assert all(word in found.message for word in words), found.message


@pytest.mark.asyncio
async def test_a_server_that_says_nothing_is_given_up_after_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        found = await refused(at(url, connect_timeout=timedelta(milliseconds=300)))
    assert found.code == "database-unreachable"
    assert "connect_timeout" in found.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:wr0ng@[::1/d",
        "postgresql://u:wr0ng@h:port/d",
        "postgresql://u:p/wr0ng@h/d",
        "postgresql://u:p/?wr0ng@h/d",
        "postgresql://u:p/?wr0ng=1@h/d",
        "postgresql://u:p@wr0ng@h/d",
    ],
)
def test_a_url_that_cannot_be_taken_apart_is_no_value_of_the_configuration(url):
    with pytest.raises(ValidationError) as caught:
        at(url)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:wr0ng@h/d?sslmode=strict",
        "postgresql://u:wr0ng@localhost/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
    ],
)
async def test_a_url_that_cannot_be_used_is_a_mistake_in_the_configuration(url):
    found = await refused(at(url))
    assert found.code in {"config-value", "database-tls"}


@pytest.mark.asyncio
async def test_without_a_url_the_key_is_named():
    assert (await refused(Database())).code == "config-incomplete"


@pytest.mark.asyncio
async def test_sqlalchemy_works_on_the_same_connections(empty_database):
    connecting = engine(at(empty_database))
    async with connecting.connect() as connection:
        assert (await connection.execute(text("SELECT current_user::text"))).scalar() == "cpimportd"
        assert (await connection.execute(text("SELECT CAST(:n AS int) + 1"), {"n": 1})).scalar() == 2
        assert (await connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))).scalar() == 0
    await connecting.dispose()


async def failing(url, statement, *before):
    connection = await connect(
        at(url, lock_timeout=timedelta(milliseconds=200), statement_timeout=timedelta(seconds=1))
    )
    try:
        for first in before:
            await connection.execute(first)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await connection.execute(statement)
    finally:
        await connection.close()
    return translate(caught.value)


@pytest.mark.asyncio
async def test_a_missing_right_comes_with_its_grant(backend_database, sql, superuser_url):
    sql(superuser_url(backend_database), "REVOKE DELETE ON fin_receipts FROM cpimportd")
    found = await failing(backend_database, "DELETE FROM fin_receipts")
    assert (found.code, "ON fin_receipts TO" in found.way_out) == ("database-rights", True)
    found = await failing(backend_database, "ALTER TABLE fin_receipts ADD x int")
    assert (found.code, "OWNER" in found.way_out) == ("database-rights", True)


@pytest.mark.asyncio
async def test_a_lock_that_does_not_come_is_told_as_a_lock(backend_database):
    other = await connect(at(backend_database))
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE fin_receipts IN SHARE ROW EXCLUSIVE MODE")
            found = await failing(backend_database, "LOCK TABLE fin_receipts IN SHARE ROW EXCLUSIVE MODE", "BEGIN")
    finally:
        await other.close()
    assert (found.code, found.kind.passing) == ("database-locked", True)


@pytest.mark.asyncio
async def test_failures_of_the_server_are_told_with_its_own_words(backend_database):
    slow = await failing(backend_database, "SELECT pg_sleep(30)")
    assert (slow.code, "statement_timeout" in slow.message) == ("database-failed", True)
    standby = await failing(backend_database, "DELETE FROM fin_receipts", "SET default_transaction_read_only = on")
    assert (standby.code, "standby" in standby.way_out) == ("database-read-only", True)
    ours = await failing(backend_database, "SELECT FROM cpimportd.runs")
    assert ours.code == "database-schema"
    theirs = await failing(backend_database, "SELECT FROM fin_nothing")
    assert (theirs.code, "fin_nothing" in theirs.message) == ("database-foreign", True)


@pytest.mark.asyncio
async def test_a_connection_that_is_gone_may_be_tried_again(empty_database, sql, superuser_url):
    connection = await connect(at(empty_database))
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    sql(superuser_url(empty_database), f"SELECT pg_terminate_backend({pid}, 5000)")
    for _ in range(2):  # first it breaks, then it is closed
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
            await connection.execute("SELECT 1")
        found = translate(caught.value)
        assert (found.code, found.kind.passing) == ("database-unreachable", True)


def test_what_is_no_failure_of_the_database_is_not_taken_for_one():
    assert translate(KeyError("x")).code == "internal"
    assert translate(FileNotFoundError(2, "No such file", "/a")).code == "internal"
    assert translate(asyncpg.InterfaceError("another operation is in progress")).code == "internal"
    assert translate(ssl.SSLError(1, "broken")).code in {"database-unreachable", "database-tls"}
    own = problem("strict")
    assert translate(ProblemError(own)) is own


def test_an_exception_that_wraps_another_is_taken_for_that():
    outer = RuntimeError("sqlalchemy says")
    outer.__cause__ = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
    assert translate(outer).code == "database-locked"


@pytest.mark.asyncio
async def test_a_pooler_that_refuses_timeouts_at_the_start_is_used_without(empty_database):
    # PgBouncer's answer to a startup parameter that it does not know and was not told to ignore.
    fields = b"SFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"
    refusal = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    socket_folder = empty_database.partition("host=")[2]
    starts = []

    async def pool(reader, writer):
        size = await reader.readexactly(4)
        start = size + await reader.readexactly(int.from_bytes(size, "big") - 4)
        starts.append(start)
        if b"statement_timeout" in start:
            writer.write(refusal)
        else:
            server_reader, server_writer = await asyncio.open_unix_connection(f"{socket_folder}/.s.PGSQL.5432")
            server_writer.write(start)
            await asyncio.gather(relay(reader, server_writer), relay(server_reader, writer))
        writer.close()

    async def relay(source, sink):
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    pooler = await asyncio.start_server(pool, "127.0.0.1", 0)
    async with pooler:
        name = urlsplit(empty_database).path
        port = pooler.sockets[0].getsockname()[1]
        url = f"postgresql://cpimportd@127.0.0.1:{port}{name}?sslmode=disable"
        assert await ask(at(url)) == "cpimportd"
    assert [b"statement_timeout" in start for start in starts] == [True, False]
    assert b"application_name" in starts[1]
