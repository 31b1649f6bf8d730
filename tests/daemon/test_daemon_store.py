"""The daemon's memory on disk: the same when it is read back, set aside where it is damaged, whole at any moment."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from cpimportd.core.files import write_whole
from cpimportd.core.model import Kind
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.store import GROUPS, FinishedRun, Record, Store, Upload, decode, encode
from cpimportd.timetable.memory import Memory, Remembered

NOW = datetime(2026, 11, 24, 3, 0, 1, tzinfo=UTC)


def finished(status: str, *held: str) -> FinishedRun:
    return FinishedRun(3, "import", NOW, NOW, NOW, status, 0, 7, "a summary", held, "a problem", "a way out")


def record() -> Record:
    upload = Upload("Поступление.xlsx", "receipts", ("ЛОТОС ООО",), NOW, "published", NOW, NOW)
    memory = Memory({"import": Remembered("*-*-* 06:00:00", "Europe/Moscow", NOW, NOW, None, NOW)})
    return Record(
        memory, finished("partial", "ЛОТОС ООО/expenses"), finished("published"), ("x",), {upload.name: upload},
        {"monthly": replace(finished("failed"), schedule="monthly")},
    )  # fmt: skip


def test_what_is_kept_is_read_back(tmp_path):
    store = Store(tmp_path)
    assert store.load() == (Record(), None)
    store.save(record())
    assert store.load() == (record(), None)
    assert [path.name for path in tmp_path.iterdir()] == ["daemon.json"]


def test_a_file_of_an_earlier_version_reports_nothing_about_a_slot_that_was_started(tmp_path):
    tree = json.loads(encode(record()))
    del tree["schedules"]["import"]["started"]
    (tmp_path / "daemon.json").write_text(json.dumps(tree), encoding="utf-8")
    found, said = Store(tmp_path).load()
    assert said is None
    assert found.memory.of("import") == replace(record().memory.of("import"), started=None)


def test_what_an_older_daemon_kept_of_no_jobs_is_read(tmp_path):
    tree = json.loads(encode(record()))
    del tree["undone"]
    (tmp_path / "daemon.json").write_text(json.dumps(tree))
    assert Store(tmp_path).load() == (replace(record(), undone={}), None)


DAMAGE = {
    "empty": b"",
    "cut off": encode(record()).encode()[:-40],
    "zeros, as after a power cut": b"\0" * 300,
    "not UTF-8": b'{"version": "\xff"}',
    "another version": encode(record()).replace('"version": 1', '"version": 2').encode(),
    "a naive instant": encode(record()).replace("+00:00", "").encode(),
    "a list": b"[]",
    "a key missing": encode(record()).replace('"uploads"', '"upload"').encode(),
    "a key too many": encode(record()).replace('"summary"', '"x": 1, "summary"').encode(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_reported_set_aside_and_begun_anew(tmp_path, damage):
    (tmp_path / "daemon.json").write_bytes(DAMAGE[damage])
    found, said = Store(tmp_path).load()
    assert found == Record()
    assert said is not None
    assert said.code == "state-damaged"
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("daemon.json.damaged-")
    assert aside.read_bytes() == DAMAGE[damage]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_the_disk_before_its_name_and_the_name_before_it_counts(tmp_path, monkeypatch):
    path, order = tmp_path / "file", []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (order.append(Path(f"/proc/self/fd/{handle}").is_dir()), fsync(handle))
    )
    monkeypatch.setattr(Path, "replace", lambda old, new: (order.append("rename"), rename(old, new))[1])
    write_whole(path, "new")
    assert order == [False, "rename", True]


def test_what_is_held_outlasts_a_run_that_judged_nothing():
    held = Record().ended(finished("partial", "ЛОТОС ООО/expenses"))
    assert held.ended(finished("failed")).held == ("ЛОТОС ООО/expenses",)
    assert held.ended(finished("unchanged")).held == ()


def test_the_groups_of_kinds_are_those_of_the_books():
    assert {kind.value: kind.group.value for kind in Kind} == GROUPS


def test_held_units_are_those_of_the_last_run_that_could_query_them():
    before = Record().ended(finished("partial", "ЛОТОС ООО/expenses", "ЛОТОС ООО/receipts"))
    assert before.ended(finished("held", "МАК ООО/receipts")).held == ("МАК ООО/receipts",)
    unknown = before.ended(replace(finished("published"), held=None))
    assert unknown.held == ("ЛОТОС ООО/expenses", "ЛОТОС ООО/receipts")
    assert decode(encode(unknown)) == unknown


def test_the_workbooks_of_another_group_are_known_as_they_were():
    names = {"a.xlsx": "receipts", "b.xlsx": "expenses", "c.xlsx": "details", "gone.xlsx": "receipts"}
    before = Record().after_listing(
        tuple(SeenWorkbook(name, kind, (), NOW, "published") for name, kind in names.items()), NOW
    )
    later = NOW + timedelta(days=1)
    seen = (
        SeenWorkbook("a.xlsx", "receipts", (), later, "published"),
        SeenWorkbook("c.xlsx", "details", (), later, "ignored"),
    )
    after = before.after_listing(seen, later, ("receipts",))
    assert {name: (one.status, one.seen) for name, one in after.uploads.items()} == {
        "a.xlsx": ("published", later),
        "b.xlsx": ("published", NOW),
        "c.xlsx": ("published", NOW),
    }


def test_the_last_good_run_outlasts_a_bad_one():
    good = Record().ended(finished("published"))
    assert good.ended(finished("failed")).last_good == good.last


def test_a_job_that_failed_is_kept_until_the_schedules_next_one_is_done():
    failed, other = (replace(finished("failed"), schedule=name) for name in ("weekly", "monthly"))
    both = Record().after_job(failed).after_job(other)
    assert both.after_job(replace(failed, status="reported")).undone == {"monthly": other}
    assert (both.last, both.held) == (None, ())


def test_a_workbook_of_0_bytes_keeps_what_it_named_last_time_and_one_that_is_gone_is_forgotten():
    name = "Поступление.xlsx"
    seen = record().after_listing((SeenWorkbook(name, None, (), None, "held"),), NOW)
    assert (seen.uploads[name].organizations, seen.uploads[name].kind) == (("ЛОТОС ООО",), "receipts")
    assert seen.uploads[name].good == NOW
    assert list(seen.after_listing((SeenWorkbook("other", None, (), None, "held"),), NOW).uploads) == ["other"]
    assert seen.after_listing((), NOW) == seen
