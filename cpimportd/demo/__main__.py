"""Runs only the demo's FTP server, for use with your own daemon and database: ``python -m cpimportd.demo``.

It serves the generated exports of a holding, and a further day of them after each ``--every``. The password is read
from ``CPIMPORTD_DEMO_PASSWORD``, so that no process list shows it.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from cpimportd.demo.exports import Holding, upload
from cpimportd.demo.ftp import LoopbackFtpServer

PASSWORD = "CPIMPORTD_DEMO_PASSWORD"  # noqa: S105  the name of a variable


def main() -> int:
    """Serve until SIGINT or SIGTERM; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cpimportd.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 2121), help="ADDRESS:PORT (127.0.0.1:2121)")
    parser.add_argument("--user", default="finance", help="who may log in (finance)")
    parser.add_argument("--every", type=float, default=3600.0, help="seconds until the next day's exports (3600)")
    arguments = parser.parse_args()
    if not (password := os.environ.get(PASSWORD)):
        parser.error(f"set {PASSWORD} to the password with which the server is asked")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="cpimportd-demo-") as name:
        served = {"user": arguments.user, "password": password, "listen": arguments.listen}
        day = 1
        upload(Holding().day(day), Path(name))
        with LoopbackFtpServer(Path(name), **served) as server:
            print(f"serving the exports of a demo holding on port {server.port}", flush=True)  # noqa: T201
            while not ended.wait(arguments.every):
                day += 1
                upload(Holding().day(day), Path(name))
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    sys.exit(main())
