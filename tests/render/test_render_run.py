"""The report of a run: nothing cut, nothing interpreted, nothing quiet that should be loud."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest

from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import Bridge, RunStatus, UnitReport, UnitStatus
from cpimportd.render.layout import Column, make_console, print_table
from cpimportd.render.run import render

LOTOS = "ЛОТОС ООО"
STAR = '[bold red]Северная[/] "Звезда" ООО'
LONG = "Lotos - Spisanie kredity (vse dogovory s nachala 2020 goda, polnaja vygruzka) XLSX.xlsx"


def test_a_pipe_gets_plain_lines_that_are_never_wrapped_or_cut(make_report, pipe):
    render(make_report(), pipe.console)
    (row,) = [line for line in pipe.lines if line.startswith(LONG)]
    assert row.split("  ")[0] == LONG
    assert "1\u00a0235,00" in row
    assert row.rstrip().endswith("held")
    assert "\x1b" not in pipe.text
    assert not set(pipe.text) & set("…─│┃━┌")


def test_the_columns_of_a_pipe_are_aligned(make_report, pipe):
    render(make_report(), pipe.console)
    start = pipe.lines.index("Files") + 1
    ends = {line.index(sum_) + len(sum_) for line, sum_ in zip(
        pipe.lines[start : start + 4],
        ("Итого", "123\u00a0000\u00a0000,00", "1\u00a0235,00", "9\u00a0876\u00a0543\u00a0210,99"), strict=True)}  # fmt: skip
    assert len(ends) == 1


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40])
def test_no_sum_is_torn_or_cut_in_a_terminal_of_any_width(make_report, make_terminal, width):
    shown = make_terminal(width)
    render(make_report(), shown.console)
    for number in (
        "123\u00a0000\u00a0000,00",
        "9\u00a0876\u00a0543\u00a0210,99",
        "-400\u00a0000,00",
        "1\u00a0234\u00a0567,89",
    ):
        assert number in shown.text
    assert "…" not in shown.text
    assert all(len(line.rstrip()) <= width for line in shown.lines if "cpimportd accept" not in line)


@pytest.mark.parametrize("width", [120, 100])
def test_every_letter_of_a_long_name_is_shown_in_a_narrow_terminal(make_report, make_terminal, width):
    shown = make_terminal(width)
    render(make_report(), shown.console)
    begin = shown.lines.index("Files") + 1
    column = slice(0, shown.lines[begin].index("Kind"))
    table = shown.lines[begin : shown.lines.index("Units, in documents")]
    assert LONG.replace(" ", "") in "".join(line[column] for line in table).replace(" ", "")


def test_texts_make_room_for_numbers_never_the_reverse(make_terminal):
    shown, number = make_terminal(52), "1\u00a0" * 15
    print_table(shown.console, (Column("Text"), Column("Number", number=True)), [("word " * 8, number)])
    assert number.strip() in shown.text


def test_every_letter_of_a_long_name_is_shown_where_rows_become_lists(make_report, make_terminal):
    shown = make_terminal(40)
    render(make_report(), shown.console)
    files = shown.text[shown.text.index("Files") : shown.text.index("Units, in documents")]
    assert LONG.replace(" ", "") in "".join(files.split())


def test_markup_in_a_name_is_shown_literally(make_report, pipe):
    render(make_report(), pipe.console)
    assert any(line.startswith(f"{STAR}/receipts  ") for line in pipe.lines)
    assert any(line.startswith("Severnaya.xlsx") and f"  {STAR}  " in line for line in pipe.lines)


def test_markup_is_literal_in_a_terminal_with_colours(make_report):
    stream = io.StringIO()
    render(make_report(), make_console(stream, color=True))
    assert "[bold red]" in stream.getvalue()


def test_control_characters_of_a_name_never_reach_the_terminal(make_report, pipe):
    unit = UnitReport(Unit("Evil\x1b[2J\u202e\n", Group.RECEIPTS), UnitStatus.HELD)
    render(make_report(units=(unit,)), pipe.console)
    assert "\x1b" not in pipe.text
    assert "\u202e" not in pipe.text
    assert r"Evil\x1b[2J\u202e\n/receipts" in pipe.text


def test_the_first_line_is_the_outcome(make_report, pipe):
    render(make_report(), pipe.console)
    assert pipe.lines[0].startswith(
        "Published 1\u00a0050 documents of 1 file in 1.3 s (3 new, 12 changed, 4 removed, 1 re-timed)"
    )
    assert f"2 units held: {LOTOS}/expenses (control-total)" in pipe.lines[0]


def test_the_gravest_problem_comes_first_each_with_its_way_out(make_report, pipe):
    render(make_report(), pipe.console)
    begin = pipe.lines.index("Problems")
    assert pipe.lines[begin + 1].startswith(f"held: {LONG}, row 1051, column Сумма")
    assert pipe.lines[begin + 2].strip().startswith("Export again")
    assert pipe.lines[begin + 3].startswith("held until accepted: ")
    assert pipe.lines[begin + 5].startswith("warning: Severnaya.xlsx, row 7")


def test_the_bridge_comes_after_the_problems_and_closes_at_the_control_total(make_report, pipe):
    render(make_report(), pipe.console)
    assert pipe.lines.index("Problems") < pipe.lines.index("The bridge")
    row = pipe.lines[pipe.lines.index("The bridge") + 2]
    cells = [cell.strip().replace("\u00a0", "") for cell in row.split("  ") if cell.strip()]
    assert cells == [LOTOS, "receipts", "100000000,00", "23456789,01", "56789,01", "-400000,00", "123000000,00",
                     "123000000,00", "0,00"]  # fmt: skip
    assert "NOT EXPLAINED" not in pipe.text


@pytest.mark.parametrize(
    "changes",
    [{"closing": Decimal("1200.00")}, {"closing": Decimal("34.50"), "control_total": Decimal("1200.00")}],
    ids=["movements", "control total"],
)
def test_an_unexplained_difference_is_loud(make_report, pipe, changes):
    zero = Decimal(0)
    good = make_report().units[0]
    broken = Bridge(good.bridges[0].kind, Decimal("34.50"), zero, zero, zero, rows_before=1, rows_after=1, **changes)
    render(make_report(units=(UnitReport(good.unit, UnitStatus.PUBLISHED, bridges=(broken,)),)), pipe.console)
    assert "1\u00a0165,50 (!)" in pipe.text
    assert f"NOT EXPLAINED: 1\u00a0165,50 in receipts of {LOTOS}" in pipe.text


def test_the_last_lines_say_what_to_do_about_held_units(make_report, pipe):
    render(make_report(), pipe.console)
    tail = pipe.lines[pipe.lines.index("What next") :]
    assert f"    cpimportd accept '{STAR}/receipts'" in tail
    assert any(line.strip().startswith(f"Nobody can accept {LOTOS}/expenses") for line in tail)


def test_the_accept_command_is_one_line_in_a_narrow_terminal(make_report, make_terminal):
    shown = make_terminal(40)
    render(make_report(), shown.console)
    assert f"    cpimportd accept '{STAR}/receipts'" in shown.lines


def test_principal_interest_and_other_stand_below_the_bridge(make_report, pipe):
    render(make_report(), pipe.console)
    below = pipe.text[pipe.text.index("In the books now") :]
    assert "1\u00a0234\u00a0567,89" in below.split("principal")[1].splitlines()[0]
    assert "interest" in below
    assert "other" in below


def test_a_clean_run_ends_without_advice(make_report, pipe):
    first = make_report()
    render(make_report(status=RunStatus.PUBLISHED, files=first.files[:1], units=first.units[:1]), pipe.console)
    assert "What next" not in pipe.text
    assert "Problems" not in pipe.text


def test_a_failed_run_shows_its_problem_and_way_out(make_report, pipe):
    away = problem("database-unreachable", reason="db: no answer")
    render(
        make_report(run=None, status=RunStatus.FAILED, files=(), units=(), totals={}, problems=(away,)), pipe.console
    )
    assert pipe.lines[0].startswith("Failed after 1.3 s: the database cannot be reached: db: no answer")
    assert away.way_out in pipe.text


def test_a_stream_of_a_poor_encoding_gets_escapes_and_no_exception(make_report, tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="ascii") as stream:
        render(make_report(), make_console(stream))
    assert r"\u041b\u041e\u0422\u041e\u0421" in path.read_text(encoding="ascii")


def test_a_console_keeps_its_width_after_a_report(make_report, pipe):
    before = pipe.console.width
    render(make_report(), pipe.console)
    assert pipe.console.width == before


def test_what_somebody_accepted_is_told_as_accepted_without_a_command_to_accept_it(make_report, pipe):
    unit = Unit(LOTOS, Group.EXPENSES)
    found = problem("rekeyed", organization=LOTOS, unit=unit.name, count=3)
    taken = UnitReport(unit, UnitStatus.PUBLISHED, updated=3, problems=(found,), accepted=("rekeyed",))
    render(make_report(units=(taken,), files=()), pipe.console)
    (line,) = [line for line in pipe.lines if "[rekeyed]" in line]
    assert line.startswith("accepted: ")
    assert "cpimportd accept" not in pipe.text
    render(make_report(units=(replace(taken, status=UnitStatus.HELD, accepted=()),), files=()), pipe.console)
    assert "held until accepted: " in pipe.text
    assert "cpimportd accept" in pipe.text
