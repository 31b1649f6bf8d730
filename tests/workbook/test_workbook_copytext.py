from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.model import Document
from cpimportd.workbook.copytext import NULL, amount_of, decode_key, encode_row

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
MOSCOW = timezone(timedelta(hours=3))
ROW = (
    4,
    17,
    "Списание 0А00-1 от 1.2.2022",
    "ЛОТОС ООО",
    Decimal("1.50"),
    "0А00-1",
    datetime(2022, 2, 1, tzinfo=MOSCOW),
)


def decoded(line: bytes, columns: int = 8) -> Document:
    return decode_key(line.decode().removesuffix("\n"), columns, 4, 16, {})


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, r"\N"),
        (True, "t"),
        (False, "f"),
        (7, "7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.10"),
        (date(2022, 2, 1), "2022-02-01"),
        (datetime(2022, 2, 1, 8, 1, 53, tzinfo=MOSCOW), "2022-02-01T08:01:53+03:00"),
        ("a\tb\nc\rd\\e", r"a\tb\nc\rd\\e"),
        (r"\N", r"\\N"),
        ("", ""),
        ("\u00a0 №", "\u00a0 №"),
        ({"Валюта": 'руб.\\"'}, r'{"Валюта":"руб.\\\\\\""}'),
    ],
)
def test_values_in_copy_format(value, field):
    assert encode_row((value,)).decode() == field + "\n"


@pytest.mark.parametrize(
    "value", ["a\0b", {"a": "b\0"}, {"a\0": "b"}, "half \ud83d", {"half": "\ud83d"}, {"a": float("nan")}]
)
def test_what_postgresql_cannot_store_is_refused(value):
    with pytest.raises(ValueError, match=r"store|JSON"):
        encode_row((value,))


def test_a_text_that_only_speaks_of_nul_is_stored():
    assert encode_row(({"a": r"\u0000"},)) == b'{"a":"\\\\\\\\u0000"}\n'


@given(TEXT, TEXT, TEXT)
def test_keys_come_back_as_they_were(operation_id, organization, number):
    row = (4, 17, operation_id, organization, Decimal("1.50"), number, datetime(2022, 2, 1, tzinfo=UTC), {"x": number})
    assert decoded(encode_row(row)) == Document(17, operation_id, organization, row[4], number, row[6])


def test_empty_keys_come_back_empty():
    assert decoded(encode_row((4, 17, "x", None, Decimal(1), None, None, None))) == (17, "x", None, 1, None, None)


def test_one_organization_is_one_text():
    seen: dict[str, str] = {}
    first, second = (decode_key(encode_row((4, row, *ROW[2:])).decode()[:-1], 7, 4, 0, seen) for row in (1, 2))
    assert first.organization is second.organization


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (0, "5"),
        (0, ""),
        (1, "16"),
        (1, "-1"),
        (1, "x"),
        (1, "²"),
        (2, NULL),
        (4, "NaN"),
        (4, "1e5"),
        (4, "1_0"),
        (4, NULL),
        (4, ""),
        (6, "yesterday"),
        (6, "2022-02-01T00:00:00"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(at, field):
    fields = encode_row(ROW).decode().removesuffix("\n").split("\t")
    fields[at] = field
    with pytest.raises(ValueError, match=r"."):
        decode_key("\t".join(fields), len(ROW), 4, 16, {})


@pytest.mark.parametrize("columns", [6, 8])
def test_a_line_with_other_columns_is_refused(columns):
    with pytest.raises(ValueError, match="columns"):
        decoded(encode_row(ROW), columns)


def test_amounts_are_plain():
    assert amount_of("-12.340") == Decimal("-12.34")
    for text in ("", "1,5", " 1", "inf", "٣"):
        with pytest.raises(ValueError, match="amount"):
            amount_of(text)


@pytest.mark.asyncio
async def test_postgresql_reads_what_was_meant(empty_database, tmp_path):
    texts = ["a\tb\nc\rd\\e", r"\N", r"\.", "", " ", "\u2028", 'кавычки "', "\x01\x1f\x7f", "\\x41", "🙂"]
    path = tmp_path / "rows"
    path.write_bytes(b"".join(encode_row((number, text, {"t": text})) for number, text in enumerate(texts)))
    connection = await asyncpg.connect(empty_database)
    try:
        await connection.execute("CREATE TEMPORARY TABLE came (n int, text text, extra jsonb)")
        await connection.copy_to_table("came", source=path)
        rows = await connection.fetch("SELECT text, extra ->> 't' AS extra FROM came ORDER BY n")
    finally:
        await connection.close()
    assert [row["text"] for row in rows] == texts
    assert [row["extra"] for row in rows] == texts
