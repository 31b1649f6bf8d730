"""Days made by hand: a few documents, written as the reader writes them, and published by the real transaction."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.publish import runs
from cpimportd.books.publish.plan import Judge, Publication, Published
from cpimportd.books.publish.publish import publish
from cpimportd.books.publish.undo import Undo, runs_to_undo, undo
from cpimportd.config.settings import Database, Guards, Settings
from cpimportd.core.model import MAIN_AMOUNT, STAGED_COLUMNS, Document, Group, Kind, Unit
from cpimportd.core.unit_facts import UnitFacts
from cpimportd.core.verdicts import FileVerdict, Judgement, UnitVerdict, Verdict
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.run.checking import Intake
from cpimportd.run.planning import plan_publication
from cpimportd.run.reading import ReadFiles
from cpimportd.run.request import Run, RunRequest, StageTimes
from cpimportd.workbook.copytext import encode_row

ZONE = ZoneInfo("Europe/Moscow")
Row = Mapping[str, object]


def expense(number: int, amount: str, *, organization: str = "ЛОТОС ООО", **more: object) -> Row:
    moment = datetime(2024, 3, 1 + number % 28, 10, number % 60, tzinfo=ZONE)
    name = f"Списание с расчетного счета 0Л00-{number:06} от {moment:%d.%m.%Y %H:%M:%S}"
    return {
        "operation_id": name,
        "organization": organization,
        "amount": Decimal(amount),
        "number": f"0Л00-{number:06}",
        "moment": moment,
        "accounting_account": "51",
        "document_date": moment.date(),
        "recipient": "СЕВЕРНЫЙ БАНК ПАО",
        "bank_account": "ПРИМЕРБАНК основной (руб.)",
        "contract": "Договор N 17 от 23.09.2021",
        "contract_date": date(2021, 9, 23),
        "currency": "RUB",
        "unconfirmed_by_bank": False,
        "extra": {},
        **more,
    }


def receipt(number: int, amount: str, **more: object) -> Row:
    row = dict(expense(number, amount, **more))
    row["operation_id"] = str(row["operation_id"]).replace(
        "Списание с расчетного счета", "Поступление на расчетный счет"
    )
    row["payer"] = row.pop("recipient")
    del row["unconfirmed_by_bank"]
    return row


def line(of: Row, amount: str, payment_type: str = "Погашение долга", **more: object) -> Row:
    return {
        "operation_id": of["operation_id"],
        "amount": Decimal(amount),
        "contract_number": of["contract"],
        "payment_type": payment_type,
        "settlement_rate": Decimal(1),
        "extra": {},
        **more,
    }


@dataclass
class Day:
    """The documents of one day, and how the run is to go."""

    receipts: Sequence[Row] = ()
    expenses: Sequence[Row] = ()
    details: Sequence[Row] = ()
    judge: Callable[[Sequence[UnitFacts]], Mapping[Unit, Judgement]] = lambda _: {}
    put_right: bool = False
    accepted: tuple[str, ...] = ()
    dry_run: bool = False
    control_totals: Mapping[Kind, Decimal] = field(default_factory=dict)
    closed_before: date | None = None
    facts: list[UnitFacts] = field(default_factory=list)


Publish = Callable[[Day], Awaitable[Published]]


def snapshot(folder: Path, file_no: int, kind: Kind, rows: Sequence[Row], total: Decimal | None) -> Snapshot:
    path = folder / f"{file_no:03}.rows"
    text = b"".join(
        encode_row([{**row, "file_no": file_no, "row": at}.get(c) for c in STAGED_COLUMNS[kind]])  # type: ignore[misc]
        for at, row in enumerate(rows, 2)
    )
    path.write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    documents = tuple(
        Document(at, str(row["operation_id"]), row.get("organization"), int(row["amount"] * 100))  # type: ignore[arg-type]
        for at, row in enumerate(rows, 2)
    )
    summed = sum((d.amount for d in documents), Decimal(0))
    return Snapshot(
        file=FetchedFile(f"{kind.value}.xlsx", path, len(text), datetime.now(UTC), digest),
        file_no=file_no,
        digest=digest,
        kind=kind,
        documents=documents,
        control_totals={MAIN_AMOUNT[kind]: summed if total is None else total},
        sums={MAIN_AMOUNT[kind]: summed},
        rows_path=path,
        engine="calamine",
    )


def plan(day: Day, folder: Path, run_id: int | None) -> Publication:
    staged = {Kind.RECEIPTS: day.receipts, Kind.EXPENSES: day.expenses, Kind.DETAILS: day.details}
    snapshots = [
        snapshot(folder, file_no, kind, rows, day.control_totals.get(kind))
        for file_no, (kind, rows) in enumerate(staged.items())
        if rows
    ]
    organizations = {s.kind: tuple(sorted({d.organization for d in s.documents if d.organization})) for s in snapshots}
    files = {
        s.file_no: FileVerdict(s, s.kind, organizations[Kind.EXPENSES if s.kind is Kind.DETAILS else s.kind])  # type: ignore[index]
        for s in snapshots
    }
    units = {}
    for group in Group:
        nos = frozenset(no for no, f in files.items() if f.kind and f.kind.group is group)
        for organization in organizations.get(group.kinds[0], ()):
            unit = Unit(organization, group)
            units[unit] = UnitVerdict(unit, nos, accepted=day.accepted)

    def judge(facts: Sequence[UnitFacts]) -> Mapping[Unit, Judgement]:
        day.facts.extend(facts)
        return day.judge(facts)

    return Publication(
        run_id=run_id,
        department_id=8,
        zone=ZONE,
        files=files,
        units=units,
        held={},
        judge=judge,
        channel="cpimportd",
        closed_before=day.closed_before,
        put_right=frozenset(units if day.put_right else ()),
    )


def guarded(
    *units: Unit, accepted: Sequence[str] = (), strict: bool = False, closed_before: date | None = None
) -> Judge:
    """The real guards, on a day on which these units have files."""
    file = Snapshot(FetchedFile("e.xlsx", Path("e.xlsx"), 0, None, ""), 0)
    intake = Intake(ReadFiles((file,)), Verdict({unit: UnitVerdict(unit, frozenset({0})) for unit in units}, {}))
    settings = Settings(guards=Guards(closed_before=closed_before))
    request = RunRequest(accepted=tuple(accepted), strict=strict)
    return plan_publication(Run(settings, request, StageTimes(lambda _: None)), intake).judge


@pytest.fixture
def publish_day(database: str, tmp_path: Path) -> Publish:
    """Publish a day into the migrated test database, as a run of its own."""
    return publisher(database, tmp_path)


def publisher(url: str, folder: Path) -> Publish:
    async def publish_one(day: Day) -> Published:
        connection: asyncpg.Connection = await connect(Database(url=url))  # type: ignore[arg-type]
        try:
            await runs.lock(connection, 8)
            run_id = None if day.dry_run else await runs.begin(connection, 8, runs.Trigger())
            return await publish(connection, plan(day, folder, run_id))
        finally:
            await connection.close()

    return publish_one


@pytest.fixture
def make_publisher(tmp_path: Path) -> Callable[[str], Publish]:
    """The same for any database."""
    return lambda url: publisher(url, tmp_path)


@pytest.fixture
def take_back(database: str) -> Callable[..., Awaitable[Published]]:
    """Undo a run, as a run of its own."""

    async def take_back(run: int, *, through: bool = False) -> Published:
        connection: asyncpg.Connection = await connect(Database(url=database))  # type: ignore[arg-type]
        try:
            await runs.lock(connection, 8)
            which = await runs_to_undo(connection, 8, run, through=through)
            number = await runs.begin(connection, 8, runs.Trigger(undoes=which, requested_by="olga@office"))
            return await undo(connection, Undo(number, 8, which, "Europe/Moscow", "cpimportd"))
        finally:
            await connection.close()

    return take_back


@pytest.fixture
def made() -> type:
    """The builders, for tests to call: ``made.Day``, ``made.expense(…)``, ``made.receipt(…)``, ``made.line(…)``, and
    ``made.guarded(…)`` for a day's ``judge``."""
    return type("Made", (), {"Day": Day, "expense": staticmethod(expense), "receipt": staticmethod(receipt),
                             "line": staticmethod(line), "guarded": staticmethod(guarded)})  # fmt: skip
