import asyncio
import hashlib
import os
import sys
import time
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from functools import partial
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from cpimportd.config.settings import Reader
from cpimportd.core.problems import ProblemError
from cpimportd.workbook import sandbox
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.sandbox import run_limited, spawned
from tests.support import launcher

ROOT = str(Path(sandbox.__file__).parents[2])

pytestmark = pytest.mark.asyncio


def python(code: str) -> list[str]:
    """A child that runs code after its job has come, which is when the limits hold."""
    return [sys.executable, "-I", "-c", f"import os, sys, time\njob = sys.stdin.buffer.read()\n{code}"]


def forking(code: str) -> list[str]:
    """A process that forks such children."""
    serving = f"sys.path.insert(0, {ROOT!r})\nfrom cpimportd.workbook.forkserver import serve\nserve()"
    return [sys.executable, "-I", "-c", f"import os, sys, time\n{serving}\njob = sys.stdin.buffer.read()\n{code}"]


@pytest_asyncio.fixture(params=["spawned", "forked"])
async def child(request):
    """Makes what starts a child that runs code, one way or the other."""
    async with AsyncExitStack() as servers:

        async def forked(code):
            server = await servers.enter_async_context(ForkServer(forking(code)))
            return await server.fork()

        yield lambda code: spawned(python(code)) if request.param == "spawned" else partial(forked, code)


@pytest.fixture
def heard(child):
    async def heard(code: str, job: bytes = b"job", **limits) -> bytes:
        return b"".join([block async for block in run_limited(child(code), job, Reader(**limits), file="a.xlsx")])

    return heard


@pytest.fixture
def refused(heard):
    async def refused(code: str, **limits) -> tuple[str, str]:
        with pytest.raises(ProblemError) as caught:
            await heard(code, **limits)
        (problem,) = caught.value.problems
        assert problem.file == "a.xlsx"
        return problem.code, problem.message

    return refused


async def test_the_job_goes_in_and_lines_come_out(heard):
    job = os.urandom(3_000_000)
    assert await heard("import hashlib; print(hashlib.sha256(job).hexdigest()); print(len(job))", job) == (
        hashlib.sha256(job).hexdigest().encode() + b"\n3000000\n"
    )


async def test_blocks_hold_whole_lines(child):
    code = "for n in range(3000): print(n, 'x' * (n % 700)); n % 100 or sys.stdout.flush()"
    blocks = [block async for block in run_limited(child(code), b"", Reader(), file="a")]
    assert len(blocks) > 3
    assert all(block.endswith(b"\n") for block in blocks)
    assert [int(line.split()[0]) for line in b"".join(blocks).splitlines()] == list(range(3000))


@pytest.mark.parametrize("hog", ["bytearray(400_000_000)", "[n for n in range(10**9)]"])
async def test_memory_is_limited(refused, hog):
    code, message = await refused(f"x = {hog}; print(len(x))", memory=256 * 1024**2)
    assert code == "reader-limit"
    assert "memory" in message


async def test_cpu_time_is_limited(refused):
    code, message = await refused("while True: pass", cpu_time=timedelta(seconds=1))
    assert code == "reader-limit"
    assert "CPU time" in message


async def test_cpu_time_is_limited_for_a_child_that_ignores_the_signal(refused):
    spin = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert (await refused(spin, cpu_time=timedelta(seconds=1)))[0] == "reader-limit"


@pytest.mark.parametrize(
    "stall", ["time.sleep(60)", "print('{', flush=True); time.sleep(60)", "os.close(1); time.sleep(60)"]
)
async def test_wall_time_is_limited(refused, stall):
    started = time.monotonic()
    code, message = await refused(stall, wall_time=timedelta(seconds=1))
    assert time.monotonic() - started < 5
    assert code == "reader-limit"
    assert "wall time" in message


async def test_a_child_that_does_not_take_its_job_is_ended_in_time():
    argv = [sys.executable, "-I", "-c", "import time; time.sleep(60)"]
    with pytest.raises(ProblemError) as caught:
        async for _ in run_limited(spawned(argv), bytes(5_000_000), Reader(wall_time=timedelta(seconds=1)), file="a"):
            pass
    assert caught.value.problems[0].code == "reader-limit"


async def test_output_is_limited(refused):
    flood = "line = b'1' * 1000 + b'\\n'\nwhile True: sys.stdout.buffer.write(line)"
    code, message = await refused(flood, max_unpacked=5_000_000)
    assert code == "reader-limit"
    assert "max_unpacked" in message


async def test_a_line_without_end_is_refused(refused, monkeypatch):
    monkeypatch.setattr(sandbox, "LONGEST_LINE", 100_000)
    assert (await refused("while True: sys.stdout.buffer.write(bytes(1000))"))[0] == "reader-failed"


async def test_a_traceback_becomes_one_line(refused):
    code, message = await refused("raise RuntimeError('cannot\\x1b[2J read')")
    assert code == "reader-failed"
    assert "RuntimeError: cannot\\x1b[2J read" in message
    assert "Traceback" not in message


async def test_a_crash_is_named_by_its_signal(refused):
    code, message = await refused("import signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert code == "reader-failed"
    assert "SIGSEGV" in message


async def test_the_last_of_many_complaints_is_kept(refused):
    code, message = await refused("for n in range(100_000): print('complaint', n, file=sys.stderr)\nsys.exit(3)")
    assert code == "reader-failed"
    assert "status 3" in message
    assert "complaint 99999" in message


async def test_the_child_sees_no_environment(heard, monkeypatch):
    monkeypatch.setenv("CPIMPORTD_DATABASE__PASSWORD", "geheim")
    monkeypatch.setenv("PYTHONPATH", "/geheim")
    assert b"geheim" not in await heard("print(os.environ, sys.path, open('/proc/self/environ').read())")


async def test_the_child_writes_no_file(refused, tmp_path):
    path = tmp_path / "written"
    code, message = await refused(f"os.write(os.open({str(path)!r}, os.O_CREAT | os.O_WRONLY), b'x')")
    assert code == "reader-failed"
    assert "File too large" in message
    assert path.read_bytes() == b""


async def test_the_child_has_no_descriptor_of_ours(heard, tmp_path):
    with (tmp_path / "secret").open("w") as handle:
        os.set_inheritable(handle.fileno(), True)
        assert (await heard("print(sorted(os.listdir('/proc/self/fd')))")).count(b"'") // 2 <= 4


async def children_are_gone() -> bool:
    for _ in range(100):
        servers = [process for process in launcher.children() if "forkserver" in " ".join(process.cmdline())]
        if len(launcher.children(recursive=True)) == len(servers):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_cancellation_kills_the_child_at_once(child):
    async def listen():
        async for _ in run_limited(child("print(1, flush=True); time.sleep(60)"), b"", Reader(), file="a"):
            started.set()

    started = asyncio.Event()
    task = asyncio.create_task(listen())
    await started.wait()
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await children_are_gone()
    assert time.monotonic() - begun < 2


async def test_cancellation_kills_a_child_that_is_still_being_fed():
    argv = [sys.executable, "-I", "-c", "import time; time.sleep(60)"]

    async def listen():
        async for _ in run_limited(spawned(argv), bytes(5_000_000), Reader(), file="a"):
            pass

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await children_are_gone()


async def test_who_stops_listening_is_rid_of_a_child_that_writes_on(child):
    flood = "line = b'1' * 1000 + b'\\n'\nwhile True: sys.stdout.buffer.write(line)"
    lines = run_limited(child(flood), b"", Reader(), file="a")
    async with asyncio.timeout(10), aclosing(lines):
        async for _ in lines:
            await asyncio.sleep(0.3)  # meanwhile every buffer on the way fills up
            break
    assert await children_are_gone()


async def test_the_loop_continues_while_a_child_works(heard):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await heard("time.sleep(1)")
    ticking.cancel()
    assert ticks > 50


async def test_a_program_that_is_not_there_is_reported():
    with pytest.raises(ProblemError) as caught:
        await anext(run_limited(spawned(["/nowhere/python"]), b"", Reader(), file="a"))
    assert caught.value.problems[0].code == "reader-failed"
    assert "/nowhere/python" in caught.value.problems[0].message


async def test_the_worker_gives_up_what_it_does_not_need(heard):
    code = f"""

sys.path.insert(0, {ROOT!r})
from cpimportd.workbook.confine import confine, die_with_parent
status = open("/proc/self/status")
die_with_parent()
confine()

with open(1, "w", closefd=False) as out:
    print(status.read(), file=out)
"""
    said = await heard(code)
    assert b"NoNewPrivs:\t1" in said
    assert b"Seccomp:\t2" in said


CHILD = f"""
import os, sys, time
sys.path.insert(0, {ROOT!r})
from cpimportd.workbook.confine import confine, die_with_parent
die_with_parent()
confine()
sys.stdin.buffer.read()
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"""
import asyncio, sys
sys.path.insert(0, {ROOT!r})
from cpimportd.config.settings import Reader
from cpimportd.workbook.sandbox import run_limited, spawned
async def main():
    async for block in run_limited(spawned([sys.executable, "-I", "-c", {CHILD!r}]), b"", Reader(), file="a"):
        print(block.decode(), end="", flush=True)
asyncio.run(main())
"""


async def test_the_child_dies_with_a_parent_that_has_no_time_to_clean_up():
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    child = psutil.Process(int(await parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
