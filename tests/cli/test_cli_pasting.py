"""What is printed to be pasted arrives as it was meant, whatever an organization is called: bash itself says so."""

import io
import shutil
import string
import subprocess
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from rich.console import Console

from cpimportd.books.journal.names import ambiguous
from cpimportd.cli import cli
from cpimportd.core.catalog import CATALOG
from cpimportd.core.formatting import command
from cpimportd.core.model import Group, Unit
from cpimportd.core.problems import problem
from cpimportd.core.report import RunReport, RunStatus, UnitReport, UnitStatus
from cpimportd.render.run import render

NAMES = (
    'ООО "Рога и копыта"',
    "ООО «Рога  и копыта»",
    "О'Хара и Ко",
    "Рога & Ко; rm -rf $HOME",
    "$(touch /tmp/x) `id`",
    "Рога\\и!копыта#1",
    "*?[а-я]{1,2}~",
    "а | б > в < г",
    "-Рога",
    "О'\"$`\\",
    "ООО\u00a0Лотос",
)
STUB = "cpimportd() { printf '%s\\n' \"$@\"; }; "


def pasted(line: str) -> list[str]:
    """The words that our command gets when a line is pasted into bash."""
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-c", STUB + line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), line
    return [word for word in done.stdout.splitlines() if word != "--"]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_reaches_us_word_by_word(name):
    unit = f"{name}/expenses"
    assert pasted(command("accept", unit, "МОСТ ООО/receipts")) == ["accept", unit, "МОСТ ООО/receipts"]


@pytest.mark.parametrize("name", NAMES)
def test_the_reports_own_line_can_be_pasted(name):
    units = tuple(Unit(one, Group.EXPENSES) for one in (name, "МОСТ ООО"))
    held = tuple(
        UnitReport(
            unit, UnitStatus.HELD,
            problems=(problem("rekeyed", organization=unit.organization, unit=unit.name, count=1),),
        )
        for unit in units
    )  # fmt: skip
    text = io.StringIO()
    now = datetime(2026, 11, 24, tzinfo=UTC)
    render(RunReport(7, RunStatus.HELD, now, 1.0, units=held), Console(file=text, width=40, force_terminal=False))
    (line,) = [line for line in text.getvalue().splitlines() if line.startswith("    cpimportd accept")]
    assert pasted(line) == ["accept", *(unit.name for unit in units)]


@pytest.mark.parametrize("name", NAMES)
def test_every_way_out_that_names_a_unit_can_be_pasted(name):
    kinds = [kind for kind in CATALOG.values() if "cpimportd accept {unit}" in kind.way_out]
    assert kinds
    for kind in kinds:
        named = {
            name for text in (kind.sentence, kind.way_out) for _, name, _, _ in string.Formatter().parse(text) if name
        }
        facts = dict.fromkeys(named - {"organization", "unit"}, "1")
        found = problem(kind.code, organization=name, unit=f"{name}/expenses", **facts)
        line = found.way_out[found.way_out.index("cpimportd accept") :].removesuffix(".")
        assert pasted(line) == ["accept", f"{name}/expenses"], kind.code


def test_names_to_choose_from_can_be_pasted():
    way_out = ambiguous("organizations", "о", NAMES).way_out
    for name in NAMES:
        word = command("explain", name).partition("explain ")[2].removeprefix("-- ")
        assert word in way_out
        assert pasted(f"cpimportd diff 2 --organization={word}") == ["diff", "2", f"--organization={name}"]


def test_what_an_undo_prints_can_be_pasted(two_days, make_database, tmp_path):
    """The samples have ООО "СЕВЕРНАЯ": within double quotes a shell took the inner ones away."""
    url = make_database(urlsplit(two_days.url).path.strip("/"))
    (tmp_path / "state").mkdir(mode=0o700)
    config = tmp_path / "cpimportd.toml"
    config.write_text(f'state_directory = "{tmp_path}/state"\n[database]\nurl = "{url}"\n')
    config.chmod(0o600)
    done = CliRunner().invoke(cli, ["undo", "3", "--through", "--yes", "--config", str(config)])
    assert done.exit_code == 0, done.output
    lines = [line.partition(": ")[2] for line in done.output.splitlines() if "to take those of now" in line]
    assert ["accept", 'ООО "СЕВЕРНАЯ"/expenses'] in [pasted(line) for line in lines]
    assert all(len(pasted(line)) == 2 for line in lines)
