"""Remedies for a refusal of the server: statements that can be run as they are, and grant no more than a run needs."""

import re
from typing import Final

from cpimportd.core.model import BACKEND_TABLES
from cpimportd.core.phrases import Phrase, Reason, phrase

_DENIED: Final = re.compile(
    r"permission denied for (?P<sort>table|view|materialized view|sequence|schema|database) (?P<name>[^\n]+)"
)
_NOT_OWNER: Final = re.compile(r"must be owner of (?P<sort>[a-z ]+?) (?P<name>[^\n]+)$")
_GRANTS: Final = {
    "table": "GRANT SELECT, INSERT, UPDATE, DELETE ON {name}",
    "view": "GRANT SELECT ON {name}",
    "materialized view": "GRANT SELECT ON {name}",
    "sequence": "GRANT USAGE ON SEQUENCE {name}",
    "schema": "GRANT USAGE ON SCHEMA {name}",
    "database": "GRANT CREATE ON DATABASE {name}",
}
_CREATE_IN: Final = "GRANT USAGE, CREATE ON SCHEMA {name}"
_OURS: Final = "cpimportd"
_ONLY_READ: Final = frozenset({"departments"})
_SIMPLE: Final = re.compile(r"[a-z_][a-z0-9_]*")
_LOGINS: Final[tuple[tuple[str, str], ...]] = (
    (r"no pg_hba\.conf entry .*no encryption", "way-hba-no-encryption"),
    (r"pg_hba\.conf", "way-hba"),
    (r"[Pp]eer authentication failed|[Ii]dent authentication failed", "way-peer"),
    (r'role "(?P<name>.*)" does not exist', "way-no-role"),
    (r'database "(?P<name>.*)" does not exist', "way-no-database"),
    (r'role "(?P<name>.*)" is not permitted to log in', "way-may-not-log-in"),
    (r'permission denied for database "?(?P<name>.*?)"?(?: \(|$)', "way-connect"),
)
"""What the server says when it lets nobody in, and the way out; the name in the one stands in the other."""

_logged_in: dict[str, Reason] = {"as": phrase("user-of-url")}


def logged_in_as(user: str) -> None:
    """Remember who we are in the database, since an exception does not say whom a right is to be granted to."""
    _logged_in["as"] = quoted(user)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return name if _SIMPLE.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def login(text: str) -> Phrase:
    """What lets us in, where the server says that it does not."""
    for pattern, way in _LOGINS:
        if found := re.search(pattern, text):
            names = {name: quoted(value) for name, value in found.groupdict().items()}
            return phrase(way, user=_logged_in["as"], **names)
    return phrase("way-password")


def right(text: str, *, creating: bool = False) -> Phrase:
    """What gives us the right that the server says is missing.

    Args:
        text: what the server says.
        creating: whether tables were to be made.
    """
    user = _logged_in["as"]
    if found := _DENIED.search(text):
        return _grant(found["sort"], found["name"], user, creating=creating)
    if found := _NOT_OWNER.search(text):
        return phrase("grant-to", grant=f"ALTER {found['sort'].upper()} {_placed(found['name'])} OWNER", user=user)
    return phrase("grant-what-is-named")


def _grant(sort: str, name: str, user: Reason, *, creating: bool) -> Phrase:
    if sort == "schema" and (creating or name == _OURS):  # in ours the next upgrade makes tables
        return phrase("grant-to", grant=_CREATE_IN.format(name=quoted(name)), user=user)
    if sort == "table" and name in _ONLY_READ:
        return phrase("grant-to", grant=f"GRANT SELECT ON {name}", user=user)
    if sort == "table" and name not in {*BACKEND_TABLES, *_our_tables()}:
        return phrase("grant-of-the-backend", name=name)
    return phrase("grant-to", grant=_GRANTS[sort].format(name=_placed(name)), user=user)


def _placed(name: str) -> str:
    """A relation's name with its schema, where it is one of ours: the search path does not lead there."""
    return f"{_OURS}.{name}" if name in _our_tables() else quoted(name)


def _our_tables() -> frozenset[str]:
    from cpimportd.books.schema.tables import metadata  # noqa: PLC0415 - SQLAlchemy is heavy, and a right is rarely missing

    return frozenset(table.name for table in metadata.tables.values() if table.schema == _OURS)
