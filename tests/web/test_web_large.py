"""Runs with 50,000 documents: what is asked for is fetched, and the memory of who asks does not grow with the run."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from tests.support.daemon.living_daemon import environment
from tests.support.faults.poolers import pooled
from tests.support.web.large import enlarge, enlarge_contracts
from tests.support.web.served import Served, configure

MANY, STREAMED, CONTRACTS = 50_000, 6_000, 25_000
ROOM = 60
"""Megabytes more than a small run takes; all of 6,000 documents at once took some 125, of 50,000 some 950.

Of a contract with 50,000 documents, 25,000 that left it and 25,000 bridges it was some 450; of a run's bridge per contract
with 50,000 rows some 190.
"""


LAUNCH = """
import atexit, pathlib, sys
status = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: status.write_text(pathlib.Path("/proc/self/status").read_text()))
from cpimportd.cli import main
main()
"""


@pytest.fixture(scope="module")
def large(templates, published_template) -> str:
    """A database whose runs 1, 2 and 90 have 50,000 documents each."""
    url = templates.server.url(templates.fresh(published_template, "cpimportd"), "cpimportd")
    enlarge(url, MANY)
    return url


@pytest.fixture(scope="module")
def streamed(templates, published_template) -> str:
    """The same with fewer, for what tells all of them."""
    url = templates.server.url(templates.fresh(published_template, "cpimportd"), "cpimportd")
    enlarge(url, STREAMED)
    return url


@pytest.fixture(scope="module")
def contract(large) -> str:
    """A contract of 50,000 documents there; run 91 moved it, and so many others."""
    return enlarge_contracts(large, CONTRACTS)


def peak(status: Path) -> int:
    """Megabytes that a process had at most so far: VmHWM, since the peak of wait4(2) is the parent's, too."""
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) // 1024


def most_memory(process: Served) -> int:
    return peak(Path(f"/proc/{process.process.pid}/status"))


@pytest.fixture
def verb(web_folder):
    """Run a verb in a process of its own: its output and the megabytes that it had at most."""

    def run(url, *argv):
        keys = {"state_directory": str(web_folder), "database.url": url}
        config = configure(web_folder / "verb.toml", keys)
        command = [sys.executable, "-c", LAUNCH, str(web_folder / "status"), *argv, "--config", str(config)]
        with (web_folder / "said").open("wb") as said:
            subprocess.run(command, stdout=said, env=environment(), check=True)
        return (web_folder / "said").read_text("utf-8"), peak(web_folder / "status")

    return run


def test_a_page_of_a_large_diff_is_all_that_the_process_holds(serve, large):
    process = serve(large, web__statement_timeout="5min")
    small = process.get("/runs/3/diff")
    assert small["total"] == 0
    before = most_memory(process)
    first = process.get("/runs/2/diff?limit=1")
    assert (len(first["documents"]), first["counts"]["changed"]) == (1, MANY + 6)
    last = process.get(f"/runs/2/diff?skip={first['total'] - 3}&limit=500")
    assert len(last["documents"]) == 3
    assert process.get("/runs/1/diff?limit=1")["counts"]["added"] == MANY + 480
    undone = process.get("/runs/90/diff?limit=500")
    assert (len(undone["documents"]), undone["counts"]["changed"]) == (500, MANY)
    page = process.get("/runs/90/diff?limit=7&skip=493")["documents"]
    assert page == undone["documents"][493:]
    assert most_memory(process) - before < ROOM


def test_the_sums_of_a_large_diff_are_those_of_its_entries(serve, large):
    process = serve(large, web__statement_timeout="5min")
    found = process.get("/runs/90/diff?limit=1")["sums"]
    for kind in ("expenses", "details"):
        moved = [Decimal(one["changed"]) for one in found if one["kind"] == kind]
        assert sum(moved) == -10 * MANY


@pytest.mark.parametrize(("run", "more"), [("2", f"{MANY - 86:,}"), ("1", f"{MANY + 372:,}")])
def test_show_prints_the_first_and_says_how_to_see_the_rest(verb, large, run, more):
    said, memory = verb(large, "show", run)
    _, small = verb(large, "show", "3")
    assert len(said) < 100_000
    told = said.replace("\N{NO-BREAK SPACE}", " ")
    assert f"… and {more.replace(',', ' ')} more: --whole or --json has all of them" in told
    assert memory - small < ROOM


def test_show_streams_all_of_it_where_that_is_asked_for(verb, streamed):
    _, small = verb(streamed, "show", "3", "--json")
    told, memory = verb(streamed, "show", "2", "--json")
    shown = json.loads(told)
    assert len(shown["changes"]) > STREAMED
    assert [one["seq"] for one in shown["changes"]] == sorted({one["seq"] for one in shown["changes"]})
    assert memory - small < ROOM
    told, memory = verb(streamed, "show", "1", "--json")
    assert len(json.loads(told)["inserted"]) >= STREAMED
    assert memory - small < ROOM
    told, memory = verb(streamed, "show", "2", "--whole")
    assert told.count("Списание с расчетного счета 0Я00-") == STREAMED
    assert (told.count("Changed and removed"), "more:" in told) == (1, False)
    assert memory - small < ROOM


@pytest.mark.parametrize("run", ["1", "2", "90"])
def test_a_diff_is_printed_as_it_is_read(verb, streamed, run):
    _, small = verb(streamed, "diff", "3", "--json")
    said, memory = verb(streamed, "diff", run, "--json")
    told = json.loads(said)
    assert len(told["documents"]) == sum(told["counts"].values()) >= STREAMED
    names = [one["operation_id"] for one in told["documents"] if "0Я00-" in one["operation_id"]]
    assert len(names) == len(set(names)) == STREAMED
    assert memory - small < ROOM
    said, memory = verb(streamed, "diff", run)
    assert "more: --xlsx FILE or --json has all of them." in said
    assert memory - small < ROOM


def test_a_workbook_of_a_large_diff_is_written_row_by_row(verb, streamed, tmp_path):
    _, small = verb(streamed, "diff", "3", "--xlsx", str(tmp_path / "small.xlsx"))
    _, memory = verb(streamed, "diff", "1", "--xlsx", str(tmp_path / "large.xlsx"))
    assert memory - small < ROOM
    book = openpyxl.load_workbook(tmp_path / "large.xlsx", read_only=True)
    assert sum(1 for _ in book["Добавлено"].iter_rows()) == STREAMED + 481


def test_a_contract_is_printed_as_it_is_read(verb, large, contract):
    _, small = verb(large, "show", "3", "--json")
    said, memory = verb(large, "explain", "--contract", contract, "--json")
    assert memory - small < ROOM
    told = json.loads(said)
    assert list(told) == [
        "contract", "active", "receipts", "expenses", "principal", "interest", "other", "documents", "left", "bridges",
    ]  # fmt: skip
    assert (len(told["left"]), len(told["bridges"])) >= (CONTRACTS, CONTRACTS)
    assert len({(one["kind"], one["operation_id"]) for one in told["documents"]}) == len(told["documents"]) >= MANY
    expenses = [one for one in told["documents"] if one["kind"] == "expenses"]
    assert sum(Decimal(one["amount"]) for one in expenses) == Decimal(told["expenses"])
    for paid in ("principal", "interest", "other"):
        assert sum(Decimal(one[paid]) for one in expenses) == Decimal(told[paid])

    said, memory = verb(large, "explain", "--contract", contract)
    assert memory - small < ROOM
    plain = said.replace("\N{NO-BREAK SPACE}", " ")
    for name in ("documents", "left", "bridges"):
        rest = f"{len(told[name]) - 500:,}".replace(",", " ")
        assert f"… and {rest} more: --json has all of them." in plain
    assert len(said) < 500_000


def test_the_contracts_that_a_run_moved_are_printed_as_they_are_read(verb, large, contract):
    _, small = verb(large, "show", "3", "--json")
    said, memory = verb(large, "show", "91", "--json")
    assert memory - small < ROOM
    told = json.loads(said)
    assert (len(told["changes"]), told["inserted"]) == (CONTRACTS, [])
    places = [(one["organization"], one["kind"], one["contract"]) for one in told["contracts"]]
    assert len(set(places)) == len(places) == 2 * CONTRACTS

    said, memory = verb(large, "show", "91", "--contracts")
    assert memory - small < ROOM
    plain = said.replace("\N{NO-BREAK SPACE}", " ")
    assert plain.count("… and 49 900 more: --whole or --json has all of them") == 1
    said, _ = verb(large, "show", "91", "--contracts", "--organization", "ЛОТОС ООО")
    assert "… and 24 900 more:" in said.replace("\N{NO-BREAK SPACE}", " ")


def test_documents_come_through_a_pooler_in_transaction_mode(verb, streamed):
    straight, _ = verb(streamed, "diff", "2", "--json")
    with pooled(streamed) as url:
        assert verb(url, "diff", "2", "--json")[0] == straight
        assert len(json.loads(verb(url, "show", "2", "--json")[0])["changes"]) > STREAMED


def test_a_reader_that_has_seen_enough_is_no_fault(web_folder, streamed):
    config = configure(web_folder / "c.toml", {"state_directory": str(web_folder), "database.url": streamed})
    for verb in (["show", "2", "--json"], ["diff", "2", "--json"]):
        command = [sys.executable, "-m", "cpimportd", *verb, "--config", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(60) == 0, said
        assert b"database" not in said
