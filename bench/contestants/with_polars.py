"""What a user would pick: polars reads (fastexcel, calamine inside) and ADBC writes, into raw text tables.

    ENVIRONMENT/bin/python with_polars.py JOB.json

One table for each kind of document, replaced as a whole by every run. Everything is read as text, as the organizations'
columns and forms of amounts differ.
"""

import json
import sys
from pathlib import Path

import polars as pl

KINDS = ("receipts", "expenses", "details")


def read(file: dict[str, object]) -> pl.DataFrame:
    return pl.read_excel(
        file["path"], engine="calamine", read_options={"header_row": file["header"]}, infer_schema_length=0
    )


def load(job: dict[str, object]) -> None:
    for kind in KINDS:
        frames = [read(file) for file in job["files"] if file["kind"] == kind]
        whole = pl.concat(frames, how="diagonal")
        whole.write_database(f"raw_{kind}", job["url"], engine="adbc", if_table_exists="replace")


if __name__ == "__main__":
    load(json.loads(Path(sys.argv[1]).read_text()))
