# ruff: noqa: DTZ001 - moments in a workbook have no zone
from datetime import date, datetime
from decimal import Decimal

import pytest

from cpimportd.core.model import STAGED_COLUMNS, CellError, Kind

OPERATION_ID = "Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53"


def rejects(found):
    assert all(problem.code == "reject" for problem in found.problems), found.problems
    return [(problem.row, problem.column) for problem in found.problems]


def test_values_stand_in_the_order_in_which_they_are_staged(sheet, every_kind):
    found = sheet(every_kind).document(amount=65991.78).understood()
    (row,) = found.rows
    assert row.row == 2
    assert len(row.values) == len(STAGED_COLUMNS[every_kind])
    key = dict(zip(STAGED_COLUMNS[every_kind], row.values[:7], strict=False))
    assert key == {
        "file_no": 7,
        "row": 2,
        "operation_id": found.document["operation_id"],
        "organization": None if every_kind is Kind.DETAILS else "ЛОТОС ООО",
        "amount": Decimal("65991.78"),
        "number": "0А00-000001",
        "moment": found.document["moment"],
    }
    assert row.values[6].isoformat() == "2022-04-22T08:01:53+03:00"
    assert isinstance(row.values[-1], dict)


def test_the_name_of_a_document_is_its_identity_whole_and_exact(sheet):
    name = "  Списание с расчетного  счета\u00a00А00-000523 от 22.04.2022 8:01:53 \n"
    document = sheet().document(name=name).understood().document
    assert document["operation_id"] == name.strip()
    assert document["number"] == "0А00-000523"


@pytest.mark.parametrize("name", ["RCP-0001", "Ручная операция", "Списание с расчетного счета без номера"])
def test_a_document_whose_name_says_nothing_is_a_document(sheet, name):
    document = sheet().document(name=name).understood().document
    assert (document["operation_id"], document["number"], document["moment"]) == (name, None, None)


@pytest.mark.parametrize("name", [None, "", "  ", CellError("#N/A")])
def test_a_document_without_a_name_is_a_reject(sheet, every_kind, name):
    found = sheet(every_kind).document(name=name).document().understood()
    assert rejects(found) == [(2, sheet(every_kind).titles[0])]
    assert [row.row for row in found.rows] == [3]


@pytest.mark.parametrize("amount", ["=1+1", True, float("nan"), 1e308, 1.005, "", None, CellError("#REF!")])
def test_what_is_no_amount_is_a_reject(sheet, every_kind, amount):
    found = sheet(every_kind).document().document(amount=amount).document().understood()
    title = "Сумма платежа" if every_kind is Kind.DETAILS else "Сумма"
    assert rejects(found) == [(3, title)]
    assert [row.row for row in found.rows] == [2, 4]
    assert found.totals.rows == 2
    assert found.totals.sums[title] == 200


def test_every_wrong_cell_of_every_row_is_told(sheet):
    wrong = {"Вх. дата": "31.02.2022", "Не подтверждено выпиской банка": "x", "Организация": None}
    found = sheet().document(wrong, amount="abc").document().document(wrong).understood()
    titles = ["Вх. дата", "Сумма", "Не подтверждено выпиской банка", "Организация"]
    assert rejects(found) == [(2, title) for title in titles] + [(4, title) for title in titles if title != "Сумма"]
    first = found.problems[0]
    assert (first.file, first.value, first.message) == ("Lotos.xlsx", "31.02.2022", "«31.02.2022» is no date")
    assert first.effect == "integrity"


def test_a_long_value_is_told_whole_and_shown_short(sheet):
    (problem,) = sheet().document(amount="x" * 200).understood().problems
    assert problem.value == "x" * 200
    assert problem.message == f"«{'x' * 80}…» is no number"


def test_text_is_never_taken_for_a_number(sheet):
    columns = ["Вх. номер", "Счет дебета", "Налоговый период"]
    cells = {"Вх. номер": "000123", "Счет дебета": 67.01, "Налоговый период": 51.0}
    document = sheet(columns=columns).document(cells).understood().document
    assert (document["document_number"], document["debit_account"], document["tax_period"]) == ("000123", "67.01", "51")


@pytest.mark.parametrize("column", ["Счет получателя", "Ничья колонка"])
def test_an_account_that_lost_digits_as_a_number_is_a_reject_and_never_another_account(sheet, column):
    account = "40702810000000012345"
    found = sheet(columns=[column]).document({column: account}).document({column: float(account)}).understood()
    assert rejects(found) == [(3, column)]
    assert [row.row for row in found.rows] == [2]


def test_control_characters_are_data_but_for_nul(sheet):
    found = sheet(columns=["Комментарий"])
    found.document({"Комментарий": "а\tб\n\x1b[2J"}).document({"Комментарий": "a\x00b"})
    understood = found.understood()
    assert [document["comment"] for document in understood.documents] == ["а\tб\n\x1b[2J"]
    assert rejects(understood) == [(3, "Комментарий")]
    assert "\x00" not in str(understood.problems[0])


# Dates


@pytest.mark.parametrize(
    "cell", ["24.09.2021", "24.09.2021 8:01", date(2021, 9, 24), datetime(2021, 9, 24, 1), 44463.0]
)
def test_a_date_is_read_however_it_is_written(sheet, cell):
    assert sheet().document({"Вх. дата": cell}).understood().document["document_date"] == date(2021, 9, 24)


@pytest.mark.parametrize("cell", ["24.09.2021", date(2021, 9, 24), 44463.0 - 1462, 44463 - 1462, 43001.99])
def test_serial_numbers_of_a_workbook_since_1904_are_its_own(sheet, cell):
    found = sheet().document({"Вх. дата": cell}).understood(since_1904=True)
    assert found.document["document_date"] == date(2021, 9, 24)


@pytest.mark.parametrize(("kind", "title"), [(Kind.EXPENSES, "Вх. дата"), (Kind.RECEIPTS, "Дата входящего документа")])
def test_an_empty_date_is_taken_from_the_document_and_told_once(sheet, kind, title):
    found = sheet(kind).document().document({title: None}).document({title: " "}).understood()
    assert [document["document_date"] for document in found.documents] == [date(2022, 4, 22)] * 3
    (warning,) = found.problems
    assert (warning.code, warning.row, warning.column) == ("date-from-document", 3, title)
    assert "2 documents" in warning.message


def test_the_date_is_that_of_the_clock_in_1c(sheet):
    name = "Списание с расчетного счета 1 от 22.04.2022 0:30:00"
    assert sheet().document({"Вх. дата": None}, name=name).understood().documents[0]["document_date"] == date(
        2022, 4, 22
    )


def test_a_document_without_any_date_is_a_reject(sheet):
    """Every report filters by date: it would be in none."""
    assert rejects(sheet().document({"Вх. дата": None}, name="RCP-0001").understood()) == [(2, "Вх. дата")]


def test_a_wrong_date_is_told_once(sheet):
    assert rejects(sheet().document({"Вх. дата": "вчера"}, name="RCP-0001").understood()) == [(2, "Вх. дата")]


def test_a_contracts_date_is_its_columns_else_the_only_one_in_its_text(sheet):
    one, two = "Договор № 7/2020 от 28.07.2020г.", "Договор № 7/2020 от 28.07.2020г., доп. от 01.08.2020"
    found = sheet(columns=["Дата договора"])
    found.document({"Договор": one, "Дата договора": "01.02.2021"}).document({"Договор": one}).document(
        {"Договор": two}
    )
    found.document({"Договор": "Основной договор"}).document({"Договор": None})
    documents = found.understood().documents
    assert [document["contract"] for document in documents] == [one, one, two, "Основной договор", None]
    assert [document["contract_date"] for document in documents] == [
        date(2021, 2, 1),
        date(2020, 7, 28),
        None,
        None,
        None,
    ]


def test_a_wrong_contract_date_is_a_reject_not_a_guess(sheet):
    assert rejects(sheet(columns=["Дата договора"]).document({"Дата договора": "скоро"}).understood()) == [
        (2, "Дата договора")
    ]


# Currency


@pytest.mark.parametrize(
    ("currency", "account", "code"),
    [
        ("руб.", "51", "RUB"),
        ("USD", "52", "USD"),
        ("USD", None, "USD"),
        ("евро", "52", "EUR"),
        (None, "51", "RUB"),
        ("", 51.0, "RUB"),
        (None, "51.01", "RUB"),
    ],
)
def test_the_currency_is_its_columns_else_follows_from_the_account(sheet, currency, account, code):
    found = sheet(columns=["Валюта"]).document({"Валюта": currency, "Счет учета": account}).understood()
    assert found.document["currency"] == code


def test_without_the_column_it_follows_from_the_account(sheet):
    found = sheet().document({"Счет учета": "51"}).document({"Счет учета": "52"}).understood()
    assert [document["currency"] for document in found.documents] == ["RUB"]
    (problem,) = found.problems
    assert (problem.code, problem.row, problem.column) == ("reject", 3, "Валюта")
    assert "«52»" in problem.message


@pytest.mark.parametrize(
    ("currency", "account"), [("тугрики", "51"), (None, "52"), (None, None), (None, "55"), (CellError("#N/A"), "51")]
)
def test_a_currency_that_nobody_knows_is_a_reject(sheet, currency, account):
    found = sheet(columns=["Валюта"]).document({"Валюта": currency, "Счет учета": account}).understood()
    assert rejects(found) == [(2, "Валюта")]


def test_a_wrong_account_is_told_once(sheet):
    assert rejects(sheet().document({"Счет учета": CellError("#REF!")}).understood()) == [(2, "Счет учета")]


# Flags


@pytest.mark.parametrize(("cell", "flag"), [("Да", True), ("нет", False), (None, False), (" ", False), (True, True)])
def test_unconfirmed_is_never_unknown(sheet, cell, flag):
    document = sheet().document({"Не подтверждено выпиской банка": cell}).understood().document
    assert document["unconfirmed_by_bank"] is flag


def test_without_the_column_documents_count_as_confirmed(sheet):
    found = sheet(without=["Не подтверждено выпиской банка"]).document().understood()
    assert found.document["unconfirmed_by_bank"] is False


def test_either_title_says_what_the_bank_did_not_confirm(sheet):
    found = sheet(without=["Не подтверждено выпиской банка"], columns=["Не подтверждено банком"])
    assert found.document({"Не подтверждено банком": "Да"}).understood().documents[0]["unconfirmed_by_bank"] is True


# Details


def test_the_amounts_of_details(sheet):
    cells = {
        "Курс расчетов": 92.1234,
        "Сумма расчетов": "9 212,34",
        "Сумма НДС": 0.1 + 0.2,
        "Сумма расходов": -0.0,
        "в т.ч. НДС": None,
        "Кратность": 1,
    }
    document = sheet(Kind.DETAILS, columns=list(cells)).document(cells).understood().document
    assert document["settlement_rate"] == Decimal("92.1234")
    assert document["settlement_amount"] == Decimal("9212.34")
    assert document["vat_amount"] == Decimal("0.30")
    assert str(document["expense_amount"]) == "0.00"
    assert document["vat_in_expense"] is None
    assert document["extra"] == {"Кратность": 1}


@pytest.mark.parametrize("columns", [[], ["Курс расчетов"]])
def test_an_absent_rate_is_one(sheet, columns):
    assert sheet(Kind.DETAILS, columns=columns).document().understood().document["settlement_rate"] == 1


@pytest.mark.parametrize("title", ["Курс расчетов", "Кратность"])
def test_a_wrong_rate_is_a_reject(sheet, title):
    assert rejects(sheet(Kind.DETAILS, columns=[title]).document({title: "много"}).understood()) == [(2, title)]


# Columns without a field


def test_every_other_column_is_kept(sheet):
    cells = {"Налог": "НДФЛ ", "Номер чека ККМ": 0.0, "Ставка": 0.1, "Пусто": None, "Пробелы": " \u00a0", "Флаг": True}
    extra = sheet(columns=list(cells)).document(cells).understood().document["extra"]
    assert extra == {"Налог": "НДФЛ ", "Номер чека ККМ": 0, "Ставка": 0.1, "Флаг": True}
    assert repr(extra["Номер чека ККМ"]) == "0"


def test_titles_that_repeat_or_are_empty_lose_nothing(understood, sheet):
    plain = sheet(Kind.DETAILS).document(amount=5.0)
    titles = (*plain.titles, "Субконто", "Субконто", "Субконто (2)", None, "Субконто", None)
    found = understood([titles, (*plain.rows[0], "а", "б", "в", "г", "д", "е", "ж")])
    assert found.document["extra"] == {
        "Субконто": "а",
        "Субконто (2)": "б",
        "Субконто (2) (2)": "в",
        "(H)": "г",
        "Субконто (3)": "д",
        "(J)": "е",
        "(K)": "ж",
    }


def test_cells_right_of_the_header_are_kept_and_absent_ones_are_empty(understood, sheet):
    plain = sheet().document()
    found = understood([plain.titles, (*plain.rows[0], None, "заметка"), plain.rows[0][:-1]])
    assert [document["extra"] for document in found.documents] == [{"(L)": "заметка"}, {}]
    assert found.problems == []


def test_an_error_value_is_kept_where_nothing_depends_on_it(sheet):
    found = sheet(columns=["Налог"]).document({"Налог": CellError("#REF!")}).understood()
    assert found.document["extra"] == {"Налог": "#REF!"}
    assert type(found.document["extra"]["Налог"]) is str


def test_an_error_value_is_a_reject_in_every_column_with_a_field(sheet, every_kind):
    _, *titles = sheet(every_kind).titles
    found = sheet(every_kind)
    for title in titles:
        found.document({title: CellError("#REF!")})
    assert rejects(found.understood()) == [(row, title) for row, title in enumerate(titles, 2)]


def test_nul_in_a_column_without_a_field_is_a_reject(sheet):
    assert rejects(sheet(columns=["Налог"]).document({"Налог": "a\x00b"}).understood()) == [(2, "Налог")]


# Limits


@pytest.mark.parametrize(
    ("field", "title"),
    [("organization", "Организация"), ("bank_account", "Банковский счет"), ("contract", "Договор")],
)
def test_a_text_that_names_something_is_never_cut(sheet, field, title):
    found = sheet(limits={field: 5}).document({title: "12345"}).document({title: "123456"}).understood()
    assert rejects(found) == [(3, title)]
    assert "has 6 characters, 5 fit" in found.problems[0].message
    assert [document[field] for document in found.documents] == ["12345"]


def test_a_name_that_does_not_fit_is_a_reject(sheet):
    assert rejects(sheet(limits={"operation_id": 20}).document().understood()) == [(2, "Списание с расчетного счета")]


def test_other_text_is_cut_and_kept_whole_in_extra(sheet):
    found = sheet(columns=["Налоговый период", "Комментарий"], limits={"tax_period": 10}).document(
        {"Налоговый период": "ГД.00.2021 г.", "Комментарий": "x" * 5000}
    )
    understood = found.understood()
    document = understood.document
    assert document["tax_period"] == "ГД.00.2021"
    assert document["comment"] == "x" * 5000
    assert document["extra"] == {"Налоговый период": "ГД.00.2021 г."}
    (warning,) = understood.problems
    assert (warning.code, warning.row, warning.column) == ("text-cut", 2, "Налоговый период")
    assert "13 characters, 10 fit" in warning.message


def test_the_contract_of_a_detail_is_only_shown_and_may_be_cut(sheet):
    found = sheet(Kind.DETAILS, limits={"contract_number": 7}).document().understood()
    assert found.document["contract_number"] == "Договор"
    assert found.codes == ["text-cut"]


def test_the_same_text_means_the_same_in_every_row(sheet):
    """Texts are remembered; 1, 1.0, "1" and True are not each other."""
    found = sheet(columns=["Вх. номер"])
    for cell in ("1", 1, 1.0, True, "1", True, 1):
        found.document({"Вх. номер": cell})
    assert [document["document_number"] for document in found.understood().documents] == [
        "1", "1", "1", "Да", "1", "Да", "1",
    ]  # fmt: skip


def test_a_text_that_was_wrong_once_is_wrong_again(sheet):
    found = sheet().document(amount="abc").document(amount="abc").understood()
    assert rejects(found) == [(2, "Сумма"), (3, "Сумма")]
