"""How metrics leave the program: a registry, the text format, a file for node_exporter's textfile collector."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from cpimportd.books.reports.health import Figures
from cpimportd.core.system import require_replaceable
from cpimportd.notify.metrics.families import ImportCollector


def registry_of(department: int, figures: Figures, daemon: Mapping[str, Any] | None) -> CollectorRegistry:
    """A registry that holds the figures of one moment, and nothing of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ImportCollector(department, figures, daemon))
    return registry


def text_of(registry: CollectorRegistry) -> str:
    """The text format (https://prometheus.io/docs/instrumenting/exposition_formats/), in UTF-8 once it is encoded."""
    return generate_latest(registry).decode("utf-8")


def write_textfile(path: Path, text: str) -> None:
    """Replace a file in one step, so that node_exporter never reads half of it; everybody may read it.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    require_replaceable(path)
    # The collector reads *.prom only, so the name of what is not finished ends otherwise.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
