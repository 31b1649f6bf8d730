# ruff: noqa: DTZ001 - moments in a workbook have no zone
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.core.model import CellError
from cpimportd.documents.numbers import (
    MONEY_TOTAL,
    RATE_TOTAL,
    is_sum_in_doubles,
    parse_money,
    parse_number,
    parse_rate,
    plain_number,
)

NBSP, NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        (65991.78, "65991.78"),
        (0.1, "0.10"),
        (52700000.0, "52700000.00"),
        (100, "100.00"),
        (0.1 + 0.2, "0.30"),
        (1.005, None),
        (0.001, None),
        (100.0000005, "100.00"),
        (100.000001, None),
        # What arithmetic on doubles leaves is relative: fifteen digits of a double are exact.
        (4024831892.8800006, "4024831892.88"),
        (4024831892.880005, "4024831892.88"),
        (-4024831892.880005, "-4024831892.88"),
        (99999999999.99002, "99999999999.99"),
        (4024831892.88001, None),
        (1234.567, None),
        (-1234.004, None),
        (100000000.001, None),
        (99999999999.994, None),
        (-15.5, "-15.50"),
        (9999999999999.99, "9999999999999.99"),
        ("100", "100.00"),
        ("65991.78", "65991.78"),
        ("65991,7", "65991.70"),
        (f"1{NBSP}234{NBSP}567,89", "1234567.89"),
        (f"1{NARROW}234,5", "1234.50"),
        ("1 234 567.89", "1234567.89"),
        (f"{NBSP}12,00 ", "12.00"),
        ("-1 234,56", "-1234.56"),
        ("\u22121,50", "-1.50"),
        ("\ufeff1 234,56", "1234.56"),
        (f"\u200e1{NBSP}234,56\u200b", "1234.56"),
        ("1\u00ad234,56", "1234.56"),
    ],
)
def test_money_is_exact(cell, amount):
    if amount is None:
        with pytest.raises(ValueError, match="has more than 2 decimals"):
            parse_money(cell)
    else:
        assert str(parse_money(cell)) == amount


@pytest.mark.parametrize("cell", [None, "", " ", NBSP])
def test_an_empty_cell_is_no_amount(cell):
    assert parse_money(cell) is None
    assert parse_rate(cell) is None


@pytest.mark.parametrize("cell", [0, -0.0, 0.0, "0", "-0,00", "0.00", -1e-9])
def test_zero_has_no_sign(cell):
    assert str(parse_money(cell)) == "0.00"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (float("nan"), "no finite number"),
        (float("inf"), "no finite number"),
        (float("-inf"), "no finite number"),
        (1e308, "too large"),
        (1e13, "too large"),
        (9999999999999.998, "too large"),
        (-1e13, "too large"),
        ("10000000000000", "too large"),
        (10**400, "too large"),
        ("9" * 400, "no number"),
        ("=1+1", "no number"),
        ("1e5", "no number"),
        ("NaN", "no number"),
        ("1_000", "no number"),
        ("abc", "no number"),
        ("12 руб.", "no number"),
        ("1 23 456", "no number"),
        ("1,234.56", "no number"),
        ("1.234.567", "no number"),
        ("--1", "no number"),
        ("٣", "no number"),
        ("1.500", "more than 2 decimals"),
        ("1,005", "more than 2 decimals"),
        (True, "no number"),
        (False, "no number"),
        (date(2021, 9, 24), "no number"),
        (datetime(2021, 9, 24), "no number"),
        (CellError("#REF!"), "error value"),
    ],
)
def test_what_is_no_amount_is_refused(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_money(cell)


@pytest.mark.parametrize(
    ("cell", "rate"),
    [
        (1.0, "1.000000"),
        (92.1234, "92.123400"),
        (0.123456, "0.123456"),
        ("92,1234", "92.123400"),
        ("1,500", "1.500000"),
        (13.1 * 3, "39.300000"),
        (999999999.999999, "999999999.999999"),
    ],
)
def test_rates_keep_six_decimals(cell, rate):
    assert str(parse_rate(cell)) == rate


@pytest.mark.parametrize(
    ("cell", "reason"),
    [(1 / 3, "more than 6 decimals"), ("0,1234567", "more than 6 decimals"), (1e9, "too large"), (True, "no number")],
)
def test_what_is_no_rate_is_refused(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_rate(cell)


def test_a_total_may_be_larger_than_what_it_sums():
    assert parse_number(1e15, RATE_TOTAL) == 10**15
    with pytest.raises(ValueError, match="too large"):
        parse_number(1e18, RATE_TOTAL)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(51.0, "51"), (67.01, "67.01"), (0.0, "0"), (-0.0, "0"), (7, "7"), (10**22, "1" + "0" * 22), (1e-7, "0.0000001")],
)
def test_a_number_becomes_its_shortest_text(cell, text):
    assert plain_number(cell) == text


@pytest.mark.parametrize("cell", [2.0**53, -(2.0**53), 40702810000000012345.0])
def test_a_double_that_has_lost_digits_is_no_text(cell):
    assert plain_number(2.0**53 - 1) == "9007199254740991"
    with pytest.raises(ValueError, match="has more digits than a number in a workbook keeps"):
        plain_number(cell)


@pytest.mark.parametrize(
    ("cell", "exact", "count"),
    [
        (4024831892.880005, "4024831892.88", 84),
        (4024831892.8800006, "4024831892.88", 60),
        (-4024831892.880005, "-4024831892.88", 84),
        (0.1 + 0.2, "0.30", 2),
        (sum([0.1] * 70_000), "7000", 70_000),
        (1e15, "1000000000000000", 1),
        (9999999999999.988, "9999999999999.99", 500),
        (0.0, "0", 0),
    ],
)
def test_a_sum_in_doubles_is_known_by_how_far_it_lies_off(cell, exact, count):
    assert is_sum_in_doubles(cell, Decimal(exact), abs(Decimal(exact)), count)


@pytest.mark.parametrize(
    ("cell", "exact", "count"),
    [
        (4024831892.89, "4024831892.88", 70_000),
        (4024831892.87, "4024831892.88", 70_000),
        (4024831892.886, "4024831892.88", 10**6),
        (1234.004, "1234.00", 70_000),
        (1234.567, "1234.57", 70_000),
        (float("nan"), "0", 1),
        (float("inf"), "0", 1),
        ("7000", "7000", 1),
        (7000, "7000", 1),
        (None, "0", 1),
        (1e300, "0", 1),
    ],
)
def test_what_is_further_off_is_no_such_sum(cell, exact, count):
    assert not is_sum_in_doubles(cell, Decimal(exact), abs(Decimal(exact)), count)


def said(cell, amounts):
    """What a total counts as beside these amounts."""
    exact, turnover = sum(amounts), sum(map(abs, amounts))
    if is_sum_in_doubles(cell, exact, turnover, len(amounts)):
        return exact
    return parse_number(cell, MONEY_TOTAL)


ORDERS = {
    "as they come": lambda amounts: amounts,
    "largest first": lambda amounts: sorted(amounts, key=abs, reverse=True),
    "smallest first": lambda amounts: sorted(amounts, key=abs),
    "negative first": sorted,
    "backwards": lambda amounts: amounts[::-1],
}


@settings(max_examples=12, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([10**4, 10**6, 10**8]),
    st.booleans(),
    st.sampled_from(list(ORDERS)),
)
def test_a_total_of_any_order_is_right_and_one_kopeck_is_never_lost(chance, most, negative, order):
    amounts = [
        Decimal(chance.randint(-most if negative else 0, most)).scaleb(-2)
        for _ in range(chance.choice([7, 500, 70_000]))
    ]
    exact = sum(amounts)
    total = 0.0
    for amount in ORDERS[order](amounts):
        total += float(amount)
    assert said(total, amounts) == exact
    for kopeck in (Decimal("0.01"), Decimal("-0.01")):
        assert said(float(exact + kopeck), amounts) != exact
        try:
            assert said(total + float(kopeck), amounts) != exact
        except ValueError as error:
            assert "decimals" in str(error)  # noqa: PT017 - refused as well


kopecks = st.integers(min_value=-(10**13) * 100 + 1, max_value=10**13 * 100 - 1)


@given(kopecks)
def test_every_amount_survives_a_double(count):
    amount = Decimal(count).scaleb(-2)
    # Doubles tell kopecks apart up to some 45 trillion; the database holds fewer than ten.
    assert parse_money(float(amount)) == amount


@given(kopecks, st.sampled_from([" ", NBSP, NARROW]), st.sampled_from([",", "."]))
def test_every_amount_survives_grouped_text(count, thousands, point):
    roubles, rest = divmod(abs(count), 100)
    text = f"{'-' if count < 0 else ''}{roubles:,}".replace(",", thousands) + f"{point}{rest:02}"
    assert parse_money(text) == Decimal(count).scaleb(-2)


@given(st.floats())
def test_a_double_is_an_amount_or_refused(cell):
    try:
        amount = parse_money(cell)
    except ValueError:
        return
    assert amount.as_tuple().exponent == -2
    assert abs(amount) < 10**13
    assert abs(Decimal(cell) - amount) < max(Decimal("2e-6"), abs(amount) * Decimal("1e-14"))


@given(st.text())
def test_a_text_is_an_amount_or_refused(text):
    try:
        amount = parse_money(text)
    except ValueError:
        return
    assert amount is None or (amount.is_finite() and amount.as_tuple().exponent == -2)


@pytest.mark.parametrize("text", ["100\n200", "100  200", "100\t200", "100\u2028200", "1'000", "\u200b-\u200b"])
def test_texts_that_only_resemble_a_number_are_none(text):
    with pytest.raises(ValueError, match="is no number"):
        parse_money(text)
