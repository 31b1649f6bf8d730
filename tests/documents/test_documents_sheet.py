from decimal import Decimal

import pytest

from cpimportd.core.model import CellError, Kind, UncalculatedFormula

ROW = "row-unrecognized"


def places(found, code=None):
    return [(p.code, p.row) for p in found.problems if code in (None, p.code)]


# Totals


@pytest.mark.parametrize("label", ["Итого", "Итого:", "ИТОГО", " итого : ", "Всего", "всего:", "Итого\u00a0", "Итого."])
def test_the_last_row_is_the_control_total(sheet, every_kind, label):
    found = sheet(every_kind).document(amount=1.5).document(amount=2.25).total(3.75, label=label).understood()
    assert found.problems == []
    title = "Сумма платежа" if every_kind is Kind.DETAILS else "Сумма"
    assert found.totals == type(found.totals)({title: Decimal("3.75")}, {title: Decimal("3.75")}, 2, row=4)


def test_a_wrong_total_is_told_as_it_is(sheet):
    totals = sheet().document(amount=1.5).total(1.51).understood().totals
    assert (totals.sums["Сумма"], totals.control_totals["Сумма"]) == (Decimal("1.5"), Decimal("1.51"))


def test_without_a_total_there_is_no_control_total(sheet):
    found = sheet().document(amount=1.5).understood()
    assert found.problems == []
    assert found.totals.control_totals == {}
    assert found.totals.sums == {"Сумма": Decimal("1.5")}


def test_a_header_and_a_total_are_an_empty_snapshot(sheet):
    totals = sheet().total(0.0).understood().totals
    assert (totals.rows, totals.control_totals, totals.sums) == (0, {"Сумма": 0}, {"Сумма": 0})


def test_totals_of_text_amounts(sheet):
    found = sheet().document(amount="1\u00a0234,50").total("1\u00a0234,50").understood()
    assert found.totals.control_totals == {"Сумма": Decimal("1234.50")} == found.totals.sums


def test_only_filled_totals_are_told_and_every_amount_is_summed(sheet):
    cells = {"Курс расчетов": 1, "Сумма расчетов": 100.0, "Сумма НДС": 20.0, "Кратность": 1}
    found = sheet(Kind.DETAILS, columns=list(cells)).document(cells).document(cells)
    totals = found.total(200.0, **{"Курс расчетов": 2, "Сумма расчетов": 200.0}).understood().totals
    assert totals.control_totals == {"Сумма платежа": 200, "Курс расчетов": 2, "Сумма расчетов": 200}
    assert totals.sums == {
        "Сумма платежа": 200,
        "Курс расчетов": 2,
        "Сумма расчетов": 200,
        "Сумма НДС": 40,
        "Кратность": 2,
    }


def test_a_total_of_rates_keeps_their_decimals(sheet):
    found = sheet(Kind.DETAILS, columns=["Курс расчетов"]).document({"Курс расчетов": 92.1234})
    totals = (
        found.document({"Курс расчетов": "92,1235"}).total(200.0, **{"Курс расчетов": 184.2469}).understood().totals
    )
    assert totals.sums["Курс расчетов"] == totals.control_totals["Курс расчетов"] == Decimal("184.2469")


def test_an_absent_rate_is_not_summed_as_one(sheet):
    found = sheet(Kind.DETAILS, columns=["Курс расчетов"]).document({"Курс расчетов": 1}).document()
    totals = found.total(200.0, **{"Курс расчетов": 1}).understood().totals
    assert totals.sums["Курс расчетов"] == totals.control_totals["Курс расчетов"] == 1


def test_a_filled_total_of_any_column_of_numbers_is_told(sheet):
    found = sheet(columns=["Сумма взаиморасчетов", "Номер чека", "Номер"])
    found.document({"Сумма взаиморасчетов": 0.1, "Номер чека": "12"})
    found.document({"Сумма взаиморасчетов": 0.2, "Номер чека": 5.0, "Номер": "12"}).document({"Номер": 5.0})
    totals = found.total(300.0, **{"Сумма взаиморасчетов": 0.3, "Номер чека": 5.0, "Номер": 5.0}).understood().totals
    assert totals.control_totals == {"Сумма": 300, "Сумма взаиморасчетов": Decimal("0.3")}
    assert totals.sums["Сумма взаиморасчетов"] == Decimal("0.3")


def test_a_total_beyond_all_bounds_of_a_column_without_a_field_is_left_out(sheet):
    found = sheet(columns=["Ставка"]).document({"Ставка": 1e-9}).total(100.0, Ставка=1e300).understood()
    assert found.totals.control_totals == {"Сумма": 100}


@pytest.mark.parametrize("cell", ["сто", CellError("#VALUE!"), True, 1.005])
def test_a_total_that_is_no_number_is_a_reject(sheet, cell):
    found = sheet().document().total(cell).understood()
    assert [(p.code, p.row, p.column) for p in found.problems] == [("reject", 3, "Сумма")]
    assert found.totals.control_totals == {}


def test_a_total_may_exceed_what_one_document_may(sheet):
    found = sheet().document(amount=9e12).document(amount=9e12).total(18e12).understood()
    assert found.totals.control_totals["Сумма"] == found.totals.sums["Сумма"] == 18 * 10**12


def test_a_total_may_stand_right_of_an_empty_column(understood, sheet):
    plain = sheet().document().total(100.0)
    rows = [(None, *plain.titles), *((None, *cells) for cells in plain.rows)]
    assert understood(rows).totals.control_totals == {"Сумма": 100}


@pytest.mark.parametrize("label", ["Итого", "Итого по ЛОТОС ООО"])
def test_a_total_is_one_with_a_numbered_line_too(understood, label):
    titles = ("№", "Списание с расчетного счета", "Договор", "Вид платежа по кредитам займам", "Сумма платежа")
    name = "Списание с расчетного счета 1 от 22.04.2022 8:01:53"
    line = (1.0, name, "№ 1", "Погашение долга", 100.0)
    found = understood([titles, line, (2.0, label, None, None, 100.0)])
    assert found.problems == []
    assert found.totals.rows == 1
    assert found.totals.control_totals.get("Сумма платежа") == (100 if label == "Итого" else None)


@pytest.mark.parametrize(
    "label",
    [
        "ИТОГО ПО ОТЧЕТУ",
        "Итого по отчёту:",
        "Всего по отчету за 2020–2025 гг.",
        "Итого по всем организациям",
        "Общий итог",
        "Итого общее",
        "Всего (руб.)",
        "Итого, RUB",
        "Итого в рублях:",
        "Всего по выгрузке",
        "Итого за весь период",
        "Итог",
    ],
)
def test_a_total_of_everything_is_the_control_total_whatever_it_is_called(sheet, every_kind, label):
    title = "Сумма платежа" if every_kind is Kind.DETAILS else "Сумма"
    found = sheet(every_kind).document(amount=1.5).total(1.5, label="Итого по ЛОТОС ООО").document(amount=2.25)
    totals = found.total(3.75, label=label).understood().totals
    assert totals.control_totals == totals.sums == {title: Decimal("3.75")}
    wrong = sheet(every_kind).document(amount=1.5).document(amount=2.25).total(3.76, label=label).understood()
    assert wrong.problems == []
    assert wrong.totals.control_totals == {title: Decimal("3.76")}, "the checks compare it with the sum"


@pytest.mark.parametrize(
    "label",
    ["Итого по организации", "Итого по договору № 1", "Всего документов: 2", "Итого за период", "Итого по листу 1"],
)
def test_a_file_that_ends_with_a_subtotal_has_no_control_total(sheet, label):
    found = sheet().document().document().total(200.0, label=label).understood()
    assert found.totals.control_totals == {}


@pytest.mark.parametrize("title", ["Сумма", "Организация", "Получатель"])
def test_a_formula_without_a_value_is_told_as_one(sheet, title):
    formula = UncalculatedFormula("=SUM(A1:A3)")
    (problem,) = sheet().document({title: formula}).document().total(100.0).understood().problems
    assert (problem.code, problem.row, problem.column, problem.value) == ("formula-without-value", 2, title, formula)
    assert "Excel" in problem.way_out


def test_a_total_that_is_a_formula_without_a_value_is_told_as_one(sheet):
    found = sheet().document().total(UncalculatedFormula("=SUM(A1:A3)")).understood()
    assert places(found) == [("formula-without-value", 3)]
    assert found.totals.control_totals == {}


def test_a_formula_without_a_value_in_a_column_without_a_field_is_kept(sheet):
    found = sheet(columns=["Ведомость"]).document({"Ведомость": UncalculatedFormula("=1+1")}).total(100.0).understood()
    assert found.document["extra"] == {"Ведомость": "=1+1"}


# Totals in between


def test_the_last_total_is_the_grand_total_and_none_is_added(sheet):
    found = sheet().document().total(100.0).document().document().total(200.0).total(300.0, label="Всего").understood()
    assert found.problems == []
    assert found.totals.rows == 3
    assert found.totals.control_totals["Сумма"] == found.totals.sums["Сумма"] == 300


@pytest.mark.parametrize("label", ["Итого по ЛОТОС ООО", "Всего за 2021 год", "ИТОГО: ЛОТОС"])
def test_the_total_of_something_is_not_the_grand_total(sheet, label):
    found = sheet().document().total(100.0, label=label).understood()
    assert found.problems == []
    assert found.totals.control_totals == {}
    found = sheet().document().total(1.0, label=label).document().total(200.0).total(1.0, label=label).understood()
    assert found.totals.control_totals["Сумма"] == 200


def test_a_document_is_no_total_whatever_else_it_says(sheet):
    cells = {"Организация": "Итого"}
    found = sheet().document(cells).understood()
    assert found.documents[0]["organization"] == "Итого"


# Groups


@pytest.mark.parametrize("name", ["Итоговая ООО", "Всегорск ООО"])
def test_a_group_may_be_called_almost_like_a_total(sheet, name):
    found = sheet().only({"first": name}).document().total(100.0).only({"first": name}).understood()
    assert places(found) == [("rows-below-total", 5)]


def test_headings_of_groups_are_recognised(sheet):
    found = sheet().only({"first": "ЛОТОС ООО"}).only({"first": "Договор № 1 от 01.02.2020"}).document().document()
    found.only({"first": "Списание с расчетного счета"}).document().total(300.0)
    understood = found.understood()
    assert understood.problems == []
    assert understood.totals.rows == 3


def test_headings_with_the_groups_total_are_recognised_and_never_added(sheet):
    found = sheet().only({"first": "ЛОТОС ООО", "amount": 300.0})
    found.only({"first": "Договор № 1 от 01.02.2020", "amount": 100.0}).document()
    found.only({"first": "Договор № 2", "amount": 200.0}).document().document()
    found.only({"first": "МОСТ ООО", "amount": 100.0}).document().total(400.0)
    understood = found.understood()
    assert understood.problems == []
    assert understood.totals.sums["Сумма"] == understood.totals.control_totals["Сумма"] == 400


def test_an_amount_that_no_documents_sum_to_is_no_heading(sheet):
    found = sheet().only({"first": "ЛОТОС ООО", "amount": 150.0}).document().document().total(200.0).understood()
    assert places(found) == [(ROW, 2)]


def test_a_heading_of_nothing_is_none(sheet):
    found = sheet().document().only({"first": "ЛОТОС ООО"}).total(100.0).understood()
    assert places(found) == [(ROW, 3)]
    found = sheet().document().only({"first": "ЛОТОС ООО", "amount": 0.0}).total(100.0).understood()
    assert places(found) == [(ROW, 3)]


def test_nothing_is_said_of_a_groups_amount_where_rows_were_rejected(sheet):
    found = sheet().only({"first": "ЛОТОС ООО", "amount": 200.0}).document().document(amount="x").total(200.0)
    assert places(found.understood()) == [("reject", 4)]


# Rows that are something else


def test_empty_rows_are_nothing(sheet):
    found = sheet().row().document().row(None, None).row(" ", "\u00a0").document().row().total(200.0).row().understood()
    assert found.problems == []
    assert found.totals.rows == 2


def test_what_stands_between_the_documents_is_a_problem(sheet):
    found = sheet().document().row("Страница 2", "из 5").document().total(200.0).understood()
    (problem,) = found.problems
    assert (problem.code, problem.row, problem.value, problem.effect) == (ROW, 3, "Страница 2", "integrity")


@pytest.mark.parametrize(
    "cells",
    [
        {"Организация": "ЛОТОС ООО"},
        {"amount": 100.0},
        {"first": 1.0, "Организация": 2.0, "amount": 3.0},
        {"first": CellError("#REF!"), "amount": 3.0},
        {"first": "ЛОТОС ООО", "amount": "сто"},
    ],
)
def test_rows_that_are_no_document_and_no_total_are_problems(sheet, cells):
    assert places(sheet().document().only(cells).document().total(200.0).understood()) == [(ROW, 3)]


def test_a_header_that_is_repeated_is_no_document(sheet, every_kind):
    found = sheet(every_kind).document()
    understood = found.row(*found.titles).document().total(200.0).understood()
    assert places(understood) == [(ROW, 3)]
    assert understood.totals.rows == 2


def test_a_document_that_lost_everything_but_its_name_is_a_reject(sheet, every_kind):
    found = sheet(every_kind)
    found.only({"first": found.named(1)}).document().total(100.0)
    understood = found.understood()
    assert {p.code for p in understood.problems} == {"reject"}
    assert {p.row for p in understood.problems} == {2}


def test_problems_come_in_the_order_of_the_rows(sheet):
    found = sheet().row("a", "b").document().row("c", "d").row("e", "f").document(amount="x").total(200.0)
    assert [p.row for p in found.understood().problems] == [2, 4, 5, 6]


# Below the last total


def test_leftovers_below_the_total_are_counted_in_one_warning(sheet):
    found = sheet().document().total(100.0).row().row("Исполнитель", "Иванова").row(" ").only({"first": "Подпись"})
    found.only({"first": "x", "amount": 5.0})
    (warning,) = found.understood().problems
    assert (warning.code, warning.row, warning.value, warning.effect) == ("rows-below-total", 5, "Исполнитель", "warns")
    assert "3 rows" in warning.message


def test_documents_below_the_last_total_are_a_problem(sheet):
    found = sheet().document().total(100.0).document().document().understood()
    (problem,) = found.problems
    assert (problem.code, problem.row, problem.effect) == ("documents-below-total", 4, "integrity")
    assert "2 documents" in problem.message
    assert len(found.rows) == 3


def test_leftovers_between_two_totals_are_no_leftovers(sheet):
    found = sheet().document().total(100.0).row("a", "b").total(100.0).row("c", "d").understood()
    assert places(found) == [(ROW, 4), ("rows-below-total", 6)]


def test_leftovers_without_any_total_are_rows_that_nobody_knows(sheet):
    assert places(sheet().document().row("a", "b").only({"first": "c"}).understood()) == [(ROW, 3), (ROW, 4)]


def test_many_headings_cost_no_more_than_many_rows(sheet):
    """What a heading must come to is looked up, not searched for."""
    found = sheet()
    for _ in range(20_000):
        found.only({"first": "x", "amount": 1.0})
    understood = found.document().total(100.0).understood()
    assert len(understood.problems) == 20_000
