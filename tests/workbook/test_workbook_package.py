"""A sheet is what relationships and content types say: guards and engines look at that part, whatever its name."""

import gzip
import re
import zipfile

import pytest

from cpimportd.core.model import CellError
from cpimportd.core.problems import ProblemError
from cpimportd.workbook import xlsx
from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import inspect

SIMPLE = [(1, ("A", "B", "C")), (2, ("x", 1.0)), (3, ("y", 2.5, "z")), (4, ("Итого", 3.5))]
STRICT = (
    (b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"),
    (
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
    ),
)
SHEET, TYPE = "xl/worksheets/sheet1.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml"


def opened(path, limits):
    contents = inspect(path, limits, path.name)
    return contents, open_cells(path, contents, path.name)


def rows(sheets):
    """Rows that hold something, without the empty cells at their end."""
    (sheet,) = sheets
    found = []
    for number, cells in sheet.rows():
        filled = max((at for at, cell in enumerate(cells, 1) if cell is not None), default=0)
        if filled:
            found.append((number, cells[:filled]))
    return found


def code(path, limits):
    with pytest.raises(ProblemError) as caught:
        rows(opened(path, limits)[1].sheets)
    return caught.value.problems[0].code


@pytest.fixture
def stored(changed, simple):
    """A copy of the simple workbook whose parts lie elsewhere, and whose targets say so as they are given."""

    def store(names, targets=(), change=lambda part, content: content, **more):
        def each(part, content):
            content = change(part, content)
            if part == "[Content_Types].xml":
                for old, new in names.items():
                    content = content.replace(f"/{old}".encode(), f"/{new}".encode())
            if part.endswith(".rels"):
                for old, new in targets:
                    content = content.replace(f'Target="{old}"'.encode(), f'Target="{new}"'.encode())
            return names.get(part, part), content

        path = changed(simple, each)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
            for name, content in more.items():
                package.writestr(name, content)
        return path

    return store


ELSEWHERE = {
    "beside the workbook": ({SHEET: "xl/data.xml"}, [("worksheets/sheet1.xml", "data.xml")]),
    "by an absolute target": ({SHEET: "xl/data.xml"}, [("worksheets/sheet1.xml", "/xl/data.xml")]),
    "out of the folder": ({SHEET: "pages/one.xml"}, [("worksheets/sheet1.xml", "../pages/one.xml")]),
    "in the root": ({SHEET: "sheet.xml"}, [("worksheets/sheet1.xml", "/sheet.xml")]),
    "by a way round": ({SHEET: "xl/data.xml"}, [("worksheets/sheet1.xml", "./worksheets/../data.xml")]),
    "under another ending": ({SHEET: "xl/worksheets/sheet1.dat"}, [("worksheets/sheet1.xml", "worksheets/sheet1.dat")]),
    "in another case": ({SHEET: "xl/DATA.xml"}, [("worksheets/sheet1.xml", "Data.XML")]),
    "percent-encoded in the target": ({SHEET: "xl/my data.xml"}, [("worksheets/sheet1.xml", "my%20data.xml")]),
    "percent-encoded in both": ({SHEET: "xl/my%20data.xml"}, [("worksheets/sheet1.xml", "my%20data.xml")]),
    "by backslashes": ({SHEET: "xl\\data.xml"}, [("worksheets/sheet1.xml", "..\\xl\\data.xml")]),
    "under docProps": ({SHEET: "docProps/sheet.xml"}, [("worksheets/sheet1.xml", "/docProps/sheet.xml")]),
    "as document properties": ({SHEET: "docProps/core.xml"}, [("worksheets/sheet1.xml", "/docProps/core.xml")]),
    "in a Cyrillic name": ({SHEET: "xl/Лист.xml"}, [("worksheets/sheet1.xml", "Лист.xml")]),
    "without a slash": ({}, [("worksheets/sheet1.xml", "xl/worksheets/sheet1.xml")]),
    "the shared texts": ({"xl/sharedStrings.xml": "xl/texts.xml"}, [("sharedStrings.xml", "texts.xml")]),
    "the styles": ({"xl/styles.xml": "formats/all.xml"}, [("styles.xml", "/formats/all.xml")]),
    "the workbook": (
        {"xl/workbook.xml": "book/main.xml", "xl/_rels/workbook.xml.rels": "book/_rels/main.xml.rels"},
        [
            ("xl/workbook.xml", "/book/main.xml"),
            ("worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml"),
            ("styles.xml", "../xl/styles.xml"),
            ("sharedStrings.xml", "../xl/sharedStrings.xml"),
        ],
    ),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_parts_are_found_wherever_they_lie_by_both_engines(stored, limits, where):
    path = stored(*ELSEWHERE[where])
    contents, cells = opened(path, limits)
    assert (cells.engine, rows(cells.sheets)) == ("calamine", SIMPLE)
    assert rows(xlsx.sheets(path, contents.package, "a")) == SIMPLE


@pytest.mark.parametrize("where", ELSEWHERE)
def test_guards_look_at_the_sheet_wherever_it_lies(stored, limits, where):
    def twice(_, content):
        return content.replace(b'<row r="3"', b'<row r="2"')

    def nested(_, content):
        return content.replace(b"<v>2.5</v>", b"<v>2<!-- -->5</v>")

    def error(_, content):
        return content.replace(b'<c r="C2" s="3" t="e"/>', b'<c r="C2" s="3" t="e"><v>#REF!</v></c>')

    assert code(stored(*ELSEWHERE[where], twice), limits) == "file-damaged"
    assert code(stored(*ELSEWHERE[where], nested), limits) == "file-damaged"
    _, cells = opened(stored(*ELSEWHERE[where], error), limits)
    assert cells.engine == "expat"
    assert rows(cells.sheets)[1] == (2, ("x", 1.0, CellError("#REF!")))


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_sheet_counts_for_the_digest_wherever_it_lies(stored, limits, where):
    def other(_, content):
        return content.replace(b"<v>2.5</v>", b"<v>2.6</v>")

    digests = {inspect(stored(*ELSEWHERE[where], *change), limits, "a").digest for change in ((), (other,))}
    assert len(digests) == 2


def test_a_part_that_only_looks_like_a_sheet_is_none(stored, limits):
    broken = '<worksheet><sheetData><row r="2"/><row r="2"/></sheetData></worksheet>'
    path = stored(*ELSEWHERE["beside the workbook"], **{SHEET: broken})
    assert rows(opened(path, limits)[1].sheets) == SIMPLE


def test_engines_open_the_target_and_not_the_part_of_the_usual_name(stored, limits):
    # Relative to the workbook the target is xl/xl/worksheets/sheet1.xml, and there is a part of that name.
    other = (
        b'<worksheet xmlns="%s"><sheetData><row r="1"><c r="A1"><v>7</v></c></row></sheetData></worksheet>'
        % STRICT[0][0]
    )
    path = stored({}, [("worksheets/sheet1.xml", "xl/worksheets/sheet1.xml")], **{"xl/xl/worksheets/sheet1.xml": other})
    contents, cells = opened(path, limits)
    assert rows(cells.sheets) == rows(xlsx.sheets(path, contents.package, "a")) == [(1, (7.0,))]


def strict(_, content):
    for old, new in STRICT:
        content = content.replace(old, new)
    return content


def test_strict_workbooks_are_read_by_both_engines(stored, limits):
    path = stored({}, (), strict)
    contents, cells = opened(path, limits)
    assert (cells.engine, rows(cells.sheets)) == ("calamine", SIMPLE)
    assert rows(xlsx.sheets(path, contents.package, "a")) == SIMPLE


def test_a_workbook_that_counts_from_1904_is_known_wherever_it_lies(stored, limits):
    def change(part, content):
        return content.replace(b"<workbookPr ", b"<workbookPr date1904='1' ") if part == "xl/workbook.xml" else content

    assert opened(stored(*ELSEWHERE["the workbook"], change), limits)[0].since_1904


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("[Content_Types].xml", b".worksheet+xml", b".chartsheet+xml"),
        ("[Content_Types].xml", b".sharedStrings+xml", b".styles+xml"),
        ("xl/_rels/workbook.xml.rels", b'Target="worksheets/sheet1.xml"', b'Target="worksheets/sheet9.xml"'),
        ("xl/_rels/workbook.xml.rels", b'Target="worksheets/sheet1.xml"', b'Target="file:///x" TargetMode="External"'),
        ("xl/_rels/workbook.xml.rels", b'"rId1"', b'"rId7"'),
        ("xl/_rels/workbook.xml.rels", b'"rId2"', b'"rId1"'),
        ("xl/workbook.xml", b"</sheets>", b"<sheets>"),
    ],
)
def test_a_package_that_contradicts_itself_is_refused(stored, limits, part, old, new):
    def change(name, content):
        assert name != part or old in content
        return content.replace(old, new) if name == part else content

    assert code(stored({}, (), change), limits) == "file-damaged"


def test_two_parts_of_shared_texts_are_refused(stored, limits):
    def change(part, content):
        more = f'<Override PartName="/xl/more.xml" ContentType="{TYPE}.sharedStrings+xml"/></Types>'.encode()
        return content.replace(b"</Types>", more) if part == "[Content_Types].xml" else content

    assert code(stored({}, (), change, **{"xl/more.xml": "<sst/>"}), limits) == "file-damaged"


@pytest.mark.parametrize("kind", ["wordprocessingml.document", "presentationml.presentation"])
def test_another_program_s_document_is_no_workbook(stored, limits, kind):
    def change(part, content):
        return content.replace(b"spreadsheetml.sheet.main", f"{kind}.main".encode())

    assert code(stored({}, (), change), limits) == "file-not-workbook"


# Elements with a prefix


def prefixed(prefix):
    def change(part, content):
        if part not in (SHEET, "xl/sharedStrings.xml"):
            return content
        head, body = content.decode("utf-8-sig").replace("xmlns=", f"xmlns:{prefix}=").split("?>", 1)
        return (head + "?>" + re.sub(r"<(/?)", rf"<\1{prefix}:", body)).encode()

    return change


@pytest.mark.parametrize("prefix", ["x", "ss", "main", "ns0", "к"])
@pytest.mark.parametrize("error", [False, True])
def test_elements_with_a_prefix_are_read(stored, limits, prefix, error):
    def change(part, content):
        content = prefixed(prefix)(part, content)
        return (
            content.replace(b't="e"/>', b't="e"><%s:v>#N/A</%s:v></%s:c>' % ((prefix.encode(),) * 3), 1)
            if error
            else content
        )

    _, cells = opened(stored({}, (), change), limits)
    assert cells.engine == "expat"
    assert rows(cells.sheets) == ([SIMPLE[0], (2, ("x", 1.0, "#N/A")), *SIMPLE[2:]] if error else SIMPLE)
    assert (
        code(stored({}, (), lambda part, content: change(part, content).replace(b'row r="3"', b'row r="2"')), limits)
        == "file-damaged"
    )


MAIN = STRICT[0][0].decode()


@pytest.mark.parametrize(
    "sheet",
    [
        '<x:worksheet xmlns:x="{}"><x:sheetData><row xmlns="{}" r="1"><c r="A1"><v>1</v></c></row></x:sheetData></x:worksheet>',
        '<worksheet xmlns="{}"><sheetData xmlns:y="{}"><y:row r="1"><y:c r="A1"><y:v>1</y:v></y:c></y:row></sheetData></worksheet>',
        '<worksheet xmlns="{}"><sheetData><y:row xmlns:y="{}" r="1"><y:c r="A1"><y:v>1</y:v></y:c></y:row></sheetData></worksheet>',
        '<x:worksheet xmlns:x="{}"><x:sheetData><x:row r="1"><x:c r="A1"><v xmlns="{}">1</v></x:c></x:row></x:sheetData></x:worksheet>',
    ],
)
def test_namespaces_that_are_bound_midway_are_heeded(stored, limits, sheet):
    text = sheet.format(MAIN, MAIN).encode()
    _, cells = opened(stored({}, (), lambda part, content: text if part == SHEET else content), limits)
    assert rows(cells.sheets) == [(1, (1.0,))]


# What no engine opens


@pytest.mark.parametrize(
    "name",
    [
        "xl/media/image1.emz",
        "xl/media/image1.wmz",
        "xl/media/logo.svgz",
        "xl/embeddings/Microsoft_Excel_Worksheet.xlsx",
        "xl/embeddings/oleObject1.bin",
        "xl/embeddings/package.zip",
    ],
)
@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"x" * 999), b"PK\x03\x04" + bytes(99), b"7z\xbc\xaf\x27\x1c"],
    ids=["gzip", "zip", "7z"],  # gzip writes the time: each worker would have other names for its tests
)
def test_an_enclosed_archive_that_nobody_opens_does_no_harm(stored, limits, name, content):
    contents, cells = opened(stored({}, **{name: content}), limits)
    assert rows(cells.sheets) == SIMPLE
    assert inspect(stored({}, **{name: content + b"1"}), limits, "a").digest != contents.digest


def test_a_drawing_with_a_dtd_does_no_harm(stored, limits):
    svg = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg/>'
    assert rows(opened(stored({}, **{"xl/media/image1.svg": svg}), limits)[1].sheets) == SIMPLE


@pytest.mark.parametrize("name", ["xl/media/image1.png", "xl/worksheets/sheet2.xml", "customXml/item1.xml", "x.zip"])
def test_an_archive_that_is_called_something_else_is_refused(stored, limits, name):
    assert code(stored({}, **{name: b"PK\x03\x04" + bytes(99)}), limits) == "zip-suspicious"


def test_an_enclosed_bomb_is_still_refused(stored, limits):
    assert code(stored({}, **{"xl/media/image1.emz": bytes(50_000_000)}), limits) == "zip-suspicious"


def test_a_sheet_among_the_enclosed_files_is_a_sheet(stored, limits):
    place = {SHEET: "xl/embeddings/sheet1.xml"}, [("worksheets/sheet1.xml", "embeddings/sheet1.xml")]
    assert rows(opened(stored(*place), limits)[1].sheets) == SIMPLE
    assert (
        code(stored(*place, lambda part, content: b"PK\x03\x04" if part == SHEET else content), limits)
        == "zip-suspicious"
    )


# Stamps


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("docProps/core.xml", False),
        ("docProps/app.xml", False),
        ("DOCPROPS/App.xml", False),
        ("docProps/custom.xml", True),
        ("docProps/thumbnail.jpeg", True),
        ("docProps/core.xml.bak", True),
        ("xl/docProps/core.xml", True),
        ("core.xml", True),
    ],
)
def test_only_what_is_stamped_each_day_does_not_count(stored, limits, name, counts):
    digests = {inspect(stored({}, **{name: f"<x>{day}</x>"}), limits, "a").digest for day in (1, 2)}
    assert (len(digests) == 2) is counts
