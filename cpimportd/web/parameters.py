"""Unknown query parameters are refused: an answer that leaves a filter out looks just like one that has it."""

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from cpimportd.problems import ProblemError, printable, problem


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
