"""The human faces of the product: a run's report, lists and tables, in a terminal, a pipe and the journal."""

from cpimportd.rendering.bridge import render_bridge
from cpimportd.rendering.journal import JournalLine, journal_lines, run_message_id, summary_line
from cpimportd.rendering.layout import make_console, stdout_console
from cpimportd.rendering.lists import render_check, render_checks, render_config, render_summary
from cpimportd.rendering.past import render_changes, render_history, render_stored, stored_report
from cpimportd.rendering.run import render

__all__ = [
    "JournalLine",
    "journal_lines",
    "make_console",
    "render",
    "render_bridge",
    "render_changes",
    "render_check",
    "render_checks",
    "render_config",
    "render_history",
    "render_stored",
    "render_summary",
    "run_message_id",
    "stdout_console",
    "stored_report",
    "summary_line",
]
