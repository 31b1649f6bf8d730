"""Contenders in turn, round after round (A B C A B C …), so that whatever the machine does meanwhile hits all alike."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.contenders import Contender, Ours
from bench.environments import UnavailableError
from bench.laboratory import Laboratory
from bench.measuring import Measured, RunFailedError, reaped
from bench.workload import CELL, FIRST, NEXT, SIZES, Workload
from cpimportd.demo.story import read_books

OUR_STEPS = {"first import": FIRST, "same day again": FIRST, "next day": NEXT, "one changed cell": CELL}
STATUS = {"same day again": "unchanged"}

Samples = dict[str, dict[str, dict[str, list[float]]]]
"""Contender → step → figure (seconds, cpu, server_cpu, peak, server_peak) → one value for each round."""


@dataclass
class Bench:
    """What every part of the benchmark works with.

    Attributes:
        laboratory: the database server.
        cache: of exports and environments.
        size: the name of the size that most parts take.
        repeat: how often a part is asked to repeat; None for its own default.
    """

    laboratory: Laboratory
    cache: Path
    size: str
    repeat: int | None = None
    workloads: dict[str, Workload] = field(default_factory=dict)

    def workload(self, name: str | None = None) -> Workload:
        """Exports of a size, by default of the bench's own."""
        name = name or self.size
        if name not in self.workloads:
            self.workloads[name] = Workload(SIZES[name], self.cache)
        return self.workloads[name]

    def rounds(self, usual: int) -> int:
        return self.repeat or usual


@dataclass(frozen=True)
class Entry:
    """Who imports what, in which order: a step's name and its day."""

    contender: Contender
    workload: Workload
    steps: Mapping[str, str]


def race(bench: Bench, entries: Sequence[Entry], rounds: int, *, memory: bool = False) -> dict[str, object]:
    """Let everybody run in turn.

    Args:
        bench: the ground.
        entries: who.
        rounds: how often.
        memory: whether to look at the memory of all processes meanwhile.

    Returns:
        ``rounds``, ``rows`` and ``samples``, and in ``skipped`` who could not take part and why.

    Raises:
        RunFailedError: a run of ours failed, or left books that are not the truth; others that fail take no more part.
    """
    skipped, taking_part = {}, []
    for entry in entries:
        try:
            entry.contender.install(bench.cache)
            taking_part.append(entry)
        except UnavailableError as error:
            skipped[entry.contender.name] = str(error)
        for day in entry.steps.values():
            entry.workload.folder(day)
    samples: Samples = {}
    for number in range(1, rounds + 1):
        for entry in taking_part:
            say(f"  round {number} of {rounds}: {entry.contender.name}")
            with tempfile.TemporaryDirectory() as folder:
                entry.contender.begin(bench.laboratory, Path(folder))
                found = samples.setdefault(entry.contender.name, {})
                try:
                    for step, day in entry.steps.items():
                        _note(found.setdefault(step, {}), *_step(bench, entry, step, day, memory))
                except RunFailedError as error:
                    if isinstance(entry.contender, Ours):
                        raise
                    skipped[entry.contender.name] = str(error).splitlines()[-1]
                bench.laboratory.drop(entry.contender.database)
        taking_part = [entry for entry in taking_part if entry.contender.name not in skipped]
    samples = {name: found for name, found in samples.items() if name not in skipped}
    rows = {entry.contender.name: entry.workload.rows for entry in entries}
    return {"rounds": rounds, "rows": rows, "samples": samples, "skipped": skipped}


def _step(bench: Bench, entry: Entry, step: str, day: str, memory: bool) -> tuple[Measured, float]:
    laboratory = bench.laboratory
    laboratory.ready(entry.workload.folder(day))
    before = reaped(laboratory.postmaster)
    done = entry.contender.run(entry.workload, day, laboratory.postmaster if memory else None)
    laboratory.settle()
    spent = reaped(laboratory.postmaster) - before
    say(f"    {step}: {done.seconds:.2f} s")
    if isinstance(entry.contender, Ours):
        _judge(entry.contender, entry.workload, step, day)
    return done, spent


def _judge(ours: Ours, workload: Workload, step: str, day: str) -> None:
    status, expected = ours.report["status"], STATUS.get(step, "published")
    if status != expected:
        raise RunFailedError(f"{step}: the run says {status}, not {expected}")
    if asyncio.run(read_books(ours.url)) != workload.day(day).truth:
        raise RunFailedError(f"{step}: the books are not what the exports say")


def _note(figures: dict[str, list[float]], done: Measured, server_cpu: float) -> None:
    for name in ("seconds", "cpu", "peak", "server_peak"):
        figures.setdefault(name, []).append(round(getattr(done, name), 3))
    figures.setdefault("server_cpu", []).append(round(server_cpu, 2))


def say(text: str) -> None:
    """How far it is; the figures go elsewhere."""
    print(text, file=sys.stderr, flush=True)
