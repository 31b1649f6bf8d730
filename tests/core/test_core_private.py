"""Folders have mode 0700 and files 0600 whatever the umask; nothing is put into other people's hands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from cpimportd.core.files import make_folder, open_private, own_folder, write_whole
from cpimportd.core.problems import ProblemError
from cpimportd.run.spool import open_spool

STRANGER, SERVICE = 54321, 54322
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes_below(root: Path) -> set[str]:
    return {f"{'d' if path.is_dir() else 'f'}{path.stat().st_mode & 0o777:o}" for path in root.rglob("*")}


@pytest.mark.parametrize("mask", [0, 0o022, 0o002, 0o077, 0o177, 0o277, 0o777], ids=oct)
def test_modes_are_the_same_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    above = tmp_path.stat().st_mode
    with umask(mask):
        spool = open_spool(tmp_path / "srv" / "state" / "spool", timedelta(days=30))
        make_folder(spool.files / "00")
        os.close(open_private(spool.files / "00" / "000.xlsx", "wb"))
        if mask != 0o777 and mask != 0o277:  # such a mask takes mkstemp(3)'s files from their owner, too
            write_whole(spool.path / "files.json", "{}")
    assert modes_below(tmp_path) == {"d700", "f600"}
    assert tmp_path.stat().st_mode == above


def test_a_folder_above_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv").chmod(0o755)
    own_folder(tmp_path / "srv" / "state" / "spool")
    own_folder(tmp_path / "srv")
    assert (tmp_path / "srv").stat().st_mode & 0o777 == 0o755


def test_the_spool_of_an_earlier_version_becomes_private(tmp_path: Path) -> None:
    for folder in (tmp_path / "spool", tmp_path / "spool" / "contents"):
        folder.mkdir()
        folder.chmod(0o777)
    spool = open_spool(tmp_path / "spool", timedelta(days=30))
    spool.archive(1, [], ())
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "spool" / "contents").stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_bytes(b"old")
    file.chmod(0o644)
    with os.fdopen(open_private(file, "ab"), "ab") as stream:
        stream.write(b" and new")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"old and new", 0o600)


def refusal(path: Path) -> str:
    with pytest.raises(ProblemError) as refused:
        own_folder(path)
    (found,) = refused.value.problems
    assert found.code == "state-foreign"
    assert "state_directory" in found.way_out
    return found.message


@only_root
def test_a_folder_of_another_owner_is_refused_also_by_root(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    assert f"belongs to user {STRANGER}" in refusal(folder)
    assert list(folder.iterdir()) == []


@only_root
def test_a_link_of_another_owner_is_refused_and_one_of_ours_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "state"
    link.symlink_to(tmp_path / "disk")
    own_folder(link)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    assert "is a symbolic link" in refusal(link)


@only_root
def test_a_link_of_ours_to_another_owners_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", STRANGER, STRANGER)
    (tmp_path / "state").symlink_to(tmp_path / "theirs")
    assert f"belongs to user {STRANGER}" in refusal(tmp_path / "state")


def test_a_link_to_nowhere_and_a_file_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for path in (tmp_path / "link", tmp_path / "file"):
        with pytest.raises(OSError, match="exists"):
            own_folder(path)


@only_root
def test_an_ordinary_user_is_refused_another_ones_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    os.chown(folder, STRANGER, STRANGER)
    code = (
        "import os, sys; from pathlib import Path; from cpimportd.core.files import foreign; folder = Path(sys.argv[1]); "
        f"os.chdir(folder); os.setresuid({SERVICE}, {SERVICE}, {SERVICE}); print(foreign(Path('.').absolute()))"
    )
    for parent in (tmp_path, *tmp_path.parents):
        if not parent.stat().st_mode & 0o001:
            code = code.replace("Path('.').absolute()", "Path('.')")
    said = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert f"belongs to user {STRANGER}; cpimportd runs as user {SERVICE}" in said.stdout, said.stderr


@only_root
def test_what_root_puts_into_the_services_folder_is_the_services(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "daemon.lock").touch()
    for path in (state, state / "daemon.lock"):
        os.chown(path, SERVICE, SERVICE)
    spool = open_spool(state / "spool", timedelta(days=30))
    os.close(open_private(spool.rows / "000.rows", "wb"))
    write_whole(spool.path / "files.json", "{}")
    write_whole(state / "alerts.json", "{}")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in state.rglob("*")} == {(SERVICE, SERVICE)}
    assert modes_below(state) - {"f644"} == {"d700", "f600"}  # 0644 is the lock's that this test made
