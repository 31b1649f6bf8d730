"""Checks whether the installed libraries are as new as this version of cpimportd requires."""

import re
from collections.abc import Collection, Iterator, Sequence
from importlib import metadata
from typing import Final

from cpimportd.core.problems import Problem, ProblemError, problem

READING: Final = ("python-calamine", "openpyxl", "xlrd")
"""Those that read workbooks."""

_AT_LEAST: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])? *>= *(?P<version>[0-9.]+)")


def outdated_packages(names: Collection[str] | None = None) -> Iterator[Problem]:
    """The libraries that are older than this version of cpimportd needs.

    Args:
        names: which to look at; None means all that are always needed.
    """
    for name, needed in _needed():
        if names is not None and name not in names:
            continue
        installed = metadata.version(name)
        if _numbers(installed) < _numbers(needed):
            yield problem(
                "library-old",
                library=name,
                installed=installed,
                needed=needed,
                requirement=f"{name}>={needed}",
            )


def require_new_enough(names: Collection[str] | None = None) -> None:
    """Make sure that libraries are as new as needed.

    Args:
        names: which to look at; None means all that are always needed.

    Raises:
        ProblemError: ``library-old`` for each that is not.
    """
    if old := tuple(outdated_packages(names)):
        raise ProblemError(*old)


def _needed() -> Iterator[tuple[str, str]]:
    try:
        requirements: Sequence[str] = metadata.requires("cpimportd") or ()
    except metadata.PackageNotFoundError:  # run from its sources: nothing says what it needs
        return
    for requirement in requirements:
        text, _, marker = requirement.partition(";")
        if (found := _AT_LEAST.fullmatch(text.strip())) and "extra" not in marker:
            yield found["name"], found["version"]


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, as far as they go: those of 9.1rc1 are 9 and 1."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[^\d.]", version, maxsplit=1)[0]))
