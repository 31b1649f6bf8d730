"""The daemon as a process: a place to work in, a socket that plays systemd, other users."""

from tests.support.daemon.fixtures import as_nobody, everybodys_python, locked, notify, place

__all__ = ["as_nobody", "everybodys_python", "locked", "notify", "place"]
