"""What a user would pick: pandas ``read_excel`` and ``to_sql``.

    ENVIRONMENT/bin/python with_pandas.py JOB.json

The job says which engine reads: openpyxl or calamine. One table for each kind of document, replaced as a whole by every
run; ``method`` is the COPY recipe of pandas' own manual ("Insertion method"), the fastest way that it shows.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine

KINDS = ("receipts", "expenses", "details")


def copy(table, connection, keys: list[str], rows: Iterable[tuple[object, ...]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    buffer.seek(0)
    columns = ", ".join('"{}"'.format(key.replace('"', '""')) for key in keys)
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table.name}" ({columns}) FROM STDIN WITH CSV', buffer)


def load(job: dict[str, object]) -> None:
    engine = create_engine(job["url"].replace("postgresql://", "postgresql+psycopg2://"))
    for kind in KINDS:
        frames = [
            pd.read_excel(file["path"], engine=job["engine"], header=file["header"])
            for file in job["files"]
            if file["kind"] == kind
        ]
        whole = pd.concat(frames, ignore_index=True)
        whole.to_sql(f"raw_{kind}", engine, if_exists="replace", index=False, method=copy)


if __name__ == "__main__":
    load(json.loads(Path(sys.argv[1]).read_text()))
