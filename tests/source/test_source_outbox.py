"""Marked workbooks go back to 1C's server: whole or not at all, into the outbox and nowhere else."""

import asyncio
from pathlib import Path

import pytest

from cpimportd.config.settings import Source
from cpimportd.core.problems import ProblemError
from cpimportd.source.upload import put, require_outbox
from tests.support.source.serving import Start, files_in, settings_for

NAME = "Lotos - Spisanie XLSX - исправить.xlsx"
CONTENT = bytes(range(256)) * 2000
WRITABLE = {
    "pyftpdlib": {"perm": "elrawdfm"},
    "vsftpd": {
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_other_write_enable": "YES",
        "anon_umask": "022",
    },
    "proftpd": {"AllowOverwrite": "on"},
    "pure-ftpd": {},
}


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


@pytest.mark.parametrize("kind", WRITABLE)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.asyncio
async def test_a_file_arrives_complete_under_its_own_name_and_replaces_an_earlier_one(
    kind: str, tls: bool, start: Start, served: Path, ca_file: Path, marked: Path
) -> None:
    for name in ("1c", "to-correct"):
        (served / name).mkdir()
        (served / name).chmod(0o777)
    server = start(kind, tls=tls, options=WRITABLE[kind])
    source = settings_for(server, ca_file, "1c", outbox="../to-correct")
    await put(source, [marked])
    assert files_in(served / "to-correct") == [NAME]
    assert (served / "to-correct" / NAME).read_bytes() == CONTENT
    shorter = marked.parent / "earlier" / NAME
    await asyncio.to_thread(_write, shorter, CONTENT[:1000])
    await put(source, [shorter])
    assert files_in(served / "to-correct") == [NAME]
    assert (served / "to-correct" / NAME).read_bytes() == CONTENT[:1000]
    assert files_in(served / "1c") == []


@pytest.mark.asyncio
async def test_a_server_that_does_not_let_us_write_is_reported_with_the_setting_to_look_at(
    start: Start, served: Path, marked: Path
) -> None:
    (served / "to-correct").mkdir()
    server = start("pyftpdlib")
    with pytest.raises(ProblemError) as refused:
        await put(settings_for(server, outbox="to-correct"), [marked])
    (found,) = refused.value.problems
    assert (found.code, found.file) == ("outbox-failed", NAME)
    assert "550" in found.message
    assert "source.outbox" in found.way_out
    assert files_in(served / "to-correct") == []


@pytest.mark.asyncio
async def test_a_folder_that_is_not_there_and_a_server_that_is_unreachable_are_reported(
    start: Start, served: Path, marked: Path
) -> None:
    server = start("pyftpdlib", options={"perm": "elrawdfm"})
    source = settings_for(server, outbox="nowhere")
    with pytest.raises(ProblemError, match="nowhere"):
        await put(source, [marked])
    server.process.terminate()
    await asyncio.to_thread(server.process.wait)
    with pytest.raises(ProblemError) as away:
        await put(source, [marked])
    assert away.value.problems[0].code == "source-unreachable"


@pytest.mark.asyncio
async def test_a_folder_of_this_machine_is_an_outbox_too(tmp_path: Path, marked: Path) -> None:
    for name in ("1c", "to-correct"):
        (tmp_path / name).mkdir()
    source = Source(url=(tmp_path / "1c").as_uri(), outbox="../to-correct")
    await put(source, [marked])
    await put(source, [marked])
    assert files_in(tmp_path / "to-correct") == [NAME]
    with pytest.raises(ProblemError) as missing:
        await put(source.model_copy(update={"outbox": "nowhere"}), [marked])
    assert missing.value.problems[0].code == "outbox-failed"


def test_no_outbox_is_reported_with_its_key() -> None:
    with pytest.raises(ProblemError) as unset:
        require_outbox(Source(url="file:///tmp"))
    assert unset.value.problems[0].code == "config-incomplete"
    assert "source.outbox" in unset.value.problems[0].message
