"""One URL leads to one place: our own connections, Alembic's and pg_dump's, as libpq's own programs understand it."""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import text

from cpimportd.books.database import libpq
from cpimportd.books.database.backup import backup
from cpimportd.books.database.connection import connect, engine
from cpimportd.books.database.target import Host, Target
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from tests.support.secrets import DATABASE as PASSWORD
from tests.support.secrets import TLS_KEY

ASK = """
    SELECT concat_ws('|', current_database(), current_user, current_setting('application_name'),
                     current_setting('search_path'), current_setting('work_mem'))
"""


@dataclass(frozen=True)
class Form:
    """One way to say where the books are: a URL, variables, and the lines of a service file.

    ``{host}``, ``{quoted}`` (percent-encoded), ``{books}``, ``{other}`` (databases), ``{user}`` stand for what there is.
    """

    url: str
    variables: dict[str, str] | None = None
    service: str = ""
    at_home: bool = False


SERVICE = (
    "# ours\n[other]\nhost=/nowhere\n\n[books]\nhost={host}\ndbname={books}\nuser={user}\n[books]\nuser=postgres\n"
)
FORMS = {
    "everything in the query": Form("postgresql:///?host={host}&user={user}&dbname={books}"),
    "the query stands above the rest": Form("postgresql://nobody@/nothing?host={host}&user={user}&dbname={books}"),
    "the last of two in the query": Form("postgresql://{user}@/?dbname=nothing&host={host}&dbname={books}"),
    "a driver": Form("postgresql+asyncpg://{user}@/{books}?host={host}"),
    "the short scheme": Form("postgres://{user}@/{books}?host={host}&application_name=a%20name"),
    "an encoded socket folder": Form("postgresql://{user}@{quoted}/{books}"),
    "an encoded socket folder and a port": Form("postgresql://{user}@{quoted}:5432/{books}"),
    "several hosts": Form("postgresql://{user}@/{books}?host=/nowhere,{host}&port=5433,5432"),
    "several hosts, one port": Form("postgresql://{user}@%2Fnowhere,{quoted}/{books}?port=5432"),
    "a service": Form("postgresql:///?service=books", service=SERVICE),
    "a service, its database overridden": Form("postgresql:///{other}?service=books", service=SERVICE),
    "a service by a variable": Form("postgresql://", {"PGSERVICE": "books"}, SERVICE),
    "a service at home": Form("postgresql://?service=books", service=SERVICE, at_home=True),
    "a service above variables": Form("postgresql://?service=books", {"PGUSER": "x", "PGDATABASE": "x"}, SERVICE),
    "variables alone": Form("postgresql://", {"PGHOST": "{host}", "PGUSER": "{user}", "PGDATABASE": "{books}"}),
    "the URL above variables": Form(
        "postgresql://{user}@/{books}?host={host}",
        {"PGHOST": "/nowhere", "PGUSER": "x", "PGDATABASE": "x", "PGPORT": "1"} | {"PGPORT": "5432"},
    ),
    "a database by a variable, not of the user's name": Form(
        "postgresql://{user}@?host={host}", {"PGDATABASE": "{books}"}
    ),
    "a database of the user's name": Form("postgresql://{user}@?host={host}"),
    "an empty database": Form("postgresql:///?host={host}&user={user}&dbname="),
    "settings of the server": Form(
        "postgresql://{user}@/{books}?host={host}&options=-c%20work_mem%3D7MB%20-c%20search_path%3Dpublic%2Cb"
    ),
    "settings by a variable": Form("postgresql://{user}@/{books}?host={host}", {"PGOPTIONS": "-c work_mem=7MB"}),
    "a name by a variable": Form("postgresql://{user}@/{books}?host={host}", {"PGAPPNAME": "ours"}),
    "harmless options": Form(
        "postgresql://{user}@/{books}?host={host}&channel_binding=prefer&gssencmode=disable&keepalives=0&sslmode=prefer"
    ),
}


@pytest.fixture
def there(make_database, templates, postgres_server, sql, superuser_url):
    """What stands in braces: two databases, one of the user's name, and a user, all with names that need quoting."""
    user = "бух @+&"
    root = superuser_url(make_database())
    names = {"books": "книги = 1", "other": "other", "own": user}
    sql(root, f'DROP ROLE IF EXISTS "{user}"', f'CREATE ROLE "{user}" LOGIN')
    for name in names.values():
        sql(root, f'CREATE DATABASE "{name}" TEMPLATE "{templates.migrated()}"')
    yield {"host": str(postgres_server.folder), "user": user, **names}
    for name in names.values():
        sql(root, f'DROP DATABASE "{name}" WITH (FORCE)')
    sql(root, f'DROP ROLE "{user}"')


@pytest.fixture
def said(there, monkeypatch, tmp_path, postgres_server):
    """A form's URL; its variables and service file are in force."""

    def say(form):
        for name in [name for name in os.environ if name.startswith("PG")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in (form.variables or {}).items():
            monkeypatch.setenv(name, value.format(**there))
        if form.service:
            file = tmp_path / (".pg_service.conf" if form.at_home else "services")
            file.write_text(form.service.format(**there))
            if not form.at_home:
                monkeypatch.setenv("PGSERVICEFILE", str(file))
        encoded = {name: quote(value, safe="") for name, value in there.items()}
        return form.url.format(**encoded, quoted=encoded["host"])

    return say


def psql(postgres_server, url):
    """What libpq itself makes of a URL and the variables of this moment."""
    program = [postgres_server.programs / "psql", "--no-psqlrc", "-At", "-c", ASK, url]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FORMS)
async def test_all_three_reach_the_same_place_as_libpq(said, postgres_server, tmp_path, name):
    url = said(FORMS[name])
    driver, _, rest = url.partition("://")
    libpqs = psql(postgres_server, f"{driver.partition('+')[0]}://{rest}")
    named = libpqs.replace("|psql|", "|cpimportd|")  # which calls itself something where nobody does
    database = Database(url=SecretStr(url))
    connection = await connect(database)
    ours = await connection.fetchval(ASK)
    await connection.close()
    connecting = engine(database, direct=True)
    async with connecting.connect() as open_:
        alembics = (await open_.execute(text(ASK))).scalar()
    await connecting.dispose()
    # A pg_dump that asks, by the psql of its own libpq, where it was led to.
    spy = tmp_path / "pg_dump"
    real = postgres_server.programs
    spy.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real}/pg_dump --version\nfor word; do last="$word"; done\n'
        f'exec {real}/psql --no-psqlrc -At -c "{ASK}" "$last" > {tmp_path}/answer\n'.replace("--dbname=", "")
    )
    spy.chmod(0o755)
    with suppress(ProblemError):
        await backup(database, tmp_path / "backups", candidates=[spy])
    dumps = (tmp_path / "answer").read_text().strip()
    assert ours == alembics == named
    assert dumps.replace("|pg_dump|", "|psql|") == libpqs


OPTIONS = {
    "require_auth=scram-sha-256": "require_auth",
    "requirepeer=postgres": "requirepeer",
    "hostaddr=127.0.0.1&host=db.example.test&sslmode=verify-full": "hostaddr",
    "gssencmode=require": "gssencmode",
    "channel_binding=require": "channel_binding",
    "sslcertmode=require": "sslcertmode",
    "sslsni=0": "sslsni",
    "sslcrldir=/etc/crl": "sslcrldir",
    "client_encoding=WIN1251": "client_encoding",
    "replication=database": "replication",
    "min_protocol_version=3.2": "min_protocol_version",
    "oauth_issuer=https%3A%2F%2Fid.example.org": "oauth_issuer",
    "search_path=public": "search_path",
    "prepared_statement_cache_size=0": "prepared_statement_cache_size",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("query", OPTIONS)
async def test_an_option_that_cannot_be_honoured_is_named_with_the_way_out(query):
    with pytest.raises(ProblemError) as caught:
        await connect(Database(url=SecretStr(f"postgresql://u:{quote(PASSWORD, safe='')}@h/d?{query}")))
    (found,) = caught.value.problems
    assert (found.code, found.kind.exit_code, found.kind.passing) == ("database-option", 2, False)
    assert found.value == OPTIONS[query]
    assert found.way_out.startswith(("Remove", "Use", "Name"))
    assert PASSWORD not in str(caught.value)


VARIABLES = {
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "postgres",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "KOI8R",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("variable", VARIABLES)
async def test_a_variable_that_cannot_be_honoured_is_named(monkeypatch, variable):
    monkeypatch.setenv(variable, VARIABLES[variable])
    with pytest.raises(ProblemError, match=variable) as caught:
        await connect(Database(url=SecretStr("postgresql://u@h/d")))
    assert caught.value.problems[0].code == "database-option"


@pytest.mark.asyncio
async def test_an_option_in_a_service_is_named_too(monkeypatch, tmp_path):
    (tmp_path / "services").write_text("[books]\nhost=h\nrequirepeer=postgres\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(ProblemError, match="requirepeer"):
        await connect(Database(url=SecretStr("postgresql:///?service=books")))


WRONG = {
    "postgresql://u@h/d?sslmode=strict": "sslmode is none of disable",
    "postgresql://u@h/d?target_session_attrs=master": "target_session_attrs is none of any",
    "postgresql://u@h/d?connect_timeout=soon": "connect_timeout is no whole number",
    "postgresql://u@h/d?port=http": "a port is no number",
    "postgresql://u@h/d?port=0": "a port is no number",
    "postgresql://u@h/d?port=65536": "a port is no number",
    "postgresql://u@one,two/d?port=1,2,3": "it names 2 hosts and 3 ports",
    "postgresql://u@one,two/d?hostaddr=127.0.0.1": "it names 2 hosts and 1 hostaddr",
    "postgresql://u@h/d?service=nothing": "service nothing is in none of",
    "postgresql://u@h/d?service=x&servicefile=/nowhere/services": "service file /nowhere/services is not there",
    "postgresql://u@h/d?sslrootcert=system&sslmode=require": "sslrootcert=system needs sslmode=verify-full",
}
UNREADABLE = {
    "postgresql://u@h/d?options=-csearch_path=a": "the value of options holds a bare =",
    "postgresql://u@h/d%00": "it cannot be read",
    "postgresql://u@h/d%ff": "it cannot be read",
    "postgresql://u@h/d%2": "it cannot be read",
    "postgresql://u@[::1/d": "it cannot be read",
}


@pytest.mark.parametrize("url", UNREADABLE)
def test_what_cannot_be_taken_apart_is_no_value_of_the_configuration(url):
    with pytest.raises(ValidationError) as caught:
        Database(url=SecretStr(url))
    assert UNREADABLE[url] in str(caught.value)
    with pytest.raises(ProblemError) as refused:
        libpq.parse_url(url)
    assert UNREADABLE[url] in refused.value.problems[0].message


@pytest.mark.parametrize("url", WRONG)
def test_a_mistake_is_told_by_its_keyword(url, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ProblemError) as caught:
        Target.of(Database(url=SecretStr(url)), direct=False)
    (found,) = caught.value.problems
    assert found.code == "config-value"
    assert WRONG[url] in found.message


@pytest.mark.parametrize(
    "text_", ["host=/run/postgresql dbname=books user=u", "dbname=books", "books", f"user=u password={PASSWORD}"]
)
def test_a_string_of_keywords_is_refused_with_the_form_that_is_expected(text_):
    with pytest.raises(ValueError, match=r"expected postgresql://user@host/database") as caught:
        Database(url=text_)
    assert PASSWORD not in str(caught.value)


def test_an_address_beside_a_name_is_connected_to_and_the_name_finds_the_password(monkeypatch, tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"db.example.test:5433:d:u:{PASSWORD}\n")
    file.chmod(0o600)
    url = f"postgresql://u@db.example.test:5433/d?hostaddr=127.0.0.1&sslmode=require&passfile={file}"
    target = Target.of(Database(url=SecretStr(url)), direct=False)
    assert target.hosts == (Host("db.example.test", 5433, "127.0.0.1"),)
    assert target.password == PASSWORD
    arguments = target.driver_arguments()
    assert (arguments["host"], arguments["port"]) == (["127.0.0.1"], [5433])
    assert "hostaddr=127.0.0.1" in target.url


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("h:5432:d:u:right", "right"),
        ("# h:5432:d:u:wrong\nh:5433:d:u:wrong\n*:*:*:*:right", "right"),
        ("h:5432:d:u:r\\:i\\\\ght", "r:i\\ght"),
        ("h:5432:d:u:ri:ght", "ri:ght"),
        ("h\\:1:5432:d:u:wrong", None),
        ("h:5432:d:u", None),
        ("", None),
    ],
)
def test_a_password_file_is_read_as_libpq_does(tmp_path, lines, found):
    file = tmp_path / "pgpass"
    file.write_text(lines)
    file.chmod(0o600)
    assert libpq.stored_password(file, ("h", "5432", "d", "u")) == found
    file.chmod(0o640)
    assert libpq.stored_password(file, ("h", "5432", "d", "u")) is None
    assert libpq.stored_password(Path("/nowhere"), ("h", "5432", "d", "u")) is None


def test_hosts_whose_passwords_differ_are_told(tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"one:*:*:*:{PASSWORD}\ntwo:*:*:*:wr0ng\n")
    file.chmod(0o600)
    with pytest.raises(ProblemError, match="another password for each of its hosts") as caught:
        Target.of(Database(url=SecretStr(f"postgresql://u@one,two/d?passfile={file}")), direct=False)
    assert PASSWORD not in str(caught.value)
    own = Database(url=SecretStr(f"postgresql://u@one,two/d?passfile={file}"), password=SecretStr(PASSWORD))
    assert Target.of(own, direct=False).password == PASSWORD


def test_a_password_is_taken_from_the_nearest_that_says_one(monkeypatch, tmp_path):
    (tmp_path / "services").write_text("[s]\npassword=service's\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGPASSWORD", "variable's")

    def password(url, **more):
        return Target.of(Database(url=SecretStr(url), **more), direct=False).password

    own = SecretStr("setting's")
    assert password("postgresql://u:url's@h/d?service=s", password=own) == "url's"
    assert password("postgresql://u@h/d?service=s", password=own) == "setting's"
    assert password("postgresql://u@h/d?service=s") == "service's"
    assert password("postgresql://u@h/d") == "variable's"
    assert password("postgresql://u:p#w?r&d@h/d") == "p#w?r&d"  # none of these ends a password to libpq


@pytest.mark.asyncio
async def test_the_password_of_a_key_reaches_pg_dump_on_no_command_line_and_no_disk(
    database, postgres_server, tmp_path
):
    real = postgres_server.programs / "pg_dump"
    spy = tmp_path / "pg_dump"
    spy.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\n'
        f'echo "$@" > {tmp_path}/arguments; echo "$PGSERVICEFILE" > {tmp_path}/name; cat "$PGSERVICEFILE" > {tmp_path}/service\n'
        f'exec {real} "$@"\n'
    )
    spy.chmod(0o755)
    url = f"{database}&sslpassword={quote(TLS_KEY)}"
    assert TLS_KEY not in repr(Target.of(Database(url=SecretStr(url)), direct=False))
    await backup(Database(url=SecretStr(url)), tmp_path / "backups", candidates=[spy])
    assert TLS_KEY not in (tmp_path / "arguments").read_text()
    assert (tmp_path / "name").read_text().startswith("/proc/self/fd/")
    assert f"sslpassword={TLS_KEY}\n" in (tmp_path / "service").read_text()
