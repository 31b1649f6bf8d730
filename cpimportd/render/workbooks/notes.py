"""The request to the child process that marks a workbook; the parent builds it without loading openpyxl."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Compared(NamedTuple):
    """Two amounts that should be one, each led by what it is, and their difference in words, in Russian."""

    here: str
    amount: str
    there: str
    other: str
    difference: str


class Note(NamedTuple):
    """One thing to be corrected.

    Attributes:
        row: the sheet's row, from 1; None where it is about the whole workbook.
        column: the column's title; None where it is about the whole row.
        value: what stands there.
        text: what is wrong, in Russian.
        advice: what to do, in Russian.
        grave: whether it holds documents back.
        compared: the amounts that it tells of; None where there are none.
    """

    row: int | None
    column: str | None
    value: str | None
    text: str
    advice: str
    grave: bool
    compared: Compared | None = None


class MarkJob(msgspec.Struct, frozen=True):
    """What is to be marked in which workbook.

    Attributes:
        path: where the workbook lies.
        sheet: the sheet that was read; None: nobody knows, and the active one is taken.
        columns: field → letters of its column, as far as known.
        notes: what is to be corrected.
    """

    path: str
    sheet: str | None
    columns: Mapping[str, str]
    notes: tuple[Note, ...]
