"""How fast cells become documents. By hand: ``python bench/bench_documents.py [PROFILE]``.

125,000 expenses in 38 columns are understood, cells already in memory; any argument profiles them instead.
"""

import cProfile
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpimportd.core.model import Cell
from cpimportd.demo.organizations import EXPENSE_TITLES
from cpimportd.documents.items import Totals
from cpimportd.documents.understand import understand

ROWS = 125_000
LIMITS = {"operation_id": 255, "recipient": 255, "currency": 10, "tax_period": 10, "accounting_account": 50}


def cells() -> Iterator[tuple[int, tuple[Cell, ...]]]:
    random = Random(20260101)
    yield 1, EXPENSE_TITLES
    total = 0
    for number in range(1, ROWS + 1):
        kopecks = random.randrange(1, 10**9)
        total += kopecks
        day = f"{random.randrange(1, 29):02}.{random.randrange(1, 13):02}.{random.randrange(2020, 2026)}"
        contract = f"Договор N 9055{random.randrange(40):04} от 23.09.2021"
        row: dict[str, Cell] = {
            "Списание с расчетного счета": (
                f"Списание с расчетного счета 0А00-{number:06} от {day} {random.randrange(24)}:01:53"
            ),
            "Вид операции": "Возврат кредита банку",
            "Вид обязательства": "Налог (взносы): начислено / уплачено",
            "Организация": "ЛОТОС ООО",
            "Банковский счет": "ПРИМЕРБАНК основной ЛОТОС ООО (руб.)",
            "Счет учета": "51",
            "Вх. номер": f"{random.randrange(10**6):06}",
            "Вх. дата": day,
            "Получатель": f"ПОЛУЧАТЕЛЬ {random.randrange(500)}",
            "Счет получателя": f"4520681000000{random.randrange(500):07}, СЕВЕРНЫЙ БАНК ПАО",
            "Счет дебета": "67.01",
            "Статья расходов": "Погашение кредитов и займов",
            "Назначение платежа": f"Погашение задолженности по договору {contract}, платеж {number}",
            "Комментарий": "Загружен из Клиент-Банка",
            "Договор": contract,
            "Ручная корректировка": "Нет",
            "Не подтверждено выпиской банка": "Нет",
            "Без закрывающих документов": "Нет",
            "Сумма": kopecks / 100,
            "Номер чека ККМ": 0.0,
        }
        yield number + 1, tuple(row.get(title) for title in EXPENSE_TITLES)
    yield ROWS + 2, ("Итого", *(total / 100 if title == "Сумма" else None for title in EXPENSE_TITLES[1:]))


def run(rows: list[tuple[int, tuple[Cell, ...]]]) -> None:
    zone = ZoneInfo("Europe/Moscow")
    started = time.perf_counter()
    items = understand(iter(rows), file="spisanie.xlsx", sheet="Лист_1", file_no=0, zone=zone, limits=LIMITS)
    (last,) = deque(items, maxlen=1)
    seconds = time.perf_counter() - started
    if not isinstance(last, Totals) or last.rows != ROWS or last.sums != last.control_totals:
        raise SystemExit(f"wrong: {last}")
    sys.stdout.write(f"{seconds:.2f} s, {seconds / ROWS * 1e6:.1f} µs a row of {len(EXPENSE_TITLES)} columns\n")


def main() -> None:
    rows = list(cells())
    if len(sys.argv) > 1:
        cProfile.runctx("run(rows)", globals(), {"rows": rows}, sort="tottime")
        return
    for _ in range(3):
        run(rows)


if __name__ == "__main__":
    main()
