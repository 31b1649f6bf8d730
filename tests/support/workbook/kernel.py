"""What this machine's kernel has."""

from tests.support.workbook.hostile_reader import LIBC


def kernel_has_landlock() -> bool:
    return LIBC.syscall(444, None, 0, 1) > 0
