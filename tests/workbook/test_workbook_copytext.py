from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import asyncpg
import pytest

from cpimportd.workbook.copytext import amount_of, encode_row

MOSCOW = timezone(timedelta(hours=3))


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
