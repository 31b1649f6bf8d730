#!/usr/lib/cpimportd/bin/python -I
"""The command /usr/bin/cpimportd of the Debian package.

Root's verbs run as the service's user, with the service's credentials: what they write to /var/lib/cpimportd belongs to
the daemon then, and a run by hand is let and hindered by the same rights as one at 06:00.
"""

import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

USER = "cpimportd"
CONFIGURATIONS = Path("/etc/cpimportd")
CREDENTIALS = Path("/etc/credstore")
KEYS = (
    "alerts.heartbeat_url",
    "alerts.urls",
    "cache.password",
    "cache.url",
    "database.direct_url",
    "database.password",
    "database.url",
    "source.password",
    "source.url",
    "web.database_password",
    "web.database_url",
    "web.token",
)
"""What the units load of it (LoadCredential=)."""


def instance(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The further department whose unit, cpimportd@NAME, has the configuration that a verb was given; None for none."""
    given = environ.get("CPIMPORTD_CONFIG", "")
    for place, argument in enumerate(arguments):
        if argument == "--config":
            given = "".join(arguments[place + 1 : place + 2])
        elif argument.startswith("--config="):
            given = argument.removeprefix("--config=")
    file = Path(given).absolute()
    of_a_unit = file.parent == CONFIGURATIONS and file.suffix == ".toml" and file.stem != USER
    return file.stem if of_a_unit else None


def credentials(department: str | None, folder: Path = CREDENTIALS) -> dict[str, str]:
    """Root's credentials as variables, which stand for the same keys; those that are not there are left out.

    Those of another department's unit are left alone: its passwords would open the wrong books. So is whatever else
    lies beside them, such as a password of last year with .old at its end, as the units leave it alone, too.
    """
    prefix = f"{USER}@{department}." if department else f"{USER}."
    found = {}
    for key in KEYS:
        path = folder / f"{prefix}{key}"
        if path.exists():
            variable = "CPIMPORTD_" + key.replace(".", "__").upper()
            found[variable] = path.read_text(encoding="utf-8").rstrip("\r\n")
    return found


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
        from cpimportd.config.unit import adopt

        department = instance(sys.argv[1:], os.environ)
        if department:
            os.environ.setdefault("STATE_DIRECTORY", f"/var/lib/{USER}-{department}")  # as its unit has it
        # While it may read them: the variables that the unit is given by Environment= and EnvironmentFile=.
        adopt(CONFIGURATIONS / f"{department or USER}.toml")
        for variable, secret in credentials(department).items():
            os.environ.setdefault(variable, secret)  # what is set already is stronger
        become_the_service()
    from cpimportd.cli import main

    main()
