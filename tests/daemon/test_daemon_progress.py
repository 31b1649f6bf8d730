"""How far a run is, in a few words, while its stages come in."""

import pytest

from cpimportd.daemon.messages import CurrentWaits, Progress, Stage


def heard(*stages: Stage | CurrentWaits) -> Progress:
    progress = Progress()
    for stage in stages:
        progress.update(stage)
    return progress


def test_before_it_has_said_anything_a_run_is_fetching():
    assert str(heard()) == "fetching"


def test_files_count_as_finished_one_by_one_and_by_their_share_in_between():
    progress = heard(
        Stage("fetch", "a", done=10, total=10, finished=True),
        Stage("fetch", "b", done=1, total=4),
        Stage("fetch", "c", done=0, total=None),
    )
    assert str(progress) == "fetching 1/3 files, 42 %"


def test_what_was_fetched_is_what_is_to_be_read():
    fetched = [Stage("fetch", name, finished=True) for name in "abcd"]
    assert str(heard(*fetched, Stage("read", "a", done=5, total=10))) == "reading 0/4 files, 12 %"
    assert str(heard(*fetched, Stage("read", "a", done=9, total=10), Stage("read", "a", finished=True))) == (
        "reading 1/4 files, 25 %"
    )


def test_the_number_of_files_is_that_of_the_run_if_it_reports_one():
    many = Stage("fetch", None, done=0, total=600)
    assert str(heard(many)) == "fetching 0/600 files, 0 %"
    assert str(heard(many, Stage("fetch", "a", finished=True))) == "fetching 1/600 files, 0 %"
    fetched = Stage("fetch", None, done=600, total=600, finished=True)
    assert str(heard(fetched, Stage("read", None, total=30), Stage("read", "a", finished=True))) == (
        "reading 1/30 files, 3 %"
    )


def test_a_second_listing_starts_the_count_again():
    first = [Stage("fetch", None, total=2), Stage("fetch", "a", finished=True), Stage("fetch", "b", finished=True)]
    again = [Stage("fetch", None, done=2, total=2, finished=True), Stage("fetch", None, total=3)]
    assert str(heard(*first, *again)) == "fetching 0/3 files, 0 %"
    assert str(heard(*first, *again, Stage("fetch", "c", finished=True))) == "fetching 1/3 files, 33 %"


def test_more_rows_than_were_announced_are_no_more_than_all():
    assert str(heard(Stage("read", "a", done=30, total=10))) == "reading 0/1 files, 100 %"


def test_an_unknown_stage_is_shown_by_its_code():
    assert str(heard(Stage("polish"))) == "polish"


@pytest.mark.parametrize(
    ("stage", "doing", "committing"),
    [
        ("fetch", "fetching", False),
        ("read", "reading", False),
        ("check", "checking", False),
        ("publish", "publishing", False),
        ("commit", "committing", True),
        ("tell", "telling readers", True),
    ],
)
def test_a_run_counts_as_past_commit_only_after_its_commit_message(stage, doing, committing):
    progress = heard(Stage(stage))
    assert str(progress) == doing
    assert progress.committing is committing
