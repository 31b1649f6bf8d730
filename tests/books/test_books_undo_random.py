"""Days at random, and undos of any of their runs: the books are always to the row what they were before that run."""

import random
from decimal import Decimal

import pytest

from tests.support.books.before_and_after import books, content

ORGANIZATIONS = ("ЛОТОС ООО", "МОСТ ООО")
TYPES = ("Погашение долга", "Уплата процентов", "Прочее")
KINDS = ("receipts", "expenses")


class Ledger:
    """What 1C holds: documents that come, go, change and move at random; some always stay."""

    def __init__(self, made, seed):
        self._made, self._random = made, random.Random(seed)
        self._number = 0
        self._documents = {}
        self._gone = []
        self._staying = [self._new(kind, organization) for kind in KINDS for organization in ORGANIZATIONS]

    def _new(self, kind, organization):
        self._number += 1
        build = self._made.receipt if kind == "receipts" else self._made.expense
        row = build(self._number, str(Decimal(self._random.randint(1, 9999)) / 100), organization=organization)
        return kind, row, self._lines(kind, row)

    def _lines(self, kind, row):
        if kind == "receipts":
            return []
        parts, left, lines = self._random.randint(0, 3), row["amount"], []
        for part in range(parts, 0, -1):
            amount = left if part == 1 else (left / part).quantize(Decimal("0.01"))
            left -= amount
            lines.append(self._made.line(row, str(amount), self._random.choice(TYPES)))
        return lines

    def _change(self, kind, row, lines):
        """One document, another way."""
        what = self._random.choice(("amount", "comment", "extra", "contract", "lines", "organization"))
        values = {
            "amount": Decimal(self._random.randint(1, 9999)) / 100,
            "comment": str(self._random.random()),
            "extra": {"Основание": str(self._random.random())},
            "contract": self._random.choice(("Договор N 9 от 01.02.2022", "Договор N 3", None)),
            "organization": self._random.choice(ORGANIZATIONS),
        }
        row = {**row, what: values[what]} if what in values else row
        return kind, row, self._lines(kind, row) if what in {"amount", "lines"} else lines

    def next_day(self):
        """The next day's export, some documents of it others than today."""
        for _ in range(self._random.randint(2, 5)):
            what = self._random.choice(("come", "come", "change", "change", "change", "go", "again"))
            if what == "again" and self._gone:
                name, document = self._gone.pop()
                self._documents[name] = document
            elif what == "come" or not self._documents:
                document = self._new(self._random.choice(KINDS), self._random.choice(ORGANIZATIONS))
                self._documents[document[1]["operation_id"]] = document
            else:
                name = self._random.choice(sorted(self._documents))
                if what == "go":
                    self._gone.append((name, self._documents.pop(name)))
                else:
                    self._documents[name] = self._change(*self._documents[name])
        every = [*self._staying, *self._documents.values()]
        rows = {kind: [row for of, row, _ in every if of == kind] for kind in KINDS}
        return self._made.Day(details=[line for _, _, lines in every for line in lines], **rows)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(3))
async def test_any_run_can_be_taken_back_also_through_undos(database, publish_day, made, sql, take_back, seed):
    ledger, chance = Ledger(made, seed), random.Random(seed)
    before = {}
    for run in range(1, 11):
        before[run] = books(sql, database, contracts=False)
        if run > 3 and chance.random() < 0.4:
            which = chance.randint(run - 3, run - 1)
            await take_back(which, through=True)
            assert books(sql, database, contracts=False) == before[which], (run, which)
        else:
            await publish_day(ledger.next_day())


EDITS = (
    "UPDATE fin_{kind} SET amount = amount + 7 WHERE {one}",
    "UPDATE fin_{kind} SET amount = 0, comment = 'by hand', document_date = '2001-01-01' WHERE {one}",
    "UPDATE fin_{kind} SET contract_id = NULL, is_active = false WHERE {one}",
    "UPDATE fin_{kind} SET organization_id = (SELECT min(id) FROM fin_organizations) WHERE {one}",
    "DELETE FROM fin_{kind} WHERE {one}",
    "INSERT INTO fin_{kind} SELECT (jsonb_populate_record(f, jsonb_build_object('id', nextval('fin_{kind}_id_seq'),"
    " 'operation_id', 'by hand ' || f.id))).* FROM fin_{kind} f WHERE {one}",
    "UPDATE fin_expense_details SET payment_type = 'Прочее', payment_amount = payment_amount + 7 WHERE {line}",
    "DELETE FROM fin_expense_details WHERE {line}",
    "UPDATE fin_contracts SET contract_number = 'x' || contract_number WHERE id = (SELECT min(id) FROM fin_contracts)",
)
ONE = "id = (SELECT id FROM fin_{kind} ORDER BY md5(operation_id || '{salt}') LIMIT 1)"
LINE = (
    "expense_operation_id = (SELECT expense_operation_id FROM fin_expense_details ORDER BY md5(id || '{salt}') LIMIT 1)"
)


def edit_by_hand(sql, database, chance):
    for _ in range(chance.randint(0, 4)):
        kind, salt = chance.choice(KINDS), chance.random()
        one, line = (text.format(kind=kind, salt=salt) for text in (ONE, LINE))
        sql(database, chance.choice(EDITS).format(kind=kind, one=one, line=line))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_somebody_wrote_between_the_runs_stays_or_comes_back(
    database, publish_day, made, sql, take_back, seed
):
    ledger, chance = Ledger(made, seed), random.Random(seed)
    before = {}
    for run in range(1, 13):
        before[run] = content(sql, database)
        if run > 3 and chance.random() < 0.4:
            which = chance.randint(run - 3, run - 1)
            await take_back(which, through=True)
            assert content(sql, database) == before[which], (run, which)
        else:
            if run > 1:
                edit_by_hand(sql, database, chance)
            published = await publish_day(ledger.next_day())
            assert all(bridge.unexplained == 0 for unit in published.units for bridge in unit.bridges)
