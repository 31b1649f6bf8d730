"""The man page is made from the verbs' own help: all of them, and nothing of click's own marks."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli_help import verbs

PACKAGING = Path(__file__).parent.parent.parent / "packaging"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    made = [sys.executable, str(PACKAGING / "make_pages.py"), str(PACKAGING / "pages"), str(folder)]
    subprocess.run(made, check=True, timeout=120)
    return folder / "cpimportd.8"


def test_every_verb_has_its_section(page):
    text = page.read_text(encoding="utf-8")
    for verb in verbs():
        assert f"\n.SS cpimportd {' '.join(verb)}" in text


def test_lines_that_stay_as_they_are_do_so(page):
    text = page.read_text(encoding="utf-8")
    assert "\b" not in text
    shown = text.partition("\n.SS cpimportd completion")[2].partition("\n.SS")[0]
    lines = shown.partition("\n.EX\n")[2].partition("\n.EE")[0].splitlines()
    assert [line.split()[0] for line in lines] == ["bash:", "zsh:", "fish:"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff here")
def test_groff_has_nothing_to_complain_about(page):
    done = subprocess.run(
        ["groff", "-K", "utf8", "-man", "-ww", "-T", "utf8", str(page)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
