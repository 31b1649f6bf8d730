import pickle
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.model import Document
from cpimportd.workbook.copytext import NULL, KeyReader, Keys, encode_row

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


def read(*lines: bytes, columns: int = 8) -> Keys:
    keys = Keys()
    reader = KeyReader(keys, columns, 4)
    for line in lines:
        reader.read(line.decode().removesuffix("\n"))
    return keys


@given(TEXT, TEXT, TEXT, st.integers(1 - 10**15, 10**15 - 1))
def test_keys_come_back_as_they_were(operation_id, organization, number, kopecks):
    amount = Decimal(kopecks).scaleb(-2)
    row = (4, 17, operation_id, organization, amount, number, datetime(2022, 2, 1, tzinfo=UTC), {"x": number})
    (document,) = read(encode_row(row))
    assert document == Document(17, operation_id, organization, kopecks)
    assert str(document.amount) == f"{amount:f}"


def test_empty_keys_come_back_empty():
    assert list(read(encode_row((4, 17, "x", None, Decimal(1), None, None, None)))) == [(17, "x", None, 100)]


@pytest.mark.parametrize("text", [r"\N", r"\\N", "", "a\tb\nc\rd\\e"])
def test_a_text_that_looks_like_null_is_a_text(text):
    (document,) = read(encode_row((4, 17, text, text, Decimal(1), text, None, None)))
    assert document[1:3] == (text, text)


@pytest.mark.parametrize("amount", ["-0.10", "0.00", "-12.05", "9999999999999.99", "7"])
def test_amounts_are_exact(amount):
    (document,) = read(encode_row((*ROW[:4], Decimal(amount), *ROW[5:])), columns=7)
    assert document.amount == Decimal(amount)
    assert document.amount.as_tuple().exponent == -2


def test_equal_texts_are_kept_once_over_all_files():
    first, second = read(encode_row(ROW), columns=7)[0], read(encode_row(ROW), columns=7)[0]
    assert first.organization is second.organization
    assert first.operation_id is second.operation_id


def test_a_row_takes_little_memory():
    lines = [encode_row((4, row, f"Списание с расчетного счета 0А00-{row:06} от 1.2.2022 12:00:00", *ROW[3:]))
             for row in range(1, 2001)]  # fmt: skip
    keys = read(*lines, columns=7)
    held = sum(sys.getsizeof(getattr(keys, name)) for name in Keys.__slots__)
    assert held / len(keys) < 40


def test_a_sequence_is_read_from_any_place_and_travels():
    keys = read(*(encode_row((4, row, *ROW[2:])) for row in (17, 18, 40)), columns=7)
    assert [document.row for document in keys] == [17, 18, 40]
    assert (keys[0], keys[-1], list(keys[1:])) == (next(iter(keys)), keys[2], [keys[1], keys[2]])
    assert len(keys) == 3
    assert pickle.loads(pickle.dumps(keys)) == keys != read(encode_row((4, 17, *ROW[2:])), columns=7)
    with pytest.raises(IndexError):
        keys[3]


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (0, "5"),
        (0, ""),
        (0, "04"),
        (1, "0"),
        (1, "-1"),
        (1, "x"),
        (1, "²"),
        (1, "٣"),
        (1, "1234567890"),
        (2, NULL),
        (4, "NaN"),
        (4, "1e5"),
        (4, "1_0"),
        (4, "1.005"),
        (4, "10000000000000.00"),
        (4, "٣"),
        (4, NULL),
        (4, ""),
        (6, "yesterday"),
        (6, ""),
        (6, "2022-02-01T00:00:00"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(at, field):
    fields = encode_row(ROW).decode().removesuffix("\n").split("\t")
    fields[at] = field
    with pytest.raises(ValueError, match=r"."):
        read("\t".join(fields).encode(), columns=len(ROW))


def test_rows_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="after row 17"):
        read(encode_row(ROW), encode_row(ROW), columns=7)


@pytest.mark.parametrize("columns", [6, 8])
def test_a_line_with_other_columns_is_refused(columns):
    with pytest.raises(ValueError, match="columns"):
        read(encode_row(ROW), columns=columns)
