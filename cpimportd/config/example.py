"""The annotated example of the file, made from config/settings.py itself so that it cannot say anything else."""

import json
from textwrap import wrap

from cpimportd.config.keys import Key, KeyPath, all_keys, dotted
from cpimportd.config.show import plain
from cpimportd.core.statefolder import DEFAULT_PATH

_HEAD = f"""\
# {DEFAULT_PATH}: the configuration of cpimportd.
#
# Every key stands here with its default, commented out; a key without a default shows an example.
# Each can also be set by an environment variable, CPIMPORTD_SECTION__KEY, and a secret by a systemd
# credential named section.key. `cpimportd config show` says which value holds and where it comes from.
"""


def example() -> str:
    """A TOML file that says what can be set: prose after ``# ``, keys after ``#`` alone.

    Uncommenting every key that has a default changes nothing.
    """
    lines = [_HEAD.rstrip()]
    section: KeyPath = ()
    for key in all_keys().values():
        if key.path[:-1] != section:
            section = key.path[:-1]
            lines += ["", *_prose(key.section.__doc__ or ""), f"[{dotted(section)}]"]
        lines += ["", *_prose(key.field.description or ""), f"#{key.path[-1]} = {_value(key)}"]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), 98)]


def _value(key: Key) -> str:
    default = key.field.get_default(call_default_factory=True)
    value = (key.field.examples or [None])[0] if default is None else plain(key.path, default)
    return json.dumps(value, ensure_ascii=False)  # texts, numbers, booleans and lists look alike in JSON and TOML
