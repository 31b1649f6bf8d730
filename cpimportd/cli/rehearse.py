"""``rehearse``: another configuration, tried on past days."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cpimportd.cli.arguments import FilePath
from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.connect import load, run_async
from cpimportd.cli.output import Answer

if TYPE_CHECKING:
    from cpimportd.config.settings import Settings
    from cpimportd.core.rehearsed import Rehearsal


@click.command()
@click.argument("new", type=FilePath(dir_okay=False), metavar="NEW.toml")
@click.option(
    "--days", type=click.IntRange(min=1), metavar="N", help="Only the latest N days.  [default: all there are]"
)
@config_option
@json_option
@verb()
def rehearse(call: Call, new: Path, days: int | None) -> Answer:
    """Try another configuration on the days that the spool has kept, before it comes into force.

    Repeats the imports of those days, oldest first, with the checks and guards of NEW.toml, and lists for each day the
    units that would now be held, no longer be held, or have other sums; then the coming year's slots of both
    configurations. It uses a temporary database: beside the books if the role may create one (CREATEDB), otherwise in
    an embedded PostgreSQL (the extra `demo`). The books and the FTP server are not touched.

    Example: copy /etc/cpimportd/cpimportd.toml to new.toml, edit that, `cpimportd rehearse new.toml --days 7`; if you
    like what you see, put it into place and `systemctl reload cpimportd`.

    Exit codes: 0 nothing more would be held · 3 something would · 1 a run would fail · 2 NEW.toml is wrong.
    """
    from datetime import UTC, datetime

    from cpimportd.config.show import compare_schedules
    from cpimportd.render.lists import render_rehearsal

    present, proposed = call.settings, load(new).settings
    found = run_async(_rehearse(present, proposed, days))
    schedules = compare_schedules(present, proposed, datetime.now(UTC))
    return Answer(
        lambda: {
            "place": found.place,
            "runs": found.runs,
            "schedules": schedules,
        },
        lambda console: render_rehearsal(found, schedules, console),
        code=found.code,
    )


async def _rehearse(present: "Settings", proposed: "Settings", days: int | None) -> "Rehearsal":
    from cpimportd.config.load import require_database
    from cpimportd.render.progress import choose_progress
    from cpimportd.run.rehearsal import rehearse as play

    require_database(present)
    with choose_progress() as progress:
        return await play(present, proposed, days, progress)
