# ruff: noqa: DTZ001 - moments in a workbook have no zone
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.core.model import CellError
from cpimportd.documents import dates
from cpimportd.documents.dates import date_in_contract

DAY = date(2021, 9, 24)
MOSCOW = ZoneInfo("Europe/Moscow")


def parse_day(cell, **options):
    return dates.parse_day(cell, MOSCOW, **options)


@pytest.mark.parametrize(
    "cell",
    [
        "24.09.2021",
        " 24.09.2021\u00a0",
        "24.9.2021",
        "\ufeff24.09.2021",
        "24.09.2021\u200b",
        "\u200e24.09.2021\u00a08:01:53",
        "24.09.2021 8:01:53",
        "24.09.2021 08:01",
        "24.09.2021 г.",
        "24.09.2021г.",
        "2021-09-24",
        "2021-09-24T08:01:53",
        "2021-09-24 08:01:53.25",
        "2021-09-24T20:30:00Z",
        "2021-09-23T21:00:00.000Z",
        "2021-09-24T00:00:00+03:00",
        "2021-09-23T12:00:00-12:00",
        "2021-09-24T23:59:59+03:00",
        "2021-09-23T21:00Z",
        DAY,
        datetime(2021, 9, 24, 23, 59, 59),
        44463.0,
        44463.99,
        44462.999999999,  # noise of doubles: a cell that is formatted as a date shows the next day, too
        44463,
    ],
)
def test_a_day_is_read_however_it_is_written(cell):
    assert parse_day(cell) == DAY


@pytest.mark.parametrize(
    "cell",
    [
        None,
        "",
        "  ",
        "01.01.0001",
        "01.01.0001 0:00:00",
        "01.01.0001 00:00",
        "  .  .    ",
        "  .  .       :  :  ",
        "0001-01-01",
        "0001-01-01T00:00:00",
        " 0001-01-01T00:00:00.000 ",
        "0001-01-01 00:00:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+03:00",
        "0000-12-31T21:29:43.000Z",  # the midnight of Moscow in its own mean time, as ECMAScript writes it
        date(1, 1, 1),
        datetime(1, 1, 1),
    ],
)
def test_an_empty_day_is_none(cell):
    assert parse_day(cell) is None


@pytest.mark.parametrize(
    "cell",
    [
        "31.02.2021",
        "24.13.2021",
        "24.09.21",
        "24/09/2021",
        "09-24-2021",
        "2021-09-31",
        "20210924",
        "2021-W38-5",
        "2021-09-24Tabc",
        "24.09.2021 25:00:00",
        "24.09.2021 8:61",
        "24.09.2021 и 25.09.2021",
        "вчера",
        ".",
        ":\n:",
        "2021-09-24T25:00:00Z",
        "2021-09-24Z",
        "0001-01-01T00:00:00 abc",
        "44463",
        "٢٤.٠٩.٢٠٢١",
        float("nan"),
        float("inf"),
        -1.0,
        0.0,
        1e9,
        True,
        time(8, 1),
        timedelta(days=1),
    ],
)
def test_what_is_no_day_is_refused(cell):
    with pytest.raises(ValueError, match=r"is no date$"):
        parse_day(cell)


@pytest.mark.parametrize(
    "cell", ["31.12.1989", "01.01.2101", "24.09.0021", date(1989, 12, 31), datetime(2101, 1, 1), 51.0, 32873.0, 73416.0]
)
def test_a_day_far_off_is_a_slip(cell):
    with pytest.raises(ValueError, match="is no date between 1990 and 2100"):
        parse_day(cell)


@pytest.mark.parametrize(("cell", "day"), [(32874.0, date(1990, 1, 1)), (73415.0, date(2100, 12, 31))])
def test_the_first_and_last_serial_number(cell, day):
    assert parse_day(cell) == day


def test_an_error_value_is_named():
    with pytest.raises(ValueError, match="is an error value"):
        parse_day(CellError("#VALUE!"))


@pytest.mark.parametrize(
    ("cell", "zone", "day"),
    [
        ("2021-09-23T21:00:00.000Z", "Europe/Moscow", date(2021, 9, 24)),
        ("2021-09-23T21:00:00.000Z", "Europe/Kaliningrad", date(2021, 9, 23)),
        ("2021-09-23T13:00:00Z", "Asia/Kamchatka", date(2021, 9, 24)),
        ("2011-01-31T21:00:00Z", "Europe/Moscow", date(2011, 2, 1)),
        ("2012-01-31T20:00:00Z", "Europe/Moscow", date(2012, 2, 1)),  # Moscow was four hours ahead in those years
        ("2021-09-24T01:00:00+10:00", "Europe/Moscow", date(2021, 9, 23)),
        ("2021-09-24T23:30:00", "Asia/Kamchatka", date(2021, 9, 24)),
    ],
)
def test_an_instant_has_its_day_in_the_zone(cell, zone, day):
    assert dates.parse_day(cell, ZoneInfo(zone)) == day


@pytest.mark.parametrize("cell", [43001, 43001.5])
def test_a_bare_number_counts_from_1904_where_the_workbook_does(cell):
    assert parse_day(cell, since_1904=True) == DAY
    assert parse_day("24.09.2021", since_1904=True) == DAY
    assert parse_day(datetime(2021, 9, 24), since_1904=True) == DAY


@pytest.mark.parametrize("cell", [-1e12, -1, 2958466.0, 1e300, float("nan"), time(0), 0.5])
def test_a_number_beyond_all_dates_is_none(cell):
    with pytest.raises(ValueError, match="is no date"):
        parse_day(cell)


days = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))


@given(days, st.times())
def test_every_day_survives_each_of_its_forms(day, clock):
    moment = datetime.combine(day, clock)
    shown = f"{day:%d.%m.}{day.year}"
    for cell in (shown, f"{shown} {clock.hour}:{clock:%M:%S}", day.isoformat(), moment.isoformat(), moment):
        assert parse_day(cell) == day
    assert parse_day(float((day - date(1899, 12, 30)).days)) == day


@given(st.text())
def test_a_text_is_a_day_or_refused(text):
    try:
        found = parse_day(text)
    except ValueError:
        return
    assert found is None or 1990 <= found.year <= 2100


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Договор N 9055F2 от 23.09.2021", date(2021, 9, 23)),
        ("9055HC от 20.02.2023", date(2023, 2, 20)),
        ("N9055E от 22.08.2022", date(2022, 8, 22)),
        ("Договор займа № 7/2020 от 28.07.2020г.", date(2020, 7, 28)),
        ("Договор займа № 08/2021-ДЗ от 10.06.2021г.", date(2021, 6, 10)),
        ("Договор от 23.09.2021 г. (основной)", date(2021, 9, 23)),
        ("Договор №5 (23.09.2021), ред. от 23.09.2021", date(2021, 9, 23)),
        ("Договор №5 от 3 сентября 2021 г.", date(2021, 9, 3)),
        ("Договор №5 от 3 Сентября 2021г.", date(2021, 9, 3)),
        ("Договор №5 от 23.09.2021, доп. соглашение от 24.09.2021", None),
        ("Договор №5 от 23.09.2021, доп. соглашение от 24 сентября 2021", None),
        ("Основной договор", None),
        ("", None),
        ("Договор № 7/2020", None),
        ("Договор от 31.02.2021", None),
        ("Договор от 31.02.2021, продлен 01.03.2021", date(2021, 3, 1)),
        ("Договор № 1.2.23.09.2021", None),
        ("Договор № 123.09.2021", None),
        ("Договор № 23.09.20215", None),
        ("Договор № 23.09.2021.5", None),
        ("Договор от 23.09.1021", None),
    ],
)
def test_the_date_of_a_contract_is_the_only_one_in_its_text(text, day):
    assert date_in_contract(text) == day


@given(st.text(), days)
def test_two_different_dates_are_none(text, day):
    other = day.replace(year=1990 if day.year > 2000 else 2100, day=1)
    assert date_in_contract(f"№ 1 от {day:%d.%m.}{day.year}, ред. {other:%d.%m.}{other.year} {text}") is None
