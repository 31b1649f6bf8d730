"""``demo``: the product on generated data."""

import click

from cpimportd.cli.common import Call, verb


@click.command()
@click.option("--keep", is_flag=True, help="Leave all of it running, with a daemon and the dashboard, to look around.")
@verb(acts=True)
def demo(_: Call, keep: bool) -> int:
    """Show the product on generated exports: day 1, day 2 and a broken day.

    Needs nothing but the extra `demo`: an embedded PostgreSQL and a loopback FTP server are started,
    and are gone afterwards.

    Example: `cpimportd demo --keep`, then look around at what it prints.
    """
    from cpimportd.demo import run_demo

    return run_demo(keep=keep, echo=click.echo)
