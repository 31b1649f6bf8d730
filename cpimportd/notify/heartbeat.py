"""A dead-man service is notified that a run begins, ends well, or fails: Healthchecks.io's protocol.

https://healthchecks.io/docs/http_api/: POST to the check's own address means success, to ``/start`` and ``/fail`` below
it the rest; a body is kept, of which more than 100 kB are cut off there. The address is the key, and so a secret.
"""

import http.client
import urllib.error
import urllib.request
from datetime import timedelta
from enum import StrEnum
from typing import Final

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem
from cpimportd.notify.sending import run_with_timeout, without_secrets

LIMIT: Final = 5.0
"""Time limit of one message, in seconds."""

LONGEST_BODY: Final = 10_000
"""Bytes."""


class Beat(StrEnum):
    """What is sent, as the path below the check's address."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"


async def beat(url: str, what: Beat, text: str = "") -> tuple[Problem, ...]:
    """Notify the service.

    Args:
        url: the check's address.
        what: has happened.
        text: sent along, cut to 10 kB.

    Returns:
        ``heartbeat-unsent`` where it could not be sent; nothing is ever raised for it.
    """
    try:
        await run_with_timeout(lambda: _post(url + what, text), LIMIT)
    except TimeoutError:
        return (problem("heartbeat-unsent", reason=phrase("no-answer-within", limit=timedelta(seconds=LIMIT))),)
    except urllib.error.HTTPError as error:
        error.close()
        return (problem("heartbeat-unsent", reason=phrase("it-answers", code=error.code)),)
    except (OSError, ValueError, http.client.HTTPException, RuntimeError) as error:
        cause = getattr(error, "reason", None) or error
        return (
            problem(
                "heartbeat-unsent",
                reason=phrase("exception", kind=type(cause).__name__, said=without_secrets(str(cause), url)),
            ),
        )
    return ()


def _post(url: str, text: str) -> None:
    body = text.encode("utf-8", "replace")[:LONGEST_BODY]
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "cpimportd"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - http(s), by settings
    with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
        answer.read(1)
