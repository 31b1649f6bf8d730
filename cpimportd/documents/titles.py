"""How titles and labels are compared."""

import unicodedata


def fold(text: str) -> str:
    """A title in the form in which it is compared: no difference in case, ``ё``, or runs of spaces of any kind."""
    return " ".join(unicodedata.normalize("NFC", text).replace("\ufeff", "").split()).casefold().replace("ё", "е")


def column_letter(index: int) -> str:
    """What a spreadsheet program calls a column: ``A`` for 0, ``AA`` for 26."""
    letters = ""
    place = index + 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
