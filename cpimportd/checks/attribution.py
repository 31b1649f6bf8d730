"""Attributes a file to organizations: by the names in it today, and by the last file of the same name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from cpimportd.core.model import Kind, Unit
from cpimportd.core.problems import printable
from cpimportd.core.workbooks import Served, Snapshot

KnownExpenses = Mapping[str, tuple[str, Decimal]]
"""What the books know of expenses: ``operation_id`` to (organization, amount)."""


class Claim(NamedTuple):
    """That a file speaks for an organization's documents of one kind."""

    organization: str
    kind: Kind

    @property
    def unit(self) -> Unit:
        """The unit that these documents belong to."""
        return Unit(self.organization, self.kind.group)


@dataclass(frozen=True, slots=True)
class AttributedFile:
    """A file and what it speaks for.

    Attributes:
        kind: by its own word, else by what it was last time.
        today: what its content names. A file that names nobody (0 bytes, or a header and ``Итого`` alone) stands for
            what its name brought last time.
        last: what its name brought last time.
    """

    snapshot: Snapshot
    kind: Kind | None
    today: frozenset[Claim]
    last: frozenset[Claim]

    @property
    def name(self) -> str:
        """The file's name on the server."""
        return self.snapshot.file.name

    @property
    def file_no(self) -> int:
        """Its place among today's files."""
        return self.snapshot.file_no

    @property
    def every(self) -> frozenset[Claim]:
        """What depends on it if it is wrong: nobody can say whose rows are the wrong ones."""
        return self.today | self.last

    @property
    def organizations(self) -> tuple[str, ...]:
        """Whose documents it holds, sorted."""
        of_this_kind = {claim for claim in self.last if self.kind in (claim.kind, None)}
        return tuple(sorted({claim.organization for claim in self.today or of_this_kind}))


class Memory:
    """What the books serve, as claims by file name and by content."""

    def __init__(self, served: Iterable[Served]) -> None:
        self._by_name: dict[str, set[Claim]] = {}
        self._by_content: dict[str, set[Claim]] = {}
        for entry in served:
            claim = Claim(entry.organization, entry.kind)
            # Problems carry names in printable form, so that one has to be found by either.
            for name in {entry.file, printable(entry.file)}:
                self._by_name.setdefault(name, set()).add(claim)
            for content in {entry.digest, entry.sha256} - {""}:
                self._by_content.setdefault(content, set()).add(claim)

    def of_name(self, name: str) -> frozenset[Claim]:
        """What a file of this name brought last time."""
        return frozenset(self._by_name.get(name, ()))

    def of_content(self, snapshot: Snapshot) -> frozenset[Claim]:
        """What a file with this content brought last time, whatever it was called."""
        return frozenset(self._by_content.get(snapshot.digest, ())) | frozenset(
            self._by_content.get(snapshot.file.sha256, ())
        )


def expense_index(snapshots: Iterable[Snapshot]) -> dict[str, str]:
    """Per ``operation_id`` of today's expenses, as far as they were read, its organization."""
    index: dict[str, str] = {}
    for snapshot in sorted(snapshots, key=_by_name):
        if snapshot.kind is Kind.EXPENSES:
            for document in snapshot.documents:
                if document.organization is not None:
                    index.setdefault(document.operation_id, document.organization)
    return index


def unknown_expenses(snapshots: Sequence[Snapshot]) -> frozenset[str]:
    """Operation ids that today's details name but today's expenses, as far as they were read, do not.

    Look them up in the books and give :func:`integrity` what is found there as ``known_expenses``.
    """
    index = expense_index(snapshots)
    return frozenset(
        document.operation_id
        for snapshot in snapshots
        if snapshot.kind is Kind.DETAILS
        for document in snapshot.documents
        if document.operation_id not in index
    )


def attribute(
    snapshots: Sequence[Snapshot], memory: Memory, known_expenses: KnownExpenses
) -> tuple[AttributedFile, ...]:
    """Say of each file what it speaks for; in the order of their names, so that nothing depends on the server's."""
    index = expense_index(snapshots)
    files = []
    for snapshot in sorted(snapshots, key=_by_name):
        last = memory.of_name(snapshot.file.name)
        content = memory.of_content(snapshot) if snapshot.unchanged else frozenset()
        kind = snapshot.kind or _only_kind(content) or _only_kind(last)
        named = content
        if not named and snapshot.kind is not None:
            organizations = _named(snapshot, index, known_expenses)
            named = frozenset(Claim(organization, snapshot.kind) for organization in organizations)
        if not named and not snapshot.documents:
            named = frozenset(claim for claim in last if kind in (claim.kind, None))
        files.append(AttributedFile(snapshot, kind, named, last))
    return tuple(files)


def _named(snapshot: Snapshot, index: Mapping[str, str], known_expenses: KnownExpenses) -> frozenset[str]:
    """Whose rows these are; details have no organization of their own but that of their expense."""
    if snapshot.kind is not Kind.DETAILS:
        named = {document.organization for document in snapshot.documents}
    else:
        expenses = {document.operation_id for document in snapshot.documents}
        known = {expense: known_expenses[expense][0] for expense in expenses & known_expenses.keys()}
        named = {index.get(expense, known.get(expense)) for expense in expenses}
    return frozenset(organization for organization in named if organization is not None)


def _only_kind(claims: frozenset[Claim]) -> Kind | None:
    kinds = {claim.kind for claim in claims}
    return kinds.pop() if len(kinds) == 1 else None


def _by_name(snapshot: Snapshot) -> tuple[str, int]:
    return snapshot.file.name, snapshot.file_no
