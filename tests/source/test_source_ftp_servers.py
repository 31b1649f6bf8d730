"""The source against four real servers, plain and under TLS with the reuse of sessions required."""

import hashlib
import os
import random
from pathlib import Path

import pytest

from cpimportd.core.model import Progress
from cpimportd.core.problems import ProblemError
from cpimportd.source.fetch import fetch
from cpimportd.source.probe import probe
from tests.support.faults.table import Chapter, Faults
from tests.support.faults.tap import tapped
from tests.support.secrets import FTP_WRONG
from tests.support.source.serving import Start, files_in, mode_of, modified, put, retry_for, settings_for

SERVERS = ("pyftpdlib", "vsftpd", "proftpd", "pure-ftpd")
each_server = pytest.mark.parametrize("kind", SERVERS)
each_security = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])

NAMES = (
    "Lotos - Postuplenie(kredity) XLSX.xlsx",
    "MOST - spisanie kredity XLSX.XLS",
    'Most\'s "spisanie" [rasshifrovka].xlsb',
    "Поступление кредиты.xlsx",
    "-dash & percent%20.xlsx",
    "a.xlsx",
    "A.xlsx",
)


@each_server
@each_security
@pytest.mark.asyncio
async def test_every_workbook_arrives_complete_and_nothing_else(
    kind: str, tls: bool, start: Start, served: Path, spool: Path, ca_file: Path
) -> None:
    contents = {name: random.Random(name).randbytes(200_000 + len(name)) for name in NAMES}
    for name, content in contents.items():
        put(served, name, content)
    put(served, "empty.xlsx", b"")
    put(served, "~$a.xlsx", b"lock")
    put(served, "notes.txt", b"text")
    put(served, "half.xlsx.tmp", b"half")
    (served / "folder.xlsx").mkdir()
    server = start(kind, tls=tls)

    fetched = await fetch(settings_for(server, ca_file), retry_for(5), spool)

    assert fetched.problems == ()
    assert [file.name for file in fetched.files] == sorted([*NAMES, "empty.xlsx"])
    for file in fetched.files:
        content = contents.get(file.name, b"")
        assert file.path.read_bytes() == content
        assert file.size == len(content)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.modified is not None
        assert abs(file.modified.timestamp() - modified(served / file.name)) < 2
    assert files_in(spool) == sorted(file.path.name for file in fetched.files)
    assert mode_of(spool) == 0o700


@each_server
@pytest.mark.asyncio
async def test_a_name_in_cp1251_among_utf8_names_is_shown_and_fetched(
    kind: str, start: Start, served: Path, spool: Path
) -> None:
    if kind == "pyftpdlib":
        pytest.skip("pyftpdlib sends question marks for a name that is not UTF-8")
    put(served, "Поступление.xlsx", b"utf-8")
    put(served, "Списание.xlsx".encode("cp1251"), b"cp1251")
    fetched = await fetch(settings_for(start(kind)), retry_for(5), spool)
    assert {file.name: file.path.read_bytes() for file in fetched.files} == {
        "Поступление.xlsx": b"utf-8",
        "Списание.xlsx": b"cp1251",
    }


@pytest.mark.parametrize("kind", ["vsftpd", "pure-ftpd"])
@pytest.mark.asyncio
async def test_the_encoding_of_the_settings_is_used_for_names_and_folder(
    kind: str, start: Start, served: Path, spool: Path
) -> None:
    folder = served / os.fsdecode("Обмен 1С".encode("cp1251"))
    folder.mkdir()
    put(folder, "Списание.xlsx".encode("cp1251"), b"cp1251")
    fetched = await fetch(settings_for(start(kind), folder="Обмен 1С", encoding="cp1251"), retry_for(5), spool)
    assert [file.name for file in fetched.files] == ["Списание.xlsx"]


@each_server
@pytest.mark.asyncio
async def test_a_folder_with_brackets_and_spaces_is_entered(kind: str, start: Start, served: Path, spool: Path) -> None:
    folder = served / "1С [обмен] *"
    folder.mkdir()
    put(folder, "a.xlsx", b"here")
    put(served, "b.xlsx", b"not here")
    fetched = await fetch(settings_for(start(kind), folder="1С%20[обмен]%20*"), retry_for(5), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]


@each_server
@pytest.mark.asyncio
async def test_a_missing_folder_is_a_failed_listing_and_not_an_empty_one(kind: str, start: Start, spool: Path) -> None:
    with pytest.raises(ProblemError) as failure:
        await fetch(settings_for(start(kind), folder="absent"), retry_for(30), spool)
    assert failure.value.problems[0].code == "source-listing"


@each_server
@pytest.mark.asyncio
async def test_an_empty_folder_reports_it(kind: str, start: Start, spool: Path) -> None:
    with pytest.raises(ProblemError) as failure:
        await fetch(settings_for(start(kind)), retry_for(0), spool)
    assert failure.value.problems[0].code == "source-empty"


@each_server
@each_security
@pytest.mark.asyncio
async def test_a_wrong_password_is_tried_once_and_never_shown(
    kind: str, tls: bool, start: Start, spool: Path, ca_file: Path
) -> None:
    source = settings_for(start(kind, tls=tls), ca_file, password=FTP_WRONG, command_timeout=10)
    with pytest.raises(ProblemError) as failure:
        await fetch(source, retry_for(60), spool)
    assert failure.value.problems[0].code == "source-login"
    assert FTP_WRONG not in repr(failure.value.problems) + str(failure.value)


@each_server
@pytest.mark.asyncio
async def test_a_symbolic_link_is_refused_or_resolved_but_never_an_empty_success(
    kind: str, start: Start, served: Path, spool: Path
) -> None:
    put(served, "real.xlsx", b"content")
    (served / "link.xlsx").symlink_to("real.xlsx")
    fetched = await fetch(settings_for(start(kind)), retry_for(1), spool)
    got = {file.name: file.path.read_bytes() for file in fetched.files}
    assert got.pop("real.xlsx") == b"content"
    if got:
        assert kind == "pyftpdlib"
        assert got == {"link.xlsx": b"content"}
    else:
        assert [(p.code, p.file) for p in fetched.problems] == [("link-refused", "link.xlsx")]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pyftpdlib", {"max_cons_per_ip": "2"}),
        ("vsftpd", {"max_per_ip": "2"}),
        ("vsftpd", {"max_clients": "1"}),
        ("proftpd", {"MaxClientsPerHost": "2"}),
        ("proftpd", {"MaxClientsPerUser": "1 'Genug.'"}),
        ("proftpd", {"MaxInstances": "2"}),
        ("pure-ftpd", {"-C": "2"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
@pytest.mark.asyncio
async def test_a_limit_of_connections_makes_it_slower_and_no_failure(
    kind: str, options: dict[str, str], start: Start, served: Path, spool: Path
) -> None:
    for number in range(12):
        put(served, f"{number}.xlsx", bytes(100_000))
    fetched = await fetch(settings_for(start(kind, options=options), parallel=6), retry_for(20), spool)
    assert len(fetched.files) == 12
    assert fetched.problems == ()


@each_server
@pytest.mark.asyncio
async def test_a_certificate_of_an_unknown_issuer_is_refused_at_once(
    kind: str, start: Start, served: Path, spool: Path
) -> None:
    put(served, "a.xlsx", b"content")
    with pytest.raises(ProblemError) as failure:
        await fetch(settings_for(start(kind, tls=True), ca=None), retry_for(60), spool)
    assert failure.value.problems[0].code == "source-tls"
    assert "certificate" in failure.value.problems[0].message or "issuer" in failure.value.problems[0].message


@each_server
@pytest.mark.asyncio
async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(
    kind: str, start: Start, served: Path, spool: Path, faults: Faults
) -> None:
    server = start(kind)
    async with tapped(server.port) as tap:
        with pytest.raises(ProblemError) as failure:
            await fetch(settings_for(server, url=f"ftps://127.0.0.1:{tap.port}/"), retry_for(60), spool)
    code, said = failure.value.problems[0].code, [connection.clear for connection in tap.connections]
    assert (code, said) == ("source-tls", [b"AUTH TLS\r\n"])
    outcome = f"`{code}`; sent there in plain text: only `{said[0].decode().strip()}`"
    faults.tell(Chapter.SERVER, f"{kind} without TLS under `ftps://`", outcome)


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd", "pure-ftpd", "pyftpdlib"])
@pytest.mark.asyncio
async def test_a_server_that_wants_tls_reports_it_instead_of_a_wrong_password(
    kind: str, start: Start, spool: Path, faults: Faults
) -> None:
    server = start(kind, tls=True)
    with pytest.raises(ProblemError) as failure:
        await fetch(settings_for(server, url=server.url().replace("ftps:", "ftp:")), retry_for(60), spool)
    assert failure.value.problems[0].code == "source-tls"
    assert "ftps://" in failure.value.problems[0].message
    code = failure.value.problems[0].code
    faults.tell(
        Chapter.SERVER, f"{kind} that requires TLS under `ftp://`", f"`{code}`, with the advice to write `ftps://`"
    )


@each_server
@each_security
@pytest.mark.asyncio
async def test_probe_reaches_logs_in_and_lists(kind: str, tls: bool, start: Start, served: Path, ca_file: Path) -> None:
    put(served, "a.xlsx", b"content")
    steps = await probe(settings_for(start(kind, tls=tls), ca_file))
    names = ["reach", "log in", "list", "read"]
    assert [(step.name, step.problem) for step in steps] == [(name, None) for name in names]
    assert steps[3].detail.startswith("a.xlsx has 7 bytes, last written ")
    assert steps[2].detail.startswith("1 workbook in ")
    assert ("TLSv1." in steps[0].detail) == tls


@pytest.mark.asyncio
async def test_local_times_of_a_server_are_waited_out_and_not_believed(start: Start, served: Path, spool: Path) -> None:
    put(served, "a.xlsx", b"content", seconds_ago=60)  # three hours ahead of us, as this server tells it
    server = start("vsftpd", options={"use_localtime": "YES"})
    fetched = await fetch(settings_for(server, stable_for=0.3), retry_for(5), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]


@each_server
@pytest.mark.asyncio
async def test_five_thousand_names_are_listed(kind: str, start: Start, served: Path) -> None:
    for number in range(5000):
        (served / f"{number}.txt").touch()
    put(served, "a.xlsx", b"content")
    steps = await probe(settings_for(start(kind)))
    assert steps[2].detail.startswith("1 workbook in ")


@each_server
@each_security
@pytest.mark.asyncio
async def test_a_file_that_is_cut_under_a_running_transfer_is_fetched_anew(
    kind: str, tls: bool, start: Start, served: Path, spool: Path, ca_file: Path
) -> None:
    file = put(served, "a.xlsx", bytes(60 * 1024**2))
    cuts = []

    def cut_once(progress: Progress) -> None:
        if progress.done and not progress.finished and not cuts:
            cuts.append(progress.done)
            os.truncate(file, 20 * 1024**2)

    source = settings_for(start(kind, tls=tls), ca_file, stable_for=0.2)
    fetched = await fetch(source, retry_for(20), spool, progress=cut_once)
    assert cuts
    assert [f.size for f in fetched.files] == [20 * 1024**2]
    assert fetched.files[0].path.stat().st_size == 20 * 1024**2
