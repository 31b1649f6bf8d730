"""The verbs. Each one calls a function of a room, and is imported with its dependencies only when it is called."""

import gc
import os
import sys
from typing import Final

import click

from cpimportd import __version__
from cpimportd.cli.output import after_output
from cpimportd.cli.sections import Sections, Verbs
from cpimportd.core import process
from cpimportd.core.process import forbid_core_dumps

_EPILOG = """
Exit codes: 0 done, or nothing new · 1 failed, nothing published · 2 wrong use or configuration ·
3 part of it held · 4 another run is in progress · 5 that slot was done already.
"""


_VERBS: Final = {
    "run": ("run",),
    "accept": ("accept", "undo"),
    "demo": ("demo",),
    "rehearse": ("rehearse",),
    "history": ("history", "show", "diff"),
    "explain": ("explain", "rejects"),
    "status": ("status", "check", "summary"),
    "schedule": ("next", "trigger", "reload", "reschedule"),
    "daemon": ("daemon", "web"),
    "notify": ("alerts", "notify", "metrics"),
    "report": ("report", "reconcile"),
    "maintenance": ("db", "backup", "prune", "config", "completion"),
}
"""By the module where they are."""


@click.group(
    cls=Sections,
    commands=Verbs(_VERBS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="cpimportd")
def cli() -> None:
    """Bring the credit portfolio from 1C's exports on an FTP server into PostgreSQL, to the kopeck.

    New here? `cpimportd demo` shows everything on generated data and needs nothing else. For production:

    \b
      cpimportd config example > /etc/cpimportd/cpimportd.toml    (edit it)
      cpimportd check              until nothing says FAILED
      cpimportd db upgrade
      cpimportd run --dry-run      shows what would change
      cpimportd run
      systemctl start cpimportd    import every day

    Every verb has an example: `cpimportd VERB --help`.
    """  # noqa: D301 - \b is click's mark for lines that stay as they are


_OBJECTS_PER_COLLECTION = 10_000
"""Python's own 700 suit short-lived objects. What a start imports stays; to look at it again and again was an eighth of
the start."""


def main() -> None:
    """The console script's entry."""
    process.prepare()
    forbid_core_dumps()
    os.umask(0o077)  # whatever a verb or a child of it writes holds the holding's payments
    # Plugins of other packages would see every value that pydantic validates, with the passwords; and to look for them
    # takes a while.  https://docs.pydantic.dev/latest/concepts/plugins/
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    try:
        cli(prog_name="cpimportd")
    except SystemExit as ended:
        # Of what click itself prints, such as --help, and of whatever was said after a verb's end.
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.exit(after_output(code, acted=False))
