import json
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from cpimportd.core.model import MAIN_AMOUNT, Kind
from cpimportd.documents.header import has_header, kind_by_name

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
FILES = sorted(SAMPLES.glob("day*/*.xlsx"))


def truth(day: str):
    return json.loads((SAMPLES / f"{day}.json").read_text(encoding="utf-8"))


def rows_of(path: Path):
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    return [tuple(None if cell == "" else cell for cell in row) for row in sheet.iter_rows()]


@pytest.fixture(scope="module")
def sheets():
    return {path: rows_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_is_understood_to_the_kopeck(sheets, understood, path):
    expected = truth(path.parent.name)["files"][path.name]
    found = understood(sheets[path], file=path.name)
    assert [item.code for item in found.items if hasattr(item, "code") and item.effect != "warns"] == []
    assert found.header.kind.value == expected["kind"]
    assert kind_by_name(path.name) is has_header(sheets[path]) is found.header.kind
    main = MAIN_AMOUNT[found.header.kind]
    assert found.totals.rows == len(found.rows) == expected["rows"]
    assert found.totals.control_totals[main] == found.totals.sums[main] == Decimal(expected["total"])
    assert sum(document["amount"] for document in found.documents) == Decimal(expected["total"])
    assert all(found.totals.sums[title] == total for title, total in found.totals.control_totals.items())
    assert all(document["number"] and document["moment"] for document in found.documents)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_that_1c_sent_is_lost(sheets, understood, path):
    """Every filled cell is found again, as a field or in extra."""
    header, *rows, _ = sheets[path]
    found = understood(sheets[path], file=path.name)
    for cells, document in zip(rows, found.documents, strict=True):
        kept = len(document["extra"]) + sum(
            value is not None
            for field, value in document.items()
            if field not in ("file_no", "row", "number", "moment", "extra")
        )
        filled = {title for title, cell in zip(header, cells, strict=True) if cell is not None}
        derived = {
            "currency": "Валюта",
            "settlement_rate": "Курс расчетов",
            "contract_date": "Дата договора",
            "document_date": "Вх. дата" if found.header.kind is Kind.EXPENSES else "Дата входящего документа",
        }
        invented = sum(document.get(field) is not None and title not in filled for field, title in derived.items())
        assert kept - invented == len(filled)


@pytest.mark.parametrize("day", ["day1", "day2"])
def test_a_day_adds_up(sheets, understood, day):
    expected = truth(day)
    documents: dict[Kind, list] = {kind: [] for kind in Kind}
    for path in FILES:
        if path.parent.name == day:
            found = understood(sheets[path], file=path.name)
            documents[found.header.kind] += found.documents
    for kind in Kind:
        assert len(documents[kind]) == expected[kind.value]["rows"]
        assert sum(d["amount"] for d in documents[kind]) == Decimal(expected[kind.value]["sum"])
    by_type = {"Погашение долга": Decimal(0), "Уплата процентов": Decimal(0)}
    for line in documents[Kind.DETAILS]:
        by_type[line["payment_type"]] += line["amount"]
    assert by_type["Погашение долга"] == Decimal(expected["principal"])
    assert by_type["Уплата процентов"] == Decimal(expected["interest"])
    both = documents[Kind.RECEIPTS] + documents[Kind.EXPENSES]
    assert len({d["contract"] for d in both}) == expected["contract_texts"]
    assert len({d["bank_account"] for d in both}) == expected["bank_accounts"]
    assert {d["operation_id"] for d in documents[Kind.DETAILS]} <= {d["operation_id"] for d in documents[Kind.EXPENSES]}
