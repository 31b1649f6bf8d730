"""What pydantic finds wrong, as problems: key, place, what was expected, and the value where it is no secret."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from cpimportd.config.keys import MASK, KeyPath, dotted, find, in_file, masked, suggest, variable
from cpimportd.config.sources import ConfigFile, Found, origin_of, place, unknown
from cpimportd.config.values import Calendar
from cpimportd.core.phrases import PhraseError, Reason, phrase
from cpimportd.core.problems import Problem, ProblemError, problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def problems_of_validation(error: ValidationError, merged: Found, file: ConfigFile | None) -> Iterable[Problem]:
    """Every fault that pydantic found, as a problem.

    Args:
        error: pydantic's.
        merged: the values that were validated, with their origins.
        file: the TOML file, for the lines in it.
    """
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        path = tuple(part for part in detail["loc"] if isinstance(part, str) and part != "[key]")
        if detail["type"] == "extra_forbidden":
            yield _unknown(path, merged, file)
        else:
            yield _wrong_value(path, detail, merged, file)


def _unknown(path: KeyPath, merged: Found, file: ConfigFile | None) -> Problem:
    section = isinstance(merged.get(path), Mapping)
    candidates = suggest(path, section=section)
    origin = origin_of(path, merged, file)
    if origin.startswith("environment "):
        return unknown(path, origin, [variable(key) for key in candidates])
    names = [f"[{dotted(key)}]" if section else in_file(key) for key in candidates]
    return unknown(path, place(path, merged, file), names)


_EXPECTED: Final = {
    **dict.fromkeys(("int_type", "int_parsing"), "expected-integer"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "expected-valid-number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected-boolean"),
    "string_type": "expected-string",
    "greater_than_equal": "expected-at-least",
    "less_than_equal": "expected-at-most",
    "greater_than": "expected-more-than",
    "less_than": "expected-less-than",
    "literal_error": "expected-one-of",
}
"""What pydantic's types of errors say, as phrases."""

_LIMITS: Final = ("ge", "le", "gt", "lt")


def _expected(detail: "ErrorDetails") -> Reason:
    """What was expected instead of a value: as our own validators say it, or else pydantic."""
    context = detail.get("ctx", {})
    if isinstance(error := context.get("error"), PhraseError):
        return error.phrase
    if code := _EXPECTED.get(detail["type"]):
        choices = re.split(r", | or ", context.get("expected", ""))
        return phrase(code, limit=next((context[name] for name in _LIMITS if name in context), None), choices=choices)
    said = detail["msg"].removeprefix("Value error, ").split(", unable")[0]
    return re.sub(r"^(Input|String) should be", "expected", said)


def _wrong_value(path: KeyPath, detail: "ErrorDetails", merged: Found, file: ConfigFile | None) -> Problem:
    reason = _expected(detail)
    if find(path) is None and "dictionary" in str(reason):
        reason = phrase("expected-section")
    shown = _shown_value(path, merged.get(path))
    return problem(
        "config-value",
        key=dotted(path),
        place=place(path, merged, file),
        reason=reason if shown is None else phrase("not-that", reason=reason, value=repr(shown)),
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
        reason = _expected(error.errors()[0])
        raise ProblemError(problem("config-value", key="at", place=place, reason=reason)) from None
