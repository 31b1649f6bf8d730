"""The predecessor's ``.env``, read by the rules of python-dotenv, as the predecessor read it."""

import io
import logging

from dotenv.main import DotEnv
from dotenv.parser import Binding, parse_stream

from cpimportd.core.unitfile import Variable


def dotenv(text: str) -> dict[str, Variable]:
    """The variables of a ``.env``: the last of a name counts, ``${NAME}`` is replaced.

    Raises:
        ValueError: a line is no ``NAME=value``; the error names it and repeats nothing of it.
    """
    lines: dict[str, int] = {}
    for found in parse_stream(io.StringIO(text)):
        if found.error:
            raise ValueError(f"line {_line(found)}: expected NAME=value, with quotes that are closed")
        if found.key is not None:
            lines[found.key] = _line(found)
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # what it would warn of was raised above
    values = DotEnv(None, stream=io.StringIO(text)).dict()
    return {name: Variable(value, lines[name]) for name, value in values.items() if value is not None}


def _line(found: Binding) -> int:
    """Where a variable stands; what the parser keeps of it begins with the empty lines above."""
    text = found.original.string
    return found.original.line + text[: len(text) - len(text.lstrip())].count("\n")
