"""Who is measured: this program, the floor, the predecessor's way, and what a user would pick instead."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.environments import python_of
from bench.laboratory import Laboratory
from bench.measuring import Measured, run
from bench.workload import Workload, job
from tests.support.daemon.living_daemon import environment

SCRIPTS = Path(__file__).parent / "contestants"


class Contender:
    """Somebody who imports a day into a database of its own.

    Args:
        name: of its figures, and of its database.
        title: for the page.
    """

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title

    def install(self, cache: Path) -> None:
        """Make what it needs to run.

        Raises:
            UnavailableError: it cannot be had here.
        """

    def begin(self, laboratory: Laboratory, folder: Path) -> None:
        """A fresh database, and nothing remembered of earlier runs."""
        self.url = laboratory.fresh(self.database)
        self.folder = folder / self.database
        self.folder.mkdir()

    @property
    def database(self) -> str:
        return f"of_{self.name.replace('-', '_')}"

    def run(self, workload: Workload, day: str, postmaster: int | None = None) -> Measured:
        """Import a day.

        Raises:
            RunFailedError: it failed.
        """
        raise NotImplementedError


class Ours(Contender):
    """``cpimportd run``, as the daemon starts it, with checks, journal and lineage."""

    def __init__(self, name: str = "cpimportd") -> None:
        super().__init__(name, "cpimportd")

    def begin(self, laboratory: Laboratory, folder: Path) -> None:
        super().begin(laboratory, folder)
        self.config = configuration(self.folder, self.url)

    def run(self, workload: Workload, day: str, postmaster: int | None = None) -> Measured:
        return self.run_folder(workload.folder(day), postmaster)

    def run_folder(self, upload: Path, postmaster: int | None = None) -> Measured:
        argv = [sys.executable, "-m", "cpimportd", "run", "--config", str(self.config), "--from", str(upload), "--json"]
        done = run(argv, postmaster=postmaster, environment=environment())
        self.report = json.loads(done.output)
        return done


@dataclass
class Script(Contender):
    """A program of ``contestants/``, in an environment of its own or in ours."""

    name: str
    title: str
    script: str
    installed: str | None = None
    more: dict[str, object] = field(default_factory=dict)
    usual_parts: bool = False
    python: Path = Path(sys.executable)

    def install(self, cache: Path) -> None:
        if self.installed:
            self.python = python_of(self.installed, cache)

    def run(self, workload: Workload, day: str, postmaster: int | None = None) -> Measured:
        return self.run_files(workload.files(day, usual_parts=self.usual_parts), postmaster)

    def run_files(self, files: list[dict[str, object]], postmaster: int | None = None) -> Measured:
        asked = job(self.folder / "job.json", self.url, files, folder=str(self.folder), **self.more)
        return run([str(self.python), str(SCRIPTS / self.script), str(asked)], postmaster=postmaster)


def configuration(folder: Path, url: str, more: str = "") -> Path:
    """A configuration of ours with all that is not said at its default; gives its path."""
    path = folder / "cpimportd.toml"
    path.write_text(
        f'state_directory = "{folder}/state"\n{more}[database]\nurl = "{url}"\n[source]\nurl = "file://{folder}/upload"\n'
        "stable_for = 0\n"
    )
    path.chmod(0o600)
    return path


def floor() -> Script:
    return Script("floor", "the floor", "floor.py")


def predecessor() -> Script:
    return Script("predecessor", "the predecessor's way", "predecessor.py", "predecessor", usual_parts=True)


def polars() -> Script:
    return Script("polars", "polars + ADBC", "with_polars.py", "polars")


def dlt() -> Script:
    return Script("dlt", "dlt merge", "with_dlt.py", "dlt", {"naming": "direct"})


def pandas(engine: str) -> Script:
    name, title, usual_parts = f"pandas-{engine}", f"pandas, {engine}", engine == "openpyxl"
    return Script(name, title, "with_pandas.py", "pandas", {"engine": engine}, usual_parts=usual_parts)
