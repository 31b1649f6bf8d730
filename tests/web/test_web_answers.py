"""What the interface answers about books, runs and workbooks; and that it cannot write."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.database import run_sql
from tests.support.web.served import API

DAY2 = json.loads((Path(__file__).parent.parent / "samples" / "day2.json").read_text("utf-8"))


def test_the_summary_is_what_the_second_day_says(served):
    found = served.get(f"{API}/summary?department_id=8")
    assert found["department_id"] == 8
    assert found["total_receipts"] == f"{Decimal(DAY2['receipts']['sum']):.2f}"
    for kind in ("receipts", "expenses", "details"):
        assert found["documents"][kind]["rows"] == DAY2[kind]["rows"]
        assert Decimal(found["documents"][kind]["sum"]) == Decimal(DAY2[kind]["sum"])
    assert (found["principal"], found["interest"]) == (DAY2["principal"], DAY2["interest"])


PERIODS = [("2024-01-01", "2024-12-31"), ("2024-05-01", "2024-05-31"), (None, "2023-06-30"), ("2025-01-01", None)]


def of_period(books: str, first: str | None, last: str | None) -> dict[str, Decimal]:
    """The same, counted in another way: document by document."""
    days = f"document_date BETWEEN '{first or '0001-01-01'}' AND '{last or '9999-12-31'}'"
    (row,) = run_sql(
        books,
        f"SELECT (SELECT coalesce(sum(amount), 0) FROM fin_receipts WHERE {days}) AS total_receipts,"
        f" (SELECT coalesce(sum(amount), 0) FROM fin_expenses WHERE {days}) AS total_expenses,"
        " coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Погашение долга'), 0) AS total_principal,"
        " coalesce(sum(payment_amount) FILTER (WHERE payment_type = 'Уплата процентов'), 0) AS total_interest"
        f" FROM fin_expenses e JOIN fin_expense_details d ON d.expense_operation_id = e.operation_id WHERE {days}",
    )
    return dict(row)


@pytest.mark.parametrize(("first", "last"), PERIODS)
def test_the_summary_of_a_period_counts_its_documents_alone(served, shared_books, first, last):
    bounds = {name: day for name, day in (("date_from", first), ("date_to", last)) if day is not None}
    found = served.get(f"{API}/summary", params={"department_id": 8, **bounds})
    expected = of_period(shared_books, first, last)
    assert {name: Decimal(found[name]) for name in expected} == expected
    assert expected["total_expenses"] != Decimal(served.get(f"{API}/summary")["total_expenses"])
    assert (found["date_from"], found["date_to"]) == (first, last)
    assert Decimal(found["net_balance"]) == expected["total_receipts"] - expected["total_expenses"]
    parts = sum(Decimal(found[name]) for name in ("principal", "interest", "other"))
    assert parts == Decimal(found["documents"]["details"]["sum"])
    assert sum(Decimal(one["receipts"]) for one in found["currencies"].values()) == expected["total_receipts"]


def test_both_days_of_a_period_are_in_it(served, shared_books):
    (row,) = run_sql(shared_books, "SELECT min(document_date) AS first, max(document_date) AS last FROM fin_receipts")
    for day in (row["first"], row["last"]):
        found = served.get(f"{API}/summary?date_from={day}&date_to={day}")
        assert Decimal(found["total_receipts"]) > 0
        assert Decimal(found["total_receipts"]) == of_period(shared_books, str(day), str(day))["total_receipts"]


def test_the_summary_has_the_names_of_the_backend_too(served):
    found = served.get(f"{API}/summary")
    assert (found["total_principal"], found["total_interest"]) == (found["principal"], found["interest"])
    assert found["active_contracts_count"] == found["active_contracts"] > 0


@pytest.mark.parametrize(
    "query",
    [
        "date_from=yesterday", "date_from=31.05.2024", "date_to=2024-02-30", "date_from=", "date_from=86400",
        "date_from=2024-05-01T00:00:00Z", "date_from=2024-06-01&date_to=2024-05-31",
    ],
)  # fmt: skip
def test_a_wrong_date_is_named_and_refused(served, query):
    answer = served.ask(f"{API}/summary?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "web-request"
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{API}/summary?date_from=2024-01-01&organization_id=1", "organization_id"),
        (f"{API}/summary?dateFrom=2024-01-01", "dateFrom"),
        (f"{API}/summary?date_from=2024-01-01&date_from=2025-01-01", "date_from"),
        (f"{API}/import/logs?status=failed", "status"),
        (f"{API}/import-logs?status=failed", "status"),
        (f"{API}/import/history?organization=x", "organization"),
        (f"{API}/import/overview?date_from=2024-01-01", "date_from"),
        (f"{API}/import/months?year=2024", "year"),
        (f"{API}/import/status?verbose=1", "verbose"),
        (f"{API}/import/runs/1/diff?kind=receipts", "kind"),
        (f"{API}/import/events?since=1", "since"),
        ("/runs/1?whole=1", "whole"),
        ("/metrics?name=x", "name"),
    ],
)
def test_a_parameter_that_is_not_known_is_named_and_refused(served, path, name):
    answer = served.ask(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "web-request")
    assert f"{name}: " in answer.json()["message"]


def test_a_trigger_with_an_unknown_parameter_starts_nothing(served):
    answer = served.ask(f"{API}/import/trigger?only=receipts", "POST")
    assert (answer.status_code, answer.json()["code"]) == (422, "web-request")


def test_the_log_of_imports_answers_at_both_of_its_paths(served):
    assert served.get(f"{API}/import-logs?department_id=8&limit=3") == served.get(f"{API}/import/logs?limit=3") != []


def test_another_department_is_not_here(served):
    for path in (f"{API}/summary?department_id=9", f"{API}/import/logs?department_id=9"):
        answer = served.ask(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "web-not-found")


def test_months_add_up_to_principal_and_interest(served):
    found = served.get(f"{API}/import/months?months=240")["months"]
    summary = served.get(f"{API}/summary")
    for what in ("principal", "interest"):
        assert sum(Decimal(one[what]) for one in found) == Decimal(summary[what])


def test_fewer_months_end_with_the_same_one(served):
    everything = served.get(f"{API}/import/months?months=240")["months"]
    last = [one for one in everything if one["month"] == everything[-1]["month"]]
    assert served.get(f"{API}/import/months?months=1")["months"] == last


def test_logs_come_by_pages_the_latest_first(served):
    everything = served.get(f"{API}/import/logs?limit=50")
    assert [one["id"] for one in everything] == sorted((one["id"] for one in everything), reverse=True)
    assert everything[0].keys() >= {
        "import_date",
        "source_file",
        "table_name",
        "rows_inserted",
        "status",
        "processed_by",
    }
    pages = [served.get(f"{API}/import/logs?skip={skip}&limit=2") for skip in range(0, len(everything), 2)]
    assert [one for page in pages for one in page] == everything
    assert served.get(f"{API}/import/logs?skip=100000") == []
    assert served.get(f"{API}/import/logs") == everything  # a page of the usual size is never too large


@pytest.mark.parametrize("limit", ["51", "0", "-1", "many", "99999999999999999999"])
def test_a_page_has_its_limits(served, limit):
    for path in (f"{API}/import/logs", f"{API}/import/history", "/runs/1/diff"):
        answer = served.ask(f"{path}?limit={limit}")
        assert (answer.status_code, answer.json()["code"]) == (422, "web-request")
        assert "limit" in answer.json()["detail"]


def test_history_goes_back_page_by_page(served):
    first = served.get(f"{API}/import/history?limit=2")["runs"]
    second = served.get(f"{API}/import/history?limit=2&before={first[-1]['run']}")["runs"]
    assert [run["status"] for run in (*first, *second)] == ["held", "published", "published"]


def test_a_run_is_shown_with_its_problems_in_the_language_asked_for(served):
    run = served.get(f"{API}/import/history?limit=1")["runs"][0]["run"]
    for path in (f"{API}/import/runs/{run}", f"/runs/{run}"):
        english = served.get(path)["report"]["files"]
        russian = served.get(path, headers={"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.5"})["report"]["files"]
        (told,) = [one for file in english for one in file["problems"] if one["code"] == "file-empty"]
        (gesagt,) = [one for file in russian for one in file["problems"] if one["code"] == "file-empty"]
        assert told["sentence"].startswith("the file has 0 bytes")
        assert gesagt["sentence"] == "Файл пуст (0 байт): выгрузка оборвалась"
        assert gesagt["way_out"].startswith("Выгрузите")


def test_a_diff_tells_what_the_second_day_changed(served):
    run = served.get(f"{API}/import/history?limit=2")["runs"][1]["run"]
    found = served.get(f"{API}/import/runs/{run}/diff?limit=50")
    assert sum(found["counts"].values()) == found["total"] > 0
    pages = [served.get(f"/runs/{run}/diff?skip={skip}&limit=3")["documents"] for skip in range(0, found["total"], 3)]
    assert [one for page in pages for one in page][:50] == found["documents"]
    assert {one["unexplained"] for one in found["sums"]} == {"0.00"}


@pytest.mark.parametrize("path", ["/runs/77", "/runs/77/diff", f"{API}/import/runs/9223372036854775806", "/nowhere"])
def test_what_is_not_there_is_a_problem_with_a_remedy(served, path):
    answer = served.ask(path, headers={"Accept-Language": "ru"})
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.headers["content-language"] == "ru"
    assert (told["status"], told["title"], told["type"]) == (404, "Not Found", "about:blank")
    assert told["way_out"]


def test_a_wrong_method_is_a_problem_too(served):
    answer = served.ask(f"{API}/summary", "DELETE")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


def test_the_overview_says_what_is_held_since_when_and_why(served):
    found = served.get(f"{API}/import/overview")
    assert found["light"]["state"] == "red"  # no daemon runs here
    assert {"code": "held", "count": len(found["held"])} in found["light"]["reasons"]
    assert all(one["since_run"] == one["run"] and one["problems"] for one in found["held"])
    assert len(found["days"]) == 30
    assert [run["status"] for run in found["days"][-2]["runs"] + found["days"][-1]["runs"]] == ["published"] * 2 + [
        "held"
    ]
    assert {one["name"] for one in found["files"]} >= set(DAY2["files"])
    assert all(not one["stale"] for one in found["files"])


def test_status_says_that_no_daemon_runs(served):
    for path in ("/status", f"{API}/import/status"):
        found = served.get(path)
        assert found["daemon"] is False
        assert found["problems"][0]["code"] == "daemon-not-running"


def test_a_trigger_without_a_daemon_is_a_problem(served):
    answer = served.ask(f"{API}/import/trigger", "POST")
    assert (answer.status_code, answer.json()["code"]) == (503, "daemon-not-running")


def test_metrics_count_what_the_books_hold(served):
    answer = served.ask("/metrics")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    rows = dict.fromkeys(("receipts", "expenses", "details"), 0.0)
    for sample in families["cpimportd_books_rows"].samples:
        rows[sample.labels["kind"]] += sample.value
    assert rows == {kind: DAY2[kind]["rows"] for kind in rows}


def test_the_description_names_every_path_and_what_it_takes(served):
    found = served.get("/openapi.json")
    paths = {
        f"{API}/import/{name}"
        for name in (
            "trigger",
            "logs",
            "history",
            "status",
            "runs/{run}",
            "runs/{run}/diff",
            "overview",
            "months",
            "events",
        )
    }
    summary = found["paths"][f"{API}/summary"]["get"]
    assert {one["name"] for one in summary["parameters"]} == {"department_id", "date_from", "date_to"}
    assert "both days included" in summary["description"]
    assert f"{API}/import-logs" in found["paths"]
    assert found["paths"].keys() >= {*paths, f"{API}/summary", "/healthz", "/metrics"}
    assert found["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert "ProblemDetails" in found["components"]["schemas"]
