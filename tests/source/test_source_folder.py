"""A folder of this machine as a source."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.source.download import Spool
from cpimportd.source.fetch import fetch
from cpimportd.source.interface import Entry, FileState
from cpimportd.source.probe import probe
from tests.support.source.serving import put, retry_for


def source_of(folder: Path, **changes: Any) -> settings.Source:
    return settings.Source(url=f"file://{quote(os.fsencode(folder))}", **changes)


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "1С обмен #1?"
    folder.mkdir()
    return folder


@pytest.mark.asyncio
async def test_workbooks_are_copied_and_nothing_else(exports: Path, spool: Path) -> None:
    put(exports, "б.xlsx", b"content")
    put(exports, "empty.XLS", b"")
    put(exports, "Списание.xlsx".encode("cp1251"), b"old")
    put(exports, "notes.txt", b"text")
    (exports / "folder.xlsx").mkdir()
    os.mkfifo(exports / "pipe.xlsx")
    fetched = await fetch(source_of(exports), retry_for(0), spool)
    assert [(f.name, f.path.name, f.path.read_bytes()) for f in fetched.files] == [
        ("empty.XLS", "000.xls", b""),
        ("Списание.xlsx", "001.xlsx", b"old"),
        ("б.xlsx", "002.xlsx", b"content"),
    ]
    assert fetched.files[2].sha256 == hashlib.sha256(b"content").hexdigest()
    assert fetched.files[2].modified is not None
    assert fetched.problems == ()
    assert (exports / "б.xlsx").read_bytes() == b"content"


@pytest.mark.asyncio
async def test_a_suffix_that_only_resembles_a_workbooks_is_none(exports: Path, spool: Path) -> None:
    put(exports, "a.xlsx", b"content")
    put(exports, "b.xl\u017fx", b"content")  # the long s, which str.casefold makes an s of
    fetched = await fetch(source_of(exports), retry_for(0), spool)
    assert ([file.name for file in fetched.files], fetched.problems) == (["a.xlsx"], ())


def test_a_name_whose_bytes_are_no_ascii_is_stored_under_a_suffix_of_ours(spool: Path) -> None:
    look = FileState(7, None)
    with (
        Spool(spool, 100).receive(0, Entry("a.xls", "a.xls".encode("cp037"), look)) as incoming,
        incoming.attempt(look),
    ):
        incoming.write(b"content")
        assert incoming.keep(look).path.name == "000.xlsx"


@pytest.mark.asyncio
async def test_symbolic_links_are_not_followed(exports: Path, spool: Path, tmp_path: Path) -> None:
    put(tmp_path, "secret", b"root:x:0:0")
    put(exports, "a.xlsx", b"content")
    (exports / "out.xlsx").symlink_to(tmp_path / "secret")
    (exports / "in.xlsx").symlink_to("a.xlsx")
    fetched = await fetch(source_of(exports), retry_for(0), spool)
    assert [f.name for f in fetched.files] == ["a.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("link-refused", "in.xlsx"), ("link-refused", "out.xlsx")]


@pytest.mark.asyncio
async def test_a_missing_folder_and_an_empty_one_are_distinguished(exports: Path, spool: Path) -> None:
    for folder, code in ((exports / "absent", "source-listing"), (exports, "source-empty")):
        with pytest.raises(ProblemError) as failure:
            await fetch(source_of(folder), retry_for(30), spool)
        assert failure.value.problems[0].code == code
        assert (await probe(source_of(folder)))[-1].problem == failure.value.problems[0]


@pytest.mark.asyncio
async def test_the_limit_of_size_holds(exports: Path, spool: Path) -> None:
    put(exports, "a.xlsx", bytes(100))
    fetched = await fetch(source_of(exports, max_file_size=99), retry_for(0), spool)
    assert [p.code for p in fetched.problems] == ["file-too-large"]


@pytest.mark.asyncio
async def test_a_fresh_file_waits_and_an_old_one_does_not(exports: Path, spool: Path) -> None:
    put(exports, "old.xlsx", b"old")
    began = time.monotonic()
    await fetch(source_of(exports), retry_for(60), spool)
    assert time.monotonic() - began < 1
    put(exports, "new.xlsx", b"new", seconds_ago=0)
    fetched = await fetch(source_of(exports), retry_for(0), spool)
    assert [f.name for f in fetched.files] == ["old.xlsx"]
    assert [(p.code, p.file) for p in fetched.problems] == [("still-uploading", "new.xlsx")]
