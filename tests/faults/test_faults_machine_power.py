"""A power cut while the daemon writes its memory, or a backup is made: the old content or the new, never a damaged one."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from cpimportd.books.database.backup import _publish
from cpimportd.daemon.store import Record, Store
from cpimportd.timetable.memory import Memory, Remembered
from tests.support.faults.powercut import Recorder, disks
from tests.support.faults.table import Chapter

_SLOT = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.fixture
def records():
    """What is remembered before a slot is done, and after it."""
    old = Remembered("*-*-* 06:00:00", "Europe/Moscow", _SLOT - timedelta(days=2), _SLOT - timedelta(days=1), None)
    return tuple(Record(Memory({"import": one})) for one in (old, replace(old, last_done=_SLOT)))


def _left(folder, before, operations, tmp_path):
    """A folder for every disk that the power cut may have left."""
    for number, disk in enumerate(disks(before, operations)):
        made = tmp_path / f"disk{number}"
        made.mkdir()
        for name, content in disk.items():
            (made / name).write_bytes(content)
        yield made


@pytest.fixture
def saved(tmp_path, records, monkeypatch):
    """The disks after a power cut while the second memory replaced the first."""
    state = tmp_path / "state"
    state.mkdir()
    store = Store(state)
    store.save(records[0])
    before = {"daemon.json": store.path.read_bytes()}

    def cut():
        operations = Recorder(state).record(monkeypatch, lambda: store.save(records[1]))
        return operations, list(_left(state, before, operations, tmp_path))

    return cut


def test_a_power_cut_leaves_the_old_memory_or_the_new_and_never_a_damaged_one(saved, records, faults):
    operations, left = saved()
    assert [one.verb for one in operations] == ["open", "sync", "rename", "sync folder"]
    found = [Store(folder).load() for folder in left]
    assert all(said is None for _, said in found)
    loaded = [record for record, _ in found]
    assert all(record in records for record in loaded)
    assert records[0] in loaded
    assert records[1] in loaded
    # Once save() has returned, only the new one is left: the slot is not looked at again.
    assert [Store(left[-1]).load()[0]] == [records[1]]
    faults.tell(
        Chapter.MACHINE,
        "power cut at any operation on the daemon's memory (daemon.json), with the loss of what was not fsynced",
        "the old record or the new one, never a damaged one; the new one as soon as it is in effect",
    )


@pytest.mark.parametrize("forgotten", ["file", "folder"])
def test_without_fsync_this_would_be_seen(saved, records, monkeypatch, forgotten):
    real = os.fsync
    folders = forgotten == "folder"
    monkeypatch.setattr(
        os, "fsync", lambda handle: None if Path(f"/proc/self/fd/{handle}").is_dir() is folders else real(handle)
    )
    # The recorder sees fsync as it is called; what it is made of must not count either.
    monkeypatch.setattr(Recorder, "_synced", _only(Recorder._synced, folders=not folders))
    _, left = saved()
    found = [Store(folder).load() for folder in left]
    if folders:
        assert records[0] in [record for record, _ in found[-2:]]
    else:
        assert any(said is not None and said.code == "state-damaged" for _, said in found)


def _only(noted, *, folders):
    def note(self, handle, result):
        if Path(f"/proc/self/fd/{handle}").is_dir() is folders:
            noted(self, handle, result)

    return note


def test_a_power_cut_leaves_a_whole_backup_or_none(tmp_path, monkeypatch, faults):
    folder = tmp_path / "backups"
    folder.mkdir()
    partial, final = folder / "cpimportd-1.partial", folder / "cpimportd-1.dump"

    def work():
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600)  # pg_dump's standard output
        os.write(descriptor, b"a dump of the books")
        os.close(descriptor)
        _publish(partial, final)

    operations = Recorder(folder).record(monkeypatch, work)
    left = list(_left(folder, {}, operations, tmp_path))
    assert {(one / final.name).read_bytes() for one in left if (one / final.name).exists()} == {b"a dump of the books"}
    assert (left[-1] / final.name).exists()
    faults.tell(
        Chapter.MACHINE,
        "power cut while a backup is written",
        "a complete backup or none; never an incomplete one under its name",
    )
