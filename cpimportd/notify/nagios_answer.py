"""Formats the answer of a monitoring plugin: one line for the machine, more for people, and an exit code.

Source: the Monitoring Plugins Development Guidelines, https://www.monitoring-plugins.org/doc/guidelines.html.
"""

from dataclasses import dataclass
from enum import IntEnum

from cpimportd.core.problems import Problem, printable
from cpimportd.core.typed import json_keys


class Level(IntEnum):
    """The exit codes of a plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@json_keys("level", status="level.name")
@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``way_out`` is the remedy."""

    level: Level
    text: str
    way_out: str | None = None


@json_keys(status="level.name")
@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin answers: the findings in the order of their gravity, and the performance data.

    Attributes:
        findings: what was looked at, the gravest first.
        performance: the performance data.
        problems: why nothing could be looked at: the call or the configuration is wrong.
    """

    findings: tuple[Finding, ...]
    performance: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def level(self) -> Level:
        """The worst level; UNKNOWN ranks below WARNING and CRITICAL."""
        order = (Level.CRITICAL, Level.WARNING, Level.UNKNOWN)
        levels = {finding.level for finding in self.findings}
        return next((level for level in order if level in levels), Level.OK)

    def __str__(self) -> str:
        level = self.level
        gravest = [finding for finding in self.findings if finding.level is level]
        data = f" | {' '.join(self.performance)}" if self.performance else ""
        lines = [f"CPIMPORTD {level.name} - {'; '.join(_plain(finding.text) for finding in gravest)}{data}"]
        for finding in self.findings:
            lines.append(f"{finding.level.name}: {_plain(finding.text)}")
            if finding.way_out:
                lines.append(f"  {_plain(finding.way_out)}")
        return "\n".join(lines)


def _plain(text: str) -> str:
    """On one line, and without the bar behind which performance data would begin."""
    return printable(text, limit=1000).replace("|", "¦")


def wrong_configuration(problems: tuple[Problem, ...]) -> Answer:
    """The answer if the configuration is wrong, so that nothing can be checked."""
    return Answer(tuple(Finding(Level.UNKNOWN, str(found), found.way_out) for found in problems), problems=problems)


def unknown(text: str) -> Answer:
    """The answer after an unexpected failure."""
    return Answer((Finding(Level.UNKNOWN, text, "Please report this as a defect."),))
