"""A run that is to wait for 1C's upload: it goes on where something is new, else it leaves the slot and no trace."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from cpimportd.core.report import RunStatus

RUNS = "SELECT status, slot FROM cpimportd.runs ORDER BY id"
SLOT = datetime(2026, 11, 24, 3, tzinfo=UTC)


def newest(workplace) -> datetime:
    return datetime.fromtimestamp(max(path.stat().st_mtime for path in workplace.upload.iterdir()), UTC)


async def look(workplace, after: datetime):
    return await workplace.run(schedule="import", slot=SLOT, uploaded_after=after)


@pytest.mark.asyncio
async def test_nothing_uploaded_since_leaves_the_slot_due_and_no_row(workplace):
    workplace.sample("day1")
    await workplace.run()
    report = await look(workplace, newest(workplace))
    assert (report.status, report.run) == (RunStatus.FAILED, None)
    assert [found.code for found in report.problems] == ["upload-missing"]
    assert report.problems[0].kind.passing
    assert [row["slot"] for row in workplace.sql(workplace.url, RUNS)] == [None]


@pytest.mark.asyncio
async def test_the_same_content_uploaded_again_is_an_upload(workplace):
    workplace.sample("day1")
    await workplace.run()
    before = newest(workplace)
    stamp = (before + timedelta(minutes=5)).timestamp()
    os.utime(workplace.file("Lotos - Spisanie kredity"), (stamp, stamp))
    report = await look(workplace, before)
    assert report.status is RunStatus.UNCHANGED
    assert [(row["status"], row["slot"]) for row in workplace.sql(workplace.url, RUNS)][1:] == [("unchanged", SLOT)]


@pytest.mark.asyncio
async def test_new_content_is_published_whatever_its_time_says(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.sample("day2")
    report = await look(workplace, datetime.now(UTC))
    assert report.status is RunStatus.PUBLISHED


@pytest.mark.asyncio
async def test_a_broken_file_of_an_earlier_day_is_no_news(workplace):
    workplace.sample("day1")
    await workplace.run()
    broken = workplace.file("Lotos - Spisanie kredity")
    stamp = broken.stat().st_mtime
    broken.write_bytes(b"")
    os.utime(broken, (stamp, stamp))
    assert [found.code for found in (await look(workplace, newest(workplace))).problems] == ["upload-missing"]


@pytest.mark.asyncio
async def test_without_the_demand_the_slot_is_done(workplace):
    workplace.sample("day1")
    await workplace.run()
    report = await workplace.run(schedule="import", slot=SLOT)
    assert report.status is RunStatus.UNCHANGED
    assert max(file.modified for file in report.files) == newest(workplace)
