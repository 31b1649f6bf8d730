"""Fuzzing that is led by which lines of the product a cell has reached: Atheris over values and over whole sheets.

``python -m tests.support.faults.fuzz_guided values -max_total_time=600`` and ``… sheet …``; what follows the target's name goes
to libFuzzer. Atheris has no wheels for every Python, so it is no dependency of the tests: ``pip install atheris``. What it
finds belongs into ``tests/faults/corpus`` or among the examples of the tests.
"""

import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import atheris

with atheris.instrument_imports(include=["cpimportd.documents", "cpimportd.config.values"]):
    from cpimportd.documents.columns import Meaning
    from cpimportd.documents.items import DocumentRow, Totals
    from cpimportd.documents.understand import understand
    from tests.support.faults.harmless import assert_a_value
from cpimportd.core.catalog import Effect
from cpimportd.core.model import Cell, CellError
from cpimportd.core.problems import Problem
from tests.support.faults.hostile import REQUIRED, table_of
from tests.support.faults.uploading import SAMPLES

_ZONE = ZoneInfo("Europe/Moscow")
_TITLES, _ROWS, _ = table_of(SAMPLES / "day2" / "Lotos - Spisanie kredity XLSX.xlsx")
_GOOD = [tuple(row[_TITLES.index(title)] for title in REQUIRED) for row in _ROWS[:4]]
_AMOUNT = REQUIRED.index("Сумма")


def _cell(data: atheris.FuzzedDataProvider) -> Cell:
    match data.ConsumeIntInRange(0, 8):
        case 0:
            return None
        case 1:
            return data.ConsumeFloat()
        case 2:
            return data.ConsumeInt(8)
        case 3:
            return datetime.fromisoformat("1900-01-01T00:00") + timedelta(
                seconds=data.ConsumeIntInRange(0, 250_000_000_000)
            )
        case 4:
            return data.ConsumeBool()
        case 5:
            return CellError("#REF!")
        case 6:
            return date.fromordinal(data.ConsumeIntInRange(1, 3_652_059))
        case _:
            return data.ConsumeUnicode(data.ConsumeIntInRange(0, 40))


def values(content: bytes) -> None:
    """One cell, in every meaning."""
    data = atheris.FuzzedDataProvider(content)
    cell = _cell(data)
    for meaning in Meaning:
        assert_a_value(meaning, cell)


def sheet(content: bytes) -> None:
    """A few good documents with cells exchanged and rows between them: each amount is a row's, or a problem says so."""
    data = atheris.FuzzedDataProvider(content)
    rows = [list(row) for row in _GOOD[: data.ConsumeIntInRange(1, len(_GOOD))]]
    while data.remaining_bytes():
        at = data.ConsumeIntInRange(0, len(rows) - 1)
        match data.ConsumeIntInRange(0, 4):
            case 0:
                rows.insert(at, [_cell(data) for _ in range(data.ConsumeIntInRange(0, len(REQUIRED)))])
            case 1:
                rows.insert(at, list(rows[at]))
            case _ if rows[at]:
                rows[at][data.ConsumeIntInRange(0, len(rows[at]) - 1)] = _cell(data)
    table = [tuple(REQUIRED), *[tuple(row) for row in rows]]
    said = understand(
        enumerate(table, 1), file="a.xlsx", sheet="s", file_no=0, zone=_ZONE, limits={"organization": 255}
    )
    _judge(list(said), sum(row in _GOOD for row in table))


def _judge(said: list[object], good: int) -> None:
    stops = [found for found in said if isinstance(found, Problem) and found.effect is not Effect.WARNS]
    documents = [found for found in said if isinstance(found, DocumentRow)]
    (totals,) = [found for found in said if isinstance(found, Totals)]
    assert totals.rows == len(documents)
    assert stops or (totals.rejected == 0 and len(documents) >= good), "a row was left out in silence"


def main() -> None:
    """Fuzz the target that the first argument names, until something is found or libFuzzer's limits are reached."""
    targets: dict[str, Callable[[bytes], None]] = {"values": values, "sheet": sheet}
    target = targets.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if target is None:
        sys.exit(f"usage: python -m tests.support.faults.fuzz_guided {'|'.join(targets)} [libFuzzer's options]")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
