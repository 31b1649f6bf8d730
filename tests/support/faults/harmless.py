"""That nothing which is told of a run can move a cursor, begin a line of its own, or be taken for markup."""

import json
import re
from datetime import date
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

from cpimportd.core.model import Cell
from cpimportd.core.report import RunReport
from cpimportd.core.typed import to_json
from cpimportd.documents.columns import Meaning
from cpimportd.documents.values import is_blank, parsers_in
from cpimportd.render.journal import journal_lines
from cpimportd.render.layout import make_console
from cpimportd.render.run import render

_OUR_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def assert_harmless(report: RunReport) -> None:
    """Terminal, journal and JSON hold nothing but printable text, and no problem is a defect of ours."""
    screen = StringIO()
    render(report, make_console(screen, color=True))
    texts = [text for line in screen.getvalue().split("\n") for text in _OUR_COLOURS.split(line)]
    texts += [text for line in journal_lines(report) for text in (line.text, *line.fields.values())]
    texts += [text for found in report.all_problems for text in to_json(found).values() if isinstance(text, str)]
    for text in texts:
        assert_one_line(text)
    assert not [found for found in report.all_problems if found.code in {"internal", "reader-failed"}]
    json.loads(json.dumps(to_json(report), allow_nan=False))


def assert_one_line(text: str) -> None:
    """A text is printable throughout, 1C's no-break spaces included."""
    assert re.sub("[\u00a0\u202f\u2007]", " ", text).isprintable(), repr(text)


def assert_a_value(meaning: Meaning, cell: Cell) -> None:
    """A cell is a value, or empty, or refused; never silently none, and never a value that no book could hold."""
    try:
        value = parsers_in(ZoneInfo("Europe/Moscow"))[meaning](cell)
    except ValueError:
        return
    if value is None:
        # The one text that stands for nothing: how 1C writes a date that was never filled in.
        empty = isinstance(cell, str) and "." in cell and not set(cell.strip()) - set("01.: \u00a0")
        assert is_blank(cell) or (meaning is Meaning.DATE and empty)
    if isinstance(value, Decimal):
        assert value.is_finite()
        assert str(value) != "-0.00"
    if isinstance(value, date):
        assert 1990 <= value.year <= 2100
