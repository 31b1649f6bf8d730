"""What earlier runs fetched, as the spool still has it: enough to go through those days once more."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cpimportd.run.spool import manifest, run_folders


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One workbook of an earlier run.

    Attributes:
        name: the name that the server gave it.
        path: where it lies.
        sha256: of its bytes.
        modified: when it was uploaded; None where the server did not say.
    """

    name: str
    path: Path
    sha256: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """What one earlier run fetched.

    Attributes:
        path: its folder.
        began: when it did, in UTC.
        run: its number in the database.
        only: the kinds that it was asked for.
        files: all of them.
    """

    path: Path
    began: datetime
    run: int
    only: tuple[str, ...]
    files: tuple[ArchivedFile, ...]


def archived_runs(root: Path) -> tuple[ArchivedRun, ...]:
    """The runs whose files are still there, in the order of time; those of older versions tell too little.

    Raises:
        OSError: the spool cannot be read.
    """
    found = (_archived(folder, began) for folder, began in run_folders(root))
    return tuple(run for run in found if run is not None)


def _archived(folder: Path, began: datetime) -> ArchivedRun | None:
    tree = manifest(folder)
    if tree is None or tree["run"] is None:
        return None
    files = tuple(
        ArchivedFile(
            one["name"],
            folder / "files" / one["stored"],
            one["sha256"],
            None if one["modified"] is None else datetime.fromisoformat(one["modified"]),
        )
        for one in tree["files"]
    )
    if not all(file.path.is_file() for file in files):
        return None
    return ArchivedRun(folder, began, tree["run"], tuple(tree["only"]), files)
