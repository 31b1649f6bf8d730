"""How fast workbooks become snapshots, and at what cost in memory. By hand: ``python bench/bench_reading.py``.

A workbook of 60,000 expenses in 38 columns, as 1C writes it, is read end to end: guards, digest, child process,
understanding, rows in COPY's format on disk, keys in the parent. Then once more with its digest known.
"""

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpimportd.config.settings import Reader
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.demo.workbook import write_workbook
from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import ZipLimits, inspect
from cpimportd.workbook.reading import ReadJob, read

ROWS = 60_000
TITLES = """Списание с расчетного счета
Вид операции
Организация
Банковский счет
Счет учета
Вх. номер
Вх. дата
Получатель
Счет получателя
Счет дебета
Договор
Дата договора
Валюта
Статья расходов
Назначение платежа
Ответственный
Комментарий
Налоговый период
Не подтверждено выпиской банка
Сумма""".splitlines()
OTHER_TITLES = [f"Реквизит {place}" for place in range(38 - len(TITLES))]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def write(path: Path) -> None:
    random = Random(20260101)
    total, rows = 0, []
    for number in range(1, ROWS + 1):
        kopecks = random.randrange(1, 10**9)
        total += kopecks
        day = f"{random.randrange(1, 29):02}.{random.randrange(1, 13):02}.{random.randrange(2020, 2026)}"
        rows.append(
            [
                f"Списание с расчетного счета 0А00-{number:06} от {day} {random.randrange(24)}:01:53",
                "Погашение кредита банку",
                "ЛОТОС ООО",
                "ПРИМЕРБАНК основной ЛОТОС ООО руб",
                "51",
                str(number),
                day,
                f"ПОЛУЧАТЕЛЬ {random.randrange(500)}",
                f"4520681000000{random.randrange(500):07}, СЕВЕРНЫЙ БАНК ПАО",
                "67.01",
                f"Договор N 9055{random.randrange(40):04} от 23.09.2021",
                "23.09.2021",
                "руб.",
                "Возврат кредитов и займов",
                f"Погашение основного долга по договору, платеж {number}, НДС не облагается",
                "Иванова",
                None,
                None,
                "Нет",
                kopecks / 100,
                *[f"значение {random.randrange(90)}" if place % 3 == 0 else None for place in range(len(OTHER_TITLES))],
            ]
        )
    write_workbook(path, [*TITLES, *OTHER_TITLES], rows, {"Сумма": total / 100})


def timed(path: Path, job: ReadJob, folder: Path) -> Snapshot:
    file = FetchedFile("Lotos - Spisanie kredity XLSX.xlsx", path, path.stat().st_size, None, "")
    started = time.perf_counter()
    snapshot = asyncio.run(read(file, 0, job, Reader(), folder))
    seconds = time.perf_counter() - started
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    rows = len(snapshot.documents)
    say(f"{seconds:6.2f} s {rows:7} rows {rows / seconds:9,.0f} rows/s; MiB at most: child {child}, parent {parent}")
    for found in snapshot.problems[:3]:
        say(f"  {found}")
    return snapshot


def stages(path: Path) -> None:
    started = time.perf_counter()
    contents = inspect(path, ZipLimits(1000, 2**31, 400), path.name)
    digested = time.perf_counter()
    cells = sum(len(row) for _, row in open_cells(path, contents, path.name).sheets[0].rows())
    say(f"digest and guards {digested - started:.2f} s, {cells:,} cells {time.perf_counter() - digested:.2f} s")


def measure(path: Path) -> None:
    say(f"{path.stat().st_size / 2**20:.1f} MiB, {ROWS} rows of 38 columns")
    snapshot = timed(path, ReadJob("Europe/Moscow"), path.parent)
    timed(path, ReadJob("Europe/Moscow", known_digests=frozenset({snapshot.digest})), path.parent)
    stages(path)


def main() -> None:
    # Each in a process of its own: ru_maxrss of a process and of its children begins with what was there before.
    start = multiprocessing.get_context("spawn").Process
    with tempfile.TemporaryDirectory() as folder:
        for step in (write, measure):
            process = start(target=step, args=(Path(folder) / "bench.xlsx",))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
