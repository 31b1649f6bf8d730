"""Whatever stands in a sheet: every row is accounted for, and nothing but problems is raised."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from cpimportd.core.model import STAGED_COLUMNS, CellError
from cpimportd.core.problems import Problem
from cpimportd.demo.organizations import DETAIL_TITLES, EXPENSE_TITLES, RATE_TITLES, RECEIPT_TITLES
from cpimportd.documents.items import DocumentRow, Header, Totals
from cpimportd.documents.understand import understand

NAME = "Списание с расчетного счета 0А00-000523 от 22.04.2022 8:01:53"
words = st.sampled_from(
    [
        NAME,
        "Итого",
        "Итого по ЛОТОС",
        "руб.",
        "Да",
        "24.09.2021",
        "1\u00a0234,50",
        "51",
        "a\x00b",
        "\ud800",
        "=1+1",
        " ",
    ]
)
cells = st.one_of(
    st.none(),
    words,
    st.text(max_size=20),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.just(CellError("#REF!")),
)
titles = st.sampled_from([EXPENSE_TITLES, RECEIPT_TITLES, (*DETAIL_TITLES, *RATE_TITLES)])
proper = (NAME, "24.09.2021", "51", 100.0)


@st.composite
def sheets(draw):
    header = draw(titles)
    row = st.lists(st.one_of(cells, st.sampled_from(proper)), max_size=len(header) + 2).map(tuple)
    plain = st.builds(lambda pick: (NAME, *["51" for _ in header[2:]], pick), cells)
    return [header, *draw(st.lists(st.one_of(row, plain), max_size=12))]


def ours(value):
    known = (str, Decimal, date, datetime, bool, int, dict, type(None))
    return type(value) in known and not isinstance(value, time | timedelta | float | CellError)


@settings(max_examples=300)
@given(sheets())
def test_any_sheet_is_understood_or_told(rows):
    zone = ZoneInfo("Europe/Moscow")
    limits = {"currency": 10, "tax_period": 10, "organization": 15}
    items = list(understand(enumerate(rows, 1), file="x.xlsx", sheet="s", file_no=0, zone=zone, limits=limits))
    header, *middle, totals = items
    assert isinstance(header, Header)
    assert isinstance(totals, Totals)
    assert all(isinstance(item, DocumentRow | Problem) for item in middle)
    documents = [item for item in middle if isinstance(item, DocumentRow)]
    assert totals.rows == len(documents)
    assert [item.row for item in documents] == sorted({item.row for item in documents})
    wrong = {item.row for item in middle if isinstance(item, Problem) and item.code in ("reject", "row-unrecognized")}
    understood = {item.row for item in documents}
    for number, row in enumerate(rows[1:], 2):
        if header.kind != "receipts" and row[:1] == (NAME,):
            assert (number in wrong) != (number in understood)
    for _, values in documents:
        assert len(values) == len(STAGED_COLUMNS[header.kind])
        assert all(ours(value) for value in values)
        json.dumps(values[-1], allow_nan=False).encode()
        "".join(value for value in values if isinstance(value, str)).encode()
    place = STAGED_COLUMNS[header.kind].index("amount")
    main = "Сумма платежа" if header.kind == "details" else "Сумма"
    assert totals.sums[main] == sum(values[place] for _, values in documents)
