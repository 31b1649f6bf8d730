"""Which unchanged files must be read all the same, because something that they are published with has changed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from cpimportd.checks.attribution import AttributedFile, Memory, attribute
from cpimportd.checks.duplicates import copies
from cpimportd.checks.units import gather
from cpimportd.core.model import Served, Snapshot, Unit

NOTHING_KNOWN: Mapping[str, tuple[str, Decimal]] = MappingProxyType({})


def files_to_parse(
    snapshots: Sequence[Snapshot],
    served: Sequence[Served],
    foreign_writes: frozenset[Unit] = frozenset(),
    *,
    known_expenses: Mapping[str, tuple[str, Decimal]] = NOTHING_KNOWN,
) -> frozenset[int]:
    """Say which of the files that were left unread as unchanged must be read in full after all.

    A unit is compared with the books as a whole: where one of its files changed, came or went, or somebody else wrote
    into its books, its other files are needed too, and with them the other units that those hold, until it stands
    still. Details name their organizations through their expenses, which may lie in files not read yet: read what
    this gives and ask again, until it gives nothing.

    Args:
        snapshots: today's files, the changed ones read in full.
        served: what the books serve.
        foreign_writes: units whose books were changed by somebody else since.
        known_expenses: what the books know of the ids that :func:`unknown_expenses` names.
    """
    files = attribute(snapshots, Memory(served), known_expenses)
    copied = copies(files)
    files = tuple(file for file in files if file.file_no not in copied)
    changed = set(foreign_writes)
    changed |= {unit for unit, parts in gather(files, (), served).items() if parts.gone}
    # An unread file that the books know nothing of stands for nobody: it cannot be left unread.
    needed = {file.file_no for file in files if not file.snapshot.unchanged or not file.today}
    while True:
        changed |= {unit for file in files if file.file_no in needed for unit in _units(file)}
        further = {file.file_no for file in files if _units(file) & changed} - needed
        if not further:
            return frozenset(file.file_no for file in files if file.file_no in needed and file.snapshot.unchanged)
        needed |= further


def _units(file: AttributedFile) -> frozenset[Unit]:
    """The units that a file belongs to; one that changed also those that it brought last time."""
    claims = file.today if file.snapshot.unchanged else file.every
    return frozenset(claim.unit for claim in claims)
