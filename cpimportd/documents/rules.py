"""Rules over several fields of a document: dates and currency derived from other fields, and warnings."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, cast

from cpimportd.core.identity import Identity
from cpimportd.core.model import KOPECK, STAGED_COLUMNS, Kind, Value
from cpimportd.core.phrases import phrase
from cpimportd.documents.dates import date_in_contract
from cpimportd.documents.header import Layout
from cpimportd.documents.items import Fault, Tallies
from cpimportd.documents.values import ROUBLE, is_rouble_account

Values = list[Value]


def places(kind: Kind) -> Mapping[str, int]:
    """Where each field stands among the staged values of a kind."""
    return {field: place for place, field in enumerate(STAGED_COLUMNS[kind])}


class Rules(Protocol):
    """What holds for the rows of a kind, beyond single cells."""

    def complete(self, values: Values, identity: Identity, faulty: Collection[str]) -> Sequence[Fault]:
        """Fill in what follows from other fields.

        Args:
            values: as staged; changed in place.
            identity: the document's own number and moment.
            faulty: titles of columns whose cell is a reject already.

        Returns:
            What cannot be filled in and must be.
        """

    def note(self, row: int, values: Values) -> None:
        """Remember what is worth a warning; of rows that were understood, right after ``complete``."""


def rules_for(layout: Layout, tallies: Tallies) -> Rules:
    """The rules of the kind that a sheet holds."""
    return DetailRules(layout, tallies) if layout.kind is Kind.DETAILS else DocumentRules(layout, tallies)


class DocumentRules:
    """Receipts and expenses."""

    def __init__(self, layout: Layout, tallies: Tallies) -> None:
        self._tallies = tallies
        self._at = places(layout.kind)
        self._date_title = layout.title_of("document_date")
        self._currency_title = layout.title_of("currency")
        self._account_title = layout.title_of("accounting_account")
        self._undated = False

    def complete(self, values: Values, identity: Identity, faulty: Collection[str]) -> Sequence[Fault]:
        """Take a missing date from the document's own moment, a contract's from its text, roubles from the account."""
        at, faults = self._at, []
        contract = values[at["contract"]]
        if values[at["contract_date"]] is None and isinstance(contract, str):
            values[at["contract_date"]] = date_in_contract(contract)
        self._undated = values[at["document_date"]] is None and self._date_title not in faulty
        if self._undated and identity.moment is not None:
            values[at["document_date"]] = identity.moment.date()
        elif self._undated:
            faults.append(Fault(self._date_title, None, phrase("empty-and-undated")))
        if values[at["currency"]] is None and not {self._currency_title, self._account_title} & set(faulty):
            account = values[at["accounting_account"]]
            if isinstance(account, str) and is_rouble_account(account):
                values[at["currency"]] = ROUBLE
            else:
                reason = phrase("empty-and-no-roubles", account=str(account or ""))
                faults.append(Fault(self._currency_title, None, reason))
        return faults

    def note(self, row: int, values: Values) -> None:
        """Count what is remarkable about a document."""
        at, tallies = self._at, self._tallies
        amount = cast("Decimal", values[at["amount"]])
        if self._undated:
            tallies.undated.add(row)
        if not amount:
            tallies.zero.add(row)
        if "unconfirmed_by_bank" in at and values[at["unconfirmed_by_bank"]]:
            tallies.unconfirmed.add(row, amount)
        tallies.operation_type(cast("str | None", values[at["operation_type"]]), row, amount)


class DetailRules:
    """Lines of expenses' details."""

    def __init__(self, layout: Layout, tallies: Tallies) -> None:
        self._tallies = tallies
        self._at = places(layout.kind)
        self._settlement_title = layout.title_of("settlement_amount")
        self._multiplier = Decimal(1)

    def complete(self, values: Values, identity: Identity, faulty: Collection[str]) -> Sequence[Fault]:
        """Count an absent rate as 1; set aside its multiplier, which was read into the place of ``extra``."""
        del identity, faulty
        if values[self._at["settlement_rate"]] is None:
            values[self._at["settlement_rate"]] = Decimal(1)
        multiplier = values[self._at["extra"]]
        # A multiplier of 0 was never filled in: it counts as 1, like an empty one.
        self._multiplier = multiplier if isinstance(multiplier, Decimal) and multiplier else Decimal(1)
        return ()

    def note(self, row: int, values: Values) -> None:
        """Count what is remarkable about a line."""
        at = self._at
        amount = cast("Decimal", values[at["amount"]])
        if not amount:
            self._tallies.zero.add(row)
        self._tallies.payment_type(cast("str | None", values[at["payment_type"]]), row, amount)
        settlement = cast("Decimal | None", values[at["settlement_amount"]])
        if settlement is not None:
            expected = amount * cast("Decimal", values[at["settlement_rate"]]) / self._multiplier
            if abs(settlement - expected) > KOPECK:
                self._tallies.settlement(row, self._settlement_title, settlement, expected)
