# ruff: noqa: DTZ001 - moments in a workbook have no zone
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.folding import visible
from cpimportd.core.identity import NOTHING, parse_identity
from cpimportd.core.model import Kind
from cpimportd.documents.header import kind_by_name

MOMENT = datetime(2022, 4, 22, 8, 1, 53)
MIDNIGHT = datetime(2022, 4, 22)


@pytest.mark.parametrize(
    ("text", "number", "moment"),
    [
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 08:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01", "0А00-000523", MOMENT.replace(second=0)),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022", "0А00-000523", MIDNIGHT),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 г.", "0А00-000523", MIDNIGHT),
        ("Списание с расчетного счета\u00a00А00-000523 от\u00a022.04.2022\u00a08:01:53", "0А00-000523", MOMENT),
        ("Поступление на расчетный счет 1 от 22.04.2022 8:01:53", "1", MOMENT),
        ("Платеж от 01.01.2020 за товар 5 от 22.04.2022 8:01:53", "5", MOMENT),
        ("Списание с расчетного счета от 22.04.2022 8:01:53", None, MOMENT),
        ("Списание с расчетного счета 0А00-000523 от 31.02.2022 8:01:53", "0А00-000523", None),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 24:01:53", "0А00-000523", None),
        ("Списание с расчетного счета 0А00-000523 от 22.04.0022 8:01:53", "0А00-000523", None),
        ("Списание с расчетного счета 0А00-000523", None, None),
        ("Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53 (копия)", None, None),
        ("RCP-0001", None, None),
        ("Списание  с расчетного  счета  0А00-000523  от  22.04.2022  8:01:53", "0А00-000523", MOMENT),
        ("\ufeffСписание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53\u200b", "0А00-000523", MOMENT),
        ("Списание с расчетного счета 0А00-\u00ad000523 о\u00adт 22.04.\u00ad2022 8:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета\u202f0А00-000523\u2007от\u300022.04.2022\t8:01:53", "0А00-000523", MOMENT),
        ("СПИСАНИЕ С РАСЧЕТНОГО СЧЕТА 0А00-000523 ОТ 22.04.2022 8:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета 0А00-000523 oт 22.04.2022 8:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета 0А00-000523 от ２２.04.2022 8:01:53", "0А00-000523", MOMENT),
        ("Списание с расчетного счета №5 от 22.04.2022 8:01:53", "№5", MOMENT),
        (" от 22.04.2022", None, MIDNIGHT),
        ("", None, None),
    ],
)
def test_number_and_moment_are_inside_the_name(text, number, moment):
    assert parse_identity(text) == (number, moment)


@given(
    st.from_regex(r"[0-9А-Я]{2,4}-[0-9]{6}", fullmatch=True),
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 12, 31)),
)
def test_every_document_of_1c_is_understood(number, moment):
    name = f"Поступление на расчетный счет {number} от {moment:%d.%m.}{moment.year} {moment.hour}:{moment:%M:%S}"
    assert parse_identity(name) == (number, moment.replace(microsecond=0))


@given(st.text())
def test_any_text_is_understood_or_not(text):
    number, moment = parse_identity(text)
    assert number is None or number in text or number in visible(text)
    assert moment is None or 1990 <= moment.year <= 2100


def in_utc(text: str, zone: str) -> datetime:
    moment = parse_identity(text).moment_in(ZoneInfo(zone))
    assert moment is not None
    return moment.astimezone(UTC)


def test_a_moment_is_on_the_clock_of_its_zone():
    assert in_utc("№ 1 от 22.04.2022 8:01:53", "Europe/Moscow") == datetime(2022, 4, 22, 5, 1, 53, tzinfo=UTC)
    assert NOTHING.moment_in(ZoneInfo("Europe/Moscow")) is None


def test_an_hour_that_came_twice_is_the_first_one():
    assert in_utc("№ 1 от 31.10.2021 2:30:00", "Europe/Berlin") == datetime(2021, 10, 31, 0, 30, tzinfo=UTC)


def test_an_hour_that_never_came_is_counted_on():
    assert in_utc("№ 1 от 28.03.2021 2:30:00", "Europe/Berlin") == datetime(2021, 3, 28, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Lotos - Postuplenie(kredity) XLSX.xlsx", Kind.RECEIPTS),
        ("MOST - spisanie kredity XLSX.xlsx", Kind.EXPENSES),
        ("Most - spisanie(rasshifrovka) XLSX.xlsx", Kind.DETAILS),
        ("MOST_RASSHIFROVKA.XLS", Kind.DETAILS),
        ("Поступление кредиты.xlsx", Kind.RECEIPTS),
        ("СПИСАНИЕ кредиты.xlsx", Kind.EXPENSES),
        ("Горизонт Списание (расшифровка).xlsx", Kind.DETAILS),
        ("Горизонт Списание (Расшифровки\u0306).xlsx", Kind.DETAILS),
        ("Поступления.xlsb", Kind.RECEIPTS),
        ("Поступление и списание.xlsx", None),
        ("Book1.xlsx", None),
        ("", None),
    ],
)
def test_a_name_speaks_of_its_kind(name, kind):
    assert kind_by_name(name) is kind
