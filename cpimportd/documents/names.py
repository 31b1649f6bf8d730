"""What a file's name says of what it holds."""

from cpimportd.core.folding import fold
from cpimportd.core.model import Kind

_STEMS = (
    (Kind.RECEIPTS, ("postupleni", "поступлени")),
    (Kind.DETAILS, ("rasshifrovk", "расшифровк")),
    (Kind.EXPENSES, ("spisani", "списани")),
)


def kind_by_name(name: str) -> Kind | None:
    """The kind that a file's name speaks of, transliterated or in Cyrillic, in any case.

    Args:
        name: such as ``Most - spisanie(rasshifrovka) XLSX.xlsx``. Details of expenses name both words.

    Returns:
        The kind; None where the name says nothing, or both receipts and something else.
    """
    folded = fold(name)
    kinds = [kind for kind, stems in _STEMS if any(fold(stem) in folded for stem in stems)]
    if Kind.RECEIPTS in kinds and len(kinds) > 1:
        return None
    return kinds[0] if kinds else None
