"""Materialized views over the books, refreshed after COMMIT without making their readers wait."""

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg

from cpimportd.config.sections import Tell
from cpimportd.core.model import BACKEND_TABLES
from cpimportd.core.phrases import Phrase, Statement, phrase
from cpimportd.core.problems import Problem, ProblemError, printable, problem
from cpimportd.core.waiting import report_slow

logger = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[asyncpg.Connection]]
"""Opens a connection of its own for the refreshes."""

ALL_VIEWS: Final = "(all)"
"""Stands for every view in a problem if the views could not be listed."""

_LOCK_TIMEOUT: Final = "2s"
_CONCURRENTLY: Final = "REFRESH MATERIALIZED VIEW CONCURRENTLY"

# A view depends on what its rewrite rule names. Depth is the longest way to one of the tables, so that a view comes
# after all views that it reads; 100 ends the search where a view was made to read itself.
# An index serves CONCURRENTLY if it is as is_usable_unique_index() in PostgreSQL's matview.c wants it.
_VIEWS: Final = """
WITH RECURSIVE reads AS (
    SELECT DISTINCT rule.ev_class AS reader, d.refobjid AS source
    FROM pg_depend d JOIN pg_rewrite rule ON rule.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> rule.ev_class
), behind (oid, depth) AS (
    SELECT to_regclass(name)::oid, 0 FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL
    UNION
    SELECT reads.reader, behind.depth + 1 FROM reads JOIN behind ON behind.oid = reads.source WHERE behind.depth < 100
)
SELECT format('%I.%I', n.nspname, c.relname) AS name,
       format('%I.%I()', n.nspname, ('cpimportd_refresh_' || c.relname)::name) AS function,
       f.prosrc AS body,
       c.relispopulated AS populated,
       quote_ident(pg_get_userbyid(c.relowner)) AS owner,
       quote_ident(current_user) AS us,
       current_setting('server_version_num')::int >= 170000 AS can_grant,
       CASE WHEN current_setting('server_version_num')::int >= 170000 THEN has_table_privilege(c.oid, 'MAINTAIN')
            ELSE pg_has_role(c.relowner, 'USAGE') END AS allowed,
       EXISTS (SELECT FROM pg_index i
               WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts > 0
                 AND i.indpred IS NULL AND i.indexprs IS NULL
                 AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) AS k WHERE k <= 0)) AS has_key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (SELECT oid, max(depth) AS depth FROM behind GROUP BY oid) AS found ON found.oid = c.oid
LEFT JOIN pg_proc f ON f.pronamespace = n.oid AND f.proname = ('cpimportd_refresh_' || c.relname)::name
    AND f.pronargs = 0 AND f.prosecdef
    AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(f.oid, 'EXECUTE')
    AND position(format('%I.%I', n.nspname, c.relname) IN f.prosrc) > 0
WHERE c.relkind = 'm'
ORDER BY found.depth, 1
"""


@dataclass(frozen=True, slots=True)
class View:
    """A materialized view over the books.

    Attributes:
        name: with its schema, quoted for SQL.
        function: the call of a function that refreshes it with its owner's rights, whether it exists or not.
        body: of that function; None if there is none that we may call.
        populated: whether it has been filled; otherwise it cannot be read.
        owner: its owner, quoted.
        us: our own role, quoted.
        can_grant: whether this server (17 or newer) has the right MAINTAIN.
        allowed: whether our role may refresh it.
        has_key: whether it has a unique index that permits CONCURRENTLY.
    """

    name: str
    function: str
    body: str | None
    populated: bool
    owner: str
    us: str
    can_grant: bool
    allowed: bool
    has_key: bool

    @property
    def _needs_function(self) -> bool:
        """Whether only the owner's function can refresh it."""
        return not self.allowed and self.body is not None

    def refresh_obstacle(self) -> tuple[Phrase, Phrase] | None:
        """Why it cannot be refreshed without blocking readers, and the remedy; None if it can."""
        if not self.allowed and self.body is None:
            return phrase("view-owner", owner=self.owner), self._way_by_owner()
        if not self.populated:
            return phrase("view-never-filled"), phrase("way-fill-view", name=self.name)
        if not self.has_key:
            return phrase("view-no-index"), phrase("way-index-view")
        if self._needs_function and _CONCURRENTLY not in (self.body or ""):
            return phrase("view-not-concurrently", function=self.function), self._way_by_owner()
        return None

    def _way_by_owner(self) -> Phrase:
        return phrase("way-let-owner-run", owner=self.owner, statement=Statement(self._grant()))

    def _grant(self) -> str:
        """The statements that permit us this refresh alone; membership in the owner's role would permit far more.

        The function's body qualifies the view, and its ``search_path`` is the system's, so that nobody can have their
        own objects run with the owner's rights.
        """
        if self.can_grant:
            return f"GRANT MAINTAIN ON {self.name} TO {self.us};"
        refresh = _CONCURRENTLY if self.has_key else "REFRESH MATERIALIZED VIEW"
        body = f"BEGIN {refresh} {self.name}; END".replace("'", "''")
        function = self.function
        return (
            f"CREATE OR REPLACE FUNCTION {function} RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = pg_catalog, pg_temp AS '{body}'; ALTER FUNCTION {function} OWNER TO {self.owner}; "
            f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {function} TO {self.us};"
        )

    def statement(self, *, allow_blocking: bool) -> str | None:
        """The statement that refreshes it; None if it may not be refreshed."""
        unobstructed = self.refresh_obstacle() is None
        if self._needs_function:
            return f"SELECT {self.function}" if unobstructed or allow_blocking else None
        if unobstructed:
            return f"{_CONCURRENTLY} {self.name}"
        return f"REFRESH MATERIALIZED VIEW {self.name}" if self.allowed and allow_blocking else None


async def refresh_views(connect: Connect, tell: Tell, only: Collection[str] | None = None) -> tuple[Problem, ...]:
    """Refresh every materialized view that reads the books, directly or through other views.

    Each view is refreshed in its own transaction, which waits at most 2 s for a lock, after the views that it reads. A
    view with a suitable index is refreshed ``CONCURRENTLY``: its readers never wait. The others block their readers,
    and are refreshed only with ``tell.allow_blocking_refresh``.

    What a view reads inside a function's text is unknown to PostgreSQL, and so to us.

    Args:
        connect: opens a connection; it is closed at the end.
        tell: whether, and how, to refresh.
        only: names of the views to refresh, as in their problems; views that no longer exist are ignored. None: all.

    Returns:
        ``views-stale`` for each view that was not refreshed; never raises for that.
    """
    if not tell.refresh_views:
        return ()
    session = _Session(connect)
    try:
        rows = await (await session.connection()).fetch(_VIEWS, list(BACKEND_TABLES))
        views = [View(**row) for row in rows if only is None or printable(row["name"]) in only]
        return tuple([found for view in views if (found := await _refresh(session, view, tell))])
    except (ProblemError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        reason = phrase("views-not-found-out", said=_reason(error))
        return (problem("views-stale", value=ALL_VIEWS, reason=reason, remedy=phrase("way-refresh-views")),)
    finally:
        await session.close()


async def _refresh(session: "_Session", view: View, tell: Tell) -> Problem | None:
    statement = view.statement(allow_blocking=tell.allow_blocking_refresh)
    if statement is None:
        reason, remedy = view.refresh_obstacle() or ("", "")
        return problem("views-stale", value=view.name, reason=reason, remedy=remedy)
    by_hand = phrase("way-by-hand", statement=Statement(statement))
    try:
        connection = await session.connection()
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            async with report_slow("views", view.name, trouble=False):
                await connection.execute(statement)
    except asyncpg.LockNotAvailableError:
        reason = phrase("view-locked", limit=_LOCK_TIMEOUT)
        return problem("views-stale", value=view.name, reason=reason, remedy=by_hand)
    except (ProblemError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return problem("views-stale", value=view.name, reason=_reason(error), remedy=by_hand)
    logger.info("refreshed %s", view.name)
    return None


def _reason(error: Exception) -> Problem | str:
    if isinstance(error, ProblemError):
        return error.problems[0]
    return str(error) or type(error).__name__


class _Session:
    """One connection for all views, reopened if it was lost."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: asyncpg.Connection | None = None

    async def connection(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresError, TimeoutError):
                await self._connection.close(timeout=5)
