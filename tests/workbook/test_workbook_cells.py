import re
import zipfile
from pathlib import Path

import pytest

from cpimportd.core.model import CellError
from cpimportd.core.problems import ProblemError
from cpimportd.demo.workbook import write_workbook
from cpimportd.workbook import xlsx
from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import Contents, inspect
from cpimportd.workbook.package import resolve

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "samples").glob("day*/*.xlsx"))
SIMPLE = [
    (1, ("A", "B", "C")),
    (2, ("x", 1.0, None)),
    (3, ("y", 2.5, "z")),
    (4, ("Итого", 3.5, None)),
]


def cells(path, limits):
    return open_cells(path, inspect(path, limits, path.name), path.name)


def rows(path, limits, engine="calamine"):
    opened = cells(path, limits)
    assert opened.engine == engine
    (sheet,) = opened.sheets
    return list(sheet.rows())


def package_of(path):
    with zipfile.ZipFile(path) as archive:
        return resolve(archive.namelist(), archive.read, path.name)


def by_expat(path):
    (sheet,) = xlsx.sheets(path, package_of(path), path.name)
    return list(sheet.rows())


def full(found):
    """Rows without the empty cells at their end: how far a row reaches is each engine's own affair."""
    return [(number, re.sub(r"(, None)+\)$", ")", repr((*map(plain, row), None)))) for number, row in found]


def plain(cell):
    return float(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell


def test_rows_are_numbered_and_empties_are_none(simple, limits):
    assert rows(simple, limits) == SIMPLE


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_both_engines_see_the_same_cells(path, limits):
    found = rows(path, limits)
    assert len(found) > 40
    assert full(by_expat(path)) == full(found)


def test_an_error_value_is_an_error_and_never_empty(in_sheet, simple, limits):
    path = in_sheet(simple, b'<c r="C2" s="3" t="e"/>', b'<c r="C2" s="3" t="e"><v>#REF!</v></c>')
    found = rows(path, limits, "expat")
    assert found == [SIMPLE[0], (2, ("x", 1, "#REF!")), *SIMPLE[2:]]
    assert type(found[1][1][2]) is CellError
    assert found[3][1][2] is None


def test_a_text_that_looks_like_an_error_is_text(tmp_path, limits):
    path = tmp_path / "a.xlsx"
    write_workbook(path, ["A", "B"], [["#REF!", 1]], None)
    assert [type(cell) for cell in rows(path, limits)[1][1]] == [str, float]
    assert [type(cell) for cell in by_expat(path)[1][1]] == [str, float]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("xl/sharedStrings.xml", "xl/SharedStrings.xml"),
        ("xl/workbook.xml", "xl/Workbook.xml"),
        ("sheet1.xml", "Sheet1.xml"),
        ("xl/", "XL/"),
        ("xl/", "xl\\"),
        ("[Content_Types].xml", "[content_types].xml"),
    ],
)
def test_part_names_are_compared_without_case(changed, simple, limits, old, new):
    path = changed(simple, lambda part, content: (part.replace(old, new), content))
    assert rows(path, limits) == SIMPLE
    assert by_expat(path) == SIMPLE


def test_a_false_dimension_cuts_nothing(in_sheet, simple, limits):
    for lie in (b"A1", b"A1:B2", b"A1:XFD1048576"):
        path = in_sheet(simple, b'<dimension ref="C4"/>', b'<dimension ref="%s"/>' % lie)
        assert rows(path, limits) == SIMPLE
        assert by_expat(path) == SIMPLE


def moved(part, content):
    """Three rows down, two columns to the right, and a gap of four rows before the total."""
    if "worksheets" not in part:
        return part, content
    text = content.decode("utf-8-sig")
    down = {"1": "4", "2": "5", "3": "6", "4": "11"}
    text = re.sub(r'<row r="(\d)"', lambda match: f'<row r="{down[match[1]]}"', text)
    text = re.sub(r'<c r="([A-C])(\d)"', lambda match: f'<c r="{chr(ord(match[1]) + 2)}{down[match[2]]}"', text)
    return part, text.encode()


def test_row_numbers_are_those_of_the_sheet(changed, simple, limits):
    path = changed(simple, moved)
    for found in (rows(path, limits), by_expat(path)):
        filled = {number: row[2:] for number, row in found if any(row)}
        assert filled == {4: SIMPLE[0][1], 5: SIMPLE[1][1], 6: SIMPLE[2][1], 11: SIMPLE[3][1]}


def test_cells_without_addresses_count_from_the_left(changed, simple, limits):
    path = changed(simple, lambda part, content: (part, re.sub(rb' r="[A-Z]*\d+"', b"", content)))
    assert rows(path, limits) == SIMPLE


def test_utf_16_is_read_and_not_taken_for_an_empty_sheet(changed, simple, limits):
    def each(part, content):
        if "worksheets" in part:
            content = content.decode("utf-8-sig").replace("UTF-8", "UTF-16").encode("utf-16")
        return part, content

    assert rows(changed(simple, each), limits, "expat") == SIMPLE


def test_a_binary_workbook_is_known_by_its_content(tmp_path, limits, binary_xls):
    path = binary_xls(tmp_path / "named.xlsx", [["Итого", 2.5], ["x", "тест"]])
    assert rows(path, limits, "xlrd") == [(1, ("Итого", 2.5)), (2, ("x", "тест"))]


@pytest.mark.parametrize("there", [700, 701, 1100, 1536, 4096])
def test_half_a_binary_workbook_is_damaged(tmp_path, limits, binary_xls, there):
    path = binary_xls(tmp_path / "a.xls", [["x" * 50] * 30] * 3)
    path.write_bytes(path.read_bytes()[:there])
    with pytest.raises(ProblemError) as caught:
        cells(path, limits)
    assert caught.value.problems[0].code == "file-damaged"
    assert re.search("cut off|Can't find workbook|stream length", str(caught.value))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</sheetData>", b""),
        (b'<row r="3"', b'<row r="3'),
        (b"<v>2.5</v>", b"<v>2,5 rub</v>"),
        (b"<v>0</v>", b"<v>77</v>"),
    ],
)
def test_broken_xml_is_damage_with_a_reason(in_sheet, simple, limits, old, new):
    path = in_sheet(simple, old, new)
    with pytest.raises(ProblemError) as caught:
        [list(sheet.rows()) for sheet in cells(path, limits).sheets]
    (problem,) = caught.value.problems
    assert problem.code == "file-damaged"
    assert len(problem.message) > len("is damaged: ")


def two_sheets(states):
    def each(part, content):
        if part == "xl/workbook.xml":
            sheets = "".join(
                f'<sheet name="S{number}" sheetId="{number}" r:id="rId1"{state}/>'
                for number, state in enumerate(states)
            )
            content = re.sub(rb"<sheet name.*?/>", sheets.encode(), content)
        return part, content

    return each


HIDDEN, VERY_HIDDEN = ' state="hidden"', ' state="veryHidden"'


@pytest.mark.parametrize(
    ("states", "names"),
    [(("", ""), ["S0", "S1"]), ((HIDDEN, ""), ["S1"]), (("", VERY_HIDDEN), ["S0"]), ((HIDDEN,), ["S0"])],
)
def test_hidden_sheets_count_only_where_nothing_else_is_there(changed, simple, limits, states, names):
    path = changed(simple, two_sheets(states))
    assert [sheet.name for sheet in cells(path, limits).sheets] == names
    assert [sheet.name for sheet in xlsx.sheets(path, package_of(path), "a")] == names


def test_rows_can_be_read_twice(simple, limits):
    (sheet,) = cells(simple, limits).sheets
    assert list(sheet.rows()) == list(sheet.rows()) == SIMPLE
    (sheet,) = xlsx.sheets(simple, package_of(simple), "a")
    assert list(sheet.rows()) == list(sheet.rows()) == SIMPLE


def test_contents_decide_the_engine(simple):
    contents = Contents("", is_zip=True, needs_second_engine=True, package=package_of(simple))
    assert open_cells(simple, contents, "a").engine == "expat"
