"""Pairs documents that were removed with the same documents under new names."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from cpimportd.core.folding import fold
from cpimportd.core.unit_facts import DocumentFact, UnitFacts

Key = Callable[[DocumentFact], Hashable | None]


def retimed_pairs(gone: Sequence[DocumentFact], new: Sequence[DocumentFact]) -> dict[str, str]:
    """Pair documents by number and year, exactly one to one: old ``operation_id`` to new.

    The moment of a document is part of 1C's text of it, so that one which was re-timed comes under another id. Its
    number stays; numbers begin anew each year, and are unique within an organization's year.
    """
    return _pairs(gone, new, _number_and_year)


def rekeyed_pairs(facts: UnitFacts, tolerated: int) -> dict[str, str]:
    """Pair documents with equal sums where the whole unit comes under new names: old ``operation_id`` to new.

    That happens when a title changes in 1C, for it is the beginning of every id. Documents of the same number and
    year, else of the same date, are paired first, so that details and lineage follow the right ones; sums alone
    pair what is left only if all of them match.

    Args:
        facts: of the unit.
        tolerated: as many documents that go and come are ordinary business, and never called a change of keys.

    Returns:
        Nothing unless no document kept its id and more than half of those gone have such a pair.
    """
    if facts.before != len(facts.gone) or len(facts.gone) <= tolerated:
        return {}
    pairs = _pairs(facts.gone, facts.new, _number_year_and_amount)
    pairs |= _pairs(*_rest(facts, pairs), _date_and_amount, repeated=True)
    gone, new = _rest(facts, pairs)
    if Counter(document.amount for document in gone) == Counter(document.amount for document in new):
        pairs |= _pairs(gone, new, _amount, repeated=True)
    return pairs if 2 * len(pairs) > len(facts.gone) else {}


def _pairs(
    gone: Sequence[DocumentFact], new: Sequence[DocumentFact], key: Key, *, repeated: bool = False
) -> dict[str, str]:
    """Pair by a key that one document on each side has; ``repeated``: or equally many, in the order of their ids."""
    before, after = _by_key(gone, key), _by_key(new, key)
    return {
        old: its_new
        for value, olds in before.items()
        if len(olds) == len(after.get(value, ())) and (repeated or len(olds) == 1)
        for old, its_new in zip(sorted(olds), sorted(after[value]), strict=True)
    }


def _by_key(documents: Iterable[DocumentFact], key: Key) -> dict[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = {}
    for document in documents:
        value = key(document)
        if value is not None:
            found.setdefault(value, []).append(document.operation_id)
    return found


def _rest(facts: UnitFacts, pairs: Mapping[str, str]) -> tuple[list[DocumentFact], list[DocumentFact]]:
    taken = set(pairs.values())
    return (
        [document for document in facts.gone if document.operation_id not in pairs],
        [document for document in facts.new if document.operation_id not in taken],
    )


def _number_and_year(document: DocumentFact) -> Hashable | None:
    return None if document.number is None or document.year is None else (fold(document.number), document.year)


def _number_year_and_amount(document: DocumentFact) -> Hashable | None:
    number_and_year = _number_and_year(document)
    return None if number_and_year is None else (number_and_year, document.amount)


def _date_and_amount(document: DocumentFact) -> Hashable | None:
    return None if document.document_date is None else (document.document_date, document.amount)


def _amount(document: DocumentFact) -> Hashable | None:
    return document.amount
