"""A backup proves itself, and gives back every row: partitions, children, other schemas, other owners."""

import os
import subprocess

import pytest
from pydantic import SecretStr

from cpimportd.books.database import programs
from cpimportd.books.database.backup import backup
from cpimportd.books.database.programs import Relation
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from tests.support.database import run_sql

ROW = (
    "INSERT INTO {table} (operation_id, department_id, document_date, amount, is_active, created_at, updated_at, "
    "organization_id) "
    "SELECT 'Д-' || n, 8, date '2023-06-30' + n * 90, n, true, now(), now(), (SELECT min(id) FROM fin_organizations) "
    "FROM generate_series(1, 20) AS n"
)
RENAMED = [
    "DROP MATERIALIZED VIEW IF EXISTS mv_credit_monthly, mv_credit_by_contract, mv_credit_by_organization,"
    " mv_credit_payments, mv_credit_totals",
    "ALTER TABLE fin_receipts RENAME TO plain",
]
# What the backend may make of its table, before twenty rows of 2023 to 2028 are written.
SHAPES = {
    "plain": [],
    "range": [
        *RENAMED,
        "CREATE TABLE fin_receipts (LIKE plain INCLUDING DEFAULTS) PARTITION BY RANGE (document_date)",
        "CREATE TABLE fin_receipts_2024 PARTITION OF fin_receipts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        'CREATE TABLE "Остальное ""и"" пр." PARTITION OF fin_receipts DEFAULT',
    ],
    "nested": [
        *RENAMED,
        "CREATE TABLE fin_receipts (LIKE plain INCLUDING DEFAULTS) PARTITION BY LIST (department_id)",
        "CREATE TABLE fin_receipts_8 PARTITION OF fin_receipts FOR VALUES IN (8) PARTITION BY RANGE (document_date)",
        "CREATE TABLE fin_receipts_8_old PARTITION OF fin_receipts_8 FOR VALUES FROM (MINVALUE) TO ('2025-01-01')",
        "CREATE TABLE fin_receipts_8_rest PARTITION OF fin_receipts_8 DEFAULT",
    ],
    "inherited": [
        *RENAMED,
        "CREATE TABLE fin_receipts (LIKE plain INCLUDING DEFAULTS)",
        "CREATE TABLE fin_receipts_archive () INHERITS (fin_receipts)",
        ROW.format(table="fin_receipts_archive"),
    ],
    "partitions elsewhere": [
        *RENAMED,
        'CREATE SCHEMA "Архив *"',
        "CREATE TABLE fin_receipts (LIKE plain INCLUDING DEFAULTS) PARTITION BY RANGE (document_date)",
        'CREATE TABLE "Архив *".fin_receipts PARTITION OF fin_receipts DEFAULT',
    ],
    "another's": ["ALTER TABLE fin_receipts OWNER TO postgres"],
}


@pytest.fixture
def beside(make_database, superuser_url):
    """A backend's database in which our schema is; URLs of us and of the superuser."""

    async def make():
        url = make_database(backend=True)
        await upgrade(Database(url=SecretStr(url)))
        root = superuser_url(url)
        run_sql(
            root,
            "INSERT INTO departments (id, name, code, is_active, created_at, updated_at)"
            " VALUES (8, 'Финансы', 'F', true, now(), now()) ON CONFLICT DO NOTHING",
            "INSERT INTO fin_organizations (name, department_id, is_active, created_at, updated_at)"
            " VALUES ('ЛОТОС ООО', 8, true, now(), now())",
        )
        return url, root

    return make


def granted(schema="public"):
    return [
        f'GRANT USAGE ON SCHEMA "{schema}" TO cpimportd',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO cpimportd',
    ]


def restored(postgres_server, make_database, superuser_url, file, *schemas):
    """The superuser's URL of a new database into which a dump went."""
    root = superuser_url(make_database())
    run_sql(root, *(f'CREATE SCHEMA "{schema}"' for schema in ("cpimportd", *schemas)), "SELECT 1")
    program = postgres_server.programs / "pg_restore"
    subprocess.run([program, "--exit-on-error", "--no-owner", f"--dbname={root}", file], check=True)
    return root


@pytest.mark.asyncio
@pytest.mark.parametrize("shape", SHAPES)
async def test_every_row_comes_back(beside, make_database, superuser_url, postgres_server, tmp_path, shape):
    url, root = await beside()
    schemas = ["Архив *"] if shape == "partitions elsewhere" else []
    run_sql(root, *SHAPES[shape], ROW.format(table="fin_receipts"))
    run_sql(root, *granted(), *(grant for schema in schemas for grant in granted(schema)))
    rows = "SELECT operation_id, document_date, amount FROM fin_receipts ORDER BY 1, 2"
    before = run_sql(root, rows)
    assert len(before) == (40 if shape == "inherited" else 20)
    pg_dump = [postgres_server.programs / "pg_dump"]
    file = await backup(Database(url=SecretStr(url)), tmp_path, candidates=pg_dump)
    assert run_sql(restored(postgres_server, make_database, superuser_url, file, *schemas), rows) == before


@pytest.mark.asyncio
async def test_tables_in_another_schema_are_found_by_the_search_path(
    beside, make_database, superuser_url, postgres_server, tmp_path
):
    url, root = await beside()
    run_sql(
        root,
        'ALTER SCHEMA public RENAME TO "Учёт.1"',
        "CREATE SCHEMA public",
        "CREATE TABLE public.fin_receipts (decoy int)",
        *granted("Учёт.1"),
    )
    run_sql(root + "&options=-c%20search_path%3D%22%D0%A3%D1%87%D1%91%D1%82.1%22", ROW.format(table="fin_receipts"))
    there = url + "&options=-c%20search_path%3D%22%D0%A3%D1%87%D1%91%D1%82.1%22"
    pg_dump = [postgres_server.programs / "pg_dump"]
    file = await backup(Database(url=SecretStr(there)), tmp_path, candidates=pg_dump)
    back = restored(postgres_server, make_database, superuser_url, file, "Учёт.1")
    assert run_sql(back, 'SELECT count(*) FROM "Учёт.1".fin_receipts')[0][0] == 20
    assert run_sql(back, "SELECT to_regclass('public.fin_receipts')")[0][0] is None


def stub(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.mark.asyncio
async def test_a_dump_without_the_partitions_is_not_kept(beside, postgres_server, tmp_path):
    """As ``pg_dump --table=PARENT`` was: exit code 0, and nothing of the rows."""
    url, root = await beside()
    run_sql(root, *SHAPES["range"], ROW.format(table="fin_receipts"), *granted())
    real = postgres_server.programs
    forgetful = stub(
        tmp_path / "bin",
        "pg_dump",
        f'[ "$1" = --version ] && exec {real}/pg_dump --version\nexec {real}/pg_dump "$@" --exclude-table=fin_receipts_2024\n',
    )
    with pytest.raises(ProblemError) as caught:
        await backup(Database(url=SecretStr(url)), tmp_path / "backups", candidates=[forgetful])
    (found,) = caught.value.problems
    assert found.code == "backup-incomplete"
    assert "TABLE public fin_receipts_2024" in found.message
    assert "TABLE DATA public fin_receipts_2024" in found.message
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("sort", ["view", "foreign table"])
async def test_a_dump_of_what_holds_no_rows_is_refused(beside, postgres_server, tmp_path, sort):
    url, root = await beside()
    run_sql(root, *RENAMED)
    if sort == "view":
        run_sql(root, "CREATE VIEW fin_receipts AS SELECT * FROM plain", *granted())
    else:
        run_sql(
            root,
            "CREATE FOREIGN DATA WRAPPER nowhere",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere",
            "CREATE FOREIGN TABLE fin_receipts (id int) SERVER elsewhere",
            *granted(),
        )
    with pytest.raises(ProblemError, match=f'"public"."fin_receipts", a {sort}') as caught:
        await backup(Database(url=SecretStr(url)), tmp_path, candidates=[postgres_server.programs / "pg_dump"])
    assert caught.value.problems[0].code == "backup-incomplete"


@pytest.mark.asyncio
async def test_a_search_path_that_leads_past_the_tables_makes_no_empty_backup(beside, tmp_path):
    url, _ = await beside()
    elsewhere = url + "&options=-c%20search_path%3Delsewhere"
    with pytest.raises(ProblemError, match="the search path leads to no departments, fin_bank_accounts") as caught:
        await backup(Database(url=SecretStr(elsewhere)), tmp_path / "backups")
    assert caught.value.problems[0].code == "backup-incomplete"
    assert not (tmp_path / "backups").exists()


def test_what_is_wanted_is_compared_whole_and_in_words():
    wanted = [
        Relation("public", "a", "r", "x", asked=True, readable=True),
        Relation("public", "a b", "p", "x", asked=True, readable=True),
        Relation("public", "a_id_seq", "S", "x", asked=False, readable=False),
    ]
    listed = "; comment\n1; 0 2 TABLE public a x\n2; 0 3 TABLE public a b x\n3; 0 4 SEQUENCE public a_id_seq x\n"
    assert programs.missing(wanted, listed) == ("TABLE DATA public a x",)
    assert programs.missing(wanted, listed + "4; 0 2 TABLE DATA public a b x\n") == ("TABLE DATA public a x",)
    assert programs.missing(wanted, listed + "4; 0 2 TABLE DATA public a x\n") == ()


# As the program says it in Russian, where LC_ALL does not forbid it; and as several vendors say it.
RUSSIAN = """
if [ "$LC_ALL" != C ] || [ -n "$LANGUAGE" ]; then
    [ "$1" = --version ] && echo 'программа pg_dump (PostgreSQL) версии 18.1' && exit
    echo 'pg_dump: ошибка: прерывание из-за несоответствия версий серверов' >&2; exit 1
fi
"""


@pytest.mark.asyncio
async def test_programs_are_chosen_by_version_in_every_locale(database, postgres_server, tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8")
    monkeypatch.setenv("LANGUAGE", "ru")
    real = postgres_server.programs
    major = (await programs.look_at(real / "pg_dump")).major
    old = f"pg_dump (PostgreSQL) {major - 1}.3 (Debian {major - 1}.3-1.pgdg120+1)"
    stub(tmp_path / "old", "pg_dump", f"{RUSSIAN}echo '{old}'; [ \"$1\" = --version ] || exit 1\n")
    stub(tmp_path / "same", "pg_dump", f'{RUSSIAN}exec {real}/pg_dump "$@"\n')
    stub(tmp_path / "broken", "pg_dump", "exit 127\n")
    monkeypatch.setenv("PATH", ":".join([*(str(tmp_path / name) for name in ("broken", "old", "same")), os.defpath]))
    chosen, looked_at = await programs.not_older(programs.found("pg_dump"), major)
    assert chosen is not None
    assert chosen == programs.Program(tmp_path / "same" / "pg_dump", major)
    assert [program.major for program in looked_at[:3]] == [0, major - 1, major]
    file = await backup(Database(url=SecretStr(database)), tmp_path / "backups")
    assert file.read_bytes().startswith(b"PGDMP")


@pytest.mark.asyncio
async def test_programs_that_are_all_too_old_are_named_with_what_is_needed(database, tmp_path):
    old = stub(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'\n")
    with pytest.raises(ProblemError, match=rf"not older than the server \(\d+\); found: {old} \(9\)") as caught:
        await backup(Database(url=SecretStr(database)), tmp_path / "backups", candidates=[old])
    assert caught.value.problems[0].code == "backup-failed"


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ("pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", 15),
        ("pg_dump (PostgreSQL) 16.1", 16),
        ("pg_dump (PostgreSQL) 18beta1", 18),
        ("pg_dump (PostgreSQL) 17devel", 17),
        ("pg_dump (PostgreSQL) 9.6.24", 9),
        ("pg_dump (Postgres Pro Standard 1C) 16.4.1", 16),
        ("программа pg_dump (PostgreSQL) версии 16.1\n", 16),
        ("pg_dump: command not found", 0),
        ("", 0),
    ],
)
def test_a_version_is_read_whoever_says_it(said, major):
    assert programs.major_version(said) == major
