"""Every word of the dashboard in English, and ``words.js``, which has them in all languages for the browser.

All other texts come from the server, in the language of the request.
"""

import json
from collections.abc import Mapping
from typing import Final

from cpimportd.core.texts.translation import LANGUAGES, Language, translated, translated_forms

WORDS: Final[Mapping[str, str | tuple[str, str]]] = {
    "subtitle": "the credit portfolio’s import from 1C",
    "skip": "Skip to content",
    "language": "Language",
    "leave": "Forget the token",
    "login_title": "Sign in",
    "enter": "Show the books",
    "token": "Token",
    "login_why": "The server asks for its token: web.token of its configuration. It stays in this window and goes with it.",
    "login_wrong": "This is not the token.",
    "figures": "The books",
    "receipts": "Receipts",
    "expenses": "Expenses",
    "principal": "Principal paid",
    "interest": "Interest paid",
    "other": "Other payments",
    "contracts": "Active contracts",
    "documents": ("{n} document", "{n} documents"),
    "held_title": "Held",
    "held_aside": "Nothing new of these is in the books, until what is named here is corrected.",
    "held_since": "since {since}",
    "way_out": "What to do:",
    "details": "In the words of the import:",
    "show_run": "Show run {run}",
    "days": "The last 30 days",
    "no_run_that_day": "{day}: no import",
    "that_day": "{day}: {runs}, the last {status}",
    "months": "Principal and interest by month",
    "organization": "Organization",
    "period": "Months",
    "everybody": "All",
    "as_table": "As a table",
    "month": "Month",
    "undated": "without a date",
    "no_months": "No payments in this time.",
    "chart_label": "Principal and interest by month: left and right arrow keys go from month to month",
    "files": "Workbooks",
    "workbook": "Workbook",
    "kind": "Holds",
    "whose": "Of",
    "uploaded": "Uploaded",
    "good": "Last right",
    "state": "State",
    "never": "never",
    "unknown": "unknown",
    "stale_mark": "not uploaded anew",
    "no_files": "No workbook was read yet.",
    "files_more": ("{n} more workbook.", "{n} more workbooks."),
    "show_all": "Show all of them",
    "kind_receipts": "receipts",
    "kind_expenses": "expenses",
    "kind_details": "expense details",
    "kind_principal": "of these: principal",
    "kind_interest": "of these: interest",
    "kind_other": "of these: other",
    "light_green": "All is well",
    "light_yellow": "Needs attention",
    "light_red": "Something is wrong",
    "why_all-well": "The last import went through, and nothing is held.",
    "why_daemon-not-running": "The daemon does not run: nothing is imported by itself.",
    "why_daemon-permission": "The daemon runs as another user; what it does cannot be seen from here.",
    "why_daemon-silent": "The daemon does not answer.",
    "why_last-failed": "The last import failed; the books are those of the day before.",
    "why_no-run": "Nothing was imported yet.",
    "why_held-files": (
        "{n} workbook is held, and nobody knows whose it is.",
        "{n} workbooks are held, and nobody knows whose they are.",
    ),
    "why_schedule-failed": (
        "The last job of a schedule was not done.",
        "The last jobs of {n} schedules were not done.",
    ),
    "why_held": ("{n} unit is held.", "{n} units are held."),
    "why_stale": ("{n} workbook was not uploaded anew.", "{n} workbooks were not uploaded anew."),
    "why_waiting": ("A schedule waits, and tries again.", "{n} schedules wait, and try again."),
    "why_run-waiting": "The import waits for something that keeps it.",
    "why_refused": "A new configuration of the daemon was refused; it goes on by the old one, and a restart may fail.",
    "waits": "waits for {what}",
    "wait_next": "next try {at}",
    "wait_until": "gives up {at}",
    "wait_source": "the FTP server",
    "wait_folder": "the folder of workbooks",
    "wait_upload": "an upload to end",
    "wait_other-half": "the other half of an upload",
    "wait_database": "the database",
    "wait_lock": "a lock in the database",
    "wait_commit": "the database’s word whether the import was committed",
    "wait_upgrade": "another upgrade of the schema",
    "wait_backup": "the backup of the books",
    "wait_reader": "the reader of a workbook",
    "wait_cluster": "the cluster",
    "wait_cache": "the cache",
    "wait_views": "a materialized view",
    "wait_alerts": "alerts to be sent",
    "wait_daemon": "the daemon",
    "why_slotless": ("A schedule has no slot any more.", "{n} schedules have no slot any more."),
    "next_slot": "Next import {when}, {away}",
    "no_slot": "No import is scheduled.",
    "trigger": "Import now",
    "asked": "Asked.",
    "queued": "One more import follows this one.",
    "running": "Importing: {stage}",
    "of_files": "{done} of {files} workbooks",
    "began": "began {away}",
    "stage_fetching": "fetching workbooks",
    "stage_reading": "reading workbooks",
    "stage_checking": "checking",
    "stage_publishing": "publishing",
    "stage_committing": "committing",
    "stage_telling readers": "telling readers",
    "stage_asking the database whether it published": "it broke off; the database is asked whether it was published",
    "runs": ("{n} import", "{n} imports"),
    "seconds": ("{n} second", "{n} seconds"),
    "status_published": "published",
    "status_unchanged": "nothing new",
    "status_partial": "partly held",
    "status_held": "held",
    "status_failed": "failed",
    "status_abandoned": "broken off",
    "status_running": "under way",
    "status_ignored": "left out",
    "status_read": "read",
    "status_dry-run": "dry run",
    "status_rejected": "rejected",
    "status_undone": "undone",
    "m_published": "published",
    "m_unchanged": "nothing new",
    "m_held": "held",
    "m_ignored": "left out",
    "m_read": "read",
    "m_rejected": "rejected",
    "m_undone": "undone",
    "run": "Import {run}",
    "close": "Close",
    "began_at": "Began",
    "took": "Took",
    "by": "Started by",
    "by_schedule": "schedule {name}",
    "by_hand": "hand",
    "host": "On",
    "same_day": "Imports of this day",
    "loading": "One moment …",
    "problems": "What was noticed",
    "no_problems": "Nothing.",
    "place_row": "row {row}",
    "place_column": "column «{column}»",
    "place_value": "«{value}»",
    "units": "From yesterday’s sum to today’s",
    "unit": "Unit",
    "opening": "Before",
    "added": "Added",
    "removed": "Removed",
    "changed": "Changed",
    "closing": "After",
    "rows": "Rows",
    "total": "Control total",
    "diff": "What changed",
    "diff_added": "added",
    "diff_removed": "removed",
    "diff_changed": "changed",
    "diff_retimed": "re-timed",
    "diff_rekeyed": "re-keyed",
    "more": "Show more",
    "no_diff": "No document came, went or changed.",
    "nothing": "nothing",
    "was": "was {name}",
    "lines": ("{n} detail line differs", "{n} detail lines differ"),
    "source": "{file}, row {row}",
    "server_away": "The server does not answer.",
    "server_away_out": "Look whether cpimportd web still runs; this page tries again.",
    "no_database": "The books cannot be read",
    "as_of": "As of {moment}; times are those of {zone}.",
    "mixed": "Sums are over {currencies}.",
}
"""By key; of a text that depends on a number its two forms. ``{n}`` is that number, other braces hold other facts.

Of a workbook or a unit, ``m_`` and a state is what ``status_`` and that state is of an import: English has one form.
"""

_OTHER_GENDER: Final = "m_"
_HEAD: Final = """\
// Every word of the page, in all languages. Made by `python -m cpimportd.core.texts.po`;
// change cpimportd/core/texts/page.py and ru.po instead.
"""


def render() -> str:
    """The module ``words.js``."""
    words = {language: dict(_words(language)) for language in LANGUAGES}
    return f"{_HEAD}\nexport const words = {json.dumps(words, ensure_ascii=False, indent=1)};\n"


def _words(language: Language) -> list[tuple[str, str | dict[str, str]]]:
    """The words of a language, as the page asks for them: of those with a number, by the names of CLDR's plurals."""
    found: list[tuple[str, str | dict[str, str]]] = []
    for key, text in WORDS.items():
        if isinstance(text, tuple):
            found.append((key, translated_forms(text, f"page {key}", language)))
        elif language != "en" or not key.startswith(_OTHER_GENDER):
            found.append((key, translated(text, f"page {key}", language)))
    return found
