"""A run beside others: readers, a second run, somebody who holds a lock, a database that goes away."""

import asyncio
import json
import os
import signal
import time

import asyncpg
import pytest

from cpimportd.core.report import RunStatus

READ = """SELECT (SELECT coalesce(sum(amount), 0) FROM fin_receipts) AS receipts,
                 (SELECT coalesce(sum(amount), 0) FROM fin_expenses) AS expenses,
                 (SELECT coalesce(sum(payment_amount), 0) FROM fin_expense_details) AS details"""


@pytest.mark.asyncio
async def test_a_reader_sees_the_old_sums_or_the_new_ones_and_never_waits(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    seen: list[tuple] = []
    longest = 0.0
    done = asyncio.Event()

    async def read() -> None:
        nonlocal longest
        connection = await asyncpg.connect(workplace.url)
        await connection.execute("SET lock_timeout = '200ms'")
        try:
            while not done.is_set():
                began = time.monotonic()
                seen.append(tuple((await connection.fetch(READ))[0]))
                longest = max(longest, time.monotonic() - began)
                await asyncio.sleep(0)
        finally:
            await connection.close()

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0.1)
    old = seen[-1]
    report = await workplace.run()
    await asyncio.sleep(0.1)
    done.set()
    await asyncio.gather(*readers)
    assert report.status is RunStatus.PUBLISHED
    new = tuple(workplace.sql(workplace.url, READ)[0])
    assert set(seen) == {old, new}
    assert len(seen) > 20


def test_of_two_runs_started_at_once_one_works_and_the_other_says_so(workplace):
    workplace.sample("day1")
    first, second = workplace.start("run", "--json"), workplace.start("run", "--json")
    outputs = [json.loads(process.communicate(timeout=120)[0]) for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    if codes == [0, 0]:
        pytest.fail("the two runs did not overlap, or both took place")
    assert codes == [0, 4]
    loser = next(o for o in outputs if o["status"] == "failed")
    assert loser["problems"][0]["code"] == "run-under-way"
    assert workplace.books["expenses"] == 400


def test_a_slot_is_done_once(workplace):
    workplace.sample("day1")
    slot = ("--schedule", "import", "--slot", "2026-11-24T06:00:00+03:00")
    assert workplace.command("run", *slot).returncode == 0
    again = workplace.command("run", *slot, "--json")
    assert again.returncode == 5
    assert json.loads(again.stdout)["problems"][0]["code"] == "slot-done"
    # The same instant, written with another offset, is the same slot.
    assert workplace.command("run", *slot[:3], "2026-11-24T03:00:00+00:00").returncode == 5


@pytest.mark.asyncio
async def test_a_lock_held_by_somebody_else_is_named(workplace):
    workplace.sample("day1")
    other = await asyncpg.connect(workplace.url)
    settings = workplace.settings
    quick = settings.model_copy(
        update={"database": settings.database.model_copy(update={"lock_timeout": settings.retry.wait_first / 10})}
    )
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE fin_expenses IN EXCLUSIVE MODE")
        pid = other.get_server_pid()
        report = await workplace.run(quick)
        await transaction.rollback()
    finally:
        await other.close()
    assert (report.status, [p.code for p in report.problems]) == (RunStatus.FAILED, ["database-locked"])
    assert f"pid {pid}" in report.problems[0].message
    assert workplace.books["expenses"] == 0
    assert (await workplace.run()).status is RunStatus.PUBLISHED


def test_a_run_stopped_before_commit_leaves_the_books_and_its_slot_due(workplace):
    workplace.sample("day1")
    slot = ("--schedule", "import", "--slot", "2026-11-24T06:00:00+03:00")
    process = workplace.start("run", *slot, "--progress", "json")
    for line in process.stderr:
        if '"read"' in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert workplace.books["expenses"] == 0
    assert workplace.command("run", *slot).returncode == 0
    assert workplace.books["expenses"] == 400


def test_a_run_that_was_killed_is_found_abandoned_and_done_again(workplace, sql):
    workplace.sample("day1")
    process = workplace.start("run", "--progress", "json")
    for line in process.stderr:
        if '"read"' in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while (result := workplace.command("run")).returncode == 4 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert result.returncode == 0
    assert sql(workplace.url, "SELECT status FROM cpimportd.runs ORDER BY id LIMIT 1")[0]["status"] == "abandoned"
    assert workplace.books["expenses"] == 400


@pytest.mark.asyncio
@pytest.mark.parametrize("moment", ["publish", "read"])
async def test_a_database_that_cuts_the_connection_leaves_the_books_whole(workplace, superuser_url, moment):
    workplace.sample("day1")
    from cpimportd.run.pipeline import run_once
    from cpimportd.run.request import RunRequest

    def cut(progress) -> None:
        if progress.stage == moment:
            workplace.sql(
                superuser_url(workplace.url),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cpimportd'",
            )

    report = await run_once(workplace.settings, RunRequest(), cut)
    assert report.status is RunStatus.FAILED
    assert {p.code for p in report.problems} <= {"database-unreachable", "database-failed"}
    assert workplace.books["expenses"] == 0
    assert (await workplace.run()).status is RunStatus.PUBLISHED


@pytest.mark.asyncio
async def test_listeners_hear_of_a_run_when_it_is_committed(workplace):
    workplace.sample("day1")
    heard: list[str] = []
    connection = await asyncpg.connect(workplace.url)
    try:
        await connection.add_listener("cpimportd", lambda *arguments: heard.append(arguments[-1]))
        report = await workplace.run()
        await asyncio.sleep(0.2)
    finally:
        await connection.close()
    assert heard == [str(report.run)]
