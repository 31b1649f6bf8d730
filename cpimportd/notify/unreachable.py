"""What was told while the database was away: a small file, so that a retried slot does not tell it twenty times."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from cpimportd.core.files import write_whole
from cpimportd.notify.conditions import Remembered

FILE: Final = "alerts.json"
"""In the state folder."""


def read(folder: Path) -> dict[str, Remembered]:
    """What was told without the database, by subject; a file that cannot be understood counts as none."""
    try:
        found = json.loads((folder / FILE).read_text("utf-8"))
        return {
            subject: Remembered(
                subject, one["state"], datetime.fromisoformat(one["since"]), datetime.fromisoformat(one["told_at"])
            )
            for subject, one in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(folder: Path, told: Iterable[Remembered]) -> None:
    """Remember what was told; nothing to remember removes the file.

    Raises:
        OSError: it could not be written.
    """
    tree = {
        one.subject: {"state": one.state, "since": one.since.isoformat(), "told_at": one.told_at.isoformat()}
        for one in told
        if one.told_at is not None
    }
    if not tree:
        (folder / FILE).unlink(missing_ok=True)
        return
    write_whole(folder / FILE, json.dumps(tree, ensure_ascii=False), lasting=False)
