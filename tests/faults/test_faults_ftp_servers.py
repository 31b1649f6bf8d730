"""Every real FTP server in every way in which it is met, and with every certificate that must not be believed."""

import ftplib
import random
import ssl
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import trustme

from cpimportd.core.problems import ProblemError
from cpimportd.source.fetch import fetch
from cpimportd.source.probe import probe
from tests.support.faults.table import Chapter, Faults
from tests.support.faults.tap import tapped
from tests.support.source import certificates
from tests.support.source.real_servers import Running
from tests.support.source.serving import Start, put, retry_for, settings_for

SERVERS: Final = ("vsftpd", "proftpd", "pure-ftpd", "pyftpdlib")
SECURITY: Final = (None, "TLSv1.2", "TLSv1.3")
NAMES: Final = ("utf-8", "cp1251")
LISTINGS: Final = {
    "vsftpd": ("LIST",),  # it has no MLSD
    "proftpd": ("MLSD", "LIST"),
    "pure-ftpd": ("MLSD",),  # no option takes MLSD away from it
    "pyftpdlib": ("MLSD", "LIST"),
}
WANTS_REUSE: Final = {"vsftpd", "proftpd"}  # by default; the others have no option for it
FILES: Final = {
    "Лотос - Поступление (кредиты) XLSX.xlsx": 1_500_001,
    "МОСТ расшифровка №2 «новая».XLS": 1,
    "Списание [кредиты] 100% & 'все'.xlsb": 300_000,
}
CHANGED: Final = "changed after it was pinned"
WRONG: Final = (*certificates.WRONG, CHANGED)


@dataclass(frozen=True)
class Way:
    """One way in which a server is met."""

    kind: str
    tls: str | None
    names: str
    listing: str

    def __str__(self) -> str:
        reuse = ", session reuse required" if self.tls and self.kind in WANTS_REUSE else ""
        return f"{self.kind}, {self.tls or 'plain'}{reuse}, names in {self.names}, {self.listing}"

    @property
    def options(self) -> dict[str, str]:
        """Of the server, so that it is met in this way."""
        found = {}
        if self.kind == "pyftpdlib" and self.names == "cp1251":
            found["encoding"] = "cp1251"
        if self.listing == "LIST" and self.kind == "pyftpdlib":
            found["without"] = "MLSD"
        if self.listing == "LIST" and self.kind == "proftpd":
            found["<Limit MLSD>\nDenyAll\n</Limit>"] = ""
        return found

    @property
    def on_disk(self) -> str:
        """In which encoding names lie there; pyftpdlib recodes them, the others send the bytes as they are."""
        return "utf-8" if self.kind == "pyftpdlib" else self.names


def ways(*, whole: bool) -> list[Way]:
    """All, or so many of each server that each value of each dimension is met."""
    found = []
    for kind in SERVERS:
        dimensions = (SECURITY, NAMES, LISTINGS[kind])
        met = product(*dimensions) if whole else zip(*((d * 3)[:3] for d in dimensions), strict=True)
        found += [Way(kind, *values) for values in met]
    return found


def distrusted(*, whole: bool) -> list[tuple[str, str]]:
    """Servers and what is wrong with their certificate: all, or each server and each wrong at least once."""
    if whole:
        return list(product(SERVERS, WRONG))
    return [(SERVERS[number % len(SERVERS)], wrong) for number, wrong in enumerate(WRONG)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--whole")
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", ways(whole=whole), ids=str)
    if "wrong" in metafunc.fixturenames:
        metafunc.parametrize(("kind", "wrong"), distrusted(whole=whole))


def uploaded(folder: Path, encoding: str) -> dict[str, bytes]:
    contents = {name: random.Random(name).randbytes(size) for name, size in FILES.items()}
    for name, content in contents.items():
        put(folder, name.encode(encoding), content)
    return contents


@pytest.mark.asyncio
async def test_every_server_gives_every_file_whole(
    way: Way, start: Start, served: Path, spool: Path, ca_file: Path, faults: Faults
) -> None:
    contents = uploaded(served, way.on_disk)
    server = start(way.kind, tls=way.tls is not None, tls_version=way.tls, options=way.options)
    source = settings_for(server, ca_file, encoding=way.names)

    steps = await probe(source)
    fetched = await fetch(source, retry_for(20), spool)

    assert [step.problem for step in steps] == [None] * 4
    assert "TLSv" not in steps[0].detail if way.tls is None else way.tls in steps[0].detail
    assert fetched.problems == ()
    assert {file.name: file.path.read_bytes() for file in fetched.files} == contents
    faults.tell(Chapter.SERVER, str(way), f"{len(fetched.files)} of {len(contents)} files, whole, names as uploaded")


@pytest.mark.parametrize("kind", sorted(WANTS_REUSE))
def test_a_server_said_to_want_the_sessions_reuse_does_want_it(
    kind: str, start: Start, served: Path, ca_file: Path
) -> None:
    put(served, "a.xlsx", b"content")
    server = start(kind, tls=True)
    # The standard library's client brings no session to the data connection.
    with ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ca_file), timeout=10) as client:
        client.connect("127.0.0.1", server.port)
        client.login(server.user, server.password)
        client.prot_p()
        with pytest.raises((ftplib.Error, OSError)):
            client.retrlines("LIST", lambda _: None)


async def refusal(server: Running, spool: Path, **changes: object) -> tuple[str, str, int]:
    """How a server is refused: code, message, and how many commands it was told under TLS; none in the clear."""
    async with tapped(server.port) as tap:
        source = settings_for(server, url=f"ftps://127.0.0.1:{tap.port}/", **changes)
        with pytest.raises(ProblemError) as failure:
            await fetch(source, retry_for(60), spool)
    assert {said.clear for said in tap.connections} == {b"AUTH TLS\r\n"}
    found = failure.value.problems[0]
    return found.code, found.message, sum(said.commands_under_tls for said in tap.connections)


@pytest.mark.asyncio
async def test_a_certificate_not_to_be_believed_is_named_and_told_nothing_until_it_is_pinned(
    kind: str,
    wrong: str,
    start: Start,
    served: Path,
    spool: Path,
    authority: trustme.CA,
    ca_file: Path,
    certificate: Path,
    tmp_path: Path,
    faults: Faults,
) -> None:
    put(served, "a.xlsx", b"content")
    pinned = {}
    if wrong == CHANGED:
        pinned = {"tls_fingerprint": certificates.fingerprint(certificate)}
        before = await fetch(settings_for(start(kind, tls=True), **pinned), retry_for(5), tmp_path / "before")
        assert len(before.files) == 1
    make = certificates.WRONG.get(wrong, certificates.good)
    path = certificates.store(tmp_path, "shown", make(authority))
    shown = certificates.fingerprint(path)
    # The types of records tell commands from the rest only under TLS 1.2.
    server = start(kind, tls=True, shows=path, tls_version="TLSv1.2")

    code, message, commands = await refusal(server, spool, tls_ca=ca_file, **pinned)
    fetched = await fetch(settings_for(server, tls_fingerprint=shown), retry_for(5), spool)

    assert (code, commands) == ("source-tls", 0)
    assert shown in message
    assert "source.tls_fingerprint" in message
    assert [file.path.read_bytes() for file in fetched.files] == [b"content"]
    faults.tell(
        Chapter.SERVER,
        f"{kind}, certificate {wrong}",
        f"`{code}` with its fingerprint, {commands} commands (so no login) sent to it; "
        f"then pinned in `source.tls_fingerprint`: {len(fetched.files)} of 1 files",
    )


@pytest.mark.asyncio
async def test_a_login_is_counted_by_what_counts_commands(start: Start, served: Path, ca_file: Path) -> None:
    put(served, "a.xlsx", b"content")
    server = start("vsftpd", tls=True, tls_version="TLSv1.2")
    async with tapped(server.port) as tap:
        await probe(settings_for(server, ca_file, url=f"ftps://127.0.0.1:{tap.port}/"))
    assert [said.clear for said in tap.connections] == [b"AUTH TLS\r\n"]
    assert tap.connections[0].commands_under_tls >= 5  # PBSZ, PROT, USER, PASS, LIST at the least
