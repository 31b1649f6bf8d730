"""The verbs. Each one calls a function of a room; what it needs is imported when it is called, so --help is quick."""

import click

from cpimportd import __version__
from cpimportd.cli.configuring import config
from cpimportd.cli.importing import demo, run
from cpimportd.cli.keeping import backup, db, prune
from cpimportd.cli.looking import check, history, show, summary
from cpimportd.cli.serving import daemon, reload, reschedule, status, trigger
from cpimportd.cli.timing import coming
from cpimportd.coredumps import forbid_core_dumps

_EPILOG = """
Exit codes: 0 done, or nothing new · 1 failed, nothing published · 2 wrong use or configuration ·
3 part of it held · 4 another run is under way · 5 that slot was done already.
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="cpimportd")
def cli() -> None:
    """Bring the credit portfolio from 1C's exports on an FTP server into PostgreSQL, to the kopeck.

    New here? `cpimportd demo` shows everything on generated data and needs nothing else.
    Then: `cpimportd config example > /etc/cpimportd/cpimportd.toml`, edit it, `cpimportd check`,
    `cpimportd db upgrade`, `cpimportd run --dry-run`, `cpimportd run`; then let `cpimportd daemon` do it every day.
    """


for verb in (
    *(run, demo, check, summary, history, show),
    *(daemon, status, coming, trigger, reload, reschedule),
    *(backup, prune, db, config),
):
    cli.add_command(verb)


def main() -> None:
    """The console script's entry."""
    forbid_core_dumps()
    cli(prog_name="cpimportd")
