"""Makes the man pages: what a verb or a key means is taken from the program, the rest from the pages' templates.

usage: make_pages.py TEMPLATES FOLDER

In a template, ``@VERBS@`` stands for all verbs with their options, ``@KEYS@`` for all keys of the configuration.
Pages are written in groff's man macros: groff_man(7).
"""

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from inspect import cleandoc
from itertools import groupby
from pathlib import Path

import click

from cpimportd import __version__
from cpimportd.cli import cli
from cpimportd.config.keys import Key, all_keys, dotted
from cpimportd.config.show import plain


def main(templates: Path, folder: Path) -> None:
    """Fill in every template."""
    made = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp()), UTC)
    facts = {"VERBS": verbs, "KEYS": keys, "VERSION": lambda: __version__, "DATE": lambda: f"{made:%Y-%m-%d}"}
    folder.mkdir(parents=True, exist_ok=True)
    for template in templates.glob("*.in"):
        text = re.sub(r"@([A-Z]+)@", lambda found: facts[found[1]](), template.read_text(encoding="utf-8"))
        (folder / template.stem).write_text(text, encoding="utf-8")


def escaped(text: str) -> str:
    """Text as groff shall print it: nothing in it is a command, and a hyphen can be copied to a command line."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    return "\\&" + text if text.startswith((".", "'")) else text


def prose(text: str) -> str:
    """A sentence in which ```` `code` ```` is set in bold."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return "".join(f"\\fB{escaped(part)}\\fR" if odd % 2 else escaped(part) for odd, part in enumerate(parts))


def paragraph(text: str) -> str:
    """Prose, or lines that stay as they are: click marks those by a backspace."""
    if not text.startswith("\b\n"):
        return prose(text)
    lines = text.removeprefix("\b\n").splitlines()
    return "\n".join((".EX", *(escaped(line) for line in lines), ".EE"))


def verbs() -> str:
    """Every verb, in the order of the code: usage, what it does, its options."""
    return "\n".join(line for name, verb in cli.commands.items() for line in _verb(name, verb))


def _verb(name: str, verb: click.Command) -> Iterator[str]:
    if isinstance(verb, click.Group):
        for inner, command in verb.commands.items():
            yield from _verb(f"{name} {inner}", command)
        return
    context = click.Context(verb, info_name=name)
    yield f".SS cpimportd {escaped(' '.join([name, *verb.collect_usage_pieces(context)]))}"
    yield from "\n.PP\n".join(paragraph(part) for part in cleandoc(verb.help or "").split("\n\n")).splitlines()
    for parameter in verb.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1] and "--help" not in parameter.opts:
            yield from (".TP", f"\\fB{escaped(record[0])}\\fR", prose(record[1]))


def keys() -> str:
    """Every key, section by section, with its default."""
    lines: list[str] = []
    for section, found in groupby(all_keys().values(), key=lambda key: key.path[:-1]):
        members = list(found)
        lines.append(f".SS {escaped(f'[{dotted(section)}]')}" if section else ".SS Above the first section")
        lines.append(prose(members[0].section.__doc__ or ""))
        for key in members:
            lines += [".TP", f"\\fB{escaped(key.path[-1])}\\fR{_default(key)}", prose(key.field.description or "")]
    return "\n".join(lines)


def _default(key: Key) -> str:
    default = key.field.get_default(call_default_factory=True)
    if default is not None:
        return f" = {escaped(str(plain(key.path, default)))}" if default != () else ""
    examples = key.field.examples or []
    return f" (such as {escaped(str(examples[0]))})" if examples and not key.secret else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
