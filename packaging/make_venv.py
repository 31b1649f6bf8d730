"""Makes the virtual environment that the Debian package ships, without what only an installer or a developer needs.

usage: make_venv.py --constraints FILE PROJECT FOLDER FINAL

PROJECT is the checkout; FOLDER is where the environment is built, below the package's staging folder; FINAL is where it
will lie on the machine. Runs with the Python for which the environment is made.
"""

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

EXTRAS = "alerts,web"
"""Nobody can add to the package's environment afterwards, so it has them all; each is loaded when it is used."""

PROGRAMS = {"python", "python3"}
"""What stays in bin/; the command itself is put there by debian/rules."""

UNNEEDED = ("*.c", "*.h", "*.pyx", "*.pxd", "*.pxi", "*.cpp", "*.hpp", "_yaml.*.so")
"""Sources of compiled modules, which wheels bring along; and a C library inside a wheel, which works without."""

UNNEEDED_FOLDERS = ("greenlet/tests", "greenlet/platform", "mako/testing", "alembic/testing")

UNNEEDED_METADATA = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""dpkg keeps the list of files; the others tell how and from where pip installed, a folder of the build among it."""


def main() -> None:
    """Build, then trim."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--constraints", type=Path, required=True)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("final", type=Path)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    venv.create(folder, symlinks=True, with_pip=False)
    project = f"{arguments.project}[{EXTRAS}]"
    install = ["--quiet", "--no-compile", "--no-warn-script-location", "-c", arguments.constraints, project]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python"]
    subprocess.run([*pip, "install", *install], check=True)  # noqa: S603
    trim(folder)
    (folder / "pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).parent}\ninclude-system-site-packages = false\n"
        f"version = {'.'.join(map(str, sys.version_info[:3]))}\n",
        encoding="utf-8",
    )
    if wrong := [path for path in folder.rglob("*") if names(path, folder)]:
        sys.exit(f"{folder} would not work as {arguments.final}: its old place is named in {wrong}")


def trim(folder: Path) -> None:
    """Remove what nobody will use."""
    for program in (folder / "bin").iterdir():
        if program.name not in PROGRAMS:
            program.unlink()
    (folder / "lib64").unlink(missing_ok=True)
    shutil.rmtree(folder / "include", ignore_errors=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    for name in UNNEEDED_FOLDERS:
        shutil.rmtree(packages / name, ignore_errors=True)
    for pattern in UNNEEDED:
        for path in packages.rglob(pattern):
            path.unlink()
    for path in packages.rglob("*.py"):
        path.chmod(0o644)
        without_interpreter(path)
    for name in UNNEEDED_METADATA:
        for path in packages.glob(f"*.dist-info/{name}"):
            path.unlink()


def without_interpreter(path: Path) -> None:
    """A module that calls itself a program is none here; its lines keep their numbers."""
    text = path.read_bytes()
    if text.startswith(b"#!"):
        path.write_bytes(b"#" + text[text.index(b"\n") :])


def names(path: Path, folder: Path) -> bool:
    """Whether a file tells the place where the environment was built."""
    return path.is_file() and not path.is_symlink() and bytes(folder) in path.read_bytes()


if __name__ == "__main__":
    main()
