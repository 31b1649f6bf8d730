"""1C is still uploading: expenses are here, their details are those of an hour ago."""

import asyncio
import os
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest

from cpimportd.core.report import RunStatus
from cpimportd.run import checking

SAMPLES = Path(__file__).parent.parent / "samples"


def arrive(workplace, day: str, part: str, seconds_ago: float) -> None:
    (source,) = [path for path in (SAMPLES / day).iterdir() if part in path.name]
    target = workplace.upload / source.name
    shutil.copy(source, target)
    moment = time.time() - seconds_ago
    os.utime(target, (moment, moment))


@pytest.mark.asyncio
async def test_details_that_come_a_moment_later_are_waited_for(workplace, monkeypatch):
    monkeypatch.setattr(checking, "LOOK_AGAIN", 0.5)
    workplace.sample("day1")
    await workplace.run()
    arrive(workplace, "day2", "Lotos - Spisanie kredity", 5)
    running = asyncio.create_task(workplace.run(wait=True))
    await asyncio.sleep(1.5)
    assert not running.done()
    arrive(workplace, "day2", "Lotos - Spisanie(", 1)
    report = await asyncio.wait_for(running, 60)
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    assert workplace.books["expenses"] == 398


@pytest.mark.asyncio
async def test_an_old_upload_that_does_not_match_is_held_without_waiting(workplace):
    workplace.sample("day1")
    await workplace.run()
    arrive(workplace, "day2", "Lotos - Spisanie kredity", 7200)
    began = time.monotonic()
    report = await workplace.run(wait=True)
    assert report.code == 3
    assert time.monotonic() - began < 15
    assert workplace.books["expenses"] == 400


@pytest.mark.asyncio
async def test_waiting_ends_with_the_patience(workplace, monkeypatch):
    monkeypatch.setattr(checking, "LOOK_AGAIN", 0.5)
    workplace.sample("day1")
    await workplace.run()
    arrive(workplace, "day2", "Lotos - Spisanie kredity", 1)
    settings = workplace.settings
    retry = settings.retry.model_copy(update={"within": timedelta(seconds=3)})
    report = await workplace.run(settings.model_copy(update={"retry": retry}), wait=True)
    assert report.code == 3
    assert {p.code for p in report.all_problems} & {"orphan-detail", "details-sum", "totals-disagree"}
