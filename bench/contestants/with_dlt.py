"""What a user would pick: dlt with write disposition ``merge``, calamine reading.

    ENVIRONMENT/bin/python with_dlt.py JOB.json

Receipts and expenses are merged by their key; details have none, so all lines of an expense are replaced together
(``merge_key``). The job names the naming convention: with dlt's usual one every Cyrillic title becomes ``x``, so the
benchmark's is ``direct``, which keeps titles as they are.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

KEYS = {
    "receipts": {"primary_key": "Поступление на расчетный счет"},
    "expenses": {"primary_key": "Списание с расчетного счета"},
    "details": {"merge_key": "Списание с расчетного счета"},
}


def rows(file: dict[str, object]) -> Iterator[dict[str, object]]:
    from python_calamine import CalamineWorkbook

    cells = CalamineWorkbook.from_path(file["path"]).get_sheet_by_index(0).iter_rows()
    for _ in range(file["header"]):
        next(cells)
    titles = next(cells)
    for row in cells:
        # An amount is a number in one organization's file and a text in another's: one column, so one type.
        yield {title: None if cell == "" else str(cell) for title, cell in zip(titles, row, strict=True)}


def credentials(url: str) -> dict[str, object]:
    """The same as dlt wants it: in parts, and with a password, which nobody asks for."""
    found = urlsplit(url)
    (folder,) = parse_qs(found.query)["host"]
    return {"host": quote(folder, safe=""), "database": found.path[1:], "username": found.username, "password": "none"}


def load(job: dict[str, object]) -> None:
    # Read from the environment when dlt is imported.
    os.environ |= {"SCHEMA__NAMING": job["naming"], "RUNTIME__DLTHUB_TELEMETRY": "false"}
    import dlt

    def of_kind(kind: str) -> Iterator[dict[str, object]]:
        for file in job["files"]:
            if file["kind"] == kind:
                yield from rows(file)

    resources = [
        dlt.resource(of_kind(kind), name=kind, write_disposition="merge", **keys) for kind, keys in KEYS.items()
    ]
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=job["folder"],
        destination=dlt.destinations.postgres(credentials(job["url"])),
        dataset_name="raw",
    )
    pipeline.run(resources).raise_on_failed_jobs()


if __name__ == "__main__":
    load(json.loads(Path(sys.argv[1]).read_text()))
