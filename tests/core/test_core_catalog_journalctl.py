"""What the real journalctl makes of the files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"

pytestmark = pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not installed")


@pytest.fixture
def journalctl(tmp_path):
    """Installs files as a package does and asks journalctl about them; nothing outside the folder is touched."""
    catalog = tmp_path / "usr/lib/systemd/catalog"
    catalog.mkdir(parents=True)

    def ask(*arguments, **environ):
        return subprocess.run(
            ["journalctl", f"--root={tmp_path}", "--no-pager", *arguments],
            env={**os.environ, "LC_ALL": "C.UTF-8", **environ},
            check=True, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip

    def install(*files):
        for source, name in files:
            shutil.copy(source, catalog / name)
        updated = ask("--update-catalog")
        assert updated.stdout + updated.stderr == ""
        return ask

    return install


@pytest.fixture(scope="module")
def russian_locale(tmp_path_factory):
    """A Russian locale, which few servers have; to make one takes seconds."""
    folder = tmp_path_factory.mktemp("locales")
    try:
        made = subprocess.run(
            ["localedef", "-i", "ru_RU", "-f", "UTF-8", str(folder / "ru_RU.UTF-8")], check=False, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("localedef is not installed")
    if made.returncode:
        pytest.skip("there are no sources of locales (package locales)")
    return {"LOCPATH": str(folder), "LC_ALL": "ru_RU.UTF-8"}


def test_journalctl_reads_every_entry_word_by_word(file, parse, journalctl):
    """Each language on its own, under a name without a language, so that no locale is needed."""
    ask = journalctl((file, "cpimportd.catalog"))
    expected = {entry.message_id: entry for entry in parse(file.read_text(encoding="utf-8"))}
    found = {entry.message_id: entry for entry in parse(ask("--dump-catalog").stdout)}
    assert found == expected


def test_journalctl_lists_who_wrote_each_entry_and_its_subject(file, entries, journalctl):
    ask = journalctl((file, "cpimportd.catalog"))
    lines = {f"{entry.message_id} cpimportd: {entry.header['Subject']}" for entry in entries.values()}
    assert set(ask("--list-catalog").stdout.splitlines()) == lines


def test_journalctl_speaks_the_readers_language(file, entries, journalctl, parse, russian_locale):
    ask = journalctl(*((FOLDER / name, name) for name in ("cpimportd.catalog", "cpimportd.ru.catalog")))
    locale = russian_locale if file.name.endswith(".ru.catalog") else {}
    some = list(entries)[::20]
    found = parse(ask("--dump-catalog", *some, **locale).stdout)
    assert found == [entries[message_id] for message_id in some]
