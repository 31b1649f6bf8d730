"""Metrics are what Prometheus' own parser reads, and what SQL of our own finds in the books."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cpimportd.books.reports.health import Figures, Health, health
from cpimportd.books.reports.overview import workbooks
from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import HeldUnit, RunStatus
from cpimportd.notify.delivery import database as connected
from cpimportd.notify.prometheus import registry_of, text_of
from cpimportd.run.pipeline import run_once
from cpimportd.run.request import RunRequest
from tests.support import launcher
from tests.support.run.workplace import Workplace, make_workplace

ROWS = """
    SELECT o.name, 'receipts' AS kind, count(*) AS rows, sum(amount) AS total
    FROM fin_receipts f JOIN fin_organizations o ON o.id = f.organization_id GROUP BY 1
    UNION ALL
    SELECT o.name, 'expenses', count(*), sum(amount)
    FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id GROUP BY 1
    UNION ALL
    SELECT o.name, 'details', count(*), sum(payment_amount) FROM fin_expense_details d
    JOIN fin_expenses f ON f.operation_id = d.expense_operation_id
    JOIN fin_organizations o ON o.id = f.organization_id GROUP BY 1
"""
PAID = """
    SELECT o.name, sum(payment_amount) AS paid FROM fin_expense_details d
    JOIN fin_expenses f ON f.operation_id = d.expense_operation_id JOIN fin_organizations o ON o.id = f.organization_id
    WHERE payment_type = 'Погашение долга' GROUP BY 1
"""


def cpimportd(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return launcher.run(*arguments, env={**os.environ, **(environ or {})})


def parsed(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Per sample name: the labels' values in the order below, less the department's, and the value."""
    order = ("organization", "file", "kind", "purpose", "code", "stage", "status", "schedule", "version")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in order if name in sample.labels)
            assert labels not in found.setdefault(sample.name, {}), sample.name
            found[sample.name][labels] = sample.value
    return found


@pytest.fixture(scope="module")
def metrics(two_days):
    done = cpimportd("metrics", "--config", str(two_days.config))
    assert (done.returncode, done.stderr) == (0, "")
    return parsed(done.stdout)


def test_rows_and_sums_are_those_of_the_books(metrics, two_days, sql):
    rows = sql(two_days.url, ROWS)
    assert metrics["cpimportd_books_rows"] == {(row["name"], row["kind"]): row["rows"] for row in rows}
    amounts = metrics["cpimportd_books_amount"]
    assert {key: round(Decimal(value), 2) for key, value in amounts.items()} == {
        (row["name"], row["kind"]): row["total"] for row in rows
    }
    paid = metrics["cpimportd_books_paid_amount"]
    assert {row["name"]: row["paid"] for row in sql(two_days.url, PAID)} == {
        name: round(Decimal(value), 2) for (name, purpose), value in paid.items() if purpose == "principal"
    }


def test_runs_are_reported_with_their_times(metrics, two_days, sql):
    (last,) = sql(
        two_days.url,
        "SELECT status, finished_at, report->'seconds' AS seconds, report->'stages' AS stages "
        "FROM cpimportd.runs ORDER BY id DESC LIMIT 1",
    )
    assert metrics["cpimportd_last_run_status"][last["status"],] == 1
    assert sum(metrics["cpimportd_last_run_status"].values()) == 1
    assert metrics["cpimportd_last_run_timestamp_seconds"][()] == pytest.approx(last["finished_at"].timestamp())
    assert metrics["cpimportd_last_run_duration_seconds"][()] == pytest.approx(float(last["seconds"]), abs=1e-3)
    assert metrics["cpimportd_last_run_stage_duration_seconds"] == {
        (stage,): seconds for stage, seconds in json.loads(last["stages"]).items()
    }
    good = sql(
        two_days.url,
        "SELECT max(finished_at) AS at FROM cpimportd.runs WHERE status IN ('published', 'unchanged', 'partial')",
    )[0]["at"]
    assert metrics["cpimportd_last_success_timestamp_seconds"][()] == pytest.approx(good.timestamp())
    counted = {row["status"]: row["n"] for row in sql(
        two_days.url, "SELECT status, count(*) AS n FROM cpimportd.runs GROUP BY 1")}  # fmt: skip
    assert {status: n for (status,), n in metrics["cpimportd_runs_total"].items() if n} == counted


def test_held_units_and_the_age_of_workbooks_are_reported(metrics, two_days, sql):
    report = json.loads(sql(two_days.url, "SELECT report FROM cpimportd.runs ORDER BY id DESC LIMIT 1")[0]["report"])
    held = {
        (unit["organization"], unit["unit"].rpartition("/")[2], found["code"])
        for unit in report["units"]
        if unit["status"] == "held"
        for found in unit["problems"]
    }
    assert held
    assert metrics["cpimportd_held_unit"] == dict.fromkeys(held, 1)
    assert metrics["cpimportd_held_units"] == {(): len({key[:2] for key in held})}
    assert {name for name, _ in metrics["cpimportd_file_modified_timestamp_seconds"]} == {
        file["name"] for file in report["files"]
    }


def test_names_keep_prometheus_conventions(metrics):
    for name in metrics:
        assert name.startswith("cpimportd_")
        assert "milli" not in name
        assert "minutes" not in name
        if "timestamp" in name or "duration" in name:
            assert name.endswith("_seconds")
    assert {name for name in metrics if name.endswith("_total")} == {"cpimportd_runs_total"}


def test_a_label_from_a_file_stays_one_label():
    evil = 'A"\\\n} cpimportd_held_units 99\n# TYPE x gauge'
    facts = {"count": 12, "before": 100, "sum": "1200000.00", "limit": "3", "unit": "x"}
    why = problem("shrunk", organization=evil, **facts)
    held = HeldUnit(Unit(evil, Group.EXPENSES), 7, 7, datetime.now(UTC), (why,))
    health = Health(None, None, (held,), (), {})
    found = parsed(text_of(registry_of(8, Figures(health, {(evil, Kind.RECEIPTS): (1, Decimal("0.01"))}, ()), None)))
    assert found["cpimportd_held_unit"] == {(evil, "expenses", "shrunk"): 1}
    assert found["cpimportd_held_units"] == {(): 1}
    assert found["cpimportd_books_amount"] == {(evil, "receipts"): 0.01}


def test_before_the_first_run_there_is_nothing_to_tell_and_no_failure():
    found = parsed(text_of(registry_of(8, Figures(Health(None, None, (), (), {}), {}, ()), None)))
    assert "cpimportd_last_success_timestamp_seconds" not in found
    assert found["cpimportd_held_units"] == {(): 0}


def test_the_daemon_reports_its_slots():
    schedules = [
        {"name": "import", "next": "2026-11-25T03:00:00+00:00", "misfired": 3, "coalesced": 1},
        {"name": "never", "next": None, "misfired": 0, "coalesced": 0},
    ]
    daemon = {"since": "2026-11-24T00:00:00+00:00", "schedules": schedules}
    found = parsed(text_of(registry_of(8, Figures(Health(None, None, (), (), {}), {}, ()), daemon)))
    assert found["cpimportd_misfired_slots_total"] == {("import",): 3, ("never",): 0}
    assert found["cpimportd_coalesced_slots_total"] == {("import",): 1, ("never",): 0}
    assert found["cpimportd_next_slot_timestamp_seconds"] == {("import",): 1795575600}


@pytest.fixture
def workplace(database: str, tmp_path: Path, sql) -> Workplace:
    return make_workplace(database, tmp_path, sql)


@pytest.mark.asyncio
async def test_every_run_leaves_the_file_whole_and_readable_for_all(workplace):
    workplace.sample("day1")
    file = workplace.state.parent / "cpimportd.prom"
    settings = workplace.settings.model_copy(
        update={"metrics": workplace.settings.metrics.model_copy(update={"textfile": file})}
    )
    report = await run_once(settings, RunRequest())
    assert (report.status, report.problems) == (RunStatus.PUBLISHED, ())
    assert file.stat().st_mode & 0o777 == 0o644
    found = parsed(file.read_text(encoding="utf-8"))
    assert found["cpimportd_last_run_status"]["published",] == 1
    for path in workplace.upload.iterdir():
        path.write_bytes(b"")
    assert (await run_once(settings, RunRequest())).status is RunStatus.HELD
    found = parsed(file.read_text(encoding="utf-8"))
    assert found["cpimportd_last_run_status"]["held",] == 1
    assert found["cpimportd_held_units"][()] == 4
    assert [path.name for path in file.parent.iterdir() if "prom" in path.name] == ["cpimportd.prom"]
    workplace.upload.rename(workplace.upload.with_name("away"))
    failed = await run_once(settings, RunRequest())
    assert failed.status is RunStatus.FAILED
    assert parsed(file.read_text(encoding="utf-8"))["cpimportd_last_run_status"]["failed",] == 1


@pytest.mark.asyncio
async def test_a_run_does_not_fail_where_they_cannot_be_written(workplace):
    workplace.sample("day1")
    nowhere = workplace.settings.metrics.model_copy(update={"textfile": Path("/nowhere/at/all.prom")})
    report = await run_once(workplace.settings.model_copy(update={"metrics": nowhere}), RunRequest())
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    (found,) = report.problems
    assert (found.code, "/nowhere/at/all.prom" in found.message) == ("metrics-unwritten", True)


@pytest.mark.asyncio
async def test_a_workbook_that_is_uploaded_no_more_is_forgotten_with_the_next_run_that_looks_for_it(workplace):
    async def names() -> tuple[set[str], set[str]]:
        """As Nagios and Prometheus see them, and as the dashboard does."""
        async with connected(workplace.settings) as connection:
            shown = await workbooks(connection, 8, now=datetime.now(UTC), stale_after=timedelta(days=1))
            return {file.name for file in (await health(connection, 8)).files}, {str(one["name"]) for one in shown}

    workplace.sample("day1")
    (workplace.upload / "Junk.xlsx").write_bytes(b"")
    await workplace.run()
    before = {path.name for path in workplace.upload.iterdir()}
    assert await names() == (before, before)
    old = workplace.file("Lotos - Postuplenie")
    workplace.sample("day2")
    new = old.rename(old.with_name("Lotos - Postuplenie 2.xlsx"))
    await workplace.run(only=frozenset({Kind.EXPENSES, Kind.DETAILS}))
    assert await names() == (before - {"Junk.xlsx"}, before - {"Junk.xlsx"})
    await workplace.run(only=frozenset({Kind.RECEIPTS}))
    after = before - {"Junk.xlsx", old.name} | {new.name}
    assert await names() == (after, after)


def test_the_verb_writes_the_file_or_says_why_not(two_days, tmp_path):
    file = tmp_path / "cpimportd.prom"
    done = cpimportd("metrics", "--textfile", str(file), "--config", str(two_days.config))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert parsed(file.read_text(encoding="utf-8"))["cpimportd_held_units"]
    refused = cpimportd("metrics", "--textfile", str(tmp_path / "no" / "x.prom"), "--config", str(two_days.config))
    assert refused.returncode == 1
    assert "[disk]" in refused.stderr


def test_without_the_package_the_remedy_is_named_and_a_run_needs_it_not(two_days, tmp_path):
    (tmp_path / "prometheus_client.py").write_text("raise ModuleNotFoundError('no', name='prometheus_client')\n")
    hidden = {"PYTHONPATH": str(tmp_path)}
    done = cpimportd("metrics", "--config", str(two_days.config), environ=hidden)
    assert done.returncode == 2
    assert "[metrics-not-installed]" in done.stderr
    assert "'.[metrics]'" in done.stderr
    assert cpimportd("run", "--help", environ=hidden).returncode == 0
    program = "import cpimportd.run.pipeline, sys; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
