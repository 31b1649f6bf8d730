"""What verbs that change the books beside the daemon tell it, so that ``status`` knows what they did."""

from datetime import timedelta
from typing import TYPE_CHECKING

from cpimportd.cli.common import say

if TYPE_CHECKING:
    from cpimportd.config.load import Loaded
    from cpimportd.core.report import RunReport


def tell_daemon(loaded: "Loaded", report: "RunReport", *, elsewhere: bool = False, only: tuple[str, ...] = ()) -> None:
    """Leave word of a run that came so far as to judge or change the books; what hinders it is said as a warning.

    Args:
        loaded: the configuration.
        report: of the run.
        elsewhere: its workbooks were not those on the server.
        only: the kinds that it was to import; empty means all.
    """
    from cpimportd.core.outcomes import JUDGED
    from cpimportd.core.problems import ProblemError
    from cpimportd.daemon.client import Client
    from cpimportd.daemon.elsewhere import Elsewhere
    from cpimportd.daemon.messages import Result, Seen
    from cpimportd.render.progress import of_report

    if report.status.value not in JUDGED:
        return
    told = list(of_report(report))
    (result,) = (one for one in told if isinstance(one, Result))
    seen = () if elsewhere else tuple(one for one in told if isinstance(one, Seen))
    ended = report.started_at + timedelta(seconds=report.seconds)
    try:
        word = Elsewhere(report.started_at, ended, result, seen, only)
        Client(loaded.settings.state_directory).leave_word(word)
    except ProblemError as error:
        say(error.problems)
