# ruff: noqa: DTZ001 - moments in a workbook have no zone
import contextlib
import json
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.model import CellError
from cpimportd.documents.values import (
    currency_code,
    is_blank,
    is_rouble_account,
    json_value,
    parse_currency,
    parse_flag,
    parse_text,
)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("000123", "000123"),
        (" ЛОТОС  ООО\u00a0", "ЛОТОС  ООО"),
        ("а\tб\nв\x1b[31m", "а\tб\nв\x1b[31m"),
        ("A\u00a0B", "A\u00a0B"),
        (None, None),
        ("", None),
        (" \u00a0\n", None),
        (51.0, "51"),
        (51, "51"),
        (67.01, "67.01"),
        (10**22, "1" + "0" * 22),
        (0.0, "0"),
        (True, "Да"),
        (False, "Нет"),
        (date(2021, 9, 24), "24.09.2021"),
        (datetime(2021, 9, 24), "24.09.2021"),
        (datetime(2021, 9, 24, 8, 1, 53), "24.09.2021 8:01:53"),
        (time(8, 1, 53), "8:01:53"),
        (timedelta(hours=25), "1 day, 1:00:00"),
        ("#REF!", "#REF!"),
    ],
)
def test_text_is_kept_as_it_is(cell, text):
    assert parse_text(cell) == text


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("a\x00b", "NUL"),
        ("a\ud800b", "UTF-16"),
        (CellError("#REF!"), "error value"),
        (float("nan"), "no finite number"),
    ],
)
def test_text_that_cannot_be_stored_is_refused(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_text(cell)


@pytest.mark.parametrize("cell", ["Да", "да", "ДА", " Да ", True, 1, 1.0, "1"])
def test_yes(cell):
    assert parse_flag(cell) is True


@pytest.mark.parametrize("cell", ["Нет", "нет", "НЕТ\u00a0", False, 0, 0.0, "0"])
def test_no(cell):
    assert parse_flag(cell) is False


@pytest.mark.parametrize("cell", [None, "", " "])
def test_neither_yes_nor_no_is_none(cell):
    assert parse_flag(cell) is None


@pytest.mark.parametrize("cell", ["x", "Да, наверное", 2, 0.5, -1, date(2021, 1, 1), "+"])
def test_maybe_is_refused(cell):
    with pytest.raises(ValueError, match="neither «Да» nor «Нет»"):
        parse_flag(cell)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("руб.", "RUB"),
        ("руб", "RUB"),
        ("РУБ.", "RUB"),
        ("RUB", "RUB"),
        ("rub", "RUB"),
        ("RUR", "RUB"),
        ("643", "RUB"),
        (643.0, "RUB"),
        ("810", "RUB"),
        ("российский рубль", "RUB"),
        ("Российский  рубль", "RUB"),
        ("рос. руб.", "RUB"),
        ("₽", "RUB"),
        ("USD", "USD"),
        ("usd", "USD"),
        ("долл.", "USD"),
        ("Доллар США", "USD"),
        ("долл. США", "USD"),
        (840.0, "USD"),
        ("EUR", "EUR"),
        ("евро", "EUR"),
        ("CNY", "CNY"),
        ("юань", "CNY"),
        ("Китайский юань", "CNY"),
        ("KZT", "KZT"),
        ("тенге", "KZT"),
        ("бел. руб.", "BYN"),
        (51.0, "AMD"),
        ("051", "AMD"),
        (None, None),
        ("  ", None),
    ],
)
def test_currencies_become_iso_codes(cell, code):
    assert parse_currency(cell) == code


@pytest.mark.parametrize("cell", ["тугрики", "XYZ", "руб/USD", "999", "рублик", "."])
def test_an_unknown_currency_is_refused(cell):
    with pytest.raises(ValueError, match="no currency"):
        parse_currency(cell)


@given(st.text())
def test_a_currency_has_three_letters(text):
    with contextlib.suppress(ValueError):
        assert len(currency_code(text)) == 3


@pytest.mark.parametrize(
    ("account", "roubles"),
    [("51", True), ("51.01", True), ("52", False), ("510", False), ("55.01", False), ("", False), (None, False)],
)
def test_account_51_holds_roubles(account, roubles):
    assert is_rouble_account(account) is roubles


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        (20.0, 20),
        (0.0, 0),
        (0.1, 0.1),
        (65991.78, 65991.78),
        (2.0**53 - 1, 2**53 - 1),
        (7, 7),
        (True, True),
        ("000123 ", "000123 "),
        (date(2021, 9, 24), "2021-09-24"),
        (datetime(2021, 9, 24, 8, 1, 53), "2021-09-24T08:01:53"),
        (time(8, 1), "08:01:00"),
        (timedelta(hours=1), "1:00:00"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (CellError("#REF!"), "#REF!"),
    ],
)
def test_what_has_no_field_is_kept_as_json(cell, kept):
    value = json_value(cell)
    assert value == kept
    assert type(value) is type(kept)
    assert json.loads(json.dumps(value, allow_nan=False)) == kept


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives_json_or_is_refused(number):
    if abs(number) < 2**53:
        assert float(json.loads(json.dumps(json_value(number)))) == number
    else:
        with pytest.raises(ValueError, match="more digits"):
            json_value(number)


@pytest.mark.parametrize(
    ("cell", "blank"),
    [(None, True), ("", True), (" \u00a0", True), (0, False), (False, False), (CellError("#N/A"), False)],
)
def test_blank_is_nothing_or_spaces(cell, blank):
    assert is_blank(cell) is blank
