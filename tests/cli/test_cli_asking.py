"""An accountant's questions as he types them: history, diff, explain and rejects, for people and for scripts."""

import json
import stat
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest

from tests.cli.test_cli_verbs import cpimportd
from tests.support.two_days import BAD_EXPENSES

MARKED = BAD_EXPENSES.removesuffix(".xlsx") + " - исправить.xlsx"


@pytest.fixture
def ask(two_days):
    return lambda *arguments, **environ: cpimportd(*arguments, "--config", str(two_days.config), **environ)


def test_history_is_filtered_and_says_how_to_continue(ask):
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)  # in Moscow it may be a day later
    filters = ("--until", str(tomorrow), "--status", "published", "--organization", "ЛОТОС ООО", "--limit", "2")
    shown = json.loads(ask("history", *filters, "--json").stdout)
    assert [run["run"] for run in shown["runs"]] == [3, 2]
    assert "--before 2" in ask("history", *filters).stderr
    assert "No runs match these filters" in ask("history", "--since", str(tomorrow), "--until", str(date.max)).stdout


def test_a_diff_is_printed_in_the_words_of_the_workbook(ask):
    done = ask("diff", "2")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("Removed: 4", "Changed: 6", "Re-timed: 4", "Сумма: ", "123\u00a0518\u00a0517,03", "Лист_1, AK"):
        assert words in done.stdout
    assert "NOT EXPLAINED" not in done.stdout


def test_a_diff_goes_into_a_workbook_that_is_not_overwritten_unasked(ask, tmp_path):
    path = tmp_path / "changes.xlsx"
    done = ask("diff", "2", "--xlsx", str(path), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["counts"]["changed"] == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Изменено" in openpyxl.load_workbook(path).sheetnames
    again = ask("diff", "2", "--xlsx", str(path))
    assert (again.returncode, again.stdout) == (2, "")
    assert "[output-exists]" in again.stderr


def test_a_document_a_contract_and_a_sum_are_explained(ask):
    document = ask("explain", "0С00-000084")
    assert document.returncode == 0, document.stderr
    assert document.stdout.count("842\u00a0451,20") >= 2
    assert "There is nothing before that." in document.stdout
    shown = json.loads(ask("explain", "0С00-000084", "--json").stdout)
    assert [version["amount"] for version in shown["versions"]] == ["842451.21", "842451.20", "842451.21", "842451.20"]
    assert shown["versions"][0]["source"]["document"]["cell"].startswith("AK")
    contract = json.loads(ask("explain", "--contract", "03/2025", "--json").stdout)
    assert contract["expenses"] == "28597408.09"
    figure = ask("explain", "--organization", "северная", "--month", "2024-05", "principal")
    assert figure.stdout.count("1\u00a0509\u00a0132,81") == 2
    assert "4 in all" in figure.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("explain",), ""),
        (("explain", "principal", "--month", "may"), ""),
        (("explain", "0С00-000084", "--month", "2024-05"), ""),
        (("explain", "0С00-999999"), "nothing-found"),
        (("explain", "--organization", "nobody", "receipts"), "nothing-found"),
        (("rejects", "99"), "nothing-found"),
    ],
)
def test_what_cannot_be_answered_is_reported_with_a_remedy(ask, arguments, code):
    done = ask(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert (f"[{code}]" in done.stderr and "→" in done.stderr) if code else "Usage:" in done.stderr


def test_rejects_marks_the_cells_that_1c_must_correct(ask, two_days, tmp_path):
    done = ask("rejects", "4", "--output", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    assert BAD_EXPENSES in {one["file"] for one in json.loads(done.stdout)["workbooks"]}
    path = tmp_path / "out" / MARKED
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[0] == "Что исправить"
    sheet = book.worksheets[1]
    comments = {cell.value: cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment}
    assert "не число" in comments["сто рублей"]
    assert "не дата" in comments["вчера"]
    wicked = [cell for row in sheet.iter_rows() for cell in row if str(cell.value).startswith("=HYPERLINK")]
    assert [(cell.data_type, cell.quotePrefix) for cell in wicked] == [("s", True)]
    rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    assert {"сто рублей", "вчера"} <= {row[3] for row in rows}


def test_rejects_are_put_into_the_outbox(ask, tmp_path):
    outbox = tmp_path / "to-correct"
    outbox.mkdir()
    done = ask("rejects", "4", "--output", str(tmp_path / "out"), "--upload", CPIMPORTD_SOURCE__OUTBOX=str(outbox))
    assert done.returncode == 0, done.stderr
    assert (outbox / MARKED).read_bytes() == (tmp_path / "out" / MARKED).read_bytes()


def test_a_workbook_that_the_spool_no_longer_has_is_reported(ask, tmp_path):
    gone = ask("rejects", "4", "--output", str(tmp_path), CPIMPORTD_STATE_DIRECTORY=str(tmp_path / "empty"))
    assert gone.returncode == 1
    assert "[workbook-gone]" in gone.stderr
    assert "spool.keep" in gone.stderr
    assert list(tmp_path.glob("*.xlsx")) == []
