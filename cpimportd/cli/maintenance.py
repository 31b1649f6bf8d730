"""``db``, ``backup``, ``prune``, ``config`` and ``completion``: installation and maintenance."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import run_async
from cpimportd.cli.output import Answer

if TYPE_CHECKING:
    from rich.console import Console

    from cpimportd.config.settings import Settings


async def _back_up(settings: "Settings") -> Path:
    from cpimportd.books.database.backup import backup as dump

    return await dump(settings.database, settings.state_directory / "backups")


@click.command()
@config_option
@json_option
@verb(changes_something=True)
def backup(call: Call) -> Answer:
    """Dump the tables concerned into the state folder (pg_dump's custom format, for pg_restore).

    The last seven are kept. Also made by itself before a migration touches existing data.

    Example: `cpimportd backup`; it prints the file. What is in it: `pg_restore --list FILE`.
    """
    from cpimportd.core.formatting import count

    file = run_async(_back_up(call.require_database()))
    size = file.stat().st_size
    return Answer(lambda: {"file": str(file), "bytes": size}, f"{file} ({count(size)} bytes)")


@click.command()
@config_option
@json_option
@verb(changes_something=True)
def prune(call: Call) -> Answer:
    """Remove what is older than its retention: workbooks (spool.keep) and journal entries (journal.keep).

    The daemon does it once a day; the runs themselves and their bridges are always kept.

    Example: `cpimportd prune`, after spool.keep was made shorter because the disk is full.
    """
    from datetime import UTC, datetime

    from cpimportd.books.publish.runs import prune_changes
    from cpimportd.core.formatting import count
    from cpimportd.run.spool import prune_spool

    settings, now = call.settings, datetime.now(UTC)
    department = settings.department_id
    folders = (
        prune_spool(settings.spool_directory, now - settings.spool.keep) if settings.spool_directory.is_dir() else 0
    )
    entries = 0
    if settings.journal.keep:
        before = now - settings.journal.keep
        entries = call.read(lambda connection: prune_changes(connection, department, before), direct=True)
    return Answer(
        lambda: {"spool_folders": folders, "journal_entries": entries},
        hint=f"removed the workbooks of {count(folders)} runs and {count(entries)} journal entries",
    )


@click.group()
def db() -> None:
    """Upgrade the database schema, or show its version."""


@db.command()
@config_option
@json_option
@verb(changes_something=True)
def upgrade(call: Call) -> Answer:
    """Create or upgrade cpimportd's own schema; on an empty database also the backend's tables.

    Where the backend's tables exist, nothing is added to them. Running it again changes nothing.

    Example: `cpimportd check`, `cpimportd db upgrade`, then `cpimportd run --dry-run`.
    """
    from cpimportd.books.schema.upgrade import upgrade as migrate

    settings = call.require_database()
    result = run_async(
        migrate(
            settings.database,
            department_id=settings.department_id,
            backup=lambda: _back_up(settings),
            echo=lambda line: click.echo(line, err=True),
        )
    )
    made = ", with the backend's tables" if result.created_backend_tables else ""
    already = result.before == result.after
    return Answer(
        lambda: {"before": result.before, "after": result.after, "created_tables": result.created_backend_tables},
        f"the database is at {result.after} already" if already else f"the database is at {result.after} now{made}",
    )


@db.command()
@config_option
@json_option
@verb()
def current(call: Call) -> Answer:
    """Show the schema's version, and the one that this program needs. Exit code 1 if an upgrade is due.

    Example: `cpimportd db current || cpimportd db upgrade`.
    """
    from cpimportd.books.schema.upgrade import REVISION
    from cpimportd.books.schema.upgrade import current as read_current

    found = run_async(read_current(call.require_database().database))
    due = f"{found or 'no schema'}; this version needs {REVISION}: run `cpimportd db upgrade`"
    return Answer(
        lambda: {"current": found, "needed": REVISION},
        f"{found} (up to date)" if found == REVISION else due,
        code=0 if found == REVISION else 1,
    )


@click.group()
def config() -> None:
    """Show the effective configuration, or an annotated example of one."""


@config.command(name="show")
@config_option
@click.option("--set", "only_set", is_flag=True, help="Only what is set somewhere, without the defaults.")
@json_option
@verb()
def show_config(call: Call, only_set: bool) -> Answer:
    """Every key with its effective value and where it comes from; secrets are masked.

    Example: `cpimportd config show --set`. Whether it works: `cpimportd check`.
    """
    from cpimportd.config.show import config_document as configuration_as_json
    from cpimportd.config.show import render

    loaded = call.loaded

    def show(console: "Console") -> None:
        from cpimportd.render.lists import render_config

        render_config(render(loaded, "set" if only_set else "all"), loaded.notes, console)

    return Answer(lambda: configuration_as_json(loaded), show)


@config.command()
@verb()
def example(_: Call) -> None:
    """Print a configuration file with every key, commented out at its default.

    Example: `cpimportd config example > /etc/cpimportd/cpimportd.toml`; set database.url and source.url, then
    `cpimportd check`.
    """
    from cpimportd.config.show import example as write_example

    click.echo(write_example(), nl=False)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what lets a shell complete verbs and options after the Tab key.

    The Debian package has installed it already. Elsewhere, once:

    \b
      bash:  cpimportd completion bash > ~/.local/share/bash-completion/completions/cpimportd
      zsh:   cpimportd completion zsh > "${fpath[1]}/_cpimportd"
      fish:  cpimportd completion fish > ~/.config/fish/completions/cpimportd.fish

    For this session alone: `eval "$(cpimportd completion bash)"`.
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from click.shell_completion import get_completion_class

    from cpimportd.cli import cli

    made = get_completion_class(shell)
    if made is None:  # every choice above is known to click
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(made(cli, {}, "cpimportd", "_CPIMPORTD_COMPLETE").source())
