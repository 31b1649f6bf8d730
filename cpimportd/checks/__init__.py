"""TRUST: decides, from what was read and what the books say, what may be published and what is held.

Pure functions from frozen values to decisions. :func:`integrity` judges today's files by themselves: do they add up, is
every document there once, do expenses and details match, did every organization's file come. Nobody can override
what it finds, but for organizations that are closed for good. :func:`plausibility` compares with the books: is a
unit so different from yesterday's that a human should look. He can accept that by the unit's name.
"""

from cpimportd.checks.attribution import unknown_expenses
from cpimportd.checks.closed import closed_before
from cpimportd.checks.earlier import Earlier
from cpimportd.checks.integrity import apply_strict, integrity
from cpimportd.checks.plausibility import plausibility
from cpimportd.checks.rereading import files_to_parse
from cpimportd.checks.verdicts import FileVerdict, PlausibilityVerdict, UnitVerdict, Verdict

__all__ = [
    "Earlier",
    "FileVerdict",
    "PlausibilityVerdict",
    "UnitVerdict",
    "Verdict",
    "apply_strict",
    "closed_before",
    "files_to_parse",
    "integrity",
    "plausibility",
    "unknown_expenses",
]
