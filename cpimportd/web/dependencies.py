"""What every route can reach: the settings, the books, the daemon, and the checks that requests share."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from cpimportd.books.reports.reader import BooksReader
from cpimportd.config.settings import Settings
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.texts.translation import Language
from cpimportd.web.daemon_view import DaemonView
from cpimportd.web.problem_details import language_of


@dataclass
class Services:
    """Made once, when the process starts.

    Attributes:
        settings: the configuration.
        books: connections that may only read.
        daemon: the way to the daemon.
        stopping: set when the process is about to end, so that streams end first.
        watchers: how many streams are open.
    """

    settings: Settings
    books: BooksReader
    daemon: DaemonView
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
"""The services, as a parameter of a route."""

RequestLanguage = Annotated[Language, Depends(language_of)]
"""The language that the client asks for."""


def _department(
    services: Shared,
    department_id: Annotated[int | None, Query(ge=1, lt=2**31, description="Ours, or none.")] = None,
) -> int:
    ours = services.settings.department_id
    if department_id not in {None, ours}:
        raise ProblemError(problem("web-not-found", value=phrase("department", department=department_id)))
    return ours


Department = Annotated[int, Depends(_department)]
"""The department; a request that names another one than ours is refused."""

Skip = Annotated[int, Query(ge=0, le=10_000_000, description="How many entries to leave out at the beginning.")]
Limit = Annotated[int | None, Query(ge=1, le=10_000, description="How many entries; web.page_limit is the most.")]


def bounded(services: Services, limit: int | None, usual: int = 100) -> int:
    """How many entries to give: as many as asked for, where web.page_limit allows it.

    Raises:
        ProblemError: ``web-request``: more are asked for.
    """
    most = services.settings.web.page_limit
    if limit is None:
        return min(usual, most)
    if limit > most:
        raise ProblemError(problem("web-request", reason=phrase("limit-too-large", limit=limit, most=most)))
    return limit


def refuse_unknown(request: Request) -> None:
    """Check, before any route runs, that each query parameter is known and given once.

    An answer that leaves a filter out looks just like one that has it.

    Raises:
        ProblemError: ``web-request``.
    """
    if not request.query_params:
        return
    known = sorted(set(_known(request.scope["route"].dependant)))
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            reason = phrase("no-such-parameter" if known else "no-parameters", name=name, known=known)
            raise ProblemError(problem("web-request", reason=reason))
        if name in seen:
            raise ProblemError(problem("web-request", reason=phrase("parameter-twice", name=name)))
        seen.add(name)


def _known(dependant: Any) -> Iterator[str]:  # noqa: ANN401 - FastAPI does not export its type
    """The names of a route's query parameters, its dependencies' included."""
    yield from (field.alias for field in dependant.query_params)
    for one in dependant.dependencies:
        yield from _known(one)
