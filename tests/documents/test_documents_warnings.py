from decimal import Decimal

import pytest

from cpimportd.core.model import Kind


def test_zero_amounts_are_told_once(sheet, every_kind):
    found = sheet(every_kind).document().document(amount=0.0).document(amount="0,00").understood()
    (warning,) = found.problems
    assert (warning.code, warning.row, warning.effect) == ("amount-zero", 3, "warns")
    assert "2 documents" in warning.message
    assert len(found.rows) == 3


def test_unconfirmed_documents_are_counted_and_summed(sheet):
    flag = {"Не подтверждено выпиской банка": "Да"}
    found = sheet().document().document(flag, amount=10.5).document(flag, amount=1.0).understood()
    (warning,) = found.problems
    assert (warning.code, warning.row) == ("unconfirmed", 3)
    assert "2 documents, 11,50," in warning.message
    assert warning.facts["every_row"] == [3, 4]


def test_of_very_many_the_first_rows_are_named(sheet):
    found = sheet()
    for _ in range(302):
        found.document(amount=0.0)
    (warning,) = found.understood().problems
    assert (warning.facts["count"], warning.facts["every_row"]) == (302, list(range(2, 302)))


def test_a_new_kind_of_operation_is_told_once_with_its_sum(sheet):
    new = {"Вид операции": "Выдача займа контрагенту"}
    found = sheet().document().document(new, amount=10.0).document(new, amount=5.0).document({"Вид операции": None})
    first, second = found.understood().problems
    assert (first.code, first.row, first.value) == ("operation-type-new", 3, "Выдача займа контрагенту")
    assert (first.column, first.facts["every_row"]) == ("Вид операции", [3, 4])
    assert "2 documents, 15,00" in first.message
    assert (second.code, second.row, second.value) == ("operation-type-new", 5, "(empty)")


@pytest.mark.parametrize("written", ["Возврат кредита банку", "ВОЗВРАТ  КРЕДИТА БАНКУ", "Возврат займа контрагенту"])
def test_a_known_kind_of_operation_is_not_told(sheet, written):
    assert sheet().document({"Вид операции": written}).understood().problems == []


def test_what_is_neither_principal_nor_interest_is_told_as_other(sheet):
    title = "Вид платежа по кредитам займам"
    found = sheet(Kind.DETAILS).document().document({title: "Уплата процентов"})
    found.document({title: "Уплата комиссии"}, amount=7.0).document({title: "погашение долга"}).document({title: None})
    problems = found.understood().problems
    assert [(p.code, p.row, p.value) for p in problems] == [
        ("payment-type-other", 4, "Уплата комиссии"),
        ("payment-type-other", 5, "погашение долга"),
        ("payment-type-other", 6, "(empty)"),
    ]
    assert "1 lines, 7,00" in problems[0].message


def test_many_kinds_are_counted_beyond_the_twentieth(sheet):
    found = sheet()
    for number in range(25):
        found.document({"Вид операции": f"Вид {number}"})
    assert found.understood().codes == ["operation-type-new"] * 20 + ["and-more"]


@pytest.mark.parametrize(
    ("amount", "rate", "multiplier", "settlement", "fits"),
    [
        (100.0, 1, 1, 100.0, True),
        (100.0, None, None, 100.0, True),
        (100.0, 92.1234, 1, 9212.34, True),
        (100.0, 92.1234, 1, 9212.35, True),
        (100.0, 92.1234, 1, 9212.36, False),
        (100.0, 92.1234, 10, 921.23, True),
        (100.0, 92.1234, 10, 9212.34, False),
        (100.0, 2, 0, 200.0, True),
        (100.0, 2, 1, None, True),
        (100.0, 0, 1, 0.0, True),
        (100.0, 2, 1, 100.0, False),
    ],
)
def test_a_settlement_is_payment_times_rate_by_multiplier(sheet, amount, rate, multiplier, settlement, fits):
    cells = {"Курс расчетов": rate, "Кратность": multiplier, "Сумма расчетов": settlement}
    found = sheet(Kind.DETAILS, columns=list(cells)).document(cells, amount=amount).understood()
    assert found.codes == ([] if fits else ["settlement-mismatch"])
    assert len(found.rows) == 1


def test_a_settlement_beyond_all_bounds_is_a_mismatch_like_any_other(sheet):
    cells = {"Курс расчетов": 999999999.0, "Кратность": 0.000001, "Сумма расчетов": 1.0}
    found = sheet(Kind.DETAILS, columns=list(cells)).document(cells, amount=9999999999999.99).understood()
    assert found.codes == ["settlement-mismatch"]


def test_the_mismatch_names_both_amounts(sheet):
    cells = {"Курс расчетов": 2, "Сумма расчетов": 100.0}
    (warning,) = sheet(Kind.DETAILS, columns=list(cells)).document(cells, amount=100.5).understood().problems
    assert (warning.row, warning.column, warning.value) == (2, "Сумма расчетов", "100.00")
    assert "201,00" in warning.message


@pytest.mark.parametrize(("count", "more"), [(20, []), (21, ["and-more"]), (50, ["and-more"])])
def test_mismatches_are_listed_up_to_twenty_and_counted_beyond(sheet, count, more):
    found = sheet(Kind.DETAILS, columns=["Сумма расчетов"])
    for _ in range(count):
        found.document({"Сумма расчетов": 1.0})
    understood = found.understood()
    assert understood.codes == ["settlement-mismatch"] * 20 + more
    assert not more or f"{count - 20} more" in understood.problems[-1].message


def test_rejected_rows_are_not_counted_in_warnings(sheet):
    found = sheet().document({"Вид операции": "Новое", "Вх. дата": "x"}, amount=0.0).understood()
    assert found.codes == ["reject"]


def test_a_clean_sheet_has_nothing_to_tell(sheet, every_kind):
    found = sheet(every_kind).document().document().total(200.0).understood()
    assert found.problems == []
    title = "Сумма платежа" if every_kind is Kind.DETAILS else "Сумма"
    assert found.totals.sums == found.totals.control_totals == {title: Decimal(200)}
