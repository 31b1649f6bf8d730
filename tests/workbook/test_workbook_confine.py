"""What a reader that was taken over can do besides reading: nothing, whatever of its walls the machine lets it have."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from cpimportd.core.problems import ProblemError
from cpimportd.workbook import confine, sandbox
from tests.support.workbook.kernel import kernel_has_landlock
from tests.support.workbook.prey import attack, prey

ROOT = str(Path(sandbox.__file__).parents[2])
NOBODY = 65534
WAYS = ("forked", "spawned", "marker")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
USERS = [pytest.param(0, id="same user"), pytest.param(NOBODY, id="ordinary user", marks=as_root)]
# Refused in other words: by what Python makes of a refusal, or since there is no such call (yet).
OTHERWISE = {
    "reading: import": {"ModuleNotFoundError", "EPERM"},
    "processes: thread": {"can't start new thread"},
    "processes: own limits": {"ValueError"},
    "writing: write to its workbook": {"EBADF", "EPERM"},
    "kernel: a call of tomorrow": {"ENOSYS"},
}
ON_AARCH64 = {"reading: open", "writing: creat"}
"""Calls that are not there."""

pytestmark = pytest.mark.asyncio


needs_landlock = pytest.mark.skipif(not kernel_has_landlock(), reason="this kernel has no Landlock")


@pytest.fixture
def attacked(monkeypatch):
    """``await attacked(way, refused, uid)``: what came of each attempt of such a reader."""
    folder = Path(tempfile.mkdtemp())

    async def attacked(way: str, refused: str = "", uid: int = 0, **more) -> dict[str, str]:
        if uid:  # whose limits only itself may set: one wall less
            monkeypatch.setattr(sandbox, "_limit", lambda *_: None)
        with prey(folder) as job:
            for name in ("", *os.listdir(folder)):  # noqa: PTH208 - a folder of a handful
                os.chown(folder / name, uid or os.getuid(), -1)
            return await attack(ROOT, way, job | more, refused, uid)

    yield attacked
    shutil.rmtree(folder)


def possible(outcomes: dict[str, str]) -> dict[str, str]:
    """What was not refused."""
    missing = set() if "x86_64" in os.uname().machine else ON_AARCH64
    return {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome not in OTHERWISE.get(name, {"EPERM"}) and name not in missing
    }


@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("refused", ["", "namespaces", "landlock,namespaces", "seccomp call,landlock,namespaces"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_reader_that_was_taken_over_can_do_nothing(attacked, way, refused, uid):
    outcomes = await attacked(way, refused, uid)
    assert len(outcomes) > 90
    assert possible(outcomes) == {}


BY_LANDLOCK = (
    "network: tcp", "network: abstract", "network: listen", "reading: own file", "reading: openat", "reading: openat2",
    "reading: by way of /proc", "reading: its own workbook anew", "reading: program", "reading: passwd",
    "reading: parent's environment", "reading: parent's memory file", "reading: list", "reading: device", "reading: import",
    "writing: append", "writing: create", "writing: temporary", "writing: truncate", "writing: rename", "writing: unlink",
    "writing: link", "writing: symlink", "writing: mkdir", "writing: rmdir", "writing: fifo",
    "processes: signal its parent", "processes: spawn", "processes: ptrace", "processes: parent's memory",
)  # fmt: skip


@needs_landlock
@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("way", WAYS)
async def test_without_a_filter_of_calls_landlock_keeps_files_programs_tcp_and_processes(attacked, way, uid):
    outcomes = await attacked(way, "seccomp,namespaces", uid)
    refusals = {"EPERM", "EACCES", "EXDEV", "ModuleNotFoundError"}
    left = {name: outcomes[name] for name in BY_LANDLOCK if outcomes[name] not in refusals}
    # Before an ordinary user's process comes to this wall, the limit of processes is met, to which root is not held.
    assert left in ({}, {"processes: spawn": "EAGAIN"}) if os.geteuid() else left == {}


@pytest.mark.parametrize("uid", USERS)
async def test_the_network_alone_is_kept_where_there_are_only_namespaces(attacked, uid):
    outcomes = await attacked("forked", "seccomp,landlock", uid)
    assert {outcomes[f"network: {name}"] for name in ("tcp", "udp")} <= {"ENETUNREACH", "EPERM"}
    assert outcomes["network: abstract"] in {"ECONNREFUSED", "EPERM"}  # it has a namespace of its own for these, too


@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("way", WAYS)
async def test_without_any_wall_every_attempt_would_succeed(attacked, way, uid):
    """That an attempt is refused above is the walls' doing."""
    outcomes = await attacked(way, "seccomp,landlock,namespaces", uid)
    refused = {name for name, outcome in outcomes.items() if outcome in {"EPERM", "EACCES"}}
    rest = {"network: tcp", "network: unix", "network: abstract", "reading: own file", "reading: openat", "writing: create",
            "reading: stat", "writing: rename", "writing: mkdir", "writing: chmod", "processes: signal its parent"}  # fmt: skip
    # As another user it may not signal the test that is root's.
    assert rest & refused <= ({"processes: signal its parent"} if uid else set()), outcomes


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="other ABIs of x86-64")
@pytest.mark.parametrize("foreign", ["i386", "x32"])
async def test_a_call_in_another_architectures_way_ends_the_reader(attacked, foreign):
    with pytest.raises(ProblemError, match="died of SIGSYS"):
        await attacked("forked", foreign=foreign)


@pytest.mark.parametrize("abi", range(1, 10))
async def test_landlock_takes_every_right_that_its_version_knows_and_no_other(abi):
    fields = [
        int.from_bytes(confine.handled(abi)[at : at + 8], "little") for at in range(0, len(confine.handled(abi)), 8)
    ]
    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    expected = [(1 << rights) - 1, *([3] if abi >= 4 else []), *([3] if abi >= 6 else [])]
    assert fields == expected
