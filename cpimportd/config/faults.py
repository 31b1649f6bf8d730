"""What pydantic finds wrong, as problems: key, place, what was expected, and the value where it is no secret."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cpimportd.config.keys import MASK, KeyPath, dotted, find, in_file, masked, suggest, variable
from cpimportd.config.sources import ConfigFile, Found, origin_of, place, unknown
from cpimportd.config.values import Calendar
from cpimportd.core.problems import Problem, ProblemError, problem


def problems_of_validation(error: ValidationError, merged: Found, file: ConfigFile | None) -> Iterable[Problem]:
    """Every fault that pydantic found, as a problem.

    Args:
        error: pydantic's.
        merged: the values that were validated, with their origins.
        file: the TOML file, for the lines in it.
    """
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        path = tuple(part for part in detail["loc"] if isinstance(part, str) and part != "[key]")
        if detail["type"] == "extra_forbidden":
            yield _unknown(path, merged, file)
        else:
            yield _wrong_value(path, detail["msg"], merged, file)


def _unknown(path: KeyPath, merged: Found, file: ConfigFile | None) -> Problem:
    section = isinstance(merged.get(path), Mapping)
    candidates = suggest(path, section=section)
    origin = origin_of(path, merged, file)
    if origin.startswith("environment "):
        return unknown(path, origin, [variable(key) for key in candidates])
    names = [f"[{dotted(key)}]" if section else in_file(key) for key in candidates]
    return unknown(path, place(path, merged, file), names)


def _wrong_value(path: KeyPath, message: str, merged: Found, file: ConfigFile | None) -> Problem:
    reason = message.removeprefix("Value error, ").split(", unable")[0]
    reason = re.sub(r"^(Input|String) should be", "expected", reason)
    if find(path) is None and "dictionary" in reason:
        reason = "expected a section with keys of its own"
    shown = _shown_value(path, merged.get(path))
    return problem(
        "config-value",
        key=dotted(path),
        place=place(path, merged, file),
        reason=reason if shown is None else f"{reason}, not {shown!r}",
        value=shown,
    )


def _shown_value(path: KeyPath, value: Any) -> object:  # noqa: ANN401 - whatever TOML can hold
    key = find(path)
    if key is None or key.secret or isinstance(value, Mapping):
        return None
    shown = masked(path, value)
    return None if shown == MASK else shown


def check_expression(at: str, place: str) -> str:
    """An OnCalendar expression that can be understood.

    Raises:
        ProblemError: ``config-value``.
    """
    try:
        return TypeAdapter[str](Calendar).validate_python(at)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ProblemError(problem("config-value", key="at", place=place, reason=reason)) from None
