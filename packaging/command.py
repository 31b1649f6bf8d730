#!/usr/lib/cpimportd/bin/python -I
"""The command /usr/bin/cpimportd of the Debian package.

Root's verbs run as the service's user, with the service's credentials: what they write to /var/lib/cpimportd belongs to
the daemon then, and a run by hand is let and hindered by the same rights as one at 06:00.
"""

import os
import pwd
import sys
from pathlib import Path

USER = "cpimportd"
CREDENTIALS = Path("/etc/credstore")
PREFIX = "cpimportd."


def read_credentials() -> None:
    """Set root's credentials as variables, which stand for the same keys; what is set already is stronger."""
    for path in sorted(CREDENTIALS.glob(f"{PREFIX}*")):
        variable = "CPIMPORTD_" + path.name.removeprefix(PREFIX).replace(".", "__").upper()
        os.environ.setdefault(variable, path.read_text(encoding="utf-8").rstrip("\r\n"))


def become_the_service() -> None:
    """Give up root for good."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        sys.exit(f"cpimportd: there is no user {USER}; make it with: systemd-sysusers cpimportd.conf")
    # As sudo does: the history tells who asked for a run, not whom he became.
    os.environ.setdefault("SUDO_USER", pwd.getpwuid(os.getuid()).pw_name)
    os.initgroups(USER, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ.update(HOME=user.pw_dir, USER=USER, LOGNAME=USER)


if __name__ == "__main__":
    if os.geteuid() == 0:
        read_credentials()
        become_the_service()
    from cpimportd.cli import main

    main()
