"""Two departments over one database: each with its own configuration, uploads, state and daemon, at the same time."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cpimportd.books.schema.upgrade import upgrade
from cpimportd.config.settings import Database
from cpimportd.core.model import Kind
from cpimportd.demo.exports import ExportDay, Holding, books_after
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.daemon.place import Place
from tests.support.database import run_apart
from tests.support.polling import until

FINANCE, SALES = 8, 9

SUMS = """
    SELECT (SELECT count(*) FROM fin_receipts WHERE department_id = {0}) AS receipts,
           (SELECT coalesce(sum(amount), 0) FROM fin_receipts WHERE department_id = {0}) AS receipts_sum,
           (SELECT count(*) FROM fin_expenses WHERE department_id = {0}) AS expenses,
           (SELECT coalesce(sum(amount), 0) FROM fin_expenses WHERE department_id = {0}) AS expenses_sum,
           (SELECT count(*) FROM fin_expense_details WHERE department_id = {0}) AS details,
           (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details WHERE department_id = {0}) AS details_sum
"""
EVERYTHING_OF = """
    SELECT md5(string_agg(whole, '' ORDER BY whole)) AS digest FROM (
        SELECT t::text AS whole FROM fin_receipts t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_expenses t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_expense_details t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_organizations t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_bank_accounts t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_contracts t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM fin_import_logs t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.lineage t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.served t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.fingerprint t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.condition t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.runs t WHERE department_id = {0}
        UNION ALL SELECT t::text FROM cpimportd.change t WHERE department_id = {0}) AS of_the_department
"""
TWICE = """
    SELECT 'organization', name FROM fin_organizations GROUP BY department_id, name HAVING count(*) > 1
    UNION ALL
    SELECT 'contract', contract_number FROM fin_contracts GROUP BY department_id, contract_number HAVING count(*) > 1
    UNION ALL
    SELECT 'account', account_number FROM fin_bank_accounts GROUP BY department_id, account_number HAVING count(*) > 1
"""
SHARED = """
    SELECT (SELECT count(*) FROM fin_organizations a JOIN fin_organizations b USING (name)
            WHERE a.department_id = 8 AND b.department_id = 9) AS organizations,
           (SELECT count(*) FROM fin_contracts a JOIN fin_contracts b USING (contract_number)
            WHERE a.department_id = 8 AND b.department_id = 9) AS contracts,
           (SELECT count(*) FROM (
                SELECT 1 FROM fin_expenses e JOIN fin_contracts k ON k.id = e.contract_id
                WHERE k.department_id <> e.department_id
                UNION ALL
                SELECT 1 FROM fin_expenses e JOIN fin_organizations o ON o.id = e.organization_id
                WHERE o.department_id <> e.department_id) AS crossed) AS crossed
"""


@dataclass(frozen=True)
class Department:
    """One department: where its daemon works, and what 1C exports for it."""

    number: int
    place: Place
    holding: Holding

    def upload(self, day: ExportDay) -> None:
        for path in day.write(self.place.upload):
            os.utime(path, (time.time() - 7200,) * 2)  # its two halves were not uploaded a moment ago

    @property
    def books(self) -> dict[str, Any]:
        return dict(self.place.sql(SUMS.format(self.number))[0])

    @property
    def digest(self) -> str:
        """Of every row of the department, ours and the backend's."""
        return str(self.place.sql(EVERYTHING_OF.format(self.number))[0]["digest"])

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.place.command(*arguments, "--json")
        assert done.returncode == code, (done.stdout[-2000:], done.stderr)
        return json.loads(done.stdout)


def expected(*days: ExportDay) -> dict[str, Any]:
    truth = books_after(days)
    found: dict[str, Any] = {}
    for kind in Kind:
        found |= {kind.value: truth.rows[kind], f"{kind.value}_sum": truth.sums[kind]}
    return found


@contextmanager
def two_departments(url: str, sql: Any) -> Iterator[tuple[Department, Department]]:
    """Both; they share organizations' and contracts' names, and nothing else."""
    with ExitStack() as things:
        made = []
        for number, seed in ((FINANCE, 1), (SALES, 2)):
            folder = Path(tempfile.mkdtemp(prefix=f"department-{number}-", dir="/tmp"))  # sockets have short names
            things.callback(shutil.rmtree, folder)
            place = Place(folder, url, sql, things.enter_context(NotifySocket()))
            things.callback(place.end)
            place.configure({"department_id": number})
            made.append(Department(number, place, Holding(organizations=2, receipts=10, expenses=20, seed=seed)))
        yield made[0], made[1]


@pytest.fixture
def departments(backend_database: str, sql: Any) -> Iterator[tuple[Department, Department]]:
    """Two departments in the backend's database, nothing imported yet."""
    run_apart(upgrade(Database(url=SecretStr(backend_database))))
    with two_departments(backend_database, sql) as both:
        for one in both:
            one.upload(one.holding.day(1))
        yield both


def import_together(departments: tuple[Department, Department]) -> list[dict[str, Any]]:
    """Both departments' runs as processes that start at the same moment; their reports."""
    started = [one.place.begin("run", "--json") for one in departments]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode in {0, 3} for process in started] == [True, True], said
    return [json.loads(out) for out, _ in said]


def test_runs_at_the_same_time_fill_each_departments_books_alone(departments):
    finance, _ = departments
    reports = import_together(departments)
    assert [report["status"] for report in reports] == ["published", "published"]
    for one in departments:
        assert one.books == expected(one.holding.day(1))
        logs = one.place.sql(f"SELECT source_file FROM fin_import_logs WHERE department_id = {one.number}")
        assert len(logs) == 6
        assert [line["run"] for line in one.json("history")["runs"]] == [reports[departments.index(one)]["run"]]
        assert len(list((one.place.state / "spool").glob("*/files.json"))) == 1
    assert finance.place.sql(TWICE) == []
    (shared,) = finance.place.sql(SHARED)
    assert (shared["organizations"], shared["crossed"]) == (2, 0)
    assert shared["contracts"] > 0


def test_what_is_held_undone_and_alerted_in_one_department_leaves_the_other_as_it_was(departments):
    finance, sales = departments
    import_together(departments)
    finance.upload(finance.holding.day(2))
    sales.upload(broken := sales.holding.broken_day(2))
    second, partial = import_together(departments)
    assert (second["status"], partial["status"]) == ("published", "partial")
    assert finance.books == expected(finance.holding.day(1), finance.holding.day(2))
    assert sales.books == expected(sales.holding.day(1), broken)
    told = [{one["subject"] for one in department.json("alerts")["wrong"]} for department in departments]
    assert told == [set(), {unit.name for unit in broken.held}]

    before = sales.digest
    undone = finance.json("undo", str(second["run"]), "--yes")
    assert undone["status"] == "published"
    assert finance.books == expected(finance.holding.day(1))
    assert sales.digest == before

    before = finance.digest
    refused = finance.place.command("undo", str(partial["run"]), "--yes")
    assert refused.returncode != 0
    assert (finance.digest, sales.books) == (before, expected(sales.holding.day(1), broken))


def test_a_department_whose_run_is_under_way_keeps_only_itself_waiting(departments):
    finance, sales = departments
    with finance.place.database_gate(b"COMMIT;", answer=False) as gate:
        standing = finance.place.begin("run", "--json")
        assert gate.reached.wait(100)
        again = finance.place.command("run", "--json")
        assert again.returncode == 4
        sales.place.configure({"database.lock_timeout": 0.2})
        waited = sales.json("run", code=1)
        assert [found["code"] for found in waited["problems"]] == ["database-locked"]
        gate.open()
        out, err = standing.communicate(timeout=120)
        assert json.loads(out)["status"] == "published", err
    assert sales.json("run")["status"] == "published"
    assert [one.books for one in departments] == [expected(one.holding.day(1)) for one in departments]


def test_two_daemons_do_the_same_slot_each_for_its_own_department(departments):
    for one in departments:
        one.place.configure({"tell.refresh_views": False})  # they are the backend's, which lets nobody refresh them
    slots = [one.place.slot_in(4) for one in departments]
    daemons = [one.place.start() for one in departments]
    for daemon, slot, one in zip(daemons, slots, departments, strict=True):
        daemon.wait_slot(slot, status="published")
        assert one.books == expected(one.holding.day(1))
        shown = one.json("status", code=0)
        assert {file["name"] for file in shown["files"]} == {file.name for file in one.holding.day(1).files}


def test_a_second_department_over_the_state_of_the_first_is_refused(departments):
    finance, sales = departments
    finance.place.start()
    sales.place.configure({"state_directory": str(finance.place.state)})
    second = sales.place.start(ready=False)
    assert until(lambda: second.process.poll() is not None, "end of the second daemon")
    assert second.process.returncode != 0
    assert str(finance.place.state) in second.log
