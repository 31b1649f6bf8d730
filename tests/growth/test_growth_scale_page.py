"""docs/scale.md says what the program computes from what the page itself says was measured."""

import math
from dataclasses import asdict
from pathlib import Path

from bench.scale import MEASURED, Costs, breaks, crowds, read_page, recompute, write_page

PAGE = Path(__file__).parent.parent.parent / "docs" / "scale.md"


def test_the_pages_computed_tables_follow_from_its_measured_one(tmp_path):
    again = tmp_path / "scale.md"
    again.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    recompute(again)
    assert again.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8"), (
        "python -m bench.bench_costs --recompute docs/scale.md"
    )


def test_a_page_is_computed_from_what_it_shows_however_exact_the_measured_costs_were(tmp_path):
    page = tmp_path / "scale.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    costs, how = read_page(PAGE)
    for part in range(1, 50):  # of the last digit that is shown
        exact = {name: value * (1 + part * 1e-5) for name, value in asdict(costs).items()}
        write_page(page, Costs(**exact), how)
        written = page.read_text(encoding="utf-8")
        recompute(page)
        assert page.read_text(encoding="utf-8") == written


def test_every_limit_follows_from_measured_costs_and_comes_in_order():
    costs, how = read_page(PAGE)
    assert how.startswith("Medians of ")
    assert all(math.isfinite(getattr(costs, name)) and getattr(costs, name) > 0 for name in MEASURED)
    for found in (breaks(costs), crowds(costs)):
        assert [row[0] for row in found] == sorted(row[0] for row in found)
