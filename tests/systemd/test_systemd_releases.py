"""Debian 13's package, and README's lines for a server without the package, on fresh machines of both releases."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.systemd.box import Box, why_not
from tests.support.systemd.debian import BUILD_PROGRAMS, NEXT_SUITE, REPOSITORY, SUITE, build_root
from tests.support.systemd.machine import SOCKET_FOLDER, UNIT, Machine, inside

SOURCE = "/srv/cpimportd"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NETWORK = ("pip_", "http_proxy", "https_proxy", "no_proxy")
"""Variables by which pip and apt find their servers here."""

TREE = [
    ".ci",
    "cpimportd",
    "docs",
    "packaging",
    "systemd",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
]


def cache():
    if reason := why_not():
        pytest.skip(reason)
    return Path(os.environ.get("CPIMPORTD_TEST_BOX", "/var/tmp/cpimportd-test-box"))


def source(folder):
    """What a user has who downloaded the project: the checkout without what lies about in it."""
    for name in TREE:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        elif (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, folder / name)
    return folder


def wheels():
    """What a box sees besides, so that pip fetches and builds for each release once, whatever box asks for it."""
    folder = cache() / "pip"
    folder.mkdir(exist_ok=True)
    return {folder: "/srv/pip"}


def reach_the_network(box):
    """Let apt and pip in a box ask whom they ask here; what pip was given before is in :func:`wheels`."""
    shutil.copy("/etc/resolv.conf", box.root / "etc/resolv.conf")
    if CERTIFICATES.is_file():
        copy = box.root / "srv/certificates.crt"
        shutil.copy(CERTIFICATES, copy)
    found = {
        name: value
        for name, value in os.environ.items()
        if name.lower().startswith(NETWORK) and name != "PIP_FIND_LINKS"
    }
    found["PIP_CACHE_DIR"] = "/srv/pip"
    return found | ({"PIP_CERT": "/srv/certificates.crt"} if "PIP_CERT" in found else {})


def bound(postgres_server, **more):
    socket = ".s.PGSQL.5432"
    return {postgres_server.folder / socket: f"{SOCKET_FOLDER}/{socket}", **{v: k for k, v in more.items()}}


@pytest.fixture(scope="module")
def next_package(tmp_path_factory):
    """The package for Debian 13, built on a Debian 13."""
    folder = tmp_path_factory.mktemp("next")
    root = build_root(cache(), NEXT_SUITE, *BUILD_PROGRAMS.values(), "python3-pip", "ca-certificates")
    (folder / "out").mkdir()
    with Box(root, {source(folder / "source"): SOURCE, folder / "out": "/srv/out", **wheels()}) as box:
        environment = reach_the_network(box)
        box.run(f"{SOURCE}/packaging/build-deb", "/srv/out", timeout=600, DPKG_DEB_COMPRESSOR_LEVEL="0", **environment)
    (package,) = (folder / "out").glob("*.deb")
    return package


def test_the_package_for_debian_13_imports_reloads_is_upgraded_and_purged(next_package, postgres_server, database, sql):
    assert "~deb13u1" in next_package.name
    root = build_root(cache(), NEXT_SUITE)
    with Box(root, bound(postgres_server) | {next_package.parent: "/srv/package"}) as box:
        machine = Machine(box)
        assert "systemctl start cpimportd" in box.run("dpkg", "--install", f"/srv/package/{next_package.name}").stdout
        machine.configure(database)
        machine.upload("day1")
        assert int(box.run("systemctl", "--version").stdout.split()[1]) >= 257
        assert box.run("systemd-analyze", "verify", "cpimportd.service", "cpimportd-web.service").stderr == ""
        machine.systemctl("start", UNIT)
        box.run("cpimportd", "trigger", "--wait")
        assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 400
        machine.systemctl("reload", UNIT)
        before = machine.show("InvocationID")
        box.run("dpkg", "--install", "--force-confold", f"/srv/package/{next_package.name}")
        assert machine.show("ActiveState") == {"ActiveState": "active"}
        assert machine.show("InvocationID") != before
        assert box.run("cpimportd", "status").returncode == 0
        box.run("dpkg", "--purge", "cpimportd")
        assert not (box.root / "usr/lib/cpimportd").exists()
        assert not (box.root / "var/lib/cpimportd").exists()


def lines(section):
    """The lines to paste between two marks of README.md."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"<!-- {section}: begin.*?-->\n(.*?)<!-- {section}: end", text, re.DOTALL)[1]
    return re.sub(r"(?m)^    ", "", block)


@pytest.mark.parametrize("suite", [SUITE, NEXT_SUITE])
def test_the_lines_of_readme_make_a_server_out_of_a_fresh_debian(suite, tmp_path, postgres_server, database, sql):
    with Box(
        build_root(cache(), suite), bound(postgres_server) | {source(tmp_path / "source"): SOURCE} | wheels()
    ) as box:
        environment = reach_the_network(box)
        if (updated := box.run("apt-get", "update", "-q", check=False, timeout=120, **environment)).returncode:
            pytest.skip(f"no packages are to be had here: {updated.stderr}")
        script = f"set -euo pipefail\ncd {SOURCE}\n{lines('install')}"
        box.run("bash", "-c", script, timeout=600, DEBIAN_FRONTEND="noninteractive", **environment)

        machine = Machine(box)
        file = box.root / "etc/cpimportd/cpimportd.toml"
        assert oct(file.stat().st_mode & 0o777) == "0o640"
        text = file.read_text(encoding="utf-8")
        for url in (inside(database), "file:///srv/upload"):  # the database's comes first
            text = re.sub(r'(?m)^#url = ".*"$', f'url = "{url}"', text, count=1)
        file.write_text(text, encoding="utf-8")
        machine.upload("day1")

        said = box.run("bash", "-c", f"set -euo pipefail\n{lines('first run')}")
        assert "\nPublished " in said.stdout
        assert "active (running)" in said.stdout
        assert sql(database, "SELECT count(*) AS n FROM fin_expenses")[0]["n"] == 400
        assert (box.root / "var/lib/cpimportd").stat().st_mode & 0o777 == 0o700
        box.run("cpimportd", "trigger", "--wait")
        assert "CPIMPORTD_" in box.run("journalctl", "--dump-catalog").stdout
