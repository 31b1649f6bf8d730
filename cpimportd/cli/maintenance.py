"""``backup``, ``prune`` and ``db``: the verbs that look after what is kept."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.common import config_option, guarded, guarded_deed, json_option, load, print_json, run_async

if TYPE_CHECKING:
    from datetime import datetime

    from cpimportd.config.load import Loaded


async def _back_up(loaded: "Loaded") -> Path:
    from cpimportd.books.database.backup import backup as dump

    return await dump(loaded.settings.database, loaded.settings.state_directory / "backups")


@click.command()
@config_option
@json_option
@guarded_deed
def backup(config_file: Path | None, as_json: bool) -> None:
    """Dump the tables concerned into the state folder (pg_dump's custom format, for pg_restore).

    The last seven are kept. Also made by itself before a migration touches existing data.

    Example: `cpimportd backup`; it prints the file. What is in it: `pg_restore --list FILE`.
    """
    from cpimportd.config.load import require_database
    from cpimportd.core.figures import count

    loaded = load(config_file)
    require_database(loaded.settings, loaded.path)
    file = run_async(_back_up(loaded))
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size})
    else:
        click.echo(f"{file} ({count(file.stat().st_size)} bytes)")


@click.command()
@config_option
@json_option
@guarded_deed
def prune(config_file: Path | None, as_json: bool) -> None:
    """Remove what is older than its retention: workbooks (spool.keep) and journal entries (journal.keep).

    The daemon does it once a day; the runs themselves and their bridges are always kept.

    Example: `cpimportd prune`, after spool.keep was made shorter because the disk is full.
    """
    from datetime import UTC, datetime

    from cpimportd.config.load import require_database
    from cpimportd.core.figures import count
    from cpimportd.run.spool import prune_spool

    loaded = load(config_file)
    settings, now = loaded.settings, datetime.now(UTC)
    folders = (
        prune_spool(settings.spool_directory, now - settings.spool.keep) if settings.spool_directory.is_dir() else 0
    )
    entries = 0
    if settings.journal.keep:
        require_database(settings, loaded.path)
        entries = run_async(_prune_journal(loaded, now - settings.journal.keep))
    if as_json:
        print_json({"spool_folders": folders, "journal_entries": entries})
    else:
        click.echo(f"removed the workbooks of {count(folders)} runs and {count(entries)} journal entries", err=True)


async def _prune_journal(loaded: "Loaded", before: "datetime") -> int:
    from cpimportd.books.reports.retention import prune_changes
    from cpimportd.cli.status import reading

    department = loaded.settings.department_id
    return await reading(loaded, lambda connection: prune_changes(connection, department, before), direct=True)


@click.group()
def db() -> None:
    """Bring the database to what this version needs, or look where it stands."""


@db.command()
@config_option
@json_option
@guarded_deed
def upgrade(config_file: Path | None, as_json: bool) -> None:
    """Create or upgrade cpimportd's own schema; on an empty database also the backend's tables.

    Where the backend's tables exist, nothing is added to them. Running it again changes nothing.

    Example: `cpimportd check`, `cpimportd db upgrade`, then `cpimportd run --dry-run`.
    """
    from cpimportd.books.schema.upgrade import upgrade as migrate
    from cpimportd.config.load import require_database

    loaded = load(config_file)
    require_database(loaded.settings, loaded.path)
    result = run_async(
        migrate(
            loaded.settings.database,
            department_id=loaded.settings.department_id,
            backup=lambda: _back_up(loaded),
            echo=lambda line: click.echo(line, err=True),
        )
    )
    if as_json:
        print_json({"before": result.before, "after": result.after, "created_tables": result.created_backend_tables})
    elif result.before == result.after:
        click.echo(f"the database is at {result.after} already")
    else:
        made = ", with the backend's tables" if result.created_backend_tables else ""
        click.echo(f"the database is at {result.after} now{made}")


@db.command()
@config_option
@json_option
@guarded
def current(config_file: Path | None, as_json: bool) -> int:
    """Where the database stands, and what this version needs. Exit code 1 where an upgrade is due.

    Example: `cpimportd db current || cpimportd db upgrade`.
    """
    from cpimportd.books.schema.upgrade import REVISION
    from cpimportd.books.schema.upgrade import current as read_current
    from cpimportd.config.load import require_database

    loaded = load(config_file)
    require_database(loaded.settings, loaded.path)
    found = run_async(read_current(loaded.settings.database))
    if as_json:
        print_json({"current": found, "needed": REVISION})
    elif found == REVISION:
        click.echo(f"{found} (up to date)")
    else:
        click.echo(f"{found or 'no schema'}; this version needs {REVISION}: run `cpimportd db upgrade`")
    return 0 if found == REVISION else 1
