"""The benchmark: measures part after part, keeps the figures, and writes the page.

python -m bench [--only imports,growth] [--size 125k|1m|small] [--repeat N] [--results FILE] [--write PAGE]
"""

import argparse
import json
import sys
import time
from pathlib import Path

from bench import machine
from bench.laboratory import Laboratory
from bench.measuring import RunFailedError
from bench.parts import PARTS
from bench.race import Bench, say
from bench.reporting import page
from bench.workload import LARGER, default_cache

NOTHING = "none"
NEED_A_LARGER_SIZE = ("growth", "large-files")


def main() -> int:
    asked = arguments()
    if asked.list:
        for name, part in PARTS.items():
            print(f"{name:12} {part.minutes:4g} min  {part.title}")
        return 0
    results_file = asked.results or asked.cache / f"results-{asked.size}.json"
    kept = json.loads(results_file.read_text()) if results_file.exists() else {"machine": None, "parts": {}}
    failed = measure(asked, kept, results_file) if asked.only else 0
    if asked.write:
        asked.write.write_text(page(kept["machine"], kept["parts"]), encoding="utf-8")
    else:
        print(page(kept["machine"], kept["parts"]))
    return int(failed > 0)


def measure(asked: argparse.Namespace, kept: dict[str, dict[str, object]], results_file: Path) -> int:
    """Measure the parts that are asked for; each one's figures are kept as soon as they are there.

    Returns:
        How many failed; the figures that they had before stay.
    """
    failed = 0
    with Laboratory() as laboratory:
        kept["machine"] = machine.describe(laboratory)
        bench = Bench(laboratory, asked.cache, asked.size, asked.repeat)
        for name in asked.only:
            say(f"{name}: {PARTS[name].title}")
            before, began = machine.now(), time.monotonic()
            try:
                found = PARTS[name].measure(bench)
            except (RunFailedError, AssertionError) as error:
                say(f"{name}: FAILED: {error}")
                failed += 1
                continue
            took = round(time.monotonic() - began)
            kept["parts"][name] = {**before, "took": took, "size": asked.size, **found}
            results_file.parent.mkdir(parents=True, exist_ok=True)
            results_file.write_text(json.dumps(kept, ensure_ascii=False, indent=1))
            say(f"{name}: took {took} s")
    return failed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=chosen, help=f"parts, with commas between: {', '.join(PARTS)}; or {NOTHING}")
    parser.add_argument("--size", choices=("125k", "1m", "small"), default="125k", help="of most parts (default 125k)")
    parser.add_argument("--repeat", type=int, help="rounds, instead of each part's usual number")
    parser.add_argument("--results", type=Path, help="where figures are kept; parts that are not measured stay")
    parser.add_argument("--write", type=Path, help="the page; else it is printed")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="of exports and environments")
    parser.add_argument("--list", action="store_true", help="the parts, and about how long each takes")
    asked = parser.parse_args()
    if asked.only is None:
        asked.only = [name for name in PARTS if asked.size in LARGER or name not in NEED_A_LARGER_SIZE]
    elif asked.size not in LARGER and (needy := [name for name in asked.only if name in NEED_A_LARGER_SIZE]):
        parser.error(
            f"{', '.join(needy)}: there is no size eight times {asked.size}; take --size {' or '.join(LARGER)}"
        )
    return asked


def chosen(text: str) -> list[str]:
    names = [] if text == NOTHING else text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
