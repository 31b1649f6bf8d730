"""The Debian that a box boots: made by mmdebstrap once per recipe, then taken from a cache."""

import fcntl
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
BUILD_PROGRAMS = {"dh": "debhelper", "dpkg-buildpackage": "build-essential"}
"""What builds our package, and the Debian package that each comes from."""

SUITE = "bookworm"
"""The release that most tests run on: the host's own."""

NEXT_SUITE = "trixie"
"""Debian 13, for which the package is built, too."""

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libnss-systemd",
    "init-system-helpers",
    "python3",
    "tzdata",
    "locales",
    "libstdc++6",
    "man-db",
)
"""What a minimal server has, and what our package depends on, so that dpkg alone can install it."""

LOCALES = ("ru_RU",)
"""journalctl takes the catalog's language from a locale that exists."""

_RECIPE = (
    "--mode=root",  # makes its own device files instead of binding the host's
    "--variant=minbase",
    "--components=main",
    f"--include={','.join(PACKAGES)}",
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "info", "doc", "locale")),
    "--dpkgopt=path-include=/usr/share/man/man[58]/cpimportd*",
    *(f'--customize-hook=chroot "$1" localedef -i {name} -f UTF-8 {name}.UTF-8' for name in LOCALES),
    # Nothing may come up by itself in the middle of a test.
    '--customize-hook=chroot "$1" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer console-getty.service '
    "dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service",
    '--customize-hook=chroot "$1" systemctl -q set-default multi-user.target',
    '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
)


def build_root(cache: Path, suite: str = SUITE, *packages: str) -> Path:
    """The box's Debian: made by mmdebstrap once per recipe, then taken from the cache.

    Args:
        cache: a folder on a disk with 300 MB to spare; made where it is missing.
        suite: of which release.
        packages: what it has beyond a minimal server.
    """
    more = [f"--include={','.join(packages)}"] if packages else []
    recipe = hashlib.sha256("\0".join((suite, *_RECIPE, *more)).encode()).hexdigest()[:12]
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    root = cache / f"root-{recipe}"
    with _locked(cache / "lock"):
        if not root.exists():
            partial = root.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            command = ["mmdebstrap", "--quiet", *_RECIPE, *more, suite, partial, *_sources(suite)]
            made = subprocess.run(command, capture_output=True, check=False)
            if made.returncode != 0:
                raise RuntimeError(f"mmdebstrap failed:\n{made.stderr.decode(errors='replace')}")
            partial.rename(root)
    return root


def _sources(suite: str) -> list[Path | str]:
    """Where the packages are from: what apt has here; of another release the same server."""
    listed = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]
    sources = [path for path in listed if path.is_file()][:1]
    if suite == SUITE or not sources:
        return [*sources]
    servers = re.findall(r"https?://\S+/debian\b(?!-)", _without_comments(sources[0].read_text()))
    return [*servers[:1]]


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
