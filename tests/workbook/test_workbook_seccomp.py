"""The filter of system calls, run by a machine like the kernel's: for every architecture, on any."""

import errno
import re
from pathlib import Path

import pytest

from cpimportd.workbook.seccomp import ABIS, JUDGED, PLAIN, program

PID = 4242
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h", "aarch64-linux-gnu/asm/unistd_64.h"),
}


def verdict(machine, number, *arguments, architecture=None):
    """What the kernel does about a call."""
    abi = ABIS[machine]
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = b"".join(
        value.to_bytes(size, "little")
        for value, size in ((number, 4), (architecture or abi.architecture, 4), (0, 8), *((one, 8) for one in given))
    )
    made = program(abi, PID)
    loaded = at = 0
    while True:
        code, yes, no, value = made[at]
        at += 1
        if code == 0x20:
            loaded = int.from_bytes(data[value : value + 4], "little")
        elif code == 0x06:
            return value
        else:
            holds = {0x15: loaded == value, 0x25: loaded > value, 0x45: bool(loaded & value)}[code]
            at += yes if holds else no


@pytest.fixture(params=ABIS)
def machine(request):
    return request.param


def test_only_what_is_listed_is_allowed_whatever_its_arguments(machine):
    abi = ABIS[machine]
    judged, plain = ({abi.calls[name] for name in names} for names in (JUDGED, PLAIN))
    for number in range(1000):
        expected = ALLOW if number in plain else ENOSYS if number > 462 else EPERM
        if number not in judged:
            assert verdict(machine, number, 2**64 - 1, 2**64 - 1, 2**64 - 1) == expected, number
            assert verdict(machine, number) == expected, number


def test_every_jump_stays_within_the_program_and_ends(machine):
    made = program(ABIS[machine], PID)
    assert len(made) < 4096  # BPF_MAXINSNS
    assert all(at + 1 + max(yes, no) < len(made) for at, (code, yes, no, _) in enumerate(made) if code != 0x06)
    assert made[-1].code == 0x06


def test_memory_may_not_be_executable(machine):
    abi = ABIS[machine]
    for call in (abi.calls["mmap"], abi.calls["mprotect"]):
        assert verdict(machine, call, 0, 4096, 3) == ALLOW
        assert {verdict(machine, call, 0, 4096, protection) for protection in (4, 5, 7, 0x1000004)} == {EPERM}


def test_signals_go_to_itself_alone(machine):
    tgkill = ABIS[machine].calls["tgkill"]
    assert verdict(machine, tgkill, PID, PID, 6) == ALLOW
    assert {verdict(machine, tgkill, pid, PID, 9) for pid in (0, 1, PID - 1, 2**32 - 1)} == {EPERM}


def test_its_limits_may_be_read_and_nobody_elses(machine):
    prlimit = ABIS[machine].calls["prlimit64"]
    assert verdict(machine, prlimit, 0, 7, 0, 0x7FFF_0000) == ALLOW
    assert verdict(machine, prlimit, PID - 1, 7, 0, 0x7FFF_0000) == EPERM
    for new in (1, 0x7FFF_0000_0000, 2**63):
        assert verdict(machine, prlimit, 0, 7, new, 0) == EPERM


def test_of_descriptors_only_flags_are_reported(machine):
    fcntl = ABIS[machine].calls["fcntl"]
    assert {verdict(machine, fcntl, 0, command) for command in (1, 3)} == {ALLOW}
    assert {verdict(machine, fcntl, 0, command) for command in (0, 2, 4, 5, 6, 8, 10, 15, 1030, 1031)} == {EPERM}


def test_another_architectures_way_ends_the_process(machine):
    for other in ({abi.architecture for abi in ABIS.values()} | {0x40000003, 0x40000028}) - {
        ABIS[machine].architecture
    }:
        assert verdict(machine, ABIS[machine].calls["read"], architecture=other) == KILL
    for number in (0x40000000, 0x40000000 + 257, 0x40000200, 0x7FFFFFFF, 0xFFFFFFFF):
        assert verdict(machine, number) == KILL


def test_the_numbers_are_those_of_the_kernels_headers(machine):
    there = [path for name in HEADERS[machine] if (path := Path("/usr/include") / name).is_file()]
    if not there:
        pytest.skip("the kernel's headers are not here: apt-get install linux-libc-dev")
    text = there[0].read_text()
    # asm-generic calls some by the name that 32-bit machines know them by.
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\n", text)}
    calls = ABIS[machine].calls
    assert calls == {name: numbers[name] for name in calls}
    assert len(set(calls.values())) == len(calls)
