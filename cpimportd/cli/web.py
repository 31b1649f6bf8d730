"""``web``: the interface over HTTP and the dashboard, as a process of its own."""

from pathlib import Path

import click

from cpimportd.cli.common import config_option, guarded_deed, json_option, load, print_json


@click.command()
@config_option
@json_option
@guarded_deed
def web(config_file: Path | None, as_json: bool) -> int:
    """Serve the dashboard and the interface over HTTP until SIGTERM or Ctrl-C.

    It only reads the books, and asks the daemon where somebody wants an import. Who asks shows a token: web.token, best
    as a credential. --json prints the address as a document when it answers. systemd starts it as the unit
    cpimportd-web.service. Needs the extra `web`.

    Example: `export CPIMPORTD_WEB__TOKEN=$(openssl rand -hex 32)`, `echo $CPIMPORTD_WEB__TOKEN`, `cpimportd web`; then
    open the address that it prints, and give the token there.
    """
    from cpimportd.config.load import require_database
    from cpimportd.core.problems import ProblemError, problem
    from cpimportd.daemon.journal import set_up, tell_in

    loaded = load(config_file)
    if loaded.settings.web.database_url is None:
        require_database(loaded.settings, loaded.path)
    try:
        from cpimportd.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cpimportd"):
            raise
        raise ProblemError(problem("web-not-installed", reason=str(error))) from error

    def ready(address: str) -> None:
        if as_json:
            print_json({"address": address})
        else:
            click.echo(f"answering at {address}", err=True)

    set_up()
    tell_in(loaded.settings.zone)
    serve(loaded.settings, ready)
    return 0
