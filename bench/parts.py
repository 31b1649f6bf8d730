"""The parts of the benchmark, the most important first; each may be measured by itself and gives its figures as JSON."""

from collections.abc import Callable
from dataclasses import dataclass

from bench import claims, daemon, readers, starting, wal
from bench.contenders import Ours, dlt, floor, pandas, polars, predecessor
from bench.race import OUR_STEPS, Bench, Entry, race
from bench.workload import FIRST, LARGER

ONLY_FIRST = {"first import": FIRST}
FIRST_AND_AGAIN = {"first import": FIRST, "same day again": FIRST}


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        title: of its section on the page.
        measure: does it; ``repeat`` of the bench replaces its usual number of rounds.
        minutes: about how long it takes at full size on the machine of docs/benchmarks.md.
    """

    title: str
    measure: Callable[[Bench], dict[str, object]]
    minutes: float


def imports(bench: Bench) -> dict[str, object]:
    """The floor, this program with its four kinds of day, and the fastest raw load."""
    workload = bench.workload()
    entries = [
        Entry(floor(), workload, ONLY_FIRST),
        Entry(Ours(), workload, OUR_STEPS),
        Entry(polars(), workload, ONLY_FIRST),
    ]
    return race(bench, entries, bench.rounds(5))


def growth(bench: Bench) -> dict[str, object]:
    """Eight times the organizations, beside the usual number, with the memory of all processes."""
    sizes = (bench.size, LARGER[bench.size])
    entries = [Entry(Ours(name), bench.workload(name), ONLY_FIRST) for name in sizes]
    return race(bench, entries, bench.rounds(5), memory=True)


def large_files(bench: Bench) -> dict[str, object]:
    """Eight times as many rows in each workbook."""
    size = f"{LARGER[bench.size]}-large-files"
    return race(bench, [Entry(Ours(size), bench.workload(size), ONLY_FIRST)], bench.rounds(1), memory=True)


def peers(bench: Bench) -> dict[str, object]:
    """What a user would pick instead, with this program beside it."""
    others = [pandas("openpyxl"), pandas("calamine"), dlt(), polars()]
    entries = [Entry(contender, bench.workload(), FIRST_AND_AGAIN) for contender in (Ours(), *others)]
    return race(bench, entries, bench.rounds(5), memory=True)


def before(bench: Bench) -> dict[str, object]:
    """The predecessor's way; what its second run does to the books, :func:`claims.measure` shows."""
    entries = [Entry(contender, bench.workload(), ONLY_FIRST) for contender in (Ours(), predecessor())]
    return race(bench, entries, bench.rounds(5))


def holdings(bench: Bench) -> dict[str, object]:
    """Two hundred organizations with three small workbooks each, in one run."""
    size = "holdings" if bench.size != "small" else "small-holdings"
    return race(bench, [Entry(Ours(), bench.workload(size), FIRST_AND_AGAIN)], bench.rounds(5), memory=True)


PARTS = {
    "imports": Part("Imports: the floor, four kinds of day, the fastest raw load", imports, 5),
    "growth": Part("Growth: eight times the rows, memory of all processes together", growth, 13),
    "readers": Part("Readers while an import publishes", readers.measure, 4),
    "wal": Part("Write-ahead log", wal.measure, 3.5),
    "start": Part("Start of the command line", starting.measure, 0.3),
    "predecessor": Part("The predecessor's way", before, 30),
    "peers": Part("What a user would pick instead", peers, 13),
    "claims": Part("What each of them does not do", claims.measure, 1),
    "holdings": Part("Many holdings: three small workbooks of each organization, one run", holdings, 2.5),
    "large-files": Part("Large files: eight times the rows in each workbook", large_files, 2.5),
    "daemon": Part("The daemon at rest and at work", daemon.measure, 6),
}
