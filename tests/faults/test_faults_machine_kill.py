"""``kill -9`` of a run at random instants: the books are those before or those after, and nothing is left behind."""

import random
import signal
import subprocess
import time

import pytest

from tests.support.faults.machine import assert_no_litter, assert_nobody_left, begin, configuration, run, working_in
from tests.support.faults.table import Chapter
from tests.support.polling import signal_all

_INSTANTS = {False: 3, True: 100}
"""Of each way to be killed."""


@pytest.fixture
def duration(make_books) -> float:
    """Seconds that a run takes which nobody disturbs."""
    books = make_books()
    began = time.monotonic()
    ended = run(configuration(books))
    seconds = time.monotonic() - began
    assert ended.report["status"] == "published"
    books.assert_right()
    return seconds


def _kill_at(file, seconds, *, alone):
    """Start a run and kill it so many seconds later; one that has ended by then was not disturbed."""
    process = begin(file)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # As systemd does to what is in a unit's control group: the readers lead sessions of their own.
        signal_all([process.pid] if alone else [process.pid, *working_in(file.parent)], signal.SIGKILL)
        process.communicate()
    return process.returncode


@pytest.mark.asyncio
@pytest.mark.parametrize("alone", [False, True], ids=["with its readers", "alone"])
async def test_a_run_killed_at_any_instant_leaves_the_books_before_or_after_and_nothing_else(
    make_books, duration, faults, whole, alone
):
    dice = random.Random(f"kill {alone}")
    for number in range(_INSTANTS[whole]):
        books = make_books()
        before = books.exact
        # Spread evenly, with chance only within each part.
        at = duration * (number + dice.random()) / _INSTANTS[whole]
        code = _kill_at(configuration(books), at, alone=alone)
        assert code in {0, -signal.SIGKILL}, f"killed after {at} s: {code}"
        assert_nobody_left(books.upload.parent)
        await books.quiet()
        if books.exact != before:
            assert books.content == books.second_day, f"killed after {at} s"
        await books.put_right()
        assert_no_litter(books.state)
    what = "the run's process alone" if alone else "all processes of a run"
    faults.tell(
        Chapter.MACHINE,
        f"`kill -9` of {what} at any instant",
        "books as before or as after, in every row and column; next run corrects them; no process and no temporary file remains",
    )


def test_what_a_daemon_killed_while_it_wrote_had_begun_is_removed_by_the_next_one(place, faults):
    daemon = place.start()
    assert daemon.stop() == 0
    for folder, name in ((place.state, "daemon.json"), (place.runtime, "status.json")):
        folder.mkdir(exist_ok=True)
        (folder / f".{name}-x1y2z3").write_text("{")
    daemon = place.start()
    assert daemon.stop() == 0
    left = {path.name for path in (*place.state.iterdir(), *place.runtime.iterdir())}
    assert not {".daemon.json-x1y2z3", ".status.json-x1y2z3"} & left
    faults.tell(
        Chapter.MACHINE,
        "`kill -9` of the daemon while it writes its memory or its status",
        "the old content stays intact; the next start removes the unfinished file",
    )
