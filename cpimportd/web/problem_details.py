"""Problems in the language of the request; errors as problem details (RFC 9457)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from cpimportd.core.catalog import CATALOG
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.texts import translation
from cpimportd.core.texts.translation import Language
from cpimportd.core.typed import to_json
from cpimportd.web.methods import allowed

MEDIA_TYPE: Final = "application/problem+json"

_STATUS: Final = {
    "web-unauthorized": 401,
    "web-foreign": 403,
    "web-not-found": 404,
    "nothing-found": 404,
    "wrong-use": 404,
    "web-host": 421,
    "web-request": 422,
    "web-too-many": 503,
    "machine-exhausted": 503,
    "department-missing": 503,
}
_AWAY: Final = ("database-", "daemon-", "config-")
_RETRY_AFTER: Final = "5"
_HEADLESS: Final = ("is ", "has ", "holds ", "could ", "was ")
"""How the message of a problem with a file begins: in a log the file's name stands before it."""


def language_of(request: Request) -> Language:
    """The language that a request prefers (RFC 9110, 12.5.4), of the two that there are; English where it says none."""
    best: tuple[float, Language] = (0.0, "en")
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.strip().lower().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        primary = tag.strip().partition("-")[0]
        if primary in {"en", "ru"} and quality > best[0]:
            best = (quality, "ru" if primary == "ru" else "en")
    return best[1]


def in_language(found: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """A problem as it is stored, with ``effect``, and ``sentence`` and ``way_out`` in a language.

    ``details`` is the English message where it knows more than the sentence says, which is so of a problem that was
    stored before facts were; else None.
    """
    kind, message = CATALOG.get(str(found["code"])), str(found["message"])
    text, whole = translation.told(found, language)
    headless = text.sentence is message and bool(found.get("file")) and message.startswith(_HEADLESS)
    return {
        **found,
        "effect": None if kind is None else kind.effect.value,
        "sentence": f"the file {message}" if headless else text.sentence,
        "way_out": text.way_out,
        "details": None if whole else message,
    }


def all_in_language(found: Iterable[Mapping[str, Any]], language: Language) -> list[dict[str, Any]]:
    """Several problems, see :func:`in_language`."""
    return [in_language(one, language) for one in found]


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 has it; ``code`` and ``way_out`` are ours."""

    type: str = Field(description="about:blank: what it is, code tells.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What happened, in the language of Accept-Language.")
    code: str = Field(description="Of the catalog of problems; it never changes.")
    way_out: str = Field(description="What can be done about it.")


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ProblemDetails, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
    for status in (401, 404, 422, 503)
}
"""For the description of a route: what it may answer besides what it is there for."""


def status_of(found: Problem) -> int:
    """The HTTP status for a problem of the catalog: 503 where a part that we lean on is away."""
    if found.code in _STATUS:
        return _STATUS[found.code]
    return 503 if found.code.startswith(_AWAY) else 500


def response(request: Request, found: Problem, status: int | None = None) -> Response:
    """The response for a problem."""
    number = status or status_of(found)
    language = language_of(request)
    spoken = in_language(to_json(found), language)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(number).phrase,
        "status": number,
        "detail": spoken["sentence"],
        "code": found.code,
        "way_out": spoken["way_out"],
        "message": found.message,
    }
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    if number == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="cpimportd"'
    if number == 503:
        headers["Retry-After"] = _RETRY_AFTER
    return JSONResponse(body, number, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the application be told this way."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)  # noqa: S101 - what it is installed for
        return response(request, error.problems[0])

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return response(request, problem("web-request", reason=phrase("option-said", option=where, said=first["msg"])))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == 404:
            return response(request, problem("web-not-found", value=request.scope["path"]))
        reason = phrase("request-said", method=request.method, path=request.scope["path"], said=error.detail)
        answer = response(request, problem("web-request", reason=reason), error.status_code)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = allowed(app.routes, request.scope)
        return answer

    async def on_defect(request: Request, error: Exception) -> Response:
        return response(request, problem("internal", reason=type(error).__name__))

    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_defect)
