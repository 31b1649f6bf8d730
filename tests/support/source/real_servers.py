"""vsftpd, ProFTPD, Pure-FTPd and pyftpdlib on the loopback interface, each serving one folder to one user."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.secrets import FTP, FTP_ASCII

USER, PASSWORD, ASCII_PASSWORD = "finance", FTP, FTP_ASCII


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        kind: which.
        port: of the control connection.
        root: the folder it serves.
        user: who may log in.
        password: with what.
        tls: whether it wants TLS.
        process: the server.
    """

    kind: str
    port: int
    root: Path
    user: str
    password: str
    tls: bool
    process: subprocess.Popen[bytes]

    def url(self, folder: str = "") -> str:
        return f"{'ftps' if self.tls else 'ftp'}://127.0.0.1:{self.port}/{folder}"


def binary(package: str, name: str) -> Path:
    """A server's program; skips the test where it is not to be had."""
    folder = os.environ.get("CPIMPORTD_TEST_FTP_SERVERS")
    if folder:
        for place in ("usr/sbin", "usr/bin"):
            if (path := Path(folder, package, place, name)).exists():
                return path
    if found := shutil.which(name):
        return Path(found)
    pytest.skip(f"{name} is not here: tests/support/get_ftp_servers FOLDER, then CPIMPORTD_TEST_FTP_SERVERS=FOLDER")


def only_tls(version: str, scratch: Path) -> dict[str, str]:
    """The environment in which every program that uses OpenSSL speaks this version of TLS alone (config(5))."""
    config = scratch / "openssl.cnf"
    config.write_text(
        "openssl_conf = settings\n[settings]\nssl_conf = ssl\n[ssl]\nsystem_default = versions\n"
        f"[versions]\nMinProtocol = {version}\nMaxProtocol = {version}\n"
    )
    return {"OPENSSL_CONF": str(config)}


def environment() -> dict[str, str]:
    folder = os.environ.get("CPIMPORTD_TEST_FTP_SERVERS", "")
    libraries = sorted({str(p.parent) for p in Path(folder, "libraries").rglob("*.so*")}) if folder else []
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "TZ": "Europe/Moscow"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the server did not start: {log.read_text(errors='replace')}")


@contextmanager
def start(
    kind: str,
    root: Path,
    scratch: Path,
    certificate: Path | None,
    options: Mapping[str, str] | None = None,
    tls_version: str | None = None,
) -> Iterator[Running]:
    """Run a server.

    Args:
        kind: a key of ``COMMANDS``.
        root: the folder it serves.
        scratch: for its configuration and log.
        certificate: key and certificate; without it there is no TLS.
        options: lines (vsftpd, ProFTPD), arguments (Pure-FTPd) or settings (pyftpdlib) of its own.
        tls_version: the only one spoken, such as ``TLSv1.2``.
    """
    port, log = free_port(), scratch / f"{kind}.log"
    command, user, password = COMMANDS[kind](root, scratch, port, certificate, options or {})
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment() | (only_tls(tls_version, scratch) if tls_version else {}),
            start_new_session=True,
        )
    try:
        _await_port(port, process, log)
        yield Running(kind, port, root, user, password, certificate is not None, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


Command = tuple[list[str], str, str]


def _vsftpd(root: Path, scratch: Path, port: int, certificate: Path | None, options: Mapping[str, str]) -> Command:
    program = binary("vsftpd", "vsftpd")
    (scratch / "empty").mkdir()
    (scratch / "passwords").write_text(f"{ASCII_PASSWORD}\n")
    lines = {
        "listen": "YES",
        "listen_address": "127.0.0.1",
        "listen_port": str(port),
        "background": "NO",
        "anonymous_enable": "YES",
        "local_enable": "NO",
        "ftp_username": "daemon",
        "nopriv_user": "nobody",
        "anon_root": str(root),
        "anon_world_readable_only": "NO",
        "secure_email_list_enable": "YES",
        "email_password_file": str(scratch / "passwords"),
        "secure_chroot_dir": str(scratch / "empty"),
        "seccomp_sandbox": "NO",
        "pasv_min_port": "20000",
        "pasv_max_port": "29999",
        "xferlog_file": str(scratch / "xferlog"),
    }
    if os.geteuid() != 0:
        lines["run_as_launching_user"] = "YES"
    if certificate:
        secure = ("ssl_enable", "allow_anon_ssl", "force_anon_logins_ssl", "force_anon_data_ssl", "require_ssl_reuse")
        lines |= dict.fromkeys(secure, "YES")
        lines |= {"rsa_cert_file": str(certificate), "rsa_private_key_file": str(certificate)}
    config = scratch / "vsftpd.conf"
    config.write_text("".join(f"{key}={value}\n" for key, value in (lines | dict(options)).items()))
    return [str(program), str(config)], "anonymous", ASCII_PASSWORD


def _hashed(password: str) -> str:
    return subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    ).stdout.strip()


def _proftpd(root: Path, scratch: Path, port: int, certificate: Path | None, options: Mapping[str, str]) -> Command:
    program = binary("proftpd", "proftpd")
    users, groups, config = scratch / "users", scratch / "groups", scratch / "proftpd.conf"
    users.write_text(f"{USER}:{_hashed(PASSWORD)}:{os.geteuid()}:{os.getegid()}::{root}:/bin/false\n")
    groups.write_text(f"finance:x:{os.getegid()}:\n")
    for file in (users, groups):
        file.chmod(0o600)
    modules = program.parent.parent / "lib/proftpd"
    lines = [f"ModulePath {modules}", "LoadModule mod_tls.c"] if certificate else []
    lines += [
        "ServerType standalone",
        "DefaultAddress 127.0.0.1",
        f"Port {port}",
        "SocketBindTight on",
        "UseReverseDNS off",
        "DelayEngine off",
        "AuthOrder mod_auth_file.c",
        f"AuthUserFile {users}",
        f"AuthGroupFile {groups}",
        "RequireValidShell off",
        "RootLogin on",
        "PassivePorts 30000 39999",
        "DefaultRoot ~" if os.geteuid() == 0 else "",
        f"PidFile {scratch}/pid",
        f"ScoreboardFile {scratch}/scoreboard",
        f"SystemLog {scratch}/system.log",
        "WtmpLog off",
        "TransferLog none",
        # Without these a server that was built for root would become root; one may become what one is.
        f"User {'nobody' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name}",
        f"Group {'nogroup' if os.geteuid() == 0 else grp.getgrgid(os.getegid()).gr_name}",
        "<IfModule mod_ctrls.c>\nControlsEngine off\n</IfModule>",  # its socket would lie where other servers' does
        "<IfModule mod_auth_pam.c>\nAuthPAM off\n</IfModule>",
    ]
    if certificate:
        lines += [
            "TLSEngine on",
            "TLSRequired on",
            f"TLSRSACertificateFile {certificate}",
            f"TLSRSACertificateKeyFile {certificate}",
            f"TLSLog {scratch}/tls.log",
        ]
    lines += [f"{key} {value}" for key, value in options.items()]
    config.write_text("\n".join(lines) + "\n")
    return [str(program), "-n", "-q", "-c", str(config)], USER, PASSWORD


def _pure_ftpd(root: Path, scratch: Path, port: int, certificate: Path | None, options: Mapping[str, str]) -> Command:
    program = binary("pure-ftpd", "pure-ftpd")
    if os.geteuid() != 0:
        pytest.skip("Pure-FTPd runs as root only")
    passwords, database = scratch / "pureftpd.passwd", scratch / "pureftpd.pdb"
    passwords.write_text(f"{USER}:{_hashed(ASCII_PASSWORD)}:1:1::{root}/./::::::::::::\n")
    subprocess.run(
        [str(binary("pure-ftpd", "pure-pw")), "mkdb", str(database), "-f", str(passwords)],
        check=True,
        env=environment(),
        capture_output=True,
    )
    command = [str(program), "-S", f"127.0.0.1,{port}", "-l", f"puredb:{database}", "-E", "-H", "-u", "1", "-4"]
    command += ["-p", "40000:49999", "-g", str(scratch / "pid")]
    if certificate:
        command += ["-Y", "3", "-2", str(certificate)]
    for key, value in options.items():
        command += [key, value]
    return command, USER, ASCII_PASSWORD


def _pyftpdlib(root: Path, scratch: Path, port: int, certificate: Path | None, options: Mapping[str, str]) -> Command:
    program = Path(__file__).with_name("pyftpdlib_server.py")
    more = [f"{key}={value}" for key, value in options.items()]
    password = ASCII_PASSWORD if "encoding" in options else PASSWORD  # which it would read in that encoding, too
    command = [sys.executable, str(program), str(root), str(port), USER, password, str(certificate or ""), *more]
    return command, USER, password


COMMANDS = {"vsftpd": _vsftpd, "proftpd": _proftpd, "pure-ftpd": _pure_ftpd, "pyftpdlib": _pyftpdlib}
