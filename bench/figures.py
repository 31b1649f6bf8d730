"""From the parts' raw results to the figures that are told and judged; pure, and forgiving where a part is missing."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]
"""By name, what each part gave."""


def median(part: Mapping[str, Any], contender: str, step: str, figure: str = "seconds") -> float:
    """The median over all rounds.

    Raises:
        KeyError: that was not measured.
    """
    return statistics.median(part["samples"][contender][step][figure])


def ratio(part: Mapping[str, Any], above: tuple[str, str], below: tuple[str, str], figure: str = "seconds") -> float:
    """The median of the rounds' own ratios: both sides of each were measured one after the other.

    Args:
        part: its result.
        above: contender and step.
        below: contender and step.
        figure: of both.
    """
    tops, bottoms = (part["samples"][contender][step][figure] for contender, step in (above, below))
    return statistics.median(top / bottom for top, bottom in zip(tops, bottoms, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


FIRST, AGAIN, NEXT, CELL = "first import", "same day again", "next day", "one changed cell"
OURS = "cpimportd"


@dataclass(frozen=True)
class Aim:
    """One aim of the issue.

    Attributes:
        text: what is to be.
        part: which part measures it.
        figure: how, from that part's result.
        limit: what it may be at most, or has to be at least.
        form: how figure and limit are written.
        at_least: the limit is a lower one.
    """

    text: str
    part: str
    figure: Callable[[Mapping[str, Any]], float]
    limit: float
    form: str = "{:.2f} ×"
    at_least: bool = False

    def found(self, results: Results) -> float | None:
        """The figure; None where it was not measured."""
        try:
            return self.figure(results[self.part])
        except (KeyError, ValueError, statistics.StatisticsError):
            return None

    def met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


def _times_first(step: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda part: ratio(part, (OURS, step), (OURS, FIRST))


def _sizes(part: Mapping[str, Any]) -> tuple[str, str]:
    usual, larger = sorted(part["samples"], key=lambda name: part["rows"][name])
    return usual, larger


def smallest(part: Mapping[str, Any]) -> str:
    """The contender with the fewest rows."""
    return min(part["samples"], key=lambda name: part["rows"][name])


def growth_time(part: Mapping[str, Any]) -> float:
    usual, larger = _sizes(part)
    return ratio(part, (larger, FIRST), (usual, FIRST))


def growth_memory(part: Mapping[str, Any]) -> float:
    """How much higher the peak is, in per cent."""
    usual, larger = _sizes(part)
    return (ratio(part, (larger, FIRST), (usual, FIRST), "peak") - 1) * 100


def largest_peak(part: Mapping[str, Any]) -> float:
    return max(median(part, name, FIRST, "peak") for name in part["samples"])


def wal_per_document(part: Mapping[str, Any], images: str) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(found["run"] / found["hand"] for found in part["changed"][images])


def p99_ratio(part: Mapping[str, Any]) -> float:
    return percentile(part["publication_ms"], 0.99) / percentile(part["rest_ms"], 0.99)


def longest_wait(part: Mapping[str, Any]) -> float:
    """Milliseconds; a refused reader waited for one at least."""
    return max(part["longest_wait_ms"], 1.0 if part["refused"] else 0.0)


AIMS = (
    Aim("first import, faster than the predecessor's way, at least", "predecessor",
        lambda part: ratio(part, ("predecessor", FIRST), (OURS, FIRST)), 20, "{:.1f} ×", at_least=True),
    Aim("first import ÷ the floor", "imports", lambda part: ratio(part, (OURS, FIRST), ("floor", FIRST)), 1.0),
    Aim("first import ÷ polars + ADBC's raw load (beyond the aim)", "imports",
        lambda part: ratio(part, (OURS, FIRST), ("polars", FIRST)), 1.0),
    Aim("next day ÷ first import", "imports", _times_first(NEXT), 0.6),
    Aim("one changed cell ÷ first import", "imports", _times_first(CELL), 0.5),
    Aim("same day again ÷ first import", "imports", _times_first(AGAIN), 0.08, "{:.3f} ×"),
    Aim("same day again: tuples written to the books", "wal", lambda part: part["unchanged"]["tuples"], 0, "{:.0f}"),
    Aim("same day again: log records that touch the books", "wal",
        lambda part: part["unchanged"]["records"], 0, "{:.0f}"),
    Aim("eight times the rows: time", "growth", growth_time, 8.5),
    Aim("peak of all our processes together, either size", "growth", largest_peak, 300, "{:.0f} MB"),
    Aim("eight times the rows: growth of that peak", "growth", growth_memory, 20, "{:.0f} %"),
    Aim("summary during a publication ÷ at rest, p99", "readers", p99_ratio, 1.3),
    Aim("longest lock that blocks a reader", "readers", longest_wait, 0, "{:.0f} ms"),
    Aim("log per changed document ÷ by hand, with page images", "wal",
        lambda part: wal_per_document(part, "on"), 3),
    Aim("log per changed document ÷ by hand, without page images", "wal",
        lambda part: wal_per_document(part, "off"), 3),
    Aim("`cpimportd --help`", "start", lambda part: statistics.median(part["seconds"]["--help"]), 0.15, "{:.3f} s"),
    Aim("`cpimportd status`", "start", lambda part: statistics.median(part["seconds"]["status"]), 0.3, "{:.3f} s"),
)  # fmt: skip
