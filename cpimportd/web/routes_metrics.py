"""Metrics for Prometheus, which shows the token as everybody does (``authorization`` in its scrape_config)."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from cpimportd.web.place import Here
from cpimportd.web.problem_details import RESPONSES

router = APIRouter(responses=RESPONSES)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(here: Here) -> PlainTextResponse:
    """What ``cpimportd metrics`` prints, of this moment."""
    from prometheus_client import CONTENT_TYPE_LATEST  # noqa: PLC0415 - only whoever scrapes needs it

    from cpimportd.books.publish.notices import readers  # noqa: PLC0415
    from cpimportd.notify.metrics import metrics_text  # noqa: PLC0415

    seen = await here.daemon.look()
    async with here.books.reading() as connection:
        told = readers(here.settings)
        text = await metrics_text(connection, here.settings.department_id, seen.status, told)
    return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)
