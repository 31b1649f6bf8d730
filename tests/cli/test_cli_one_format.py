"""Whatever a human reads has one zone and one way to write a sum: the verbs in process, on a machine that is elsewhere."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import pytest
from click.testing import CliRunner

from cpimportd.cli import cli
from tests.support.database import run_sql

SAMPLES = Path(__file__).parent.parent / "samples"
EVENING = "2026-11-23 23:30:05+00"
"""Half past two of the next day in Moscow, and not yet seven in the evening of this one in New York."""

INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d?:\d\d[^;,()]*")
ONE_FORM = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? MSK\b")
PLAIN_SUM = re.compile(r"(?<![\d.,])(?!6[67]\.0\d\b)(?<!version )(?<!/python)(?<!PostgreSQL )\d+\.\d\d(?![\d.])")
"""``812625.80``; neither a date nor a version, nor an account such as 67.01."""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch) -> Iterator[None]:
    """The machine's own zone is neither UTC nor that of the books."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def books(two_days, make_database) -> str:
    """Books whose runs began at half past two in the morning of Moscow."""
    url = make_database(urlsplit(two_days.url).path.strip("/"))
    run_sql(
        url,
        f"UPDATE cpimportd.runs SET started_at = timestamptz '{EVENING}', finished_at = timestamptz '{EVENING}' + "
        "interval '7 s', slot = NULL, report = jsonb_set(report, '{started_at}', "
        f"to_jsonb(to_char(timestamptz '{EVENING}' AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')))",
        f"UPDATE cpimportd.held SET since = timestamptz '{EVENING}'",
        "INSERT INTO cpimportd.condition (department_id, subject, state, since) "
        f"VALUES (8, 'ЛОТОС ООО/expenses', 'held: reject', timestamptz '{EVENING}')",
    )
    return url


@pytest.fixture
def told(books, tmp_path) -> Callable[..., str]:
    """A verb's answer for people."""
    (tmp_path / "state").mkdir(mode=0o700)
    upload = tmp_path / "upload"
    shutil.copytree(SAMPLES / "day2", upload)
    for path in upload.iterdir():
        os.utime(path, (time.time() - 7200,) * 2)
    config = tmp_path / "cpimportd.toml"
    config.write_text(
        f'state_directory = "{tmp_path}/state"\n[database]\nurl = "{books}"\n[source]\nurl = "{upload.as_uri()}"\n'
        "[guards]\nremoved_documents = 0\nremoved_percent = 0.1\nclosed_before = 2100-01-01\n"
        '[schedules.import]\nat = "*-*-* 02:30:00"\n'
    )
    config.chmod(0o600)

    def tell(*arguments: str) -> str:
        done = CliRunner().invoke(cli, [*arguments, "--config", str(config)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    return tell


def assert_one_form(text: str) -> None:
    assert text.strip()
    assert "+00" not in text
    assert "UTC" not in text
    assert "2026-11-23" not in text, "the day before, in UTC"
    for found in INSTANT.findall(text):
        assert ONE_FORM.match(found), found
    assert not PLAIN_SUM.findall(text), PLAIN_SUM.findall(text)
    for python in ("[{", "{'", "Decimal(", "None", "True", "datetime."):
        assert python not in text


VERBS = {
    "run": ("run", "--dry-run"),
    "show": ("show", "2", "--contracts"),
    "show, held": ("show", "4"),
    "history": ("history",),
    "diff": ("diff", "2"),
    "summary": ("summary",),
    "explain a sum": ("explain", "principal", "--organization", "ЛОТОС ООО"),
    "report": ("report", "--since", "2026-11-01"),
    "reconcile": ("reconcile", "--since", "2020-01-01"),
    "alerts": ("alerts",),
    "next": ("next",),
    "nagios": ("check", "--nagios"),
    "check": ("check",),
    "accept": ("accept",),
    "undo": ("undo", "3", "--through", "--yes"),
}
NAMES_AN_INSTANT = {"run", "show", "show, held", "history", "diff", "summary", "report", "alerts", "next", "undo"}
IS_OF_THE_NIGHT = NAMES_AN_INSTANT - {"run", "next", "undo"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_instants_in_the_configured_zone_and_sums_in_one_way(told, verb):
    text = told(*VERBS[verb])
    assert_one_form(text)
    if verb in NAMES_AN_INSTANT:
        assert ONE_FORM.search(text), text
    if verb in IS_OF_THE_NIGHT:
        assert "2026-11-24 02:30:05 MSK" in text


def test_a_document_explained_names_run_and_day_of_the_cell_it_came_from(told):
    shown = told("show", "2")
    document = next(line for line in shown.splitlines() if line.startswith("changed: expenses"))
    name = re.search(r"Списание с расчетного счета .*? от \S+ \S+(?=,)", document)[0]
    text = told("explain", name)
    assert_one_form(text)
    assert re.search(r"Лист_1, AK\d+ \(run \d of 2026-11-24\)", text)


def test_show_tells_what_changed_by_the_titles_of_1c_as_diff_does(told):
    shown, diff = told("show", "2"), told("diff", "2")
    body = diff[diff.index("Changed:") : diff.index("Re-timed:")]
    told_by_diff = {line.strip() for line in body.splitlines() if " → " in line and line.startswith("    ")}
    told_by_diff |= {line.strip() for line in body.splitlines() if line.strip().startswith(("− ", "+ "))}
    assert told_by_diff
    assert told_by_diff <= {line.strip() for line in shown.splitlines()}


def test_reconcile_names_a_run_of_half_past_one_by_the_day_that_it_was_in_moscow(told, books):
    moment = "2026-11-23 22:30:00+00"
    run_sql(
        books,
        f"UPDATE cpimportd.runs SET started_at = timestamptz '{moment}', finished_at = timestamptz '{moment}'",
        "UPDATE fin_receipts SET amount = amount + 812625.80 WHERE id = (SELECT min(id) FROM fin_receipts)",
    )
    text = told("reconcile")
    assert re.search(r"run \d of 2026-11-24 [\d\u00a0]+,\d\d \[books-moved\]", text)
    assert_one_form(text)


def test_a_printed_report_has_one_format_where_problems_name_sums(told, tmp_path):
    """Итого that is wrong, documents that would go, a closed period: sentences and tables write sums alike."""
    wrong = tmp_path / "upload" / "Severnaya - Spisanie kredity XLSX.xlsx"
    book = openpyxl.load_workbook(wrong)
    total = next(cell for cell in book.active[book.active.max_row] if isinstance(cell.value, int | float))
    total.value += 1.5
    book.save(wrong)
    os.utime(wrong, (time.time() - 7200,) * 2)
    text = told("run")
    for code in ("control-total", "shrunk", "period-closed"):
        assert f"[{code}]" in text
    assert_one_form(text)
    assert re.search(r"sums to [\d\u00a0]+,\d\d, but Итого says [\d\u00a0]+,\d\d: difference -1,50", text)
