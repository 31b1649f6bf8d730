"""What a spreadsheet program calls its columns."""


def column_letter(index: int) -> str:
    """What a spreadsheet program calls a column: ``A`` for 0, ``AA`` for 26."""
    letters = ""
    place = index + 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
