"""The files that the package installs are what the generator makes, in the form that systemd reads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cpimportd
from cpimportd.core.catalog import CATALOG
from cpimportd.core.report import RunStatus, run_message_id
from cpimportd.core.texts.journald import FILES, render, write

FOLDER = Path(__file__).parents[2] / "systemd"
IDS = [*(run_message_id(status) for status in RunStatus), *(kind.message_id for kind in CATALOG.values())]


@pytest.mark.parametrize(("file", "language"), FILES.items())
def test_the_committed_files_are_current(file, language):
    assert (FOLDER / file).read_text(encoding="utf-8") == render(language), (
        "run: python -m cpimportd.core.texts systemd"
    )


def test_no_two_ids_are_alike():
    assert len(set(IDS)) == len(IDS)


def test_every_line_that_has_an_id_is_explained(file, parse):
    assert [entry.message_id for entry in parse(file.read_text(encoding="utf-8"))] == IDS


def test_every_entry_has_a_subject_says_who_wrote_it_and_where_to_read_on(entries):
    for entry in entries.values():
        assert entry.header["Subject"].strip()
        assert entry.header["Defined-By"] == "cpimportd"
        assert entry.header["Documentation"] == "man:cpimportd(8)"
        assert entry.body.count("\n\n") == 2


def test_systemd_takes_no_line_of_a_text_for_a_comment(file):
    """Its reader drops lines that begin with # or ;, in bodies too."""
    comments = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith(("#", ";"))]
    names = [*(f"run {status.value}" for status in RunStatus), *CATALOG]
    assert comments[2:] == [f"# {name}" for name in names]


def test_bodies_fit_a_terminal_and_commands_stay_on_one_line(entries):
    for entry in entries.values():
        assert max(map(len, entry.body.splitlines())) <= 78
        for command in re.findall(r"`[^`]*`", entry.body):
            assert "\n" not in command


def test_a_search_finds_the_lines_of_a_kind(entries):
    for kind in CATALOG.values():
        assert entries[kind.message_id].body.endswith(f" journalctl CPIMPORTD_CODE={kind.code}")


def test_the_files_are_written_into_a_folder(tmp_path):
    assert write(tmp_path) == [tmp_path / "cpimportd.catalog", tmp_path / "cpimportd.ru.catalog"]
    assert sorted(tmp_path.iterdir()) == sorted(write(tmp_path))


def test_an_installed_copy_needs_nothing_of_the_repository(tmp_path):
    package = Path(cpimportd.__file__).parent
    shutil.copytree(package, tmp_path / "site" / "cpimportd", ignore=shutil.ignore_patterns("__pycache__"))
    (out := tmp_path / "out").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "LC_ALL": "C"}
    ran = subprocess.run(
        [sys.executable, "-m", "cpimportd.core.texts", str(out)],
        cwd=tmp_path, env=environ, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout.split() == [str(out / file) for file in FILES]
    for file, language in FILES.items():
        assert (out / file).read_text(encoding="utf-8") == render(language)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nonexistent"]])
def test_wrong_use_ends_with_2(arguments):
    ran = subprocess.run(
        [sys.executable, "-m", "cpimportd.core.texts", *arguments], check=False, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "usage" in ran.stderr
