"""The task of a Dask worker: reads one workbook in a limited child process, and packs the output.

The task gets the workbook's bytes and the reader's settings, and no secret. It keeps nothing. Arguments and result are
texts and bytes only, so that a worker with another version of cpimportd can still report it.
"""

import asyncio
import hashlib
import json
from contextlib import aclosing
from datetime import timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cpimportd
from cpimportd.config.settings import Reader
from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.workbook.cluster.reply import Packer, head_line
from cpimportd.workbook.reading import ReadJob, child_job, worker_command
from cpimportd.workbook.sandbox import run_limited, spawned

_READS = ("core", "documents", "workbook")


@cache
def reader_identity() -> str:
    """Which reader this is: equal texts read equal workbooks to equal rows."""
    folder = Path(cpimportd.__file__).resolve().parent
    content = hashlib.sha256()
    for name in _READS:
        place = folder / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            content.update(path.read_bytes())
    engines = ", ".join(f"{name} {metadata.version(name)}" for name in ("python-calamine", "openpyxl", "xlrd"))
    return f"cpimportd {cpimportd.__version__} ({content.hexdigest()[:12]}), {engines}"


def order(name: str, file_no: int, job: ReadJob, limits: Reader) -> str:
    """What a worker is asked for, as JSON.

    Args:
        name: the workbook's.
        file_no: its place among today's files.
        job: what to read it by.
        limits: of the child, and of the zip.
    """
    values = {
        key: value.total_seconds() if isinstance(value, timedelta) else value
        for key, value in limits.model_dump().items()
    }
    child = child_job(Path(), name, file_no, job, limits)
    return json.dumps({"reader": reader_identity(), "limits": values, "child": child})


def read_workbook(asked: str, content: bytes) -> bytes:
    """Read one workbook on this machine.

    Args:
        asked: what :func:`order` wrote.
        content: the workbook.

    Returns:
        A reply (``cluster_reply``); nothing but its head where this machine's reader is another than the one that was
        asked for.

    Raises:
        OSError: this machine has no disk, process or pipe to give.
    """
    told = json.loads(asked)
    mine = reader_identity()
    if told["reader"] != mine:
        return head_line(mine, None)
    with TemporaryDirectory(prefix="cpimportd-") as folder:
        path = Path(folder) / "workbook"  # a name that a server sent is no path here
        path.write_bytes(content)
        packer = Packer()
        failure = asyncio.run(_read({**told["child"], "path": str(path)}, Reader(**told["limits"]), packer))
    return head_line(mine, failure) + packer.end()


async def _read(job: dict[str, Any], limits: Reader, packer: Packer) -> Problem | None:
    """Let a child read, and say why it did not come to its end."""
    name = job["name"]
    try:
        start = spawned(worker_command())
        async with aclosing(run_limited(start, json.dumps(job).encode(), limits, file=name)) as lines:
            async for block in lines:
                packer.feed(block)
    except ProblemError as error:
        return error.problems[0]
    except ValueError as error:
        return problem("reader-failed", file=name, reason=phrase("reader-broke-protocol", said=reason_of(error)))
    return None
