"""A real reader of workbooks that was taken over: what the worker or the marker does, with an attack in place of its work.

``python -I hostile_reader.py ROOT forked|spawned|marker [UID]``. The attack tries everything in ``ATTEMPTS`` and says of
each what came of it, one JSON object for all: "done", or the name of the error.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
# x86-64 and aarch64; None: aarch64 has no such call.
CALLS = {
    "openat2": (437, 437), "open": (2, None), "creat": (85, None), "openat": (257, 56), "name_to_handle_at": (303, 264),
    "io_uring_setup": (425, 425), "memfd_create": (319, 279), "execveat": (322, 281), "clone3": (435, 435), "vfork": (58, None),
    "fork": (57, None), "clone": (56, 220), "tgkill": (234, 131), "tkill": (200, 130), "pidfd_open": (434, 434), "rt_sigqueueinfo": (129, 138),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "perf_event_open": (298, 241), "bpf": (321, 280), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "pivot_root": (155, 41), "chroot": (161, 51), "mknodat": (259, 33),
    "setxattr": (188, 5), "shmget": (29, 194), "msgget": (68, 186), "mq_open": (240, 180), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262), "open_tree": (428, 428), "fsopen": (430, 430), "memfd_secret": (447, 447), "prlimit64": (302, 261),
    "seccomp": (317, 277), "landlock_create_ruleset": (444, 444), "quotactl": (179, 60), "acct": (163, 89), "init_module": (175, 105),
    "renameat2": (316, 276), "statx": (332, 291), "setuid": (105, 146), "setsid": (112, 157), "personality": (135, 92), "pkey_mprotect": (329, 288),
    "splice": (275, 76), "sendfile": (40, 71), "copy_file_range": (326, 285), "vmsplice": (278, 75), "dup": (32, 23), "epoll_create1": (291, 20),
    "timer_create": (222, 107), "signalfd4": (289, 74), "cachestat": (451, 451), "listxattr": (194, 11), "fchmodat2": (452, 452),
}  # fmt: skip
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000


def call(name, *arguments):
    number = CALLS[name][0 if X86 else 1]
    if number is None:
        raise OSError(errno.ENOSYS, name)
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    LIBC.syscall.restype = ctypes.c_long
    result = LIBC.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def said_to(kind, family, address):
    with socket.socket(family, kind) as made:
        made.settimeout(1)
        made.connect(address)
        made.send(b"stolen")


def read_file(path):
    with open(path, "rb") as stream:
        assert stream.read(10) or path


def own_thread():
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()


def child(start):
    pid = start()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def pass_descriptor():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=0)
    try:
        socket.send_fds(made, [b"x"], [1])
    finally:
        made.detach()


def executable_memory():
    LIBC.mmap.restype = ctypes.c_void_p
    if LIBC.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_long(0)) in {None, ctypes.c_void_p(-1).value}:
        raise OSError(ctypes.get_errno(), "mmap")


def made_executable():
    page = mmap.mmap(-1, 4096)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if LIBC.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(4096), 5):
        raise OSError(ctypes.get_errno(), "mprotect")


def own_signal(job):
    fcntl.fcntl(0, 8, job["parent"])  # F_SETOWN


def parents_memory(job):
    into, start = ctypes.create_string_buffer(8), job["address"]
    local = struct.pack("QQ", ctypes.addressof(into), 8)
    call("process_vm_readv", job["parent"], local, 1, struct.pack("QQ", start, 8), 1, 0)


def attempts(job):
    """What is tried, by name; what ``job`` names is there: files, sockets, and the parent's number."""
    own, secret = job["own"].encode(), job["secret"].encode()
    folder, parent = job["folder"], job["parent"]
    how = struct.pack("QQQ", 0, 0, 0)
    network = {
        "tcp": lambda: said_to(socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", job["tcp"])),
        "udp": lambda: said_to(socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", job["udp"])),
        "unix": lambda: said_to(socket.SOCK_STREAM, socket.AF_UNIX, job["unix"]),
        "unix datagram": lambda: said_to(socket.SOCK_DGRAM, socket.AF_UNIX, job["unix_datagram"]),
        "abstract": lambda: said_to(socket.SOCK_STREAM, socket.AF_UNIX, f"\0{job['abstract']}"),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
        "tcp6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close(),
        "socketpair": lambda: socket.socketpair(),
        "vsock": lambda: socket.socket(40, socket.SOCK_STREAM).close(),
        "pass a descriptor": lambda: pass_descriptor(),
    }
    reading = {
        "own file": lambda: read_file(secret),
        "open": lambda: call("open", secret, 0, 0),
        "openat": lambda: call("openat", AT_FDCWD, secret, 0, 0),
        "openat2": lambda: call("openat2", AT_FDCWD, secret, how, 24),
        "by way of /proc": lambda: read_file(f"/proc/self/root{job['secret']}"),
        "its own workbook anew": lambda: read_file(job["path"]),
        "its own descriptor anew": lambda: read_file("/proc/self/fd/0"),
        "program": lambda: read_file(sys.executable),
        "passwd": lambda: read_file("/etc/passwd"),
        "parent's environment": lambda: read_file(f"/proc/{parent}/environ"),
        "parent's memory file": lambda: os.close(os.open(f"/proc/{parent}/mem", os.O_RDWR)),
        "own memory file": lambda: os.close(os.open("/proc/self/mem", os.O_RDWR)),
        "list": lambda: os.listdir(folder),
        "stat": lambda: os.stat(secret),
        "statx": lambda: call("statx", AT_FDCWD, secret, 0, 0xFFF, ctypes.create_string_buffer(256)),
        "readlink": lambda: os.readlink("/proc/self/exe"),
        "handle": lambda: call(
            "name_to_handle_at",
            AT_FDCWD,
            secret,
            ctypes.create_string_buffer(b"\x08", 64),
            ctypes.create_string_buffer(8),
            0,
        ),
        "import": lambda: __import__("wave"),
        "device": lambda: read_file("/dev/zero"),
        "io_uring": lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(120)),
        "xattr": lambda: call("listxattr", secret, None, 0),
    }
    new = f"{folder}/new"
    writing = {
        "append": lambda: os.open(own, os.O_WRONLY | os.O_APPEND),
        "read and write": lambda: os.open(own, os.O_RDWR),
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "creat": lambda: call("creat", new.encode(), 0o600),
        "temporary": lambda: os.open(folder, os.O_TMPFILE | os.O_RDWR),
        "truncate": lambda: os.truncate(own, 0),
        "rename": lambda: os.rename(own, f"{folder}/renamed"),
        "renameat2": lambda: call("renameat2", AT_FDCWD, own, AT_FDCWD, f"{folder}/renamed".encode(), 0),
        "unlink": lambda: os.unlink(own),
        "link": lambda: os.link(own, f"{folder}/link"),
        "symlink": lambda: os.symlink("/etc/passwd", f"{folder}/symlink"),
        "mkdir": lambda: os.mkdir(f"{folder}/made"),
        "rmdir": lambda: os.rmdir(f"{folder}/empty"),
        "fifo": lambda: os.mkfifo(f"{folder}/fifo"),
        "chmod": lambda: os.chmod(own, 0o777),
        "fchmodat2": lambda: call("fchmodat2", AT_FDCWD, own, 0o777, 0),
        "chown": lambda: os.chown(own, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(own, (0, 0)),
        "setxattr": lambda: call("setxattr", own, b"user.x", b"x", 1, 0),
        "fchmod": lambda: os.fchmod(job["held"], 0o777),
        "ftruncate": lambda: os.ftruncate(job["held"], 0),
        "write to its workbook": lambda: os.write(job["held"], b"x"),
        "chdir": lambda: os.chdir("/"),
        "umask": lambda: os.umask(0),
    }
    nobody = ctypes.create_string_buffer(128)
    processes = {
        "exec": lambda: os.execv("/nowhere/program", ["x"]),
        "execveat": lambda: call("execveat", AT_FDCWD, b"/nowhere/program", None, None, 0),
        "memfd": lambda: call("memfd_create", b"x", 0),
        "fork": lambda: child(os.fork),
        "vfork": lambda: call("clone3", ctypes.create_string_buffer(8), 8),
        "thread": own_thread,
        "spawn": lambda: os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", ""], {}), 0),
        "signal its parent": lambda: os.kill(parent, 0),
        "signal its parent's thread": lambda: call("tgkill", parent, parent, 0),
        "tkill": lambda: call("tkill", parent, 0),
        "signal everybody": lambda: os.kill(-1, 0),
        "signal the parent's group": lambda: os.killpg(os.getpgid(parent), 0),
        "pidfd": lambda: call("pidfd_open", parent, 0),
        "queue a signal": lambda: call("rt_sigqueueinfo", parent, 0, nobody),
        "signal by fcntl": lambda: own_signal(job),
        "ptrace": lambda: call("ptrace", 0x4206, parent, 0, 0),
        "parent's memory": lambda: parents_memory(job),
        "compare": lambda: call("kcmp", parent, os.getpid(), 0, 0, 0),
        "parent's limits": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "own limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
        "session": lambda: os.getsid(parent),
    }
    kernel = {
        "user namespace": lambda: call("unshare", 0x10000000),
        "mount namespace": lambda: call("unshare", 0x00020000),
        "namespace by clone": lambda: call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
        "mount": lambda: call("mount", b"none", b"/nowhere", b"tmpfs", 0, None),
        "chroot": lambda: os.chroot("/nowhere"),
        "bpf": lambda: call("bpf", 0, nobody, 128),
        "perf": lambda: call("perf_event_open", nobody, 0, -1, -1, 0),
        "userfaultfd": lambda: call("userfaultfd", 1),
        "keyring": lambda: call("keyctl", 0, -4, 0),
        "add a key": lambda: call("add_key", b"user", b"x", b"x", 1, -2),
        "shared memory": lambda: call("shmget", 0, 4096, 0o1600),
        "message queue": lambda: call("msgget", 0, 0o1600),
        "watch files": lambda: call("inotify_init1", 0),
        "personality": lambda: call("personality", 0xFFFFFFFF),
        "prctl": lambda: LIBC.prctl(4, 1, 0, 0, 0) and _fail(),
        "another filter": lambda: call("seccomp", 2, 0, nobody),
        "executable memory": executable_memory,
        "memory made executable": made_executable,
        "set user": lambda: os.setuid(os.getuid()),
        "uname": os.uname,
        "pipe": os.pipe,
        "epoll": select.epoll,
        "dup": lambda: os.dup(0),
        "ioctl": lambda: os.get_terminal_size(0),
        "a call of tomorrow": lambda: _raw(5000),
    }
    return {
        f"{room}: {name}": attempt
        for room, those in (
            ("network", network),
            ("reading", reading),
            ("writing", writing),
            ("processes", processes),
            ("kernel", kernel),
        )
        for name, attempt in those.items()
    }


def _fail():
    raise OSError(ctypes.get_errno(), "")


def _raw(number):
    LIBC.syscall.restype = ctypes.c_long
    if LIBC.syscall(ctypes.c_long(number)) < 0:
        raise OSError(ctypes.get_errno(), "")


def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    except RuntimeError as error:  # "can't start new thread"
        return str(error)
    except BaseException as error:  # noqa: BLE001 - told
        return type(error).__name__
    return "done"


def attack(job):
    held = [number for number in range(3, 20) if _is_open(number)]
    job["held"] = held[0] if held else -1
    print(json.dumps({name: outcome(attempt) for name, attempt in attempts(job).items()}), flush=True)


def _is_open(number):
    try:
        os.lseek(number, 0, os.SEEK_CUR)
    except OSError:
        return False
    return True


def stub(code):
    """Machine code that can be called, made while that is allowed."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    keep.append(page)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))


def under_memory_protection():
    """Whether a unit forbids executable memory already."""
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    except PermissionError:
        return True
    return False


keep = []


def main():
    root, how, *more = sys.argv[1:]
    sys.path.insert(0, root)
    from cpimportd.run import marker
    from cpimportd.workbook import worker
    from cpimportd.workbook.confine import import_codecs
    from cpimportd.workbook.forkserver import serve

    if X86 and how == "forked" and not more and not under_memory_protection():
        # mov eax, 20 (getpid of i386); int 0x80; ret. And: mov eax, 0x40000027 (getpid of x32); syscall; ret.
        keep.append(stub(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"))
        keep.append(stub(b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"))

    def work(job, *_):
        if "foreign" in job:
            print(keep[1 if job["foreign"] == "i386" else 3](), flush=True)
        else:
            attack(job)

    if more:
        uid = int(more[0])
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as a program that this user has started itself
    if how == "marker":
        marker.with_declared_names = lambda _: None
        # What main() was asked is its own: the attack gets it by the frame.
        marker.mark = lambda *_, **__: attack(json.loads(sys._getframe(1).f_locals["asked"])) or b""
        marker.main()
    else:
        worker.work = work
        import_codecs()
        if how == "forked":
            serve()
        worker.main()


if __name__ == "__main__":
    main()
