"""Names and listings that servers send."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.source.interface import FileState
from cpimportd.source.listing import (
    Line,
    ListingError,
    decode,
    is_workbook,
    parse_list,
    parse_mlsd,
    parse_time,
    refusal,
    split_listing,
)

NO_LOOK = FileState(None, None)


def line(name: str | bytes, kind: str = "file") -> Line:
    return Line(name.encode() if isinstance(name, str) else name, kind, NO_LOOK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["a.xlsx", "A.XLSX", "б.Xls", "c.xlsb", "отчет за 2025 г..xlsx", "a [1].xlsx", "$.xls"]
)
def test_workbooks_are_kept_in_any_case(name: str) -> None:
    assert is_workbook(name)
    assert refusal(name, name.encode()) is None


@pytest.mark.parametrize(
    "name", ["a.txt", "a.xlsx.tmp", "~$a.xlsx", ".in.a.xlsx", ".xlsx", "a.xlsm", "xlsx", "", "a.xlsx~", "a.xl\u017fx"]
)
def test_what_is_no_workbook_is_ignored_silently(name: str) -> None:
    assert split_listing([line(name)], "utf-8") == split_listing([], "utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "../a.xlsx",
        "/a.xlsx",
        "b/a.xlsx",
        "..\\a.xlsx",
        "C:\\a.xlsx",
        "a\0.xlsx",
        "a\n.xlsx",
        "a\x1b[2J.xlsx",
        "a\u202excod.xlsx",
        "a\u200b.xlsx",
        "a.xlsx\u200b",
        "\ufeffa.xlsx",
        "a\u2028.xlsx",
        " a.xlsx",
        "a.xlsx ",
        "a.xlsx\u00a0",
        "я" * 126 + ".xlsx",
    ],
)
def test_dangerous_names_are_refused_and_reported(name: str) -> None:
    found = split_listing([line(name)], "utf-8")
    assert found.entries == ()
    assert [p.code for p in found.problems] == ["name-refused"]
    assert str(found.problems[0]).replace("\u00a0", " ").isprintable()


def test_a_name_of_exactly_255_bytes_is_kept() -> None:
    name = "я" * 125 + ".xlsx"
    assert len(name.encode()) == 255
    assert len(split_listing([line(name)], "utf-8").entries) == 1


def test_names_that_differ_by_case_are_two_files() -> None:
    assert [e.name for e in split_listing([line("a.xlsx"), line("A.xlsx")], "utf-8").entries] == ["A.xlsx", "a.xlsx"]


def test_a_name_listed_twice_is_one_file() -> None:
    assert len(split_listing([line("a.xlsx"), line("a.xlsx")], "utf-8").entries) == 1


def test_links_are_refused_and_directories_ignored() -> None:
    found = split_listing([line("a.xlsx", "link"), line("b.xlsx", "other")], "utf-8")
    assert found.entries == ()
    assert [(p.code, p.file) for p in found.problems] == [("link-refused", "a.xlsx")]


def test_mixed_encodings_are_shown_alike_and_sent_back_as_they_came() -> None:
    old = "Списание.xlsx".encode("cp1251")
    found = split_listing([line("Поступление.xlsx"), line(old)], "utf-8")
    assert [(e.name, e.wire) for e in found.entries] == [
        ("Поступление.xlsx", "Поступление.xlsx".encode()),
        ("Списание.xlsx", old),
    ]


def test_the_same_name_in_two_encodings_is_distinguished() -> None:
    found = split_listing([line("Списание.xlsx"), line("Списание.xlsx".encode("cp1251"))], "utf-8")
    assert [e.name for e in found.entries] == ["Списание.xlsx", "Списание.xlsx [cp1251]"]


def test_cp1251_by_settings() -> None:
    assert decode("Списание.xlsx".encode("cp1251"), "cp1251") == "Списание.xlsx"


def test_bytes_of_no_known_encoding_are_refused() -> None:
    found = split_listing([line(b"\x98\xff.xlsx")], "utf-8")
    assert [p.code for p in found.problems] == ["name-refused"]


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "cp1251"]))
def test_any_bytes_are_kept_refused_or_ignored_and_never_crash(name: bytes, encoding: str) -> None:
    found = split_listing([Line(name + b".xlsx", "file", NO_LOOK)], encoding)
    for entry in found.entries:
        assert entry.wire == name + b".xlsx"
        assert entry.name.isprintable() or entry.name.replace("\u00a0", " ").isprintable()
        assert not set(entry.name) & set("/\\\0\r\n")
    assert len(found.entries) + len(found.problems) <= 1


def test_mlsd_keeps_spaces_and_reads_facts_in_any_case() -> None:
    lines = [b"Type=File;SIZE=12;Modify=20250102030405.678;UNIX.mode=0644;  a b.xlsx \r\n", b"type=cdir; .\r\n"]
    first, second = parse_mlsd(lines)
    assert (first.wire, first.kind, first.look.size) == (b" a b.xlsx ", "file", 12)
    assert first.look.modified is not None
    assert first.look.modified.isoformat() == "2025-01-02T03:04:05.678000+00:00"
    assert second.kind == "other"


@pytest.mark.parametrize("fact", ["OS.unix=symlink", "OS.unix=slink:real.xlsx"])
def test_links_of_mlsd(fact: str) -> None:
    assert [found.kind for found in parse_mlsd([f"type={fact};size=3; a.xlsx\r\n".encode()])] == ["link"]


def test_a_link_of_mlsd_whose_target_has_spaces_leaves_the_other_lines_readable() -> None:
    lines = [
        b"type=OS.unix=slink:/srv/1C exports/2023;size=20;modify=20240101000000; old\r\n",
        b"type=file;size=12;modify=20240101000000; a; b.xlsx\r\n",
        b" c.xlsx\r\n",
    ]
    found = [(one.wire, one.kind, one.look.size) for one in parse_mlsd(lines)]
    assert found == [(b"old", "link", 20), (b"a; b.xlsx", "file", 12), (b"c.xlsx", "file", None)]


@pytest.mark.parametrize("text", [b"", b"a.xlsx", b"type=file a.xlsx", b"type=file;size=12;a.xlsx"])
def test_a_line_of_mlsd_whose_facts_do_not_end_is_reported(text: bytes) -> None:
    with pytest.raises(ListingError, match="cannot be read"):
        list(parse_mlsd([text + b"\r\n"]))


@pytest.mark.parametrize(
    ("text", "name", "kind", "size"),
    [
        ("-rw-r--r--    1 0        0            1234 Jan 01 12:34 a.xlsx", "a.xlsx", "file", 1234),
        ("-rw-r--r--    1 0        0            1234 Jan 01  2024  a.xlsx ", " a.xlsx ", "file", 1234),
        ("-rw-rw-r--+ 1 1c Domain Users 7 Dec 31 23:59 1 2 2024 Jan.xlsx", "1 2 2024 Jan.xlsx", "file", 7),
        ("-rw-r--r-- 1 ftp ftp 99 янв 5 01:02 а.xlsx", "а.xlsx", "file", 99),
        ("drwxr-xr-x 2 0 0 4096 Jan 01 12:34 d.xlsx", "d.xlsx", "other", 4096),
        ("lrwxrwxrwx 1 0 0 9 Jan 01 12:34 l.xlsx -> real.xlsx", "l.xlsx", "link", None),
        ("01-23-24  12:34PM                   12 a b.xlsx", "a b.xlsx", "file", 12),
        ("01-23-2024  23:34              1,234 a.xlsx", "a.xlsx", "file", 1234),
        ("01-23-24  12:34PM       <DIR>          d.xlsx", "d.xlsx", "other", None),
    ],
)
def test_lines_of_list(text: str, name: str, kind: str, size: int | None) -> None:
    (found,) = parse_list([f"{text}\r\n".encode()])
    assert (found.wire.decode(), found.kind, found.look) == (name, kind, FileState(size, None))


def test_list_passes_over_what_names_no_workbook_and_says_what_it_cannot_read() -> None:
    assert list(parse_list([b"total 12\r\n", b"\r\n"])) == []
    with pytest.raises(ListingError, match="cannot be read"):
        list(parse_list([b"?? a.xlsx\r\n"]))


@pytest.mark.parametrize("text", [b"", b"2025", b"20251301000000", b"19124010203040", b"2025-01-01"])
def test_times_that_are_none(text: bytes) -> None:
    assert parse_time(text) is None


@given(st.lists(st.binary(max_size=80)))
def test_any_listing_is_read_or_refused_in_words(lines: list[bytes]) -> None:
    for parse in (parse_list, parse_mlsd):
        with suppress(ListingError):
            list(parse(lines))


@pytest.mark.parametrize("filler", [b"1", b" ", b"1 ", b"1 a 1 ", b"\xff"])
def test_a_hostile_line_costs_no_time(filler: bytes) -> None:
    began = time.monotonic()
    with suppress(ListingError):
        list(parse_list([b"-rw-r--r-- " + filler * (65000 // len(filler)) + b".xlsx\r\n"]))
    assert time.monotonic() - began < 1
