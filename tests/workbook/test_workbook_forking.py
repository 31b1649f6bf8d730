"""What forking adds to the sandbox, whose own tests try both kinds of children."""

import asyncio
import errno
import os
import resource
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from cpimportd.config.settings import Reader
from cpimportd.core.problems import ProblemError
from cpimportd.workbook import forking
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.reading import child_command, prefork_command
from cpimportd.workbook.sandbox import run_limited
from tests.support import launcher

pytestmark = pytest.mark.asyncio

ROOT = str(Path(forking.__file__).parents[2])
PRELUDE = f"import os, sys, time\nsys.path.insert(0, {ROOT!r})\nfrom cpimportd.workbook.forkserver import serve\n"
ECHO = "print(os.getpid(), sys.stdin.read(), flush=True)"
SLEEP = """
from cpimportd.workbook.confine import die_with_parent
die_with_parent()
print(os.getpid(), flush=True)
sys.stdin.read()
time.sleep(60)"""


def program(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", f"{PRELUDE}serve()\n{code}"]


@pytest_asyncio.fixture
async def echoing():
    async with ForkServer(program(ECHO)) as server:
        yield server


async def heard(server: ForkServer, job: str, **limits) -> list[str]:
    lines = run_limited(server.fork, job.encode(), Reader(**limits), file="a.xlsx")
    return b"".join([block async for block in lines]).decode().split()


async def refused(server: ForkServer, **limits) -> tuple[str, str]:
    with pytest.raises(ProblemError) as caught:
        await heard(server, "job", **limits)
    (problem,) = caught.value.problems
    return problem.code, problem.message


def process_of(server: ForkServer) -> psutil.Process:
    """The one process of a fork server, which must have been asked for a child."""
    (found,) = [child for child in launcher.children() if child.cmdline() == list(server._argv)]
    return found


async def gone(*processes: psutil.Process) -> None:
    await asyncio.to_thread(psutil.wait_procs, processes, 5)
    assert not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


async def childless(process: psutil.Process) -> None:
    async with asyncio.timeout(5):
        while process.children():  # noqa: ASYNC110 - the kernel sets no events
            await asyncio.sleep(0.02)


async def test_many_at_once_get_their_own_jobs_and_leave_no_process_behind(echoing):
    said = await asyncio.gather(*(heard(echoing, str(number)) for number in range(40)))
    assert [number for _, number in said] == [str(number) for number in range(40)]
    assert len({pid for pid, _ in said}) == 40
    assert not process_of(echoing).children()


async def test_nothing_is_started_before_the_first_child_and_nothing_is_left_after_the_block():
    async with ForkServer(program(ECHO)) as server:
        assert not launcher.children()
        await heard(server, "job")
        process = process_of(server)
    await gone(process)


async def test_what_is_imported_is_imported_once(tmp_path):
    (tmp_path / "slow.py").write_text(f"open({str(tmp_path / 'times')!r}, 'a').write('x')")
    code = f"{PRELUDE}sys.path.insert(0, {str(tmp_path)!r})\nimport slow\nserve()\n{ECHO}"
    async with ForkServer([sys.executable, "-I", "-c", code]) as server:
        for _ in range(3):
            await heard(server, "job")
    assert (tmp_path / "times").read_text() == "x"


async def test_the_death_of_one_child_touches_no_other():
    code = "job = sys.stdin.read()\nif job == 'die': os.abort()\ntime.sleep(0.5); print(job)"
    async with ForkServer(program(code)) as server:
        survivor = asyncio.create_task(heard(server, "live"))
        with pytest.raises(ProblemError, match="SIGABRT"):
            await heard(server, "die")
        assert await survivor == ["live"]


async def test_a_child_is_in_a_session_of_its_own_and_its_signals_are_the_usual_ones():
    code = """
import signal
sys.stdin.read()
print(os.getsid(0) == os.getpid() != os.getppid(), signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)
print(signal.set_wakeup_fd(-1), sorted(map(int, os.listdir("/proc/self/fd")))[:-1])"""
    async with ForkServer(program(code)) as server:
        assert await heard(server, "job") == ["True", "True", "-1", "[0,", "1,", "2]"]


async def test_neither_the_server_nor_its_children_see_our_environment(monkeypatch):
    monkeypatch.setenv("CPIMPORTD_DATABASE__PASSWORD", "geheim")
    code = "sys.stdin.read()\nprint(os.environ, open('/proc/self/environ').read())"
    async with ForkServer(program(code)) as server:
        assert "geheim" not in " ".join(await heard(server, "job"))
        assert "geheim" not in str(process_of(server).environ())


async def test_a_server_that_cannot_start_is_reported():
    async with ForkServer(["/nowhere/python"]) as server:
        code, message = await refused(server)
    assert code == "reader-failed"
    assert "/nowhere/python" in message


async def test_a_server_that_fails_is_reported_with_its_last_output():
    async with ForkServer([sys.executable, "-I", "-c", "import cpimportd_that_is_not_there"]) as server:
        for _ in range(2):
            code, message = await refused(server)
            assert code == "reader-failed"
            assert "No module named 'cpimportd_that_is_not_there'" in message
        said = await asyncio.gather(*(refused(server) for _ in range(5)))
    assert {code for code, _ in said} == {"reader-failed"}


async def test_children_die_with_a_server_that_was_killed_and_the_next_child_has_a_new_one():
    async with ForkServer(program(SLEEP)) as server:
        lines = run_limited(server.fork, b"job", Reader(), file="a.xlsx")
        child = psutil.Process(int(await anext(lines)))
        first = process_of(server)
        first.kill()
        with pytest.raises(ProblemError, match="killed from outside"):
            await anext(lines)
        await gone(child)
        lines = run_limited(server.fork, b"job", Reader(), file="a.xlsx")
        assert await anext(lines)
        assert process_of(server).pid != first.pid
        await lines.aclose()


async def test_a_server_that_does_not_answer_is_waited_for_as_long_as_a_child_may_take(echoing):
    await heard(echoing, "job")
    process = process_of(echoing)
    process.suspend()
    code, message = await refused(echoing, wall_time=timedelta(seconds=1))
    assert code == "reader-limit"
    assert "wall time" in message
    process.resume()
    assert (await heard(echoing, "again"))[1] == "again"
    await childless(process)  # the one that was given up came to be, and was killed


async def test_a_machine_without_more_descriptors_is_no_fault_of_the_file(echoing):
    await heard(echoing, "job")
    resource.prlimit(process_of(echoing).pid, resource.RLIMIT_NOFILE, (6, 6))
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
        await heard(echoing, "job")


async def test_who_is_given_up_before_it_was_born_does_not_stay(echoing):
    await heard(echoing, "job")
    process = process_of(echoing)
    process.suspend()
    waiting = asyncio.create_task(echoing.fork())
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    process.resume()
    assert (await heard(echoing, "next"))[1] == "next"
    await childless(process)
    assert not echoing._answers


async def test_a_server_that_a_child_has_stopped_is_given_up_with_that_child(monkeypatch):
    monkeypatch.setattr(forking, "_SECONDS_TO_KILL", 0.5)
    code = """
import signal
from cpimportd.workbook.confine import die_with_parent
die_with_parent()
job = sys.stdin.read()
print(os.getpid(), flush=True)
if job == "stop":
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(60)"""
    async with ForkServer(program(code)) as server:
        lines = run_limited(server.fork, b"stop", Reader(wall_time=timedelta(seconds=1)), file="a.xlsx")
        child = psutil.Process(int(await anext(lines)))
        stopped = process_of(server)
        with pytest.raises(ProblemError, match="wall time"):
            await anext(lines)
        await gone(child, stopped)
        assert len(await heard(server, "job")) == 1
        assert not server._answers


async def test_memory_that_is_missing_before_a_job_is_given_is_no_fault_of_the_file():
    code = "raise ImportError('libx.so: failed to map segment from shared object')"
    async with ForkServer([sys.executable, "-I", "-c", code]) as server:
        with pytest.raises(OSError, match=os.strerror(errno.ENOMEM)):
            await heard(server, "job")


@pytest.mark.parametrize("asked", ["job", bytes(5_000_000).decode()])
async def test_a_child_that_does_not_take_its_job_is_ended(asked):
    async with ForkServer(program("time.sleep(60)")) as server:
        with pytest.raises(ProblemError, match="wall time"):
            await heard(server, asked, wall_time=timedelta(seconds=1))
        await childless(process_of(server))


async def test_cancellation_kills_a_child_that_is_still_being_fed():
    async with ForkServer(program("print(1, flush=True); time.sleep(60)")) as server:
        feeding = asyncio.create_task(heard(server, bytes(5_000_000).decode()))
        await asyncio.sleep(0.5)
        assert len(process_of(server).children()) == 1
        feeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feeding
        await childless(process_of(server))


async def test_who_hangs_up_with_an_answer_unheard_leaves_no_child():
    # The child has not asked to die with its parent: the parent itself must kill it.
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        serving = await asyncio.create_subprocess_exec(
            *program("time.sleep(60)"), stdin=its.fileno(), stderr=asyncio.subprocess.PIPE
        )
    with ours, Path(os.devnull).open("r+b") as nothing:  # noqa: ASYNC230 - a device
        socket.send_fds(ours, [b"fork 1"], [nothing.fileno()] * 3)
        await asyncio.to_thread(ours.recv, 64, socket.MSG_PEEK)
        (child,) = psutil.Process(serving.pid).children()
    _, complaint = await serving.communicate()
    assert (serving.returncode, complaint) == (0, b"")
    await gone(child)


PARENT = f"""
import asyncio, sys
sys.path.insert(0, {ROOT!r})
from cpimportd.config.settings import Reader
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.sandbox import run_limited
async def main():
    async with ForkServer({program(SLEEP)!r}) as server:
        async for block in run_limited(server.fork, b"", Reader(), file="a"):
            print(block.decode(), end="", flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("stopped", [False, True])
async def test_server_and_children_die_with_a_parent_that_has_no_time_to_clean_up(stopped):
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    child = psutil.Process(int(await parent.stdout.readline()))
    server = child.parent()
    assert server.pid != parent.pid
    if stopped:
        server.suspend()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await gone(child, server)


async def test_what_is_prepared_for_reading_knows_no_settings_and_no_database():
    *python, _code, folder = prefork_command()
    assert [*python, folder] == [*child_command("cpimportd.workbook.worker")[:-2], folder]
    code = "import sys; sys.path.insert(0, sys.argv[1]); import cpimportd.workbook.preload; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(*python, code, folder, stdout=asyncio.subprocess.PIPE)
    modules = (await process.communicate())[0].decode().split()
    assert {"cpimportd.workbook.worker", "python_calamine"} <= set(modules)
    reaching = {"ssl", "asyncio", "subprocess", "pydantic", "asyncpg", "sqlalchemy", "redis", "aioftp"}
    assert not reaching & set(modules)
    assert "cpimportd.config.settings" not in modules
