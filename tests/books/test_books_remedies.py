"""What the database refuses: the way out is done word for word, on a real server, and then it refuses no more."""

import asyncio
import re
import socket
from urllib.parse import urlsplit

import asyncpg
import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.database.embedded import EmbeddedPostgres
from cpimportd.books.database.failures import translate
from cpimportd.books.schema.rights import missing_rights
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError


def at(url, **more):
    return Database(url=url, **more)


async def refused(url, **more):
    with pytest.raises(ProblemError) as caught:
        await (await connect(at(url, **more))).close()
    (found,) = caught.value.problems
    return found


async def let_in(url):
    connection = await connect(at(url))
    await connection.close()


def statement(way):
    """The statement that a way out gives, as somebody pastes it."""
    return re.search(r"(?:GRANT|ALTER|CREATE) [^;]*", way)[0]


def renamed(url, *, user="cpimportd", name=None):
    parts = urlsplit(url)
    path = parts.path if name is None else f"/{name}"
    return parts._replace(netloc=f"{user}@", path=path).geturl()


@pytest.mark.asyncio
async def test_a_database_that_is_not_there_is_no_wrong_password(empty_database, sql, superuser_url):
    for name in ("nowhere", "Not-Here"):
        url = renamed(empty_database, name=name)
        found = await refused(url)
        assert found.code == "database-login"
        assert "password" not in found.way_out
        sql(superuser_url(empty_database), statement(found.way_out))
        try:
            await let_in(url)
        finally:
            sql(superuser_url(empty_database), f'DROP DATABASE "{name}"')


@pytest.mark.asyncio
async def test_a_role_that_is_not_there_or_may_not_log_in(empty_database, sql, superuser_url):
    root, url = superuser_url(empty_database), renamed(empty_database, user="new_importer")
    found = await refused(url)
    assert found.code == "database-login"
    sql(root, statement(found.way_out))
    try:
        await let_in(url)
        sql(root, "ALTER ROLE new_importer NOLOGIN")
        found = await refused(url)
        sql(root, statement(found.way_out))
        await let_in(url)
    finally:
        sql(root, "DROP ROLE new_importer")


@pytest.mark.asyncio
async def test_a_database_to_which_we_may_not_connect(empty_database, sql, superuser_url):
    name = urlsplit(empty_database).path[1:]
    sql(superuser_url(empty_database), f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC, cpimportd')
    sql(superuser_url(empty_database), f'ALTER DATABASE "{name}" OWNER TO postgres')
    found = await refused(empty_database)
    assert found.code == "database-login"
    assert "TO cpimportd" in found.way_out
    sql(superuser_url(empty_database), statement(found.way_out))
    await let_in(empty_database)


@pytest.mark.asyncio
async def test_too_many_connections_are_no_wrong_url_and_are_tried_again(empty_database, sql, superuser_url):
    root = superuser_url(empty_database)
    sql(root, "CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    url = renamed(empty_database, user="narrow")
    first = await connect(at(url))
    try:
        found = await refused(url)
        assert (found.code, found.kind.passing) == ("database-busy", True)
        assert "CONNECTION LIMIT" in found.way_out
        sql(root, "ALTER ROLE narrow CONNECTION LIMIT 5")
        await let_in(url)
    finally:
        await first.close()
        for _ in range(50):
            try:
                sql(root, "DROP ROLE narrow")
                break
            except asyncpg.ObjectInUseError:
                await asyncio.sleep(0.1)


@pytest.mark.asyncio
async def test_a_server_without_tls_is_no_wrong_certificate(guarded_without_tls):
    found = await refused(f"{guarded_without_tls}&sslmode=require")
    assert found.code == "database-tls"
    assert "certificate" in found.way_out
    assert "sslmode=disable" in found.way_out
    await let_in(f"{guarded_without_tls}&sslmode=disable")


@pytest.fixture
def guarded_without_tls():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = {"listen_addresses": "127.0.0.1", "port": str(port), "ssl": "off"}
    with EmbeddedPostgres(fast=True, configuration=configuration):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres?connect_timeout=5"


@pytest.mark.asyncio
async def test_a_rule_of_pg_hba_that_lacks_is_no_wrong_password(empty_database):
    text = 'no pg_hba.conf entry for host "10.0.0.7", user "cpimportd", database "books", no encryption'
    found = translate(asyncpg.InvalidAuthorizationSpecificationError(text))
    assert found.code == "database-login"
    assert "pg_hba.conf" in found.way_out
    assert "sslmode=require" in found.way_out
    assert "password" not in found.way_out
    peer = translate(asyncpg.InvalidAuthorizationSpecificationError('Peer authentication failed for user "cpimportd"'))
    assert "user of the operating system" in peer.way_out


@pytest.mark.asyncio
async def test_a_server_that_starts_or_shuts_down_is_tried_again():
    found = translate(asyncpg.CannotConnectNowError("the database system is starting up"))
    assert (found.code, found.kind.passing) == ("database-starting", True)
    assert "database.url" not in found.way_out
    gone = translate(asyncpg.AdminShutdownError("terminating connection due to administrator command"))
    assert (gone.code, gone.kind.passing) == ("database-unreachable", True)


DENIED = [
    ("REVOKE ALL ON departments FROM cpimportd", "SELECT id FROM departments", "GRANT SELECT ON departments TO cpimportd"),
    (
        "REVOKE ALL ON fin_receipts FROM cpimportd",
        "DELETE FROM fin_receipts",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON fin_receipts TO cpimportd",
    ),
    (
        "ALTER TABLE cpimportd.held OWNER TO backend; REVOKE ALL ON cpimportd.held FROM cpimportd",
        "DELETE FROM cpimportd.held",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON cpimportd.held TO cpimportd",
    ),
    (
        "REVOKE ALL ON SEQUENCE fin_contracts_id_seq FROM cpimportd",
        "SELECT nextval('fin_contracts_id_seq')",
        "GRANT USAGE ON SEQUENCE fin_contracts_id_seq TO cpimportd",
    ),
    ("REVOKE ALL ON SCHEMA public FROM PUBLIC, cpimportd", "SELECT 1 FROM public.fin_receipts",
     "GRANT USAGE ON SCHEMA public TO cpimportd"),
]  # fmt: skip


@pytest.mark.asyncio
@pytest.mark.parametrize(("revoke", "question", "grant"), DENIED)
async def test_a_right_that_lacks_in_the_middle_is_given_by_what_is_advised_and_no_more(
    make_database, sql, superuser_url, revoke, question, grant
):
    url = make_database(backend=True)
    await upgrade(at(url))
    sql(superuser_url(url), *revoke.split("; "))
    connection = await connect(at(url))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
            await connection.execute(question)
        found = translate(caught.value)
        assert found.code == "database-rights"
        assert statement(found.way_out) == grant
        sql(superuser_url(url), statement(found.way_out))
        await connection.execute(question)
        assert await missing_rights(connection) == ()
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_a_table_of_somebody_elses_code_is_not_granted_wholesale(make_database, sql, superuser_url):
    url = make_database(backend=True)
    sql(superuser_url(url), "CREATE TABLE audit (id int)")
    connection = await connect(at(url))
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
        await connection.execute("INSERT INTO audit VALUES (1)")
    await connection.close()
    assert "GRANT SELECT, INSERT" not in translate(caught.value).way_out


@pytest.mark.asyncio
async def test_an_upgrade_that_may_create_nothing_is_told_what_lets_it(empty_database, sql, superuser_url):
    name = urlsplit(empty_database).path[1:]
    root = superuser_url(empty_database)
    sql(root, f'ALTER DATABASE "{name}" OWNER TO postgres', f'REVOKE CREATE ON DATABASE "{name}" FROM cpimportd')
    for _ in range(3):
        try:
            await upgrade(at(empty_database))
            break
        except ProblemError as error:
            (found,) = error.problems
            assert found.code == "database-rights"
            sql(root, statement(found.way_out))
    await upgrade(at(empty_database))
