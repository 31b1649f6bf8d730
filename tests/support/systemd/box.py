"""A throw-away container whose PID 1 is a real systemd, booted by systemd-nspawn.

The host needs no running systemd, only root and Debian's packages systemd-container and mmdebstrap. Everything written
in a box lies in an overlay in memory and is gone when it stops. Its network is the host's.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.systemd.debian import SUITE

# A process that enters a box brings the host's whole rights along; the host's clock and kernel stay out of its reach.
_LEFT_OUTSIDE = "-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog,-wake_alarm"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}
_SECONDS_TO_BOOT = 300
_SECONDS_TO_STOP = 60

# Runs as root on the host, in a mount namespace of its own. nspawn registers itself below /run/systemd/nspawn, and on a
# host with the old cgroup hierarchies it has to see the unified one where it looks for it.
_LAUNCH = """
set -e
echo $$ > "$1/cgroup.procs"
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
shift
exec systemd-nspawn "$@"
"""


def why_not() -> str | None:
    """Why no box can be started on this machine; None where one can."""
    if os.geteuid() != 0:
        return "a systemd in a container needs root"
    release = Path("/etc/os-release")
    if not release.is_file() or f"VERSION_CODENAME={SUITE}" not in release.read_text(encoding="utf-8").split():
        return "the package is for Debian 12, and this machine is not one"
    if missing := [name for name in ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare") if not shutil.which(name)]:
        return f"{', '.join(missing)} is not here: apt-get install systemd-container mmdebstrap"
    if _unified_cgroups() is None:
        return "no cgroup2 hierarchy is mounted here"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if tried.returncode != 0:
        return f"nothing may be mounted here: {tried.stderr.decode(errors='replace').strip()}"
    return None


def _unified_cgroups() -> Path | None:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(folder)
    return None


class Box:
    """One container; a context manager.

    Args:
        root: a Debian, from :func:`tests.support.systemd.debian.build_root`.
        bind: what of the host it sees: the host's path to the path inside, writable.
        lasting: write to ``root`` itself instead of an overlay that is gone afterwards.
    """

    def __init__(self, root: Path, bind: Mapping[Path, str] | None = None, *, lasting: bool = False) -> None:
        self._root = root
        self._lasting = lasting
        self._bind = dict(bind or {})
        self._name = f"cpimportd-test-{os.getpid()}-{id(self):x}"
        self._leader: int | None = None
        self._cgroup: Path | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Boot; returns when systemd has started everything that it wants to start."""
        cgroups = _unified_cgroups()
        assert cgroups is not None, why_not()
        self._cgroup = cgroups / self._name
        self._cgroup.mkdir()
        binds = [f"--bind={outside}:{inside}" for outside, inside in self._bind.items()]
        options = [
            "--quiet", "--boot", "--settings=no", "--register=no", "--keep-unit", "--link-journal=no",
            f"--machine={self._name}", f"--directory={self._root}", f"--volatile={'no' if self._lasting else 'overlay'}",
            # Units' own firewalls, keyrings and files that they give up.
            "--system-call-filter=bpf @keyring landlock_create_ruleset landlock_add_rule landlock_restrict_self",
            *binds,
        ]  # fmt: skip
        with tempfile.TemporaryFile() as log:
            nspawn = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", _LAUNCH, "sh", self._cgroup, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            deadline = time.monotonic() + _SECONDS_TO_BOOT
            while not self._booted(nspawn.pid):
                if nspawn.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"the box did not boot:\n{log.read().decode(errors='replace')}")
                time.sleep(0.02)
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        if state != "running":
            failed = self.run("systemctl", "list-units", "--failed", check=False).stdout
            raise RuntimeError(f"the box is {state}:\n{failed}")

    def _booted(self, nspawn: int) -> bool:
        """Find the box's PID 1 among nspawn's children, and see whether it listens already."""
        try:
            children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
            for child in children:
                status = Path(f"/proc/{child}/status").read_text()
                (inner,) = [line.split()[-1] for line in status.splitlines() if line.startswith("NSpid:")]
                if inner == "1" and Path(f"/proc/{child}/root/run/systemd/private").is_socket():
                    self._leader = int(child)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return self._leader is not None

    @property
    def root(self) -> Path:
        """The box's ``/`` as the host sees it, to put files in and take them out while it runs."""
        return Path(f"/proc/{self._leader}/root")

    def run(
        self, *command: str | Path, check: bool = True, timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root, to its end.

        Args:
            command: the program and its arguments.
            check: fail the test, with what the command said, where its exit code is not 0.
            timeout: in seconds.
            environment: on top of a plain one.
        """
        done = subprocess.run(
            self._enter(command, environment), capture_output=True, text=True, timeout=timeout, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start_command(self, *command: str | Path, **environment: str) -> "subprocess.Popen[str]":
        """Start a command inside as root, and leave it running."""
        return subprocess.Popen(
            self._enter(command, environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def _enter(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> list[str | Path]:
        variables = [f"{name}={value}" for name, value in (_ENVIRONMENT | dict(environment)).items()]
        within = ["nsenter", "--target", str(self._leader), "--all", "--wdns=/", "--"]
        rights = ["/usr/bin/setpriv", f"--bounding-set={_LEFT_OUTSIDE}", f"--inh-caps={_LEFT_OUTSIDE}", "--"]
        return [*within, *rights, "/usr/bin/env", "-i", *variables, *command]

    def stop(self) -> None:
        """Kill everything in the box and leave nothing behind; a box that was not started is no error."""
        if self._cgroup is None:
            return
        (self._cgroup / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + _SECONDS_TO_STOP
        while "populated 1" in (self._cgroup / "cgroup.events").read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        for folder in sorted(self._cgroup.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
            folder.rmdir()
        self._cgroup.rmdir()
        self._cgroup = self._leader = None
