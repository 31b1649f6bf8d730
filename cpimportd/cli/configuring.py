"""``config``: what is set, where it comes from, and what could be set."""

from pathlib import Path

import click

from cpimportd.cli.common import config_option, guarded, json_option, load, print_json


@click.group()
def config() -> None:
    """Show the effective configuration, or an annotated example of one."""


@config.command(name="show")
@config_option
@click.option("--set", "only_set", is_flag=True, help="Only what is set somewhere, without the defaults.")
@json_option
@guarded
def show_config(config_file: Path | None, only_set: bool, as_json: bool) -> None:
    """Every key with its effective value and where it comes from; secrets are masked.

    Example: `cpimportd config show --set`. Whether it works: `cpimportd check`.
    """
    from cpimportd.config.show import as_json as configuration_as_json
    from cpimportd.config.show import render

    loaded = load(config_file)
    if as_json:
        print_json(configuration_as_json(loaded))
        return
    from cpimportd.render.layout import stdout_console
    from cpimportd.render.lists import render_config

    render_config(render(loaded, "set" if only_set else "all"), loaded.notes, stdout_console())


@config.command()
@guarded
def example() -> None:
    """Print a configuration file with every key, commented out at its default.

    Example: `cpimportd config example > /etc/cpimportd/cpimportd.toml`; set database.url and source.url, then
    `cpimportd check`.
    """
    from cpimportd.config.show import example as write_example

    click.echo(write_example(), nl=False)
