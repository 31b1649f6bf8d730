"""The demo's FTP server serves one folder to one user, and is gone afterwards."""

import ftplib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cpimportd.demo.ftp import LoopbackFtpServer

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Горизонт Поступление кредиты.xlsx").write_bytes(b"x" * 100_000)
    return tmp_path


def client(server, password=None):
    ftp = ftplib.FTP(encoding="utf-8", timeout=10)
    ftp.connect("127.0.0.1", server.port)
    ftp.login(server.user, server.password if password is None else password)
    return ftp


def test_a_cyrillic_name_is_listed_and_fetched(folder):
    with LoopbackFtpServer(folder) as server, client(server) as ftp:
        facts = dict(ftp.mlsd(facts=["size", "type"]))
        assert facts["Горизонт Поступление кредиты.xlsx"] == {"size": "100000", "type": "file"}
        got = bytearray()
        ftp.retrbinary("RETR Горизонт Поступление кредиты.xlsx", got.extend)
        assert bytes(got) == b"x" * 100_000


def test_a_wrong_password_is_refused(folder):
    with LoopbackFtpServer(folder) as server, pytest.raises(ftplib.error_perm):
        client(server, "wrong")


def test_nothing_can_be_written(folder):
    with LoopbackFtpServer(folder) as server, client(server) as ftp, pytest.raises(ftplib.error_perm):
        ftp.delete("Горизонт Поступление кредиты.xlsx")


def test_two_servers_do_not_share_users_or_folders(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with LoopbackFtpServer(folder) as first, LoopbackFtpServer(other) as second:
        with pytest.raises(ftplib.error_perm):
            client(second, first.password)
        with client(second) as ftp:
            assert ftp.nlst() == []


def test_a_stopped_server_leaves_no_port_and_no_thread(folder):
    with LoopbackFtpServer(folder) as server:
        port = server.port
        connection = client(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    connection.close()
    assert "demo-ftp" not in [thread.name for thread in threading.enumerate()]


def test_the_users_screen_stays_clean(folder):
    code = """
import ftplib, sys
from pathlib import Path
from cpimportd.demo.ftp import LoopbackFtpServer
with LoopbackFtpServer(Path(sys.argv[1])) as server, ftplib.FTP(encoding="utf-8") as ftp:
    ftp.connect("127.0.0.1", server.port)
    ftp.login(server.user, server.password)
    print(len(ftp.nlst()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(PROJECT)},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_the_server_alone_serves_a_holding_and_later_its_next_day(tmp_path):
    command = [sys.executable, "-m", "cpimportd.demo", "--listen", "127.0.0.1:0", "--every", "0.5"]
    environment = {"PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp_path), "CPIMPORTD_DEMO_PASSWORD": "secret word"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline().split()[-1])
        with ftplib.FTP(encoding="utf-8", timeout=10) as ftp:
            ftp.connect("127.0.0.1", port)
            ftp.login("finance", "secret word")
            first = dict(ftp.mlsd(facts=["size"]))
            assert len(first) == 9
            deadline = time.monotonic() + 20
            while (later := dict(ftp.mlsd(facts=["size"]))) == first and time.monotonic() < deadline:
                time.sleep(0.1)
            assert later.keys() == first.keys()
            assert later != first
        server.terminate()
        assert server.wait(timeout=20) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_server_alone_wants_a_password_that_no_process_list_shows():
    command = [sys.executable, "-m", "cpimportd.demo"]
    ended = subprocess.run(command, env={"PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "set CPIMPORTD_DEMO_PASSWORD" in ended.stderr
