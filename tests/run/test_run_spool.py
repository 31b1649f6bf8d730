"""What the spool keeps of a run's workbooks: each content once, with names and upload times, found by its digest."""

import errno
import hashlib
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cpimportd.core.model import Kind
from cpimportd.core.report import RunStatus
from cpimportd.core.workbooks import FetchedFile
from cpimportd.run.spool import archived_runs, find_in_spool, open_spool, prune_spool

KEEP = timedelta(days=30)
UPLOADED = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


def kept_run(root: Path, number: int, **contents: str):
    """A run that fetched these."""
    spool = open_spool(root, KEEP)
    (spool.files / "00").mkdir()
    files = []
    for place, (name, text) in enumerate(contents.items()):
        path = spool.files / "00" / f"{place:03}.xlsx"
        path.write_text(text)
        files.append(FetchedFile(f"{name}.xlsx", path, len(text), UPLOADED, digest(text)))
    spool.archive(number, files, Kind)
    spool.close(keep_files=True)
    return spool


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_on_disk(root: Path) -> int:
    return sum({(s.st_dev, s.st_ino): s.st_size for p in root.rglob("*.xlsx") for s in [p.stat()]}.values())


@pytest.mark.asyncio
async def test_a_second_day_stores_only_what_differs(workplace):
    for day in ("day1", "day2"):
        workplace.sample(day)
        assert (await workplace.run()).status is RunStatus.PUBLISHED
    first, second = archived_runs(workplace.settings.spool_directory)
    assert [run.run for run in (first, second)] == [1, 2]
    for day, run in (("day1", first), ("day2", second)):
        workplace.sample(day)
        assert {file.name: file.path.read_bytes() for file in run.files} == {
            path.name: path.read_bytes() for path in workplace.upload.iterdir()
        }
        assert all(abs((datetime.now(UTC) - file.modified).total_seconds() - 7200) < 600 for file in run.files)
    same = {file.sha256 for file in first.files} & {file.sha256 for file in second.files}
    assert len(same) == 2
    root = workplace.settings.spool_directory
    whole = sum(file.path.stat().st_size for run in (first, second) for file in run.files)
    assert bytes_on_disk(root) == whole - sum((root / "contents" / sha).stat().st_size for sha in same)


@pytest.mark.asyncio
async def test_the_files_of_held_and_of_unchanged_runs_are_kept_those_of_a_dry_run_are_not(workplace):
    workplace.sample("day1")
    await workplace.run(dry_run=True)
    assert not archived_runs(workplace.settings.spool_directory)
    for path in workplace.upload.iterdir():
        path.write_bytes(b"")
    assert (await workplace.run()).status is RunStatus.HELD
    workplace.sample("day1")
    await workplace.run()
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    held, published, unchanged = archived_runs(workplace.settings.spool_directory)
    assert [len(run.files) for run in (held, published, unchanged)] == [6, 6, 6]
    assert {file.sha256 for file in held.files} == {hashlib.sha256().hexdigest()}
    assert [f.path.stat().st_ino for f in published.files] == [f.path.stat().st_ino for f in unchanged.files]


@pytest.mark.asyncio
async def test_a_run_tells_how_long_each_stage_took(workplace):
    workplace.sample("day1")
    report = await workplace.run()
    assert list(report.stages) == ["fetch", "read", "check", "publish", "commit", "tell"]
    assert all(seconds >= 0 for seconds in report.stages.values())
    assert 0 < sum(report.stages.values()) <= report.seconds
    stored = workplace.sql(workplace.url, "SELECT report->'stages' AS stages FROM cpimportd.runs")[0]["stages"]
    assert set(json.loads(stored)) == set(report.stages)


def test_equal_contents_of_two_runs_are_one_and_go_with_the_last_that_has_them(tmp_path):
    old = kept_run(tmp_path, 1, receipts="same", expenses="first")
    kept_run(tmp_path, 2, receipts="same", expenses="second")
    assert {path.name for path in (tmp_path / "contents").iterdir()} == set(map(digest, ("same", "first", "second")))
    assert (tmp_path / "contents" / digest("same")).stat().st_nlink == 3
    shutil.move(old.path, tmp_path / "20200101T000000.000000Z-1")
    assert prune_spool(tmp_path, datetime.now(UTC) - timedelta(hours=1)) == 1
    assert {path.name for path in (tmp_path / "contents").iterdir()} == set(map(digest, ("same", "second")))
    assert [run.run for run in archived_runs(tmp_path)] == [2]
    prune_spool(tmp_path, datetime.now(UTC) + timedelta(hours=1))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_found_by_the_digest_of_its_bytes(tmp_path):
    assert find_in_spool(tmp_path / "nowhere", digest("a")) is None
    kept_run(tmp_path, 1, receipts="a", expenses="b")
    assert find_in_spool(tmp_path, digest("b")).read_text() == "b"
    assert find_in_spool(tmp_path, digest("c")) is None
    assert find_in_spool(tmp_path, "../../etc/passwd") is None


def test_without_hard_links_every_run_keeps_its_own_and_it_is_found_all_the_same(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    kept_run(tmp_path, 1, receipts="same")
    kept_run(tmp_path, 2, receipts="same")
    assert len(list(tmp_path.rglob("*.xlsx"))) == 2
    assert find_in_spool(tmp_path, digest("same")).read_text() == "same"
    assert [run.run for run in archived_runs(tmp_path)] == [1, 2]
    prune_spool(tmp_path, datetime.now(UTC) + timedelta(hours=1))
    assert list(tmp_path.iterdir()) == []


def test_a_spool_of_an_older_version_goes_on_working(tmp_path):
    old = tmp_path / "20261120T030000.000000Z-77" / "files" / "00"
    old.mkdir(parents=True)
    (old / "000.xlsx").write_text("old")
    kept_run(tmp_path, 9, receipts="new")
    assert find_in_spool(tmp_path, digest("old")) == old / "000.xlsx"
    assert [run.run for run in archived_runs(tmp_path)] == [9]


def test_a_damaged_copy_is_never_handed_out_nor_given_to_a_new_run(tmp_path):
    kept_run(tmp_path, 1, receipts="good")
    content = tmp_path / "contents" / digest("good")
    content.write_text("evil")
    assert find_in_spool(tmp_path, digest("good")) is None
    second = kept_run(tmp_path, 2, receipts="good")
    assert (second.files / "00" / "000.xlsx").read_text() == "good"
    assert find_in_spool(tmp_path, digest("good")).read_text() == "good"


@pytest.mark.parametrize("step", ["replace", "hardlink_to"])
def test_a_kill_while_files_are_shared_leaves_the_runs_files_whole(tmp_path, monkeypatch, step):
    class KilledError(BaseException):
        pass

    def killed(self, target):
        raise KilledError

    kept_run(tmp_path, 1, receipts="same")
    spool = open_spool(tmp_path, KEEP)
    (spool.files / "00").mkdir()
    path = spool.files / "00" / "000.xlsx"
    path.write_text("same")
    with monkeypatch.context() as patched:
        real = Path.replace
        refuse = killed if step == "hardlink_to" else lambda s, t: killed(s, t) if s.suffix == ".link" else real(s, t)
        patched.setattr(Path, step, refuse)
        with pytest.raises(KilledError):
            spool.archive(2, [FetchedFile("receipts.xlsx", path, 4, UPLOADED, digest("same"))], Kind)
    os.close(spool.lock)  # as the kernel does
    assert path.read_text() == "same"
    assert [run.run for run in archived_runs(tmp_path)] == [1, 2]
    prune_spool(tmp_path, datetime.now(UTC) + timedelta(hours=1))
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_look_at_the_server_brought_is_not_kept(tmp_path):
    spool = open_spool(tmp_path, KEEP)
    for look in ("00", "01"):
        (spool.files / look).mkdir()
        (spool.files / look / "000.xlsx").write_text(look)
    path = spool.files / "01" / "000.xlsx"
    spool.archive(1, [FetchedFile("a.xlsx", path, 2, None, digest("01"))], Kind)
    assert [folder.name for folder in spool.files.iterdir()] == ["01"]
    assert archived_runs(tmp_path)[0].files[0].modified is None


def test_nobody_else_may_look_into_it(tmp_path):
    spool = kept_run(tmp_path, 1, receipts="private")
    for path in (spool.path, tmp_path / "contents"):
        assert path.stat().st_mode & 0o077 == 0
    assert (spool.path / "files.json").stat().st_mode & 0o077 == 0
