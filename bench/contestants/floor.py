"""The floor: one process reads every cell with calamine and COPYs it as text into temporary tables. Nothing else.

    python -m bench.contestants.floor JOB.json

No types, no checks, no keys, no merge, and nothing is left when it ends.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from python_calamine import CalamineSheet, CalamineWorkbook

BLOCK = 1000
"""Rows that are sent together: a COPY message for every row would cost more than the row."""
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


async def lines(sheet: CalamineSheet) -> AsyncIterator[bytes]:
    block: list[str] = []
    for row in sheet.iter_rows():
        texts = [cell if isinstance(cell, str) else str(cell) for cell in row]
        line = "\t".join(texts)
        # Most rows need no escaping, and asking the whole row once is faster than translating every cell.
        block.append(line if line.count("\t") == len(row) - 1 and line.isprintable() else escaped(texts))
        if len(block) == BLOCK:
            yield ("\n".join(block) + "\n").encode()
            block.clear()
    if block:
        yield ("\n".join(block) + "\n").encode()


def escaped(texts: list[str]) -> str:
    return "\t".join(text.translate(ESCAPES) for text in texts)


async def load(job: dict[str, object]) -> None:
    connection = await asyncpg.connect(job["url"])
    async with connection.transaction():
        for number, file in enumerate(job["files"]):
            sheet = CalamineWorkbook.from_path(file["path"]).get_sheet_by_index(0)
            columns = ", ".join(f"c{place} text" for place in range(sheet.width))
            await connection.execute(f"CREATE TEMPORARY TABLE raw_{number} ({columns}) ON COMMIT DROP")
            await connection.copy_to_table(f"raw_{number}", source=lines(sheet), format="text")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(load(json.loads(Path(sys.argv[1]).read_text())))
