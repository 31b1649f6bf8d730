"""What no route could answer is refused: bytes that are no text, and unknown query parameters.

An answer that leaves a filter out looks just like one that has it.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.types import Scope

from cpimportd.core.problems import ProblemError, printable, problem


def unreadable(scope: Scope) -> str | None:
    """Why an address is no text that a database or a file system could take; None where it is one.

    A NUL is a character to Python and to nobody else; half of a surrogate pair, or a byte that is not UTF-8, is none.
    """
    for name, encoded in (("path", scope["raw_path"]), ("query", scope["query_string"])):
        written = unquote_to_bytes(encoded)
        if b"\0" in written:
            return f"its {name} holds a NUL (%00)"
        try:
            written.decode("utf-8")
        except UnicodeDecodeError:
            return f"its {name} is not UTF-8"
    return None


def refuse_unknown(request: Request) -> None:
    """For every route, before it does anything: each parameter is one that it knows, and given once.

    Raises:
        ProblemError: ``web-request``.
    """
    if not request.query_params:
        return
    known = sorted(set(_known(request.scope["route"].dependant)))
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            these = f"known: {', '.join(known)}" if known else "it takes none"
            raise ProblemError(problem("web-request", reason=f"{printable(name)}: no such parameter here; {these}"))
        if name in seen:
            raise ProblemError(problem("web-request", reason=f"{name}: given more than once"))
        seen.add(name)


def _known(dependant: Any) -> Iterator[str]:  # noqa: ANN401 - FastAPI does not export its type
    """The names of a route's query parameters, its dependencies' included."""
    yield from (field.alias for field in dependant.query_params)
    for one in dependant.dependencies:
        yield from _known(one)
