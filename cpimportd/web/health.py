"""Whether the process does its work: for whoever watches over it, without a token, and so without a word more."""

import asyncio
import time
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from cpimportd.books.reports.reader import BooksReader
from cpimportd.core.problems import ProblemError

_FOR: Final = 5.0
"""Seconds for which one look at the database serves all who ask, however many."""

router = APIRouter()


class Health:
    """Asks the database for nothing, now and then.

    Args:
        books: the way there.
    """

    def __init__(self, books: BooksReader) -> None:
        self._books = books
        self._lock = asyncio.Lock()
        self._well = False
        self._at = float("-inf")

    async def well(self) -> bool:
        """Whether the database answers."""
        async with self._lock:
            if time.monotonic() - self._at > _FOR:
                try:
                    async with self._books.reading() as connection:
                        self._well = await connection.fetchval("SELECT true")
                except ProblemError:
                    self._well = False
                self._at = time.monotonic()
        return self._well


@router.get("/healthz", summary="Whether all is well", responses={503: {"description": "The database is away."}})
async def healthz(request: Request) -> JSONResponse:
    """``ok`` or ``unwell``, and nothing else."""
    health: Health = request.app.state.health
    well = await health.well()
    return JSONResponse({"status": "ok" if well else "unwell"}, 200 if well else 503)
