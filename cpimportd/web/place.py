"""What every route can reach: the settings, the books, the daemon, and the checks that requests share."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Query, Request

from cpimportd.books.reports.reader import BooksReader
from cpimportd.config.settings import Settings
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.texts.translation import Language
from cpimportd.web.daemon_view import DaemonView
from cpimportd.web.problem_details import language_of


@dataclass
class Place:
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


def _place(request: Request) -> Place:
    place: Place = request.app.state.place
    return place


Here = Annotated[Place, Depends(_place)]
"""The place, as a parameter of a route."""

Spoken = Annotated[Language, Depends(language_of)]
"""The language of whoever asks."""


def _department(
    here: Here,
    department_id: Annotated[int | None, Query(ge=1, lt=2**31, description="Ours, or none.")] = None,
) -> int:
    ours = here.settings.department_id
    if department_id not in {None, ours}:
        raise ProblemError(problem("web-not-found", value=f"department {department_id}"))
    return ours


Department = Annotated[int, Depends(_department)]
"""The department; a request that names another one than ours is refused."""

Skip = Annotated[int, Query(ge=0, le=10_000_000, description="How many entries to leave out at the beginning.")]
Limit = Annotated[int | None, Query(ge=1, le=10_000, description="How many entries; web.page_limit is the most.")]


def bounded(here: Place, limit: int | None, usual: int = 100) -> int:
    """How many entries to give: as many as asked for, where web.page_limit allows it.

    Raises:
        ProblemError: ``web-request``: more are asked for.
    """
    most = here.settings.web.page_limit
    if limit is None:
        return min(usual, most)
    if limit > most:
        raise ProblemError(problem("web-request", reason=f"limit: {limit} is more than web.page_limit ({most})"))
    return limit
