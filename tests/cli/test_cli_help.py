"""--help as a newcomer reads it: every verb is in a section, uncut, and shows an example of itself."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cpimportd.cli import cli
from cpimportd.cli.sections import SECTIONS


def verbs(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name)


VERBS = pytest.mark.parametrize("verb", list(verbs()), ids=" ".join)


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--help"], prog_name="cpimportd", terminal_width=200)
    assert done.exit_code == 0
    return done.output


def test_every_verb_stands_in_one_section_with_a_line_that_is_not_cut():
    text = shown()
    listed = [name for verbs in SECTIONS.values() for name in verbs]
    assert sorted(listed) == sorted(cli.commands)
    for name in listed:
        assert len(re.findall(rf"^  {name} +\S", text, re.MULTILINE)) == 1, name
    assert "..." not in text.partition("Options:")[2]
    narrow = subprocess.run(
        [sys.executable, "-m", "cpimportd", "--help"],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "COLUMNS": "80"},
    ).stdout  # fmt: skip
    assert all(len(line) <= 80 for line in narrow.splitlines())


@VERBS
def test_every_verb_shows_how_it_is_used(verb):
    text = " ".join(shown(*verb).split())
    assert f"cpimportd {' '.join(verb)}" in text.partition("Usage:")[2].partition(" [OPTIONS]")[2]


@VERBS
def test_every_option_says_what_it_does(verb):
    command: click.Command = cli
    for name in verb:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, (verb, parameter.name)


def test_commands_that_help_names_are_there():
    """A newcomer pastes them."""
    known = {" ".join(verb) for verb in verbs()} | set(cli.commands)
    for verb in [(), *verbs()]:
        text = " ".join(shown(*verb).split())
        for named in re.findall(r"`cpimportd ((?:db |config )?[a-z]+)", text):
            assert named in known, (verb, named)
