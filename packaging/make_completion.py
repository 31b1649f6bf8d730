"""Writes click's completion for bash, zsh and fish to where Debian's shells look for it.

usage: make_completion.py FOLDER

FOLDER stands for /usr/share. The scripts only ask the command, so they need not know its verbs.
"""

import sys
from pathlib import Path

from click.shell_completion import get_completion_class

from cpimportd.cli import cli

PLACES = {
    "bash": "bash-completion/completions/cpimportd",
    "zsh": "zsh/vendor-completions/_cpimportd",
    "fish": "fish/vendor_completions.d/cpimportd.fish",
}


def main(share: Path) -> None:
    """Write one file for each shell."""
    for shell, place in PLACES.items():
        completion = get_completion_class(shell)
        if completion is None:
            sys.exit(f"click knows no completion for {shell}")
        path = share / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(completion(cli, {}, "cpimportd", "_CPIMPORTD_COMPLETE").source(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
