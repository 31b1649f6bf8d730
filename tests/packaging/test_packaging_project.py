"""What a newcomer finds: a source distribution that is whole, a licence, a README that knows every verb."""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from cpimportd.cli import cli

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def checked_in():
    """Every file of the checkout that is kept in git."""
    done = subprocess.run(["git", "-C", PROJECT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no checkout of git's")
    return {name for name in done.stdout.split("\0") if name and (PROJECT / name).is_file()}


@pytest.fixture(scope="module")
def distributed(checked_in, tmp_path_factory):
    """The files of the source distribution, made from a copy so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("distribution")
    copy = folder / "copy"
    for name in checked_in:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((PROJECT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--outdir", folder, copy], check=True, capture_output=True
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        return {name.partition("/")[2] for name in opened.getnames()}


def test_the_source_distribution_holds_every_file_of_the_checkout(distributed, checked_in):
    assert checked_in - distributed == set()


def test_readme_has_a_row_for_every_verb():
    cells = re.findall(r"(?m)^\| (`.*?) \|", README)
    told = {word.split()[0] for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
    assert set(cli.commands) - told == set()


def test_every_document_that_a_page_leads_to_is_there():
    pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} leads to {target}"


def test_the_licence_is_said_where_it_is_looked_for():
    assert METADATA["license"] == "MIT"
    assert "the cpimportd authors" in (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert "License: MIT" in (PROJECT / "packaging/debian/copyright").read_text(encoding="utf-8")


def test_the_changelog_tells_of_the_version_that_this_is():
    told = re.findall(
        r"(?m)^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    )
    assert told[0] == METADATA["version"]


def test_the_supported_versions_of_python_are_those_of_the_metadata():
    (row,) = re.findall(r"(?m)^\| Python \| (.*?) \(", README)
    said = {f"Programming Language :: Python :: {version}" for version in row.split(", ")}
    assert said == {entry for entry in METADATA["classifiers"] if re.search(r":: 3\.\d+$", entry)}


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/decisions.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_is_there(page):
    text = (PROJECT / page).read_text("utf-8")
    named = set(re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|sql|po|mo))`", text))
    assert named
    places = (PROJECT, PROJECT / "cpimportd")
    assert sorted(name for name in named if not any((place / name).is_file() for place in places)) == []
