"""Workbooks that somebody has on his disk: ``cpimportd run FILE...``."""

import json
import shutil

import pytest

from cpimportd.run.uploaded import laid_out
from tests.support.run.terminal import answered
from tests.support.run.workbooks import shrink

LOTOS = "Lotos - Postuplenie"


@pytest.fixture
def two_organizations(workplace):
    """The first day is in the books; the server is down, the second day lies on somebody's disk."""
    workplace.sample("day1")
    assert workplace.command("run").returncode == 0
    workplace.sample("day2")
    disk = workplace.upload.parent / "disk"
    shutil.move(workplace.upload, disk)
    return disk


def of(disk, *beginnings):
    return [str(file) for file in sorted(disk.iterdir()) if file.name.startswith(beginnings)]


def test_only_what_the_files_bring_is_published(workplace, two_organizations):
    before = workplace.books
    done = workplace.command("run", *of(two_organizations, "Lotos"), "--yes", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"]) == (0, "published"), done.stderr
    assert {unit["organization"] for unit in report["units"]} == {"ЛОТОС ООО"}
    assert not [found for found in report["problems"] if found["code"] == "file-missing"]
    assert workplace.books != before
    (run,) = workplace.sql(workplace.url, "SELECT requested_by FROM cpimportd.runs ORDER BY id DESC LIMIT 1")
    assert "@" in run["requested_by"]
    shutil.move(two_organizations, workplace.upload)
    night = json.loads(workplace.command("run", "--json").stdout)
    assert night["status"] == "published"  # of the other organization; nothing is missing and nothing comes back
    assert {unit["organization"]: unit["status"] for unit in night["units"]}["ЛОТОС ООО"] == "unchanged"


def test_it_is_shown_first_and_published_after_a_yes(workplace, two_organizations):
    files, before = of(two_organizations, "Lotos"), workplace.books
    refused = workplace.command("run", *files)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    code, said = answered(workplace, b"n\n", "run", *files)
    assert (code, workplace.books) == (1, before), said
    assert "Would publish" in said
    assert "Nothing was published" in said
    code, said = answered(workplace, b"y\n", "run", *files)
    assert code == 0, said
    assert workplace.books != before


def test_they_are_judged_as_every_night(workplace, two_organizations):
    (file,) = of(two_organizations, LOTOS)
    shrink(two_organizations / file.rpartition("/")[2], keep=20)
    done = workplace.command("run", file, "--yes")
    assert (done.returncode, "[shrunk]" in done.stdout) == (3, True)
    expenses = [name for name in of(two_organizations, "Lotos") if "kredity" in name and "Spisanie" in name]
    done = workplace.command("run", *expenses, "--yes")
    assert (done.returncode, "[partner-missing]" in done.stdout) == (3, True)


def test_files_that_cannot_be_taken_are_refused_before_anything_is_done(workplace, two_organizations, tmp_path):
    (file,) = of(two_organizations, LOTOS)
    other = tmp_path / "other"
    other.mkdir()
    twin = shutil.copy(file, other)
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"no workbook")
    for arguments, code in (
        ((str(letter),), "upload-refused"),
        ((file, twin), "upload-twice"),
    ):
        refused = workplace.command("run", *arguments, "--yes")
        assert (refused.returncode, f"[{code}]" in refused.stderr) == (2, True), refused.stderr
    for wrong in (("--from", str(other)), ("--schedule", "import", "--slot", "2026-11-24T06:00:00+03:00")):
        assert workplace.command("run", file, "--yes", *wrong).returncode == 2
    assert workplace.command("run", "--yes").returncode == 2
    assert len(workplace.sql(workplace.url, "SELECT FROM cpimportd.runs")) == 1


def test_copies_have_the_names_and_times_of_the_files_and_go(two_organizations):
    (file,) = of(two_organizations, LOTOS)
    given = two_organizations / file.rpartition("/")[2]
    with laid_out([given]) as folder:
        (copy,) = folder.iterdir()
        assert (copy.name, copy.read_bytes()) == (given.name, given.read_bytes())
        assert copy.stat().st_mtime == given.stat().st_mtime
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_rehearsal_takes_them_as_they_were_given(workplace, two_organizations):
    assert workplace.command("run", *of(two_organizations, "Lotos"), "--yes").returncode == 0
    done = workplace.command("rehearse", str(workplace.config()), "--json")
    assert done.returncode == 0, done.stderr
    first, by_hand = json.loads(done.stdout)["runs"]
    assert (first["now"], by_hand["then"], by_hand["now"], by_hand["now_held"]) == (
        "published",
        "published",
        "published",
        [],
    )
