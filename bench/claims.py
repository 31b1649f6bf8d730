"""What each contender does not do, found out by looking into the tables that it leaves."""

import shutil
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from bench.contenders import Contender, Ours, Script, dlt, pandas, polars, predecessor
from bench.environments import UnavailableError
from bench.laboratory import Laboratory
from bench.measuring import RunFailedError
from bench.race import Bench, say
from bench.workload import FIRST, NEXT, Workload
from cpimportd.core.model import Kind
from cpimportd.demo.exports import WRONG_TOTAL_BY
from cpimportd.demo.rows import expense_rows, totals
from cpimportd.demo.workbook import write_workbook

TABLES = {
    "cpimportd": ("fin_receipts", "fin_expenses", "fin_expense_details"),
    "predecessor": ("fin_receipts", "fin_expenses", "fin_expense_details"),
    "dlt": ("raw.receipts", "raw.expenses", "raw.details"),
}
RAW = ("raw_receipts", "raw_expenses", "raw_details")
EXPENSE, DETAIL = 1, 2
USER_TABLES = """
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
COLUMNS = "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $t$::regclass AND attnum > 0"
SIZE = "small"


def measure(bench: Bench) -> dict[str, object]:
    """Every contender imports a day, the same day again, the next day, and a day whose ``Итого`` is wrong."""
    workload = bench.workload(SIZE)
    found, skipped = {}, {}
    for contender in (Ours(), predecessor(), pandas("openpyxl"), dlt(), polars()):
        say(f"  {contender.name}")
        try:
            contender.install(bench.cache)
        except UnavailableError as error:
            skipped[contender.name] = str(error)
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[contender.name] = Inquiry(bench.laboratory, workload, contender, Path(folder)).answers()
    usual = _usual_names(bench, workload)
    return {"rows": workload.rows, "answers": found, "skipped": skipped, "dlt_usual_names": usual}


class Inquiry:
    """One contender's tables after some days."""

    def __init__(self, laboratory: Laboratory, workload: Workload, contender: Contender, folder: Path) -> None:
        self.laboratory, self.workload, self.contender, self.folder = laboratory, workload, contender, folder
        self.tables = TABLES.get(contender.name, RAW)

    def answers(self) -> dict[str, object]:
        contender, workload = self.contender, self.workload
        contender.begin(self.laboratory, self.folder)
        contender.run(workload, FIRST)
        transactions = self.transactions()
        totals_as_rows = self.count(
            f"SELECT count(*) FROM {self.tables[EXPENSE]} t WHERE to_jsonb(t)::text LIKE '%\"Итого\"%'"
        )
        lines = self.count(f"SELECT count(*) FROM {self.tables[DETAIL]}")
        marks = self.marks()
        contender.run(workload, FIRST)
        again = self.count(f"SELECT count(*) FROM {self.tables[DETAIL]}") - lines
        rewritten = len(self.marks() - marks)
        contender.run(workload, NEXT)
        night = workload.day(NEXT).overnight[workload.day(FIRST).ledgers[0].organization.name]
        gone = self.documents((*night.deleted, *(before for before, _ in night.retimed)))
        return {
            "transactions": transactions,
            "totals_as_rows": totals_as_rows,
            "amount_type": self.amount_type(),
            "lines_more_after_same_day": again,
            "rows_rewritten_by_same_day": rewritten,
            "rows": len(marks),
            "gone": len(night.deleted) + len(night.retimed),
            "gone_still_there": gone,
            "repriced": len(night.repriced),
            "repriced_old_amount_kept": self.old_amounts(night.repriced),
            "wrong_total": self.wrong_total(),
        }

    def count(self, statement: str) -> int:
        return int(self.laboratory.value(statement, self.contender.database))

    def transactions(self) -> int:
        """How many transactions made the documents and lines visible."""
        every = " UNION ALL ".join(f"SELECT xmin::text AS x FROM {table}" for table in self.tables)
        return self.count(f"SELECT count(DISTINCT x) FROM ({every}) t")

    def marks(self) -> set[tuple[str, ...]]:
        """Every row's place and writing transaction: a row that is written anew gets others."""
        every = " UNION ALL ".join(
            f"SELECT tableoid::text, ctid::text, xmin::text FROM {table}" for table in self.tables
        )
        return {tuple(row) for row in self.laboratory.sql(every, database=self.contender.database)}

    def amount_type(self) -> str:
        columns = self.laboratory.sql(
            COLUMNS.replace("$t$", f"'{self.tables[EXPENSE]}'"), database=self.contender.database
        )
        return next(row["type"] for row in columns if row["name"] in ("amount", "Сумма"))

    def documents(self, operations: Sequence[str]) -> int:
        """How many of these expenses are in the table."""
        texts = ", ".join(f"'{text}'" for text in operations)
        column = "operation_id" if self.tables[EXPENSE] == "fin_expenses" else '"Списание с расчетного счета"'
        return self.count(f"SELECT count(*) FROM {self.tables[EXPENSE]} WHERE {column} IN ({texts})")

    def old_amounts(self, repriced: Sequence[str]) -> int:
        """Of how many re-priced expenses a table beside those of the documents knows what the amount was."""
        before = {d.operation_id: Decimal(d.kopecks).scaleb(-2) for d in self.workload.day(FIRST).ledgers[0].expenses}
        every = self.laboratory.sql(USER_TABLES, database=self.contender.database)
        tables = {row["name"].removeprefix("public.") for row in every} - set(self.tables)
        if not tables:
            return 0
        known = 0
        for operation in repriced:
            amount = f"{before[operation].normalize():f}"
            looks = " OR ".join(
                f"EXISTS (SELECT FROM {table} t WHERE to_jsonb(t)::text LIKE '%{operation}%' "
                f"AND to_jsonb(t)::text LIKE '%{amount}%')"
                for table in tables
            )
            known += self.laboratory.value(f"SELECT {looks}", self.contender.database)
        return known

    def wrong_total(self) -> str:
        """What comes of a day whose expenses do not add up to their ``Итого``."""
        upload = self.folder / "wrong"
        shutil.copytree(self.workload.folder(NEXT), upload)
        day = self.workload.day(NEXT)
        ledger = day.ledgers[0]
        name = ledger.organization.file_name(Kind.EXPENSES)
        write_workbook(
            upload / name,
            ledger.organization.titles(Kind.EXPENSES),
            expense_rows(ledger),
            totals(ledger, Kind.EXPENSES, WRONG_TOTAL_BY),
            stamp=day.stamp,
        )
        try:
            return self.import_wrong(upload)
        except RunFailedError as error:
            return "held" if "control-total" in str(error) else f"failed: {error}"

    def import_wrong(self, upload: Path) -> str:
        if isinstance(self.contender, Ours):
            self.contender.run_folder(upload)
        else:
            assert isinstance(self.contender, Script)
            files = [{**file, "path": str(upload / Path(str(file["path"])).name)} for file in self.workload.files(NEXT)]
            self.contender.run_files(files)
        return "taken"


def _usual_names(bench: Bench, workload: Workload) -> str:
    """What comes of the titles by dlt's usual naming."""
    contender = dlt()
    contender.more["naming"] = "snake_case"
    try:
        contender.install(bench.cache)
    except UnavailableError:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        contender.begin(bench.laboratory, Path(folder))
        try:
            contender.run(workload, FIRST)
        except RunFailedError as error:
            return next((line.split("message: ")[-1] for line in str(error).splitlines() if "column `x`" in line), "")
        columns = bench.laboratory.sql(COLUMNS.replace("$t$", "'raw.details'"), database=contender.database)
    return "columns: " + ", ".join(row["name"] for row in columns)
