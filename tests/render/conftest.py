"""A run's report to show, and consoles to show it on."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from cpimportd.core.model import Group, Kind, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import (
    Bridge,
    FileReport,
    FileStatus,
    KindTotal,
    RunReport,
    RunStatus,
    UnitReport,
    UnitStatus,
)
from cpimportd.render.layout import make_console

LOTOS = "ЛОТОС ООО"
STAR = '[bold red]Северная[/] "Звезда" ООО'
LONG = "Lotos - Spisanie kredity (vse dogovory s nachala 2020 goda, polnaja vygruzka) XLSX.xlsx"


def bridge(**changes) -> Bridge:
    sums = {
        "opening": Decimal("100000000.00"),
        "added": Decimal("23456789.01"),
        "removed": Decimal("56789.01"),
        "changed": Decimal("-400000.00"),
        "closing": Decimal("123000000.00"),
        "control_total": Decimal("123000000.00"),
    }
    return Bridge(kind=Kind.RECEIPTS, rows_before=1040, rows_after=1050, **{**sums, **changes})


def control_total():
    return problem(
        "control-total",
        file=LONG,
        row=1051,
        column="Сумма",
        organization=LOTOS,
        sum="1234.00",
        total="1235.00",
        difference="1.00",
    )


def shrunk():
    return problem(
        "shrunk", organization=STAR, count=12, before=100, sum="1200000.00", limit="3", unit=f"{STAR}/receipts"
    )


@pytest.fixture
def make_report() -> Callable[..., RunReport]:
    def make(**changes) -> RunReport:
        parts = {
            "run": 42,
            "status": RunStatus.PARTIAL,
            "started_at": datetime(2025, 3, 1, 3, 0, 1, tzinfo=UTC),
            "seconds": 1.34,
            "files": (
                FileReport(
                    "Lotos - Postuplenie.xlsx",
                    Kind.RECEIPTS,
                    (LOTOS,),
                    None,
                    FileStatus.PUBLISHED,
                    1050,
                    Decimal(123000000),
                ),
                FileReport(
                    LONG, Kind.EXPENSES, (LOTOS,), None, FileStatus.HELD, 1050, Decimal(1235), (control_total(),)
                ),
                FileReport(
                    "Severnaya.xlsx",
                    Kind.RECEIPTS,
                    (STAR,),
                    None,
                    FileStatus.HELD,
                    88,
                    Decimal("9876543210.99"),
                    (problem("amount-zero", file="Severnaya.xlsx", row=7, count=3),),
                ),
            ),
            "units": (
                UnitReport(Unit(LOTOS, Group.RECEIPTS), UnitStatus.PUBLISHED, 3, 12, 4, 1, 1030, bridges=(bridge(),)),
                UnitReport(Unit(LOTOS, Group.EXPENSES), UnitStatus.HELD, problems=(control_total(),)),
                UnitReport(Unit(STAR, Group.RECEIPTS), UnitStatus.HELD, problems=(shrunk(),)),
            ),
            "totals": {
                Kind.RECEIPTS: KindTotal(1050, Decimal(123000000)),
                Kind.DETAILS: KindTotal(7, Decimal("303.50")),
            },
            "principal": Decimal("1234567.89"),
            "interest": Decimal("2.50"),
            "other": Decimal(0),
        }
        return RunReport(**{**parts, **changes})

    return make


class Shown:
    """What a console showed."""

    def __init__(self, console: Console, stream: io.StringIO) -> None:
        self.console = console
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def running(self) -> str:
        """The text without line breaks and runs of spaces, where a table has folded or indented it."""
        return " ".join(self.text.split())


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Standard output of `… | cat`, in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    return Shown(make_console(stream), stream)


@pytest.fixture
def make_terminal() -> Callable[[int], Shown]:
    def make(width: int) -> Shown:
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=True, color_system=None, highlight=False)
        return Shown(console, stream)

    return make
