"""Whole runs and living daemons, as the other rooms' tests have them, for everything that is broken here."""

from tests.support.daemon.fixtures import as_nobody, everybodys_python, locked, notify, place
from tests.support.faults.fixtures_database import books, first_day, make_books, own_books, own_first_day, own_server
from tests.support.notify.redis_server import make_redis, redis_client, redis_server
from tests.support.run.workplace import truth, workplace, workplace_for
from tests.support.source.serving import authority, ca_file, certificate, served, spool, start

__all__ = [
    "as_nobody",
    "authority",
    "books",
    "ca_file",
    "certificate",
    "everybodys_python",
    "first_day",
    "locked",
    "make_books",
    "make_redis",
    "notify",
    "own_books",
    "own_first_day",
    "own_server",
    "place",
    "redis_client",
    "redis_server",
    "served",
    "spool",
    "start",
    "truth",
    "workplace",
    "workplace_for",
]
