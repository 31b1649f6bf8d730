"""Verbs at a terminal, where somebody answers their question."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

from tests.support.run.workplace import Workplace


def answered(workplace: Workplace, word: bytes, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what a verb says at a terminal where somebody types this."""
    verb = [sys.executable, "-m", "cpimportd", *arguments, "--config", str(workplace.config())]
    ours, theirs = pty.openpty()
    said = b""
    with subprocess.Popen(verb, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with suppress(OSError):  # the other end has gone
            while chunk := os.read(ours, 10_000):
                said += chunk
                if b"[y/N]" in chunk:
                    os.write(ours, word)
        code = process.wait(60)
    os.close(ours)
    return code, said.decode()
