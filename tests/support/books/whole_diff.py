"""A run's diff with all of its documents at once, as tests look at it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from cpimportd.books.database.queries import at_one_moment
from cpimportd.books.journal.diff import Diff, movements
from cpimportd.books.journal.diff import diff as read_diff
from cpimportd.books.journal.movements import Movement, Sums, Title, What


@dataclass(frozen=True)
class WholeDiff:
    """The diff, and every document."""

    found: Diff
    movements: tuple[Movement, ...]

    def of(self, *what: What) -> list[Movement]:
        return [one for one in self.movements if one.what in what]

    async def tell(self, *what: What, skip: int = 0, limit: int | None = None) -> AsyncIterator[Movement]:
        chosen = self.of(*what) if what else list(self.movements)
        for one in chosen[skip : None if limit is None else skip + limit]:
            yield one

    @property
    def sums(self) -> tuple[Sums, ...]:
        return self.found.sums

    @property
    def unexplained(self) -> tuple[Sums, ...]:
        return self.found.unexplained

    @property
    def undoes(self) -> tuple[int, ...]:
        return self.found.undoes

    def head(self) -> dict[str, Any]:
        return self.found.head()

    @property
    def documents(self) -> list[Movement]:
        """Each document once, counted here in another way than the database does."""
        by_1c = [one for one in self.movements if one.why != "put-right"]
        concerned = {(one.key.kind, name) for one in by_1c for name in (one.key.operation_id, one.was)}
        return [
            one
            for one in self.movements
            if one.why != "put-right" or (one.key.kind, one.key.operation_id) not in concerned
        ]

    def titled(self, title: Title) -> dict[str, Any]:
        return {**self.found.head(), "documents": [one.titled(title) for one in self.movements]}


async def diff(connection: asyncpg.Connection, run: int, *, organization: str | None = None) -> WholeDiff:
    """All of it; what the database counted and added up is what the documents are."""
    async with at_one_moment(connection):
        found = await read_diff(connection, run, organization=organization)
        told = WholeDiff(found, tuple([one async for one in movements(connection, found)]))
    assert found.movements == {what: len(told.of(what)) for what in What if told.of(what)}
    assert {w: n for w, n in found.documents.items() if n} == {
        what: number for what in What if (number := sum(one.what is what for one in told.documents))
    }
    assert found.moved == sum(one.moved for one in told.documents)
    _require_sums(told, organization)
    return told


def _require_sums(told: WholeDiff, organization: str | None) -> None:
    """The sums that the database made are those of the documents, one by one."""
    mine: dict[tuple[str, Any], list[Any]] = {}
    for one in told.movements:
        stays = one.organization_before == one.organization_after
        for figure, before, after in one.sums():
            if one.organization_before is not None and before is not None:
                sums = mine.setdefault((one.organization_before, figure), [0, 0, 0])
                sums[2 if stays else 1] += -before if stays else before
            if one.organization_after is not None and after is not None:
                mine.setdefault((one.organization_after, figure), [0, 0, 0])[2 if stays else 0] += after
    for sums in told.sums:
        key = (sums.organization, sums.kind)
        assert [sums.added, sums.removed, sums.changed] == mine.pop(key, [0, 0, 0]), (key, told.movements)
    assert not mine or organization is not None
