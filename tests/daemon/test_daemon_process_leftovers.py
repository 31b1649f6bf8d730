"""What real processes leave when they are killed, and the modes and owners of what they write."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cpimportd.core.spool_locks import remove_abandoned
from tests.support.faults.table import Chapter
from tests.support.polling import until

STRANGER, SERVICE = 54321, 54322
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def run_folders(place) -> list[Path]:
    spool = place.state / "spool"
    return [path for path in spool.iterdir() if path.name != "contents"] if spool.is_dir() else []


def below(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def test_a_daemon_that_starts_removes_what_its_killed_run_left(place, faults):
    place.sample("day1")
    place.due_slot()
    with place.standing("read") as stand:
        daemon = place.start()
        release = stand(daemon)
        (left,) = run_folders(place)
        assert list((left / "rows").iterdir())
        assert remove_abandoned(place.state / "spool") == 0
        daemon.kill(with_runs=True)
        assert (left / "rows").is_dir()
        release()
    place.configure({"schedules.import.enabled": False})
    daemon = place.start()
    assert "1 runs left in the spool" in daemon.wait_event("tidied")["message"]
    assert run_folders(place) == []
    outcome = "its folder in the spool is removed by the next run, `prune` or start of the daemon"
    faults.tell(Chapter.MACHINE, "`kill -9` of a run while rows lie in the spool", outcome)


def test_a_second_daemons_start_and_a_run_by_hand_spare_a_living_run(place):
    place.sample("day1")
    place.due_slot()
    with place.standing("read") as stand:
        daemon = place.start()
        release = stand(daemon)
        (folder,) = run_folders(place)
        place.start(ready=False).process.wait(20)  # it finds the lock held, and ends
        assert place.command("run").returncode == 4
        assert place.command("prune").returncode == 0
        assert (folder / "rows").is_dir()
        release()
        until(lambda: place.books == place.truth("day1"), "end of the run")


@pytest.mark.parametrize("mask", [0, 0o022])
def test_a_verb_makes_everything_private_whatever_the_umask(place, mask, faults):
    place.sample("day1")
    place.state.rmdir()
    place.configure({"state_directory": str(place.folder / "srv" / "deep" / "state")})
    assert place.command("run", umask=mask).returncode == 0
    made = below(place.folder / "srv")
    assert any(path.suffix == ".xlsx" for path in made)
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert place.folder.stat().st_mode & 0o777 == 0o755
    faults.tell(
        Chapter.MACHINE, f"a run under the umask {mask:03o}", "folders 0700, files 0600, at every level that it made"
    )


@only_root
@pytest.mark.parametrize("verb", ["run", "daemon", "backup", "check"])
def test_a_state_folder_of_another_owner_is_refused_in_words(place, verb):
    place.sample("day1")
    os.chown(place.state, STRANGER, STRANGER)
    done = place.command(verb)
    assert done.returncode == 1
    assert f"{place.state} belongs to user {STRANGER}" in (done.stdout + done.stderr).replace("\n", " ")
    assert list(place.state.iterdir()) == []


@only_root
def test_root_leaves_the_services_folder_to_the_service(place):
    place.sample("day1")
    (place.state / "daemon.lock").touch()
    for path in below(place.state):
        os.chown(path, SERVICE, SERVICE)
    # Where user namespaces are allowed, root's reader gives up the right to enter another user's folder: then it is 3.
    assert place.command("run").returncode in {0, 3}
    assert place.command("backup").returncode == 0
    assert run_folders(place)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in below(place.state)} == {(SERVICE, SERVICE)}


def test_a_killed_backup_leaves_nothing_after_the_next_one(place):
    backups = place.state / "backups"
    backups.mkdir(mode=0o700)
    killed = backups / f"cpimportd-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.partial"
    killed.write_bytes(b"half a dump")
    assert place.command("backup").returncode == 0
    assert [path.suffix for path in backups.iterdir()] == [".dump"]


def test_a_run_that_is_killed_by_hand_is_tidied_up_by_the_next(place):
    place.sample("day1")
    with place.standing("merge") as stand:
        daemon = place.start()
        daemon.kill_run(stand)
        until(lambda: daemon.status["running"] is None, "end of the run")
        (left,) = run_folders(place)
        assert place.command("run").returncode == 0
        assert left not in run_folders(place)
        assert not list((place.state / "spool").glob("*/rows"))
