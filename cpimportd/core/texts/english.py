"""The journal's catalog in English: sentences of :mod:`cpimportd.core.catalog` without facts that no field holds."""

import re
from collections.abc import Collection

from cpimportd.core.catalog import ProblemKind
from cpimportd.core.report import RunStatus
from cpimportd.core.texts.explanation import Consequence, Explanation, Text, fields_of, parts

CONSEQUENCES = {
    Consequence.RUN_FAILS: "The run ends and publishes nothing; the books stay as they were.",
    Consequence.RUN_STANDS_BACK: "This run does nothing, and the other one is not disturbed (exit code 4).",
    Consequence.SLOT_IS_DONE: "Nothing is done a second time (exit code 5). This is no failure.",
    Consequence.RUN_CUT_SHORT: "The run was cut short. Before its COMMIT it published nothing, after it everything; "
    "`cpimportd history` tells which.",
    Consequence.COMMIT_UNKNOWN: "Either everything that this run had to publish is in the books, or nothing of it; "
    "never a part.",
    Consequence.CONFIGURATION_REFUSED: "With this configuration nothing is imported. A command, or a daemon that "
    "starts, ends at once (exit code 2); a daemon that runs keeps the configuration it has.",
    Consequence.COMMAND_REFUSED: "The command ended at once and did nothing (exit code 2).",
    Consequence.COMMAND_FAILS: "The command ends without a result; the books stay as they were.",
    Consequence.DAEMON_STANDS_BACK: "This daemon does not start, and the other one goes on (exit code 4).",
    Consequence.WORK_GIVEN_UP: "What was under way was given up. A run publishes nothing then, unless it says that "
    "it has done so already.",
    Consequence.HELD: "What depends on this is held: an organization's receipts, or its expenses with their details. "
    "Their books stay as they were; everything else is published, unless guards.strict is set. Nobody can override "
    "this check.",
    Consequence.HELD_UNTIL_ACCEPTED: "The unit (an organization's receipts, or its expenses with their details) is "
    "held: its books stay as they were until somebody accepts it by name. Everything else is published, unless "
    "guards.strict is set.",
    Consequence.WARNING: "This is a warning: by itself it neither ends a run nor holds anything back.",
}
MAY_PASS = "It may pass by itself: a later try can succeed without anybody's help."  # noqa: S105 - no password

_RUN = "`cpimportd show {run}`"
STATUSES = {
    RunStatus.PUBLISHED: Explanation(
        "The import is done: everything is published",
        "All that the files brought passed its checks and is in the books, put there by one transaction. What had not "
        "changed was not written.",
        f"Nothing. {_RUN} shows the report.",
    ),
    RunStatus.UNCHANGED: Explanation(
        "The import is done: there was nothing new",
        "The files on the server hold what the books hold already, so nothing was written.",
        "Nothing. If news were expected, look whether 1C has exported.",
    ),
    RunStatus.PARTIAL: Explanation(
        "The import is done in part: something is held",
        "What passed its checks is in the books. What did not is held, and its books stay as they were. The lines "
        "after this one name each held unit and why (exit code 3).",
        f"Follow the ways out in the lines after this one; {_RUN} shows the whole report.",
    ),
    RunStatus.HELD: Explanation(
        "The import published nothing: what is new is held",
        "Nothing of what is new passed its checks, so the books stay as they were. The lines after this one name each "
        "held unit and why (exit code 3).",
        f"Follow the ways out in the lines after this one; {_RUN} shows the whole report.",
    ),
    RunStatus.FAILED: Explanation(
        "The import failed, or stood back",
        "Nothing was published, unless the line itself speaks of a lost COMMIT. Where it says “did nothing”, another "
        "run is under way or has done this already, which is no failure.",
        "Follow the ways out in the lines after this one.",
    ),
    RunStatus.DRY_RUN: Explanation(
        "A dry run is done: nothing was written",
        "It looked at everything as an import does, and the lines after this one say what would be published or held.",
        "Nothing. `cpimportd run` publishes it.",
    ),
}

_ELSEWHERE = "…"
_NOUNS = {"server": "the server", "path": "the file"}
_HEADLESS = {
    **dict.fromkeys(("is", "has", "holds", "could", "was", "cannot"), "a file "),
    "neither": "of a file ",
}
_PLAINER = {
    "config-syntax": "the configuration file is not valid TOML",
    "config-unreadable": "the configuration file cannot be read",
    "config-unknown-key": "the configuration has a key that is unknown",
    "config-value": "a value in the configuration is wrong",
    "config-incomplete": "a key that the configuration needs is not set",
    "config-readable": "a file with a secret can be read by every user of this machine",
    "wrong-use": "the command was used wrongly",
    "source-login": "the server refuses the login",
    "source-tls": "TLS to the server failed",
    "source-listing": "the server cannot list the folder",
    "source-stalled": "the server fell silent",
    "source-empty": "the folder on the server holds no workbook",
    "nothing-to-import": "the workbooks on the server hold no document to import",
    "download-short": "a file did not arrive whole",
    "no-header": "a sheet has no header that is known",
    "kind-disagrees": "the name of a file says one kind, its header another",
    "reject": "a row cannot be understood and was rejected",
    "row-unrecognized": "a row is neither a document nor a total",
    "text-cut": "a text is longer than its field; the whole is kept in extra",
    "operation-type-new": "«{value}» is a new kind of operation",
    "payment-type-other": "«{value}» is neither principal nor interest",
    "settlement-mismatch": "settlement amount {value} is not payment × rate",
    "control-total": "«{column}» does not sum to what Итого says",
    "document-lookalike": "two documents look the same and are written otherwise: {value}",
    "number-twice": "{value} has the number and year of another document: 1C gives a number once a year",
    "orphan-lookalike": "details without their expense, though one looks the same and is written otherwise: {value}",
    "grown": "{organization}: more new documents come than usual",
    "document-twin": "{organization}: new documents, such as {value}, are in the books already and stay there",
    "organization-lookalike": "{value} looks the same as another organization but is written otherwise",
    "title-lookalike": "a title looks the same as one that 1C writes but is written otherwise: {value}",
    "expense-unseen": "documents have details here (first: {value}), but the file with their expenses is not right",
    "details-sum": "{value}: its details do not sum to what the expense says",
    "totals-disagree": "{organization}: expenses and their details have different sums",
    "shrunk": "{organization}: more documents would be removed than the guards allow",
    "database-pool-small": "database.url leads to a pooler that gave no second connection; a run needs two",
    "sums-differ": "after the load {organization} had another sum in {value} than Итого; everything was rolled back",
    "disk": "a folder or its disk cannot be used",
    "machine-exhausted": "the machine, or a limit set to this process, gives no more memory, processes or open files",
    "reader-unconfined": "this machine does not confine the readers of workbooks as far as SECURITY.md says",
    "state-folder": "the state folder is open to others, or belongs to somebody else",
    "daemon-running": "another cpimportd daemon works on this state_directory already",
    "daemon-not-running": "no cpimportd daemon is running",
    "config-restart": "a changed key takes effect at the next start of the daemon",
    "slot-none": "a schedule has no slot any more: nothing starts it by itself",
    "slot-irregular": "on {value} the clocks change, and the schedule's local time does not exist or exists twice",
    "misfired": "slots of a schedule were missed, the newest {value}, and grace or catch_up let none be made up for",
    "run-crashed": "the run's process broke off",
    "run-broken-off": "a run is in the books, but its process broke off before it was through",
    "job-died": "the job {value} was not done: its process broke off, or took too long",
    "cluster-versions": "the Dask cluster does not read as this machine does: other versions are installed there",
    "books-apart": "{organization}: the sums in the books are not the Итого of the files that filled them",
    "foreign-writes": "{organization}: somebody else wrote to documents ({value}) since our last run",
    "books-moved": "{organization}: the sums in the books are not those that the last run left there",
    "journal-gap": "{organization}: a run did not find the sum that the run before it had left",
    "name-ambiguous": "{value} fits more than one of those that bear names like it",
    "outbox-failed": "a workbook could not be put into source.outbox",
    "journal-open": "{organization}: opening, movements and closing of a run do not add up",
}
"""Sentences that say too little once the facts that stand only in the line's text are taken out."""


def text_of(kind: ProblemKind) -> Text:
    """A problem's sentence and way out in the journal, naming only facts that a line is sure to carry as fields."""
    fields = fields_of(kind)
    plainer = _PLAINER.get(kind.code)
    sentence = _bare(_without_facts(kind.sentence, fields)) if plainer is None else plainer
    sentence = _HEADLESS.get(sentence.partition(" ")[0], "") + sentence
    # A sentence of its own that was one placeholder, such as {remedy}, says nothing any more.
    way_out = re.sub(rf"(?<=\.) {_ELSEWHERE}$", "", _without_facts(kind.way_out, fields))
    return Text(sentence[:1].upper() + sentence[1:], way_out)


def _without_facts(template: str, fields: Collection[str]) -> str:
    """Fields stay, parts of commands are named in capitals, and of the rest a mark says that it stands in the line."""
    text = ""
    for literal, name, suffix in parts(template):
        text += literal
        if name is None or suffix:
            continue
        if _in_command(text):
            text += name.upper()
        elif name in fields:
            text += f"{{{name}}}"
        else:
            text += _NOUNS.get(name, _ELSEWHERE) if not text else _ELSEWHERE
    return text


def _bare(sentence: str) -> str:
    """A sentence without the marks that it can do without: in brackets, between commas, and at its end."""
    sentence = re.sub(rf" \((?:[\w ]+:? )?{_ELSEWHERE}\)", "", sentence)
    sentence = re.sub(rf", {_ELSEWHERE}(?:,|(?= \()|(?=:))", "", sentence)
    sentence = re.sub(rf": {_ELSEWHERE}(?=;|$)", "", sentence)
    return re.sub(rf" (?:as|at|in|to|by(?: \w+)?) {_ELSEWHERE}$", "", sentence)


def _in_command(before: str) -> bool:
    """Whether what comes next is to be typed: between backticks, after an option, or in a dotted key."""
    return before.count("`") % 2 == 1 or before.endswith("accept ") or re.search(r"\w\.$", before) is not None
