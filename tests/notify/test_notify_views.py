"""Materialized views are refreshed after COMMIT, in the right order, and never at their readers' expense unasked."""

import asyncio

import asyncpg
import pytest

from cpimportd.config.sections import Tell
from cpimportd.notify.views import refresh_views

SCHEMA = """
CREATE TABLE fin_receipts (id int PRIMARY KEY, amount numeric(15, 2) NOT NULL, month int NOT NULL);
INSERT INTO fin_receipts VALUES (1, 10, 1), (2, 20, 2);
CREATE TABLE weather (day int PRIMARY KEY);
CREATE MATERIALIZED VIEW mv_weather AS SELECT day FROM weather;
CREATE UNIQUE INDEX ON mv_weather (day);
CREATE VIEW v_monthly AS SELECT month, sum(amount) AS total FROM fin_receipts GROUP BY month;
CREATE MATERIALIZED VIEW "a Total" AS SELECT 1 AS one, sum(total) AS total FROM v_monthly;
CREATE UNIQUE INDEX ON "a Total" (one);
"""


@pytest.fixture
def views_database(empty_database, sql):
    sql(empty_database, SCHEMA)
    return empty_database


def opener(url):
    return lambda: asyncpg.connect(url)


def total(sql, url, view='"a Total"'):
    return int(sql(url, f"SELECT total FROM {view}")[0]["total"])


@pytest.mark.asyncio
async def test_a_view_that_reads_through_a_plain_view_is_refreshed(views_database, sql):
    sql(views_database, "INSERT INTO fin_receipts VALUES (3, 5, 2)")
    assert await refresh_views(opener(views_database), Tell()) == ()
    assert total(sql, views_database) == 35


@pytest.mark.asyncio
async def test_a_view_over_other_tables_is_left_alone(views_database, sql):
    sql(views_database, "INSERT INTO weather VALUES (1)", "INSERT INTO fin_receipts VALUES (3, 5, 2)")
    assert await refresh_views(opener(views_database), Tell()) == ()
    assert sql(views_database, "SELECT day FROM mv_weather") == []


@pytest.mark.asyncio
async def test_a_view_comes_after_the_views_that_it_reads(views_database, sql):
    # By name, aa_report comes before "zz", which it reads both directly and through another view.
    sql(
        views_database,
        """
        CREATE MATERIALIZED VIEW zz AS SELECT 1 AS one, sum(amount) AS total FROM fin_receipts;
        CREATE MATERIALIZED VIEW mm AS SELECT one, total FROM zz;
        CREATE MATERIALIZED VIEW aa_report AS
            SELECT zz.one, zz.total + mm.total + (SELECT sum(amount) FROM fin_receipts) AS total
            FROM zz JOIN mm USING (one);
        CREATE UNIQUE INDEX ON zz (one);
        CREATE UNIQUE INDEX ON mm (one);
        CREATE UNIQUE INDEX ON aa_report (one);
        INSERT INTO fin_receipts VALUES (3, 5, 2);
        """,
    )
    assert await refresh_views(opener(views_database), Tell()) == ()
    assert total(sql, views_database, "aa_report") == 105


@pytest.mark.asyncio
async def test_a_reader_in_the_middle_of_his_transaction_is_not_in_the_way(views_database, sql, connect):
    sql(views_database, "INSERT INTO fin_receipts VALUES (3, 5, 2)")
    async with connect(views_database) as reader, reader.transaction():
        assert await reader.fetchval('SELECT total FROM "a Total"') == 30
        assert await refresh_views(opener(views_database), Tell()) == ()
    assert total(sql, views_database) == 35


@pytest.mark.asyncio
async def test_a_reader_continues_reading_while_a_view_is_refreshed(views_database, sql, connect):
    sql(
        views_database,
        """
        CREATE MATERIALIZED VIEW slow AS SELECT id, pg_sleep(0.4) IS NULL AS slept FROM fin_receipts;
        CREATE UNIQUE INDEX ON slow (id);
        """,
    )
    async with connect(views_database) as reader:
        refreshing = asyncio.create_task(refresh_views(opener(views_database), Tell()))
        await asyncio.sleep(0.3)
        assert await asyncio.wait_for(reader.fetchval("SELECT count(*) FROM slow"), 0.3) == 2
        assert not refreshing.done()
        assert await refreshing == ()


UNFIT = {
    "no index": "",
    "a partial index": "CREATE UNIQUE INDEX ON unfit (one) WHERE one > 0",
    "an index over an expression": "CREATE UNIQUE INDEX ON unfit ((one + 1))",
    "a plain index": "CREATE INDEX ON unfit (one)",
}


@pytest.mark.parametrize("index", UNFIT.values(), ids=UNFIT)
@pytest.mark.asyncio
async def test_a_view_whose_readers_would_wait_is_refreshed_only_if_that_is_allowed(views_database, sql, index):
    sql(views_database, "CREATE MATERIALIZED VIEW unfit AS SELECT 1 AS one, sum(amount) AS total FROM fin_receipts")
    if index:
        sql(views_database, f"{index};")
    sql(views_database, "INSERT INTO fin_receipts VALUES (3, 5, 2)")

    (found,) = await refresh_views(opener(views_database), Tell())
    assert (found.code, found.value) == ("views-stale", "public.unfit")
    assert "allow_blocking_refresh" in found.way_out
    assert total(sql, views_database, "unfit") == 30
    assert total(sql, views_database) == 35  # the other one was not forgotten over it

    assert await refresh_views(opener(views_database), Tell(allow_blocking_refresh=True)) == ()
    assert total(sql, views_database, "unfit") == 35


def advised(found):
    """The statements that a way out gives, as somebody pastes them."""
    return found.way_out.partition(" run: ")[2]


@pytest.mark.parametrize("allow_blocking", [False, True])
@pytest.mark.asyncio
async def test_what_is_advised_for_somebody_elses_view_lets_us_refresh_it_and_nothing_else(
    backend_database, sql, superuser_url, allow_blocking
):
    tell = Tell(allow_blocking_refresh=allow_blocking)
    found = await refresh_views(opener(backend_database), tell)
    assert len(found) == 5
    assert {p.code for p in found} == {"views-stale"}
    assert not [p for p in found if "TO cpimportd" not in p.way_out or "GRANT backend" in p.way_out]

    for one in found:
        sql(superuser_url(backend_database), advised(one))
    found = await refresh_views(opener(backend_database), tell)
    assert len(found) == (0 if allow_blocking else 2)
    member = "SELECT pg_has_role('cpimportd', 'backend', 'MEMBER') AS member"
    assert not sql(superuser_url(backend_database), member)[0]["member"]


@pytest.mark.parametrize("name", ["mv_total", 'Итог "по месяцам"', "it's $$ odd", "x" * 60])
@pytest.mark.parametrize("owner", ["postgres", "backend"])
@pytest.mark.asyncio
async def test_no_membership_is_ever_advised_least_of_all_a_superusers(empty_database, sql, superuser_url, owner, name):
    quoted = '"' + name.replace('"', '""') + '"'
    root = superuser_url(empty_database)
    sql(
        root,
        SCHEMA,
        f"CREATE MATERIALIZED VIEW public.{quoted} AS SELECT 1 AS one, sum(amount) AS total FROM fin_receipts",
        f"CREATE UNIQUE INDEX ON public.{quoted} (one)",
        f"ALTER MATERIALIZED VIEW public.{quoted} OWNER TO {owner}",
        'ALTER MATERIALIZED VIEW "a Total" OWNER TO cpimportd',
        "GRANT SELECT ON fin_receipts, v_monthly TO PUBLIC",
        f"GRANT SELECT ON public.{quoted} TO cpimportd",
        "INSERT INTO fin_receipts VALUES (3, 5, 2)",
    )
    (found,) = await refresh_views(opener(empty_database), Tell())
    assert f"GRANT {owner}" not in found.way_out
    assert "pg_catalog, pg_temp" in found.way_out or "GRANT MAINTAIN" in found.way_out

    sql(root, advised(found))

    assert await refresh_views(opener(empty_database), Tell()) == ()
    assert total(sql, root, f"public.{quoted}") == 35
    role = "SELECT count(*) AS roles FROM pg_auth_members WHERE member = 'cpimportd'::regrole"
    assert sql(root, role)[0]["roles"] == 0


@pytest.mark.asyncio
async def test_a_function_that_runs_with_our_own_rights_is_none_that_refreshes(backend_database, sql, superuser_url):
    (found, *_) = await refresh_views(opener(backend_database), Tell())
    if "SECURITY DEFINER" not in found.way_out:
        pytest.skip("this server knows the right MAINTAIN")
    sql(superuser_url(backend_database), advised(found).replace(" SECURITY DEFINER", ""))
    (again, *_) = await refresh_views(opener(backend_database), Tell())
    assert again.value == found.value


@pytest.mark.asyncio
async def test_one_failing_view_does_not_stop_the_others(views_database, sql):
    sql(
        views_database,
        """
        CREATE MATERIALIZED VIEW "0 bad" AS SELECT id, 1 / (amount - 5) AS x FROM fin_receipts;
        CREATE UNIQUE INDEX ON "0 bad" (id);
        INSERT INTO fin_receipts VALUES (3, 5, 2);
        """,
    )
    (found,) = await refresh_views(opener(views_database), Tell())
    assert found.value == 'public."0 bad"'
    assert "division by zero" in found.message
    assert total(sql, views_database) == 35


@pytest.mark.asyncio
async def test_a_locked_view_is_given_up_after_two_seconds(views_database, connect):
    async with connect(views_database) as other, other.transaction():
        await other.execute('REFRESH MATERIALIZED VIEW "a Total"')
        (found,) = await asyncio.wait_for(refresh_views(opener(views_database), Tell()), 4)
    assert "locked for more than 2s" in found.message


@pytest.mark.asyncio
async def test_a_connection_lost_at_one_view_is_opened_anew_for_the_next(views_database, sql):
    sql(
        views_database,
        """
        CREATE FUNCTION suicide() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM public.fin_receipts) > 2
            THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN true; END $$;
        CREATE MATERIALIZED VIEW "0 deadly" AS SELECT id, public.suicide() AS x FROM fin_receipts;
        CREATE UNIQUE INDEX ON "0 deadly" (id);
        INSERT INTO fin_receipts VALUES (3, 5, 2);
        """,
    )
    (found,) = await refresh_views(opener(views_database), Tell())
    assert found.value == 'public."0 deadly"'
    assert total(sql, views_database) == 35


@pytest.mark.asyncio
async def test_a_view_that_was_never_filled_is_not_filled_unasked(views_database, sql):
    sql(views_database, "CREATE MATERIALIZED VIEW hollow AS SELECT id FROM fin_receipts WITH NO DATA")
    (found,) = await refresh_views(opener(views_database), Tell())
    assert "REFRESH MATERIALIZED VIEW public.hollow" in found.way_out
    assert await refresh_views(opener(views_database), Tell(allow_blocking_refresh=True)) == ()


@pytest.mark.asyncio
async def test_nothing_is_touched_where_refreshing_is_switched_off(views_database, sql):
    sql(views_database, "INSERT INTO fin_receipts VALUES (3, 5, 2)")
    assert await refresh_views(opener(views_database), Tell(refresh_views=False)) == ()
    assert total(sql, views_database) == 30


@pytest.mark.asyncio
async def test_a_database_that_became_unreachable_is_one_warning():
    async def refused():
        raise ConnectionRefusedError("no server there")

    (found,) = await refresh_views(refused, Tell())
    assert found.code == "views-stale"
    assert "no server there" in found.message
