"""One meaning of a cell, whatever the format and the engine: the right values are the issue's and the standards'."""

import math
import struct
import zipfile
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.core.model import CellError
from cpimportd.core.problems import ProblemError
from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import inspect
from tests.support.workbook.binaries import ERRORS, Formula, Raw, Shown, _brt, write_xls, write_xlsb, write_xlsx
from tests.support.workbook.ole2 import ole2_container, record

WRITERS = {
    "xlsx": write_xlsx,
    "xls": write_xls,
    "biff5": partial(write_xls, biff=5),
    "xlsb": write_xlsb,
}
EVERY_FORMAT = pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))


def read(path, limits, *, second=False):
    """The rows of a workbook's only sheet, and whether it counts from 1904."""
    contents = inspect(path, limits, path.name)
    opened = open_cells(path, replace(contents, needs_second_engine=second or contents.needs_second_engine), path.name)
    (sheet,) = opened.sheets
    return [cells for _, cells in sheet.rows()], opened.since_1904


def problem(path, limits):
    with pytest.raises(ProblemError) as caught:
        read(path, limits)
    (found,) = caught.value.problems
    return found


@EVERY_FORMAT
@pytest.mark.parametrize("wrap", [lambda error: error, Formula], ids=["value", "formula"])
@pytest.mark.parametrize("error", list(ERRORS))
def test_an_error_value_is_never_empty(tmp_path, limits, write, wrap, error):
    rows, _ = read(
        write(tmp_path / "a", [["a", 1, "b"], ["c", wrap(CellError(error)), "d"], [wrap(CellError(error))]]), limits
    )
    assert rows[1] == ("c", error, "d")
    assert rows[2][0] == error
    assert {type(rows[1][1]), type(rows[2][0])} == {CellError}
    assert not [cell for cell in rows[0] if isinstance(cell, CellError)]


@pytest.mark.parametrize("write", [write_xls, write_xlsb])
def test_an_error_value_that_nobody_has_named_yet_is_one_too(tmp_path, limits, write, monkeypatch):
    monkeypatch.setitem(ERRORS, "#ERROR99!", 99)
    rows, _ = read(write(tmp_path / "a", [[1, CellError("#ERROR99!")]]), limits)
    assert rows == [(1.0, "#ERROR99!")]
    assert type(rows[0][1]) is CellError


@EVERY_FORMAT
def test_every_kind_of_cell_means_the_same(tmp_path, limits, write):
    table = [
        ["Итого", 1, -2.5, True, False, None, 12345.67],
        [Formula("текст"), Formula(3.5), Shown(44463), Shown(44463.5), Shown(1.5, elapsed=True), Shown(0.5), Shown(0.25, elapsed=True)],
        [None, None, "x"],
    ]  # fmt: skip
    rows, since_1904 = read(write(tmp_path / "a", table), limits)
    assert not since_1904
    assert rows[0] == ("Итого", 1, -2.5, True, False, None, 12345.67)
    assert [type(cell) for cell in rows[0][3:5]] == [bool, bool]
    moment = datetime(2021, 9, 24, 12)  # noqa: DTZ001
    spans = (timedelta(days=1, hours=12), timedelta(hours=6))
    assert rows[1] == ("текст", 3.5, date(2021, 9, 24), moment, spans[0], time(12), spans[1])
    assert type(rows[1][2]) is date
    assert rows[2][:3] == (None, None, "x")


@EVERY_FORMAT
def test_days_since_1904_are_the_same_everywhere(tmp_path, limits, write):
    table = [["a", Shown(43001), 43001, Shown(43001.25), Shown(1.5, elapsed=True)]]
    rows, since_1904 = read(write(tmp_path / "a", table, since_1904=True), limits)
    assert since_1904, "a bare number in a column of dates counts from 1904 too"
    assert rows == [("a", date(2021, 9, 24), 43001, datetime(2021, 9, 24, 6), timedelta(days=1.5))]  # noqa: DTZ001


ODD_NUMBERS = [-1e12, -1e300, 1e300, -1, -0.5, -693594, 2958466, 2958466.5, 1e9, -1e9, 1e11, float("nan"), float("inf")]


@EVERY_FORMAT
@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_a_number_that_is_no_date_stays_one_where_dates_are_shown(tmp_path, limits, write, number):
    cell = Shown(number)
    if write is write_xlsx and not math.isfinite(number):
        cell = Raw('s="1"', f"<v>{'NaN' if math.isnan(number) else 'INF'}</v>")
    path = write(tmp_path / "a", [["a", cell], ["b", 7]])
    rows, _ = read(path, limits)
    assert repr(float(rows[0][1])) == repr(float(number))
    assert type(rows[0][1]) in (int, float)
    assert rows[1] == ("b", 7)


@EVERY_FORMAT
@pytest.mark.parametrize("number", [-1e12, 1e300, 1e9, -1e9, 1e11])
def test_a_number_beyond_all_durations_stays_one(tmp_path, limits, write, number):
    rows, _ = read(write(tmp_path / "a", [["a", Shown(number, elapsed=True)]]), limits)
    assert rows == [("a", number)]


@EVERY_FORMAT
@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, time()),
        (0.5, time(12)),
        (1, date(1900, 1, 1)),
        (59, date(1900, 2, 28)),
        (60, date(1900, 2, 28)),  # the 29th never was
        (61, date(1900, 3, 1)),
        (2958465, date(9999, 12, 31)),
    ],
)
def test_the_ends_of_the_calendar(tmp_path, limits, write, number, shown):
    path = write(tmp_path / "a", [["a", Shown(number)]])
    assert read(path, limits)[0] == [("a", shown)]
    if write is write_xlsx:
        assert read(path, limits, second=True)[0] == [("a", shown)]


def test_a_time_beside_a_negative_number_is_still_a_time(tmp_path, limits):
    path = write_xlsx(tmp_path / "a", [["a", Shown(0.5), -3], ["b", Shown(44463.75), Shown(-1)]])
    moment = datetime(2021, 9, 24, 18)  # noqa: DTZ001
    assert read(path, limits)[0] == [("a", time(12), -3), ("b", moment, -1)]


ISO = {
    "2021-09-24": date(2021, 9, 24),
    " 2021-09-24 ": date(2021, 9, 24),
    "2021-09-24T21:00:00": datetime(2021, 9, 24, 21),  # noqa: DTZ001
    "2021-09-24T21:00:00.500": datetime(2021, 9, 24, 21, 0, 0, 500_000),  # noqa: DTZ001
    "21:00:00": time(21),
    "0001-01-01T00:00:00": datetime(1, 1, 1),  # noqa: DTZ001
    "": None,
    # An instant, and what is no date, are for whoever knows the zone and the column.
    "2021-09-24T21:00:00Z": "2021-09-24T21:00:00Z",
    "2021-09-24T21:00:00.000Z": "2021-09-24T21:00:00.000Z",
    "2021-09-24T21:00:00+03:00": "2021-09-24T21:00:00+03:00",
    "2021-09-24Z": "2021-09-24Z",
    "2021-13-01": "2021-13-01",
    "2021-09-24T24:00:00": "2021-09-24T24:00:00",
    "2021-09-24 21:00:00": "2021-09-24 21:00:00",
    "abc": "abc",
}


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("style", ["", 's="1"'])
@pytest.mark.parametrize("written", list(ISO))
def test_a_date_in_iso_form_is_the_same_to_both_engines(tmp_path, limits, second, style, written):
    path = write_xlsx(tmp_path / "a", [["a", Raw(f't="d" {style}', f"<v>{written}</v>"), "z"]])
    assert read(path, limits, second=second)[0] == [("a", ISO[written], "z")]


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize(
    ("place", "text"), [(" ", None), ("\n\t", None), ("", None), ("1", "two"), (" 1 ", "two"), ("\n1\n", "two"), ("01", "two")]
)  # fmt: skip
@pytest.mark.parametrize("attributes", ['t="s"', "s='1' t = 's'"])
def test_a_shared_text_is_the_one_at_its_place_or_none(tmp_path, limits, second, attributes, place, text):
    path = write_xlsx(tmp_path / "a", [["one", "two"], ["x", Raw(attributes, f"<v>{place}</v>"), "one"]])
    assert read(path, limits, second=second)[0][1] == ("x", text, "one")


@pytest.mark.parametrize(
    "place", ["-1", "+1", "1.0", "1e0", "abc", "0x1", "3", "9" * 20, "00000000001", "\u00a0", "١", "&#49;"]
)
def test_a_place_where_no_shared_text_is_refuses_the_workbook(tmp_path, limits, place):
    path = write_xlsx(tmp_path / "a", [["one", "two"], ["x", Raw('t="s"', f"<v>{place}</v>")]])
    assert problem(path, limits).code == "file-damaged"


def test_russian_without_a_code_page_is_read_as_such(tmp_path, limits):
    path = write_xls(tmp_path / "a.xls", [["Списание с расчетного счета", 1]], biff=5)
    content = path.read_bytes()
    codepage = struct.pack("<HHH", 0x42, 2, 1251)
    assert content.count(codepage) == 1
    path.write_bytes(content.replace(codepage, struct.pack("<HHH", 0x5C, 2, 0)))
    assert read(path, limits)[0] == [("Списание с расчетного счета", 1.0)]


def test_an_encrypted_xls_is_reported(tmp_path, limits):
    bof = record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0x0600))
    stream = bof + record(0x2F, struct.pack("<HHHH", 1, 1, 1, 1) + bytes(48)) + record(0x0A, b"")
    path = tmp_path / "a.xls"
    path.write_bytes(ole2_container("Workbook", stream))
    assert problem(path, limits).code == "file-encrypted"


def test_cells_behind_an_embedded_chart_are_read(tmp_path, limits):
    """A chart is a stream in the stream, with an end of its own."""
    path = write_xls(tmp_path / "a.xls", [["a", 1], ["b", CellError("#N/A")]])
    content = path.read_bytes()
    chart = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x20, 0, 0, 0, 0)) + record(0x0A, b"")
    cell = record(0x0205, struct.pack("<HHHBB", 1, 1, 0, 0x2A, 1))
    at = content.index(cell)
    padding = content.index(bytes(len(chart)), at)
    path.write_bytes(content[:at] + chart + content[at:padding] + content[padding + len(chart) :])
    assert read(path, limits)[0] == [("a", 1.0), ("b", "#N/A")]


def test_a_stream_that_is_cut_off_is_damage(tmp_path, limits):
    path = write_xls(tmp_path / "a.xls", [["x" * 60] * 30] * 3)
    path.write_bytes(path.read_bytes()[:-512])
    found = problem(path, limits)
    assert found.code == "file-damaged"
    assert "cut off" in found.message


def in_xlsb_sheet(path, old, new):
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    assert old in parts["xl/worksheets/sheet1.bin"]
    parts["xl/worksheets/sheet1.bin"] = parts["xl/worksheets/sheet1.bin"].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


SECOND_ROW = _brt(0, struct.pack("<IIHBBBI", 1, 0, 300, 0, 0, 0, 0))
CELL = _brt(2, struct.pack("<IIi", 1, 0, 7 << 2 | 2))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SECOND_ROW, _brt(0, struct.pack("<IIHBBBI", 0, 0, 300, 0, 0, 0, 0))),
        (SECOND_ROW, _brt(0, struct.pack("<IIHBBBI", 0xFFFFFFFF, 0, 300, 0, 0, 0, 0))),
        (CELL, CELL + CELL),
        (CELL, _brt(2, struct.pack("<IIi", 70_000, 0, 7))),
        (CELL, _brt(13, struct.pack("<Ii", 0, 7))),
        (CELL, b"\x02\x7f"),
        (CELL, _brt(2, b"\0")),
        (CELL, _brt(7, struct.pack("<III", 1, 0, 99))),
        (CELL, _brt(6, struct.pack("<III", 1, 0, 99))),
        (_brt(146), b""),
    ],
    ids=["row twice", "row too far", "cell twice", "column too far", "no column", "cut off", "short", "no text", "long text", "no end"],
)  # fmt: skip
def test_records_that_make_no_sense_refuse_the_workbook(tmp_path, limits, old, new):
    path = in_xlsb_sheet(write_xlsb(tmp_path / "a.xlsb", [["a", 1], ["b", 7]]), old, new)
    found = problem(path, limits)
    assert found.code == "file-unclear"
    assert "XLSX" in found.way_out


def test_rows_that_are_left_out_keep_their_numbers(tmp_path, limits):
    far = _brt(0, struct.pack("<IIHBBBI", 4, 0, 300, 0, 0, 0, 0))
    path = in_xlsb_sheet(write_xlsb(tmp_path / "a.xlsb", [["a", 1], ["b", 7]]), SECOND_ROW, far)
    assert read(path, limits)[0] == [("a", 1.0), (), (), (), ("b", 7.0)]


numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 3e6), st.integers(-70000, 3_000_000))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, st.booleans()), min_size=1, max_size=8), st.booleans())
def test_any_numbers_shown_as_dates_are_the_same_in_every_format(tmp_path_factory, limits, shown, since_1904):
    folder = tmp_path_factory.mktemp("any")
    table = [["a", *[Shown(number, elapsed) for number, elapsed in shown]]]
    found = {
        name: read(write(folder / name, table, since_1904=since_1904), limits)[0] for name, write in WRITERS.items()
    }
    found["second"] = read(folder / "xlsx", limits, second=True)[0]
    plain = {name: [float(cell) if type(cell) is int else cell for cell in rows[0]] for name, rows in found.items()}
    assert len({repr(row) for row in plain.values()}) == 1, plain
