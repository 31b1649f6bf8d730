"""What mends a refusal of the server: statements that can be run as they stand, and give no more than a run needs."""

import re
from typing import Final

from cpimportd.core.model import BACKEND_TABLES

_DENIED: Final = re.compile(
    r"permission denied for (?P<sort>table|view|materialized view|sequence|schema|database) (?P<name>[^\n]+)"
)
_NOT_OWNER: Final = re.compile(r"must be owner of (?P<sort>[a-z ]+?) (?P<name>[^\n]+)$")
_GRANTS: Final = {
    "table": "GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {user};",
    "view": "GRANT SELECT ON {name} TO {user};",
    "materialized view": "GRANT SELECT ON {name} TO {user};",
    "sequence": "GRANT USAGE ON SEQUENCE {name} TO {user};",
    "schema": "GRANT USAGE ON SCHEMA {name} TO {user};",
    "database": "GRANT CREATE ON DATABASE {name} TO {user};",
}
_CREATE_IN: Final = "GRANT USAGE, CREATE ON SCHEMA {name} TO {user};"
_OURS: Final = "cpimportd"
_ONLY_READ: Final = frozenset({"departments"})
_SIMPLE: Final = re.compile(r"[a-z_][a-z0-9_]*")
_PASSWORD: Final = "Check the user in database.url and the password there, in database.password or in its credential."  # noqa: S105
TLS: Final = "Check sslmode and sslrootcert in database.url and the server's certificate."
NO_TLS: Final = (
    "Let the server offer TLS (ssl = on, with a certificate); or, on a network that you trust alone, set "
    "sslmode=disable in database.url."
)
_LOGINS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"no pg_hba\.conf entry .*no encryption",
        "Let the server's administrator allow this host, user and database in pg_hba.conf, and run "
        "SELECT pg_reload_conf(); if its line begins with hostssl, set sslmode=require in database.url.",
    ),
    (
        r"pg_hba\.conf",
        "Let the server's administrator allow this host, user and database in pg_hba.conf, and run "
        "SELECT pg_reload_conf();",
    ),
    (
        r"[Pp]eer authentication failed|[Ii]dent authentication failed",
        "Run it as the user of the operating system who is called as the user in database.url, or log in over TCP "
        "with a password: a host in database.url.",
    ),
    (
        r'role "(?P<name>.*)" does not exist',
        "Correct the user in database.url, or let a superuser run: CREATE ROLE {name} LOGIN;",
    ),
    (
        r'database "(?P<name>.*)" does not exist',
        "Correct the database's name in database.url, or let a superuser run: "
        "CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0;",
    ),
    (r'role "(?P<name>.*)" is not permitted to log in', "Let a superuser run: ALTER ROLE {name} LOGIN;"),
    (
        r'permission denied for database "?(?P<name>.*?)"?(?: \(|$)',
        "Let its owner run: GRANT CONNECT ON DATABASE {name} TO {user};",
    ),
)
"""What the server says when it lets nobody in, and the way out; the name in the one stands in the other."""

_logged_in: dict[str, str] = {"as": "the user of database.url"}


def logged_in_as(user: str) -> None:
    """Remember who we are in the database, since an exception does not say whom a right is to be granted to."""
    _logged_in["as"] = quoted(user)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return name if _SIMPLE.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def login(text: str) -> str:
    """What lets us in, where the server says that it does not."""
    for pattern, way in _LOGINS:
        if found := re.search(pattern, text):
            names = {name: quoted(value) for name, value in found.groupdict().items()}
            return way.format(user=_logged_in["as"], **names)
    return _PASSWORD


def right(text: str, *, creating: bool = False) -> str:
    """What gives us the right that the server says is missing.

    Args:
        text: what the server says.
        creating: whether tables were to be made.
    """
    user = _logged_in["as"]
    if found := _DENIED.search(text):
        return _grant(found["sort"], found["name"], user, creating=creating)
    if found := _NOT_OWNER.search(text):
        return f"ALTER {found['sort'].upper()} {_placed(found['name'])} OWNER TO {user};"
    return "the GRANT for what is named; `cpimportd check` lists all that is needed"


def _grant(sort: str, name: str, user: str, *, creating: bool) -> str:
    if sort == "schema" and (creating or name == _OURS):  # in ours the next upgrade makes tables
        return _CREATE_IN.format(name=quoted(name), user=user)
    if sort == "table" and name in _ONLY_READ:
        return f"GRANT SELECT ON {name} TO {user};"
    if sort == "table" and name not in {*BACKEND_TABLES, *_our_tables()}:
        return f"the GRANT on {name} for what the backend's own code (a trigger, a view) does there: no table of ours"
    return _GRANTS[sort].format(name=_placed(name), user=user)


def _placed(name: str) -> str:
    """A relation's name with its schema, where it is one of ours: the search path does not lead there."""
    return f"{_OURS}.{name}" if name in _our_tables() else quoted(name)


def _our_tables() -> frozenset[str]:
    from cpimportd.books.schema.tables import metadata  # noqa: PLC0415 - SQLAlchemy is heavy, and a right is rarely missing

    return frozenset(table.name for table in metadata.tables.values() if table.schema == _OURS)
