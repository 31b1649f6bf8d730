"""Machine faults: runs as real processes over broken books, disks that are full or read-only, limits, what is left."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cpimportd.run.spool import prune_spool
from tests.support.daemon.living_daemon import environment
from tests.support.faults.books import Books
from tests.support.polling import processes, until

BEFORE = "books as before; next run corrects them"


@dataclass(frozen=True)
class RunExit:
    """How ``cpimportd run --json`` ended."""

    code: int
    report: dict[str, Any]
    said: str

    @property
    def codes(self) -> str:
        """The codes of what it names, as the table tells them."""
        named = [*self.report.get("problems", ()), *(p for f in self.report.get("files", ()) for p in f["problems"])]
        return " ".join(f"`{code}`" for code in sorted({found["code"] for found in named}))

    def names(self, codes: frozenset[str] | set[str]) -> bool:
        """Whether it names problems, and only of these codes; one that got no report out names them as text."""
        if not self.report:
            return any(f"[{code}]" in self.said for code in codes)
        return bool(self.codes) and all(code.strip("`") in codes for code in self.codes.split())

    def assert_told(self) -> None:
        """It failed with coded problems that have a way out; nobody was shown a traceback."""
        assert self.code == 1, self.said
        assert "Traceback" not in self.said, self.said
        for found in self.report["problems"]:
            assert found["code"] != "internal", found
            assert found["way_out"]


def configuration(books: Books, **keys: object) -> Path:
    """A configuration file for books; keywords are keys, with ``__`` for the dot."""
    values = {
        "state_directory": str(books.state),
        "database.url": books.url,
        "source.url": books.upload.as_uri(),
        "source.stable_for": 0,
        "retry.within": 5,
        "retry.wait_first": 0.1,
        **{name.replace("__", "."): value for name, value in keys.items()},
    }
    file = books.upload.parent / "cpimportd.toml"
    # JSON's texts and numbers are TOML's, too.
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    file.chmod(0o600)
    return file


def begin(file: Path, *before: str, **options: Any) -> "subprocess.Popen[str]":
    """Start ``cpimportd run``; its processes are known by their working directory, which is the file's folder."""
    argv = [*before, sys.executable, "-m", "cpimportd", "run", "--json", "--config", str(file)]
    options = {"env": environment(PYTHONPATH=str(Path(__file__).parents[3])), **options}
    return subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=file.parent,
        start_new_session=True,
        **options,
    )


def run(file: Path, *before: str, within: float = 120, **options: Any) -> RunExit:
    """``cpimportd run`` to its end, which comes."""
    process = begin(file, *before, **options)
    try:
        out, said = process.communicate(timeout=within)
    finally:
        process.kill()
    return RunExit(process.returncode, json.loads(out) if out.strip() else {}, said)


def forget_what_was_logged_of_held_files(books: Books) -> None:
    """The backend's log of imports says of a held file that it failed; that is no part of the books."""
    books.sql(books.root, "DELETE FROM fin_import_logs WHERE status = 'failed'")


def working_in(folder: Path) -> list[int]:
    """The processes that live and work in a folder."""
    found = []
    for pid in processes():
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == folder:
                found.append(pid)
        except OSError:
            continue
    return found


def assert_nobody_left(folder: Path) -> None:
    """Every process of a run is gone, or goes by itself."""
    until(lambda: not working_in(folder), f"end of {[processes().get(pid) for pid in working_in(folder)]}")


def assert_no_litter(state: Path) -> None:
    """What lies in the state folder is known there, and what lies in the spool goes when its time has come."""
    assert {path.name for path in state.iterdir()} <= {"spool", "backups", "daemon.json", "daemon.lock", "run"}
    prune_spool(state / "spool", datetime.now(UTC) + timedelta(hours=1))
    assert list((state / "spool").iterdir()) == []


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes, mounted on a folder; skips the test where nothing may be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mode = f"size={size},mode=0700"
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", mode, "tmpfs", folder], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {tried.stderr.decode(errors='replace').strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, *options: str) -> None:
    """Change a small disk: ``size=…``, ``ro``, ``rw``."""
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), folder], check=True)
