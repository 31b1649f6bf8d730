"""Whether a ratio has fallen back beside the one that the repository keeps. Pure: nothing here measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALLOWED = 1.5
"""A ratio may be half as much again as the recorded one: more is a fall back by more than half."""


@dataclass(frozen=True)
class Judgement:
    """One ratio; the smaller the better.

    Attributes:
        name: of the ratio.
        recorded: what the repository keeps; None where it keeps none.
        measured: what was found now; None where nothing was found.
    """

    name: str
    recorded: float | None
    measured: float | None

    @property
    def fell_back(self) -> bool:
        """Whether it counts as a failure; a ratio that only one side knows is one, else it would never be looked at."""
        if self.recorded is None or self.measured is None:
            return True
        return self.measured > self.recorded * ALLOWED

    @property
    def better(self) -> bool:
        """Whether it is so much better that the record no longer guards it."""
        return not self.fell_back and self.measured * ALLOWED < self.recorded

    def __str__(self) -> str:
        """One line for whoever reads the log."""
        if self.recorded is None or self.measured is None:
            known = "is not recorded" if self.recorded is None else "was not measured"
            return f"FAILED  {self.name}: {known}"
        verdict = "FAILED" if self.fell_back else "better" if self.better else "ok"
        at_most = self.recorded * ALLOWED
        return f"{verdict:7} {self.name}: {self.measured:.3f}, recorded {self.recorded:.3f}, at most {at_most:.3f}"


def judge(recorded: Mapping[str, float], measured: Mapping[str, float]) -> Sequence[Judgement]:
    """Compare all ratios that either side knows, in the order of the record."""
    names = dict.fromkeys((*recorded, *measured))
    return [Judgement(name, recorded.get(name), measured.get(name)) for name in names]
