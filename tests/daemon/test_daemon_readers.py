"""When the daemon, which asks no database, has readers of the books told of a run that could not do it itself."""

import pytest

from cpimportd.daemon.attempts import NOTIFY, RunCommand, RunExit
from cpimportd.daemon.messages import RunResult, decode, encode
from cpimportd.daemon.runs import LONGEST_DELAY, RETRY_AFTER, NotifyRetry

IMPORT, TELLING = RunCommand(), RunCommand(job=NOTIFY)


def said(status, code=0, *, untold=False):
    return RunExit(code, RunResult(1, status, code, status, untold=untold))


def after(*ends, at_once=False):
    readers = NotifyRetry(at_once=at_once)
    for order, ended in ends:
        readers.note_exit(order, ended, 1000.0)
    return readers


def test_a_new_daemon_starts_no_notify_job():
    assert not after().due(1000.0)


def test_an_earlier_daemon_may_have_left_something():
    assert after(at_once=True).due(0.0)
    assert not after((TELLING, said("done")), at_once=True).due(1e9)


@pytest.mark.parametrize("code", [-9, -11, 1, 137])
def test_the_notifications_of_a_crashed_run_are_retried_at_once(code):
    assert after((IMPORT, RunExit(code))).due(1000.0)


@pytest.mark.parametrize("job", ["report", "reconcile"])
def test_a_job_that_imports_nothing_leaves_nothing(job):
    assert not after((RunCommand(job=job), RunExit(-9))).due(1e9)


@pytest.mark.parametrize("status", ["published", "unchanged", "partial", "held"])
def test_a_run_that_notified_everybody_ends_the_retries(status):
    assert not after((IMPORT, RunExit(-9)), (IMPORT, said(status))).due(1e9)


def test_a_run_that_failed_before_it_could_look_does_not_end_it():
    assert after((IMPORT, RunExit(-9)), (IMPORT, said("failed", 1))).due(1000.0)


def test_what_fails_is_retried_and_less_and_less_often():
    readers = after((IMPORT, said("published", untold=True)))
    waits, now = [], 1000.0
    for _ in range(8):
        now += next(
            wait for wait in (RETRY_AFTER * 2**n for n in range(9)) if readers.due(now + min(wait, LONGEST_DELAY))
        )
        waits.append(now)
        readers.note_exit(TELLING, said("failed", 1, untold=True), now)
        assert not readers.due(now + RETRY_AFTER - 1)
    assert readers.due(now + LONGEST_DELAY)
    assert not readers.due(now + LONGEST_DELAY - 1)


def test_a_telling_that_crashed_is_retried_later_and_not_at_once():
    readers = after((TELLING, RunExit(-9)), at_once=True)
    assert not readers.due(1000.0)
    assert readers.due(1000.0 + RETRY_AFTER)


def test_a_run_reports_whether_notifications_are_outstanding():
    told = RunResult(1, "published", 0, "published", untold=True)
    assert decode(encode(told).encode()) == told
    older = encode(told).replace(', "untold": true', "").encode()  # of a version that does not know it
    assert decode(older).untold is False
