"""The small benchmark of ``.ci/run``: fails where a ratio, never an absolute time, has fallen back by more than half.

    python -m bench.ratios [--record]

Ratios are of seconds on a processor, ours and PostgreSQL's together, not of seconds by the clock: those of a process that
waits for a busy machine do not count. Of each side the least of all rounds is taken: whatever disturbs only adds.
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from bench import wal
from bench.contenders import Ours, floor
from bench.figures import AGAIN, CELL, FIRST, NEXT, OURS, wal_per_document
from bench.judging import judge
from bench.laboratory import Laboratory
from bench.parts import ONLY_FIRST
from bench.race import OUR_STEPS, Bench, Entry, race
from bench.workload import default_cache

RECORD = Path(__file__).with_name("ratios.toml")
SIZE = "ci"
ROUNDS = 2
HEAD = """\
# Ratios of the small benchmark, the smaller the better. `python -m bench.ratios` fails where one is half as much
# again; `--record` writes this file: do so when a ratio has got better for good, and say why when it has got worse.
# cpu: seconds on a processor, ours and PostgreSQL's. log: write-ahead log, bytes or records.
"""


def measure(bench: Bench) -> dict[str, float]:
    """The ratios of this tree on this machine."""
    workload = bench.workload()
    part = race(bench, [Entry(floor(), workload, ONLY_FIRST), Entry(Ours(), workload, OUR_STEPS)], bench.rounds(ROUNDS))
    first = least(part, OURS, FIRST)
    log = wal.measure(bench, images=("off",), rounds=1)
    return {
        "cpu: first import / floor": first / least(part, "floor", FIRST),
        **{f"cpu: {step} / {FIRST}": least(part, OURS, step) / first for step in (NEXT, CELL, AGAIN)},
        "log: changed document / by hand": wal_per_document(log, "off"),
        "log: records of the same day again in the books": float(log["unchanged"]["records"]),
    }


def least(part: dict[str, Any], contender: str, step: str) -> float:
    """Seconds on a processor of the round that took fewest."""
    found = part["samples"][contender][step]
    return min(map(sum, zip(found["cpu"], found["server_cpu"], strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ratios", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} instead of judging by it")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="of the exports")
    asked = parser.parse_args()
    with Laboratory() as laboratory:
        measured = measure(Bench(laboratory, asked.cache, SIZE))
    if asked.record:
        RECORD.write_text(HEAD + "".join(f'"{name}" = {ratio:.3f}\n' for name, ratio in measured.items()))
        return 0
    judgements = judge(tomllib.loads(RECORD.read_text()), measured)
    print(*judgements, sep="\n")
    return int(any(judgement.fell_back for judgement in judgements))


if __name__ == "__main__":
    sys.exit(main())
