import os
import re
import struct
import zipfile
from dataclasses import replace

import pytest

from cpimportd.core.problems import ProblemError
from cpimportd.workbook import guards, openfile
from cpimportd.workbook.guards import inspect
from tests.support.workbook.binaries import write_xlsb


def code(path, limits) -> str:
    with pytest.raises(ProblemError) as caught:
        inspect(path, limits, path.name)
    (problem,) = caught.value.problems
    assert problem.file == path.name
    return problem.code


def test_zero_bytes_are_a_broken_upload(tmp_path, limits):
    path = tmp_path / "a.xlsx"
    path.touch()
    assert code(path, limits) == "file-empty"


@pytest.mark.parametrize("content", [b"hello", b"<html><table>", b"PK\x05\x06" + bytes(18), "текст".encode()])
def test_what_is_no_workbook_is_called_so(tmp_path, limits, content):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert code(path, limits) == "file-not-workbook"


def test_a_zip_of_something_else_is_no_workbook(tmp_path, limits):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("readme.txt", "hello")
    assert code(path, limits) == "file-not-workbook"


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_half_a_zip_is_damaged(tmp_path, limits, expenses, share):
    path = tmp_path / "a.xlsx"
    whole = expenses.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert code(path, limits) == "file-damaged"


def test_flipped_bits_are_damage_at_every_place(tmp_path, limits, expenses):
    whole = expenses.read_bytes()
    good = inspect(expenses, limits, "good").digest
    path = tmp_path / "a.xlsx"
    codes = set()
    for at in range(7, len(whole), 997):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            digest = inspect(path, limits, path.name).digest
        except ProblemError as error:
            codes.add(error.problems[0].code)
        else:
            assert digest == good  # the byte means nothing, as in a time stamp
    assert "file-damaged" in codes
    assert codes <= {"file-damaged", "zip-suspicious", "file-encrypted", "file-not-workbook"}


def test_holes_of_zeros_are_damage(tmp_path, limits, expenses):
    whole = bytearray(expenses.read_bytes())
    whole[4096:8192] = bytes(4096)
    path = tmp_path / "a.xlsx"
    path.write_bytes(whole)
    assert code(path, limits) == "file-damaged"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(changed, limits, simple):
    bomb = changed(simple, lambda part, content: (part, bytes(50_000_000) if "styles" in part else content))
    assert code(bomb, limits) == "zip-suspicious"


def test_many_parts_that_unpack_to_too_much_are_refused(changed, limits, simple):
    big = changed(simple, lambda part, content: (part, os.urandom(3_000_000) if "styles" in part else content))
    assert code(big, replace(limits, unpacked=2_000_000)) == "zip-suspicious"


def test_a_part_that_unpacks_to_more_than_it_declares_is_damaged(tmp_path, limits, simple, changed):
    path = changed(simple, lambda part, content: (part, bytes(9_000) if "styles" in part else content))
    content = path.read_bytes()
    assert content.count(struct.pack("<I", 9_000)) == 2
    path.write_bytes(content.replace(struct.pack("<I", 9_000), struct.pack("<I", 90)))
    assert code(path, limits) == "file-damaged"


def test_a_million_entries_are_refused_unread(tmp_path, limits):
    path = tmp_path / "a.xlsx"
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%08d" % number for number in range(1_000_000))
    with path.open("wb") as handle:
        handle.write(b"PK\x03\x04" + bytes(30))
        handle.write(directory)
        handle.write(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 34))
        handle.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, 34 + len(directory), 1))
        handle.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    assert code(path, limits) == "zip-suspicious"
    # The same with an end record that lies about the number.
    path.write_bytes(
        b"PK\x03\x04"
        + bytes(30)
        + directory
        + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 7, 7, len(directory), 34, 0)
    )
    assert code(path, limits) == "zip-suspicious"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "xl/\x1b[2J.xml", "a" * 600, "..\\x"])
def test_absurd_part_names_are_refused(changed, limits, simple, name):
    assert code(changed(simple, lambda part, content: (name if "styles" in part else part, content)), limits) == (
        "zip-suspicious"
    )


def test_two_parts_that_differ_by_case_only_are_refused(changed, limits, simple):
    # Which of the two holds the texts would depend on the engine.
    both = changed(simple, lambda part, content: ("xl/SharedStrings.xml" if "styles" in part else part, content))
    assert code(both, limits) == "zip-suspicious"


def test_an_archive_inside_is_refused(changed, limits, simple):
    assert code(
        changed(simple, lambda part, content: (part, simple.read_bytes() if "styles" in part else content)), limits
    ) == ("zip-suspicious")


def test_other_ways_of_packing_are_refused(tmp_path, limits):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as package:
        package.writestr("[Content_Types].xml", "x" * 1000)
    assert code(path, limits) == "zip-suspicious"


def test_a_password_is_distinguished_from_damage(tmp_path, limits, encrypted_ole2):
    path = tmp_path / "a.xlsx"
    path.write_bytes(encrypted_ole2)
    assert code(path, limits) == "file-encrypted"


def test_an_encrypted_part_is_distinguished_from_damage(tmp_path, limits, simple):
    content = bytearray(simple.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert code(path, limits) == "file-encrypted"


def test_the_digest_follows_the_content_and_not_the_stamps(changed, limits, simple, monkeypatch):
    digest = inspect(simple, limits, "a").digest
    again = changed(simple, lambda part, content: (part, content))  # packed today, so with other stamps and order
    assert again.read_bytes() != simple.read_bytes()
    assert inspect(again, limits, "a").digest == digest
    other = changed(simple, lambda part, content: (part, content.replace(b"<v>2.5</v>", b"<v>2.6</v>")))
    assert inspect(other, limits, "a").digest != digest
    assert openfile.is_current(digest)
    monkeypatch.setattr(openfile, "READER_VERSION", openfile.READER_VERSION + 1)
    assert not openfile.is_current(digest)
    again_anew = inspect(simple, limits, "a").digest
    assert again_anew[:-2] != digest[:-2]
    assert openfile.is_current(again_anew)


def test_document_properties_do_not_count_for_the_digest(tmp_path, limits, simple):
    digests = set()
    for stamp in ("2026-01-01", "2026-01-02"):
        path = tmp_path / f"{stamp}.xlsx"
        path.write_bytes(simple.read_bytes())
        with zipfile.ZipFile(path, "a") as package:
            package.writestr("docProps/core.xml", stamp)
        digests.add(inspect(path, limits, "a").digest)
    assert digests == {inspect(simple, limits, "a").digest}


def test_what_moves_from_one_part_to_the_next_changes_the_digest(changed, limits, simple):
    moved = changed(simple, lambda part, content: ("xl/stylesX.xml" if "styles" in part else part, content))
    assert inspect(moved, limits, "a").digest != inspect(simple, limits, "a").digest


def test_1c_empties_are_no_error_values(expenses, limits):
    assert not inspect(expenses, limits, "a").needs_second_engine


@pytest.mark.parametrize(
    ("cell", "noticed"),
    [
        (b'<c r="C2" s="3" t="e"><v>#REF!</v></c>', True),
        (b"<c r='C2' t='e'><v>#REF!</v></c>", True),
        (b'<c r="C2" t = "e"><f>1/0</f><v>#DIV/0!</v></c>', True),
        (b'<c t="e" r="C2" >\n\t<v>#N/A</v></c>', True),
        (b'<c r="C2" t="e"></c>', False),
        (b'<c r="C2" t="e"><v/></c>', False),
        (b'<c r="C2" t="e"><v></v></c>', False),
        (b'<c r="C2" t="e" />', False),
    ],
)
def test_error_values_are_noticed(in_sheet, limits, simple, cell, noticed):
    path = in_sheet(simple, b'<c r="C2" s="3" t="e"/>', cell)
    assert inspect(path, limits, "a").needs_second_engine is noticed


@pytest.mark.parametrize("shift", range(0, 60, 3))
def test_an_error_value_is_noticed_across_pieces(in_sheet, limits, simple, monkeypatch, shift):
    monkeypatch.setattr(guards, "_PIECE", 8192)
    filler = b"<!--" + b"." * (8192 * 2 + shift) + b"-->"
    cell = b'<c r="C2" s="3" t="e"><v>#REF!</v></c>'
    path = in_sheet(simple, b'<c r="C2" s="3" t="e"/>', filler + cell)
    assert inspect(path, limits, "a").needs_second_engine


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_a_dtd_is_noticed_across_pieces(changed, limits, simple, monkeypatch, shift, encoding):
    monkeypatch.setattr(guards, "_PIECE", 8192)
    text = (
        f"<!--{' ' * (8170 - shift)}--><!DOCTYPE sst []><sst/>"
        if encoding == "utf-8"
        else (f"<!--{' ' * (4080 - shift)}--><!DOCTYPE sst []><sst/>")
    )
    path = changed(simple, lambda part, content: (part, text.encode(encoding) if "Strings" in part else content))
    assert code(path, limits) == "zip-suspicious"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("said", "since_1904"),
    [
        ('<workbookPr date1904="1"/>', True),
        ("<workbookPr x='1' date1904 = 'true'/>", True),
        ('<workbookPr date1904="0"/>', False),
        ("<workbookPr/>", False),
    ],
)
def test_a_workbook_that_counts_its_days_from_1904_is_noticed(
    changed, limits, simple, monkeypatch, encoding, said, since_1904
):
    def each(part, content):
        if part != "xl/workbook.xml":
            return part, content
        text = re.sub("<workbookPr [^>]*/>", "", content.decode("utf-8-sig").replace('encoding="UTF-8"', ""))
        text = text.replace("<sheets>", f"{said}<sheets>")
        assert said in text
        return part, text.encode(encoding)

    path = changed(simple, each)
    for piece in (2**20, 97):
        monkeypatch.setattr(guards, "_PIECE", piece)
        assert inspect(path, limits, "a").since_1904 is since_1904


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_value_that_is_none_is_noticed_across_pieces(in_sheet, limits, simple, monkeypatch, where):
    monkeypatch.setattr(guards, "_PIECE", 8192)
    for shift in range(0, 40, 7):
        pad = b" " * (8192 - shift)
        odd = b"<v>-2</v>" + pad if where == "before" else pad + b"<v>-2</v>"
        assert code(in_sheet(simple, b"<v>2</v>", odd), limits) == "file-damaged"


@pytest.mark.parametrize(
    "value",
    [
        b"<v>2<!-- -->5</v>",
        b"<v>2<![CDATA[5]]></v>",
        b"<v><![CDATA[25]]></v>",
        b"<v >2<!-- -->5</v>",
        b'<v\nxml:space="preserve">2<?x?>5</v>',
    ],
)
def test_a_value_that_calamine_would_cut_is_damage(in_sheet, limits, simple, value):
    assert code(in_sheet(simple, b"<v>2.5</v>", value), limits) == "file-damaged"


@pytest.mark.parametrize("value", [b"<v >2.5</v>", b"<v/>", b"<v />", b"<v> 2.5\n</v>", b"<!-- 2 --><v>2.5</v>"])
def test_a_value_written_unusually_is_read(in_sheet, limits, simple, value):
    assert inspect(in_sheet(simple, b"<v>2.5</v>", value), limits, "a").is_zip


@pytest.mark.parametrize("piece", [5000, 8192, 20_000, 2**20])
def test_two_rows_of_one_number_are_damage(in_sheet, expenses, limits, monkeypatch, piece):
    monkeypatch.setattr(guards, "_PIECE", piece)
    inspect(expenses, limits, "a")
    assert code(in_sheet(expenses, b'<row r="78" ', b'<row r="77" '), limits) == "file-damaged"
    assert code(in_sheet(expenses, b'<row r="202" ', b'<row r="2" '), limits) == "file-damaged"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<row r="3"', b'<row r="3"><c r="A2"><v>1</v></c></row><row r="4"'),
        (b'<row r="3"', b'<row><c r="A2"><v>1</v></c></row><row r="3"'),
        (b'<row r="3"', b"<row><c><v>1</v></c></row><row r='3'"),
        (b'<row r="3"', b'<x:row r="2" xmlns:x="y"><x:c r="A2"><x:v>1</x:v></x:c></x:row><row r="3"'),
    ],
)
def test_a_row_that_calamine_would_write_over_another_is_damage(in_sheet, limits, simple, old, new):
    assert code(in_sheet(simple, old, new), limits) == "file-damaged"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<row r="3"', b"<row"),
        (b"</sheetData>", b'<row r="7"/><row><c><v>1</v></c></row><row r="9"/></sheetData>'),
        (b"</sheetData>", b"</sheetData><from><xdr:col>1</xdr:col><xdr:row>2</xdr:row></from>"),
    ],
)
def test_rows_that_are_written_unusually_are_read(in_sheet, limits, simple, old, new):
    assert inspect(in_sheet(simple, old, new), limits, "a").is_zip


@pytest.mark.parametrize(
    "formula",
    [
        b"<f>A1</f>",
        b"<f><![CDATA[A1<2]]></f>",
        b"<f>A1<!-- first -->+A2</f><v/>",
        b'<f ca="1"><?x?>A1</f>\n<v xml:space="preserve"/>',
        b'<f t="shared" si="0"/><v xml:space="preserve"> </v>',
    ],
)
def test_a_formula_without_a_value_is_noticed_however_it_is_written(in_sheet, limits, simple, formula):
    assert inspect(in_sheet(simple, b"<v>2.5</v>", formula), limits, "a").needs_second_engine


def test_a_formula_with_a_value_is_read_as_usual(in_sheet, limits, simple):
    formula = b"<f>A1<!-- first -->+A2</f><v>2.5</v>"
    assert not inspect(in_sheet(simple, b"<v>2.5</v>", formula), limits, "a").needs_second_engine


def test_the_digest_of_a_binary_workbook_follows_its_sheet_under_every_name(tmp_path, limits):
    def digest(amount: float, stamp: str, sheet: str) -> str:
        path = write_xlsb(tmp_path / "a.xlsb", [["Сумма"], [amount]])
        with zipfile.ZipFile(path) as package:
            parts = {name: package.read(name) for name in package.namelist()}
        parts[sheet] = parts.pop("xl/worksheets/sheet1.bin")
        parts = {
            name: content.replace(b"worksheets/sheet1.bin", f"/{sheet}".encode()) for name, content in parts.items()
        }
        with zipfile.ZipFile(path, "w") as package:
            for name, content in parts.items():
                package.writestr(name, content)
            package.writestr("docProps/core.xml", f'<?xml version="1.0"?><x>{stamp}</x>')
        return inspect(path, limits, path.name).digest

    for sheet in ("xl/worksheets/sheet1.bin", "docProps/app.xml"):
        assert digest(1.5, "today", sheet) == digest(1.5, "tomorrow", sheet)
        assert digest(1.5, "today", sheet) != digest(2.5, "today", sheet)
