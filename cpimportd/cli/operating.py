"""``rehearse``, ``metrics`` and ``completion``: the verbs of whoever looks after the machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import FilePath
from cpimportd.cli.common import config_option, guarded, guarded_deed_with, json_option, load, print_json, run_async

if TYPE_CHECKING:
    from cpimportd.config.load import Loaded
    from cpimportd.config.settings import Settings
    from cpimportd.core.rehearsed import Rehearsal


@click.command()
@click.argument("new", type=FilePath(dir_okay=False), metavar="NEW.toml")
@click.option(
    "--days", type=click.IntRange(min=1), metavar="N", help="Only the latest N days.  [default: all there are]"
)
@config_option
@json_option
@guarded
def rehearse(new: Path, days: int | None, config_file: Path | None, as_json: bool) -> int:
    """Try another configuration on the days that the spool has kept, before it comes into force.

    Goes through the files of those days once more, oldest first, by the checks and guards of NEW.toml, and tells for
    each day which units would now be held, no longer be held, or be summed differently; then the coming year's slots of
    both configurations. It plays in a database of its own: one beside the books where the role may create it
    (CREATEDB), else an embedded PostgreSQL (the extra `demo`). The books and the FTP server are not
    touched. Both go when it ends.

    Example: copy /etc/cpimportd/cpimportd.toml to new.toml, edit that, `cpimportd rehearse new.toml --days 7`; if you
    like what you see, put it into place and `systemctl reload cpimportd`.

    Exit codes: 0 nothing more would be held · 3 something would · 1 a run would fail · 2 NEW.toml is wrong.
    """
    from datetime import UTC, datetime

    from cpimportd.config.yearslots import compare_schedules
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.rehearsal import render_rehearsal

    present, proposed = load(config_file).settings, load(new).settings
    found = run_async(_rehearse(present, proposed, days))
    schedules = compare_schedules(present, proposed, datetime.now(UTC))
    if as_json:
        tree = {"place": found.place, "runs": found.runs}
        print_json({**tree, "schedules": schedules})
    else:
        render_rehearsal(found, schedules, stdout_console())
    return found.code


async def _rehearse(present: "Settings", proposed: "Settings", days: int | None) -> "Rehearsal":
    from cpimportd.config.load import require_database
    from cpimportd.render.progress import choose_progress
    from cpimportd.run.rehearsal import rehearse as play

    require_database(present)
    with choose_progress() as progress:
        return await play(present, proposed, days, progress)


@click.command()
@click.option("--textfile", type=FilePath(dir_okay=False), metavar="PATH",
              help="Write them there in one step, for node_exporter's textfile collector; print nothing.")  # fmt: skip
@config_option
@guarded_deed_with("textfile")
def metrics(textfile: Path | None, config_file: Path | None) -> None:
    """Print what Prometheus can watch: last success, durations, rows and sums, held units, freshness, missed slots.

    Needs the extra `metrics`. Where `cpimportd web` runs, the same is at /metrics. Sums are floats here:
    to the kopeck are the books alone (`cpimportd summary`).

    Example: `cpimportd metrics --textfile /var/lib/prometheus/node-exporter/cpimportd.prom`. The key metrics.textfile
    lets every run do that by itself when it ends.
    """
    from cpimportd.core.problems import ProblemError, problem
    from cpimportd.notify.measuring import write_metrics

    text = run_async(_metrics(load(config_file)))
    if textfile is None:
        click.echo(text, nl=False)
        return
    try:
        write_metrics(textfile, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProblemError(problem("disk", path=str(textfile), reason=reason)) from error


async def _metrics(loaded: "Loaded") -> str:
    from cpimportd.books.publish.notices import readers
    from cpimportd.cli.looking import reading
    from cpimportd.notify.measuring import daemon_status, metrics_text

    settings = loaded.settings
    daemon, told = daemon_status(settings.state_directory), readers(settings)
    return await reading(loaded, lambda connection: metrics_text(connection, settings.department_id, daemon, told))


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
