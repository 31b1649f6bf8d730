"""PgBouncer before a test's server, from the folder that ``get_pgbouncer`` filled, or from the machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

_FOLDER = "CPIMPORTD_TEST_PGBOUNCER"


def _program() -> tuple[str, dict[str, str]]:
    """The program and the environment that it needs."""
    folder = os.environ.get(_FOLDER, "")
    if folder and Path(folder, ".complete").exists():
        libraries = ":".join(str(path.parent) for path in Path(folder).glob("usr/lib/*/libevent-2.1.so.7"))
        return str(Path(folder) / "usr" / "sbin" / "pgbouncer"), {"LD_LIBRARY_PATH": libraries}
    if found := shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"):
        return found, {}
    pytest.skip(f"PgBouncer is not here; {_FOLDER} names its folder, which tests/support/get_pgbouncer fills")


@contextmanager
def pooled(url: str, **settings: str) -> Iterator[str]:
    """The same URL through a pooler in transaction mode.

    Args:
        url: of the database itself, over a Unix socket.
        **settings: further settings of PgBouncer.
    """
    program, environment = _program()
    with tempfile.TemporaryDirectory(prefix="cpimportd-pooler-", dir="/tmp") as name:
        folder = Path(name)
        server = parse_qs(urlsplit(url).query)["host"][0]
        lines = {
            "unix_socket_dir": name,
            "listen_port": "6432",
            "auth_type": "trust",
            "auth_file": f"{name}/users",
            "pool_mode": "transaction",
            "logfile": f"{name}/log",
            **settings,
        }
        (folder / "users").write_text('"cpimportd" ""\n"postgres" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={server} port=5432\n[pgbouncer]\n"
            + "".join(f"{key} = {value}\n" for key, value in lines.items())
        )
        as_user = {}
        if os.geteuid() == 0:  # PgBouncer refuses to be root
            nobody = pwd.getpwnam("nobody")
            as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
        process = subprocess.Popen([program, "-q", f"{name}/ini"], env=environment, stderr=subprocess.PIPE, **as_user)
        try:
            deadline = time.monotonic() + 30
            while not (folder / ".s.PGSQL.6432").exists():
                assert process.poll() is None, process.stderr.read().decode()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield url.replace(server, f"{name}&port=6432")
        finally:
            process.kill()
            process.communicate()
