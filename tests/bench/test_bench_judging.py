"""What the small benchmark of ``.ci/run`` calls a failure, and what the page calls an aim that is met."""

import pytest

from bench import ratios
from bench.figures import AIMS, percentile, ratio
from bench.judging import judge
from bench.laboratory import Laboratory
from bench.reporting import page

RECORDED = {"import / floor": 2.0, "same day / first": 0.1}
MACHINE = {
    "processor": "one", "cores": 2, "memory": "1 GiB", "kernel": "6", "python": "3.11", "postgresql": "16",
    "settings": {}, "peers": {},
}  # fmt: skip


def failures(measured):
    return [judgement.name for judgement in judge(RECORDED, measured) if judgement.fell_back]


def test_a_ratio_that_is_half_as_much_again_has_not_yet_fallen_back():
    assert failures({"import / floor": 3.0, "same day / first": 0.15}) == []


def test_a_ratio_that_fell_back_by_more_than_half_fails_and_is_named():
    assert failures({"import / floor": 3.01, "same day / first": 0.1}) == ["import / floor"]


def test_a_ratio_that_nobody_recorded_or_nobody_measured_fails():
    assert failures({"import / floor": 2.0, "another": 1.0}) == ["same day / first", "another"]
    told = [str(judgement) for judgement in judge(RECORDED, {"import / floor": 2.0, "another": 1.0})]
    assert told[1:] == ["FAILED  same day / first: was not measured", "FAILED  another: is not recorded"]


def test_a_ratio_that_has_got_much_better_asks_for_a_new_record_and_does_not_fail():
    (found, _) = judge(RECORDED, {"import / floor": 1.2, "same day / first": 0.1})
    assert found.better
    assert not found.fell_back
    assert str(found) == "better  import / floor: 1.200, recorded 2.000, at most 3.000"


@pytest.mark.parametrize(("measured", "code"), [(4.0, 0), (6.1, 1)])
def test_the_command_fails_where_a_ratio_fell_back(tmp_path, monkeypatch, capsys, measured, code):
    record = tmp_path / "ratios.toml"
    record.write_text('"import / floor" = 4.0\n')
    monkeypatch.setattr(ratios, "RECORD", record)
    monkeypatch.setattr(ratios, "measure", lambda _: {"import / floor": measured})
    monkeypatch.setattr(Laboratory, "__enter__", lambda self: self)
    monkeypatch.setattr(Laboratory, "__exit__", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["ratios", "--cache", str(tmp_path)])
    assert ratios.main() == code
    assert ("FAILED" in capsys.readouterr().out) == bool(code)


def test_a_ratio_is_of_what_was_measured_one_after_the_other_not_of_two_medians():
    # A machine that was busy in the second and third round: the medians' ratio would say 2.
    part = {"samples": {"a": {"s": {"seconds": [1.0, 4.0, 4.0]}}, "b": {"s": {"seconds": [2.0, 2.0, 8.0]}}}}
    assert ratio(part, ("a", "s"), ("b", "s")) == 0.5


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([5.0, 1.0, 3.0], 0.99) == 5.0
    assert percentile(range(1, 101), 0.99) == 99


def test_the_page_says_of_every_aim_whether_it_is_met_not_met_or_not_measured():
    start = {"seconds": {"--help": [0.1] * 5, "status": [0.31] * 5}, "at": "now", "load": 0,
             "loaded": {name: {"modules": 1, "libraries": []} for name in ("--help", "status")}}  # fmt: skip
    text = page(MACHINE, {"start": start})
    assert "| `cpimportd --help` | ≤ 0.150 s | 0.100 s | met |" in text
    assert "| `cpimportd status` | ≤ 0.300 s | 0.310 s | **not met** |" in text
    assert text.count("not measured") == len(AIMS) - 2
