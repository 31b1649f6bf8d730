"""``daemon`` and ``web``: the two processes that keep running."""

from typing import TYPE_CHECKING

import click

from cpimportd.cli.common import Call, config_option, json_option, verb
from cpimportd.cli.output import Answer

if TYPE_CHECKING:
    from cpimportd.daemon.log import Form


@click.command()
@config_option
@click.option("--log-format", "form", type=click.Choice(["auto", "text", "json", "journal"]), default="auto",
              show_default=True, help="Of log lines; auto: the journal under systemd, else text.")  # fmt: skip
@verb(changes_something=True)
def daemon(call: Call, form: "Form") -> int:
    """Run in the foreground, and import whenever a schedule is due; systemd starts this.

    Signals: SIGUSR1 imports now, SIGHUP reads the configuration again, SIGUSR2 writes the status into the journal,
    SIGTERM stops it: a run before its COMMIT is rolled back and its slot stays due. Under systemd:
    `systemctl kill --kill-who=main -s SIGUSR2 cpimportd`.

    Example: `systemctl start cpimportd`; to try it in a terminal: `cpimportd daemon --log-format text`, and
    `cpimportd status` in another one.
    """
    import signal

    from cpimportd.daemon.command_lines import start_planner

    # Until the loop listens to them, they would end the process: signal(7).
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    path = None if call.config_file is None else call.config_file.absolute()
    child = start_planner(path)  # it reads the configuration while we import what we need
    from cpimportd.daemon.main import main

    return main(path, form, child)


@click.command()
@config_option
@json_option
@verb(changes_something=True)
def web(call: Call) -> int:
    """Serve the dashboard and the HTTP API until SIGTERM or Ctrl-C.

    It only reads the books, and requests imports from the daemon. Every request needs the token: web.token, best as a
    credential. --json prints the address as a document when the server is ready. systemd starts it as the unit
    cpimportd-web.service. Needs the extra `web`.

    Example: `export CPIMPORTD_WEB__TOKEN=$(openssl rand -hex 32)`, `echo $CPIMPORTD_WEB__TOKEN`, `cpimportd web`; then
    open the address that it prints, and enter the token there.
    """
    from cpimportd.core.problems import ProblemError, problem
    from cpimportd.daemon.log import set_log_timezone, set_up_logging

    settings = call.settings
    if settings.web.database_url is None:
        call.require_database()
    try:
        from cpimportd.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cpimportd"):
            raise
        raise ProblemError(problem("web-not-installed", reason=str(error))) from error

    def ready(address: str) -> None:
        call.print(Answer(lambda: {"address": address}, hint=f"answering at {address}"))

    set_up_logging()
    set_log_timezone(settings.zone)
    serve(settings, ready)
    return 0
