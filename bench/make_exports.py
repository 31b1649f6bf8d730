"""Writes a folder of generated exports, of any size: python bench/make_exports.py FOLDER [--day N]."""

import argparse
import json
import sys
from pathlib import Path

from cpimportd.demo.exports import Holding


def main() -> None:
    """Write one day's files; the truth about them goes to stdout as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the workbooks go; it is made where it does not exist")
    parser.add_argument("--organizations", type=int, default=5)
    parser.add_argument("--receipts", type=int, default=1_000, help="of each organization (default 1000)")
    parser.add_argument("--expenses", type=int, default=10_000, help="of each organization (default 10000)")
    parser.add_argument("--day", type=int, default=1, help="which day's upload, from 1")
    parser.add_argument("--broken", action="store_true", help="break three of the files")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    holding = Holding(chosen.organizations, chosen.receipts, chosen.expenses, chosen.seed)
    day = holding.broken_day(chosen.day) if chosen.broken else holding.day(chosen.day)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    day.write(chosen.folder)
    truth = day.truth
    json.dump(
        {
            **{kind: {"rows": truth.rows[kind], "sum": str(truth.sums[kind])} for kind in truth.rows},
            "principal": str(truth.principal),
            "interest": str(truth.interest),
            "held": sorted(unit.name for unit in day.held),
        },
        sys.stdout,
        ensure_ascii=False,
        indent=1,
    )
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
