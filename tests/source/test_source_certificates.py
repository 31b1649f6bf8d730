"""Whose certificate is believed: nothing is said under TLS to a server that is not the one of the settings."""

import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from cpimportd.config import settings
from cpimportd.core.problems import Problem, ProblemError
from cpimportd.source.fetch import fetch
from cpimportd.source.probe import probe
from tests.support.faults.table import Chapter, Faults
from tests.support.secrets import FTP
from tests.support.source import certificates
from tests.support.source.scripted import Conversation, ScriptedServer
from tests.support.source.serving import retry_for


def shows(path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def source_at(server: ScriptedServer, **changes: object) -> settings.Source:
    values = {"url": server.url, "user": "finance", "password": SecretStr(server.password), "stable_for": 0}
    return settings.Source(**(values | {"connect_timeout": 5, "command_timeout": 5} | changes))


async def refused(source: settings.Source, spool: Path) -> Problem:
    with pytest.raises(ProblemError) as failure:
        await fetch(source, retry_for(60), spool)
    return failure.value.problems[0]


@pytest.fixture
def self_signed(authority: trustme.CA, tmp_path: Path) -> Path:
    return certificates.store(tmp_path, "self-signed", certificates.self_signed(authority))


@pytest.mark.parametrize("wrong", certificates.WRONG)
@pytest.mark.asyncio
async def test_an_untrusted_certificate_is_named_with_the_way_to_pin_it_and_gets_no_login(
    wrong: str, authority: trustme.CA, ca_file: Path, tmp_path: Path, spool: Path
) -> None:
    path = certificates.store(tmp_path, "wrong", certificates.WRONG[wrong](authority))
    async with ScriptedServer(tls=shows(path)) as server:
        found = await refused(source_at(server, tls_ca=ca_file), spool)
    assert found.code == "source-tls"
    assert certificates.fingerprint(path) in found.message
    assert "source.tls_fingerprint" in found.message
    assert ("source.tls_ca" in found.message) == (wrong in {"self-signed", "of an unknown authority"})
    assert set(server.count) <= {"AUTH"}


@pytest.mark.parametrize("wrong", certificates.WRONG)
@pytest.mark.parametrize("spelled", [str.upper, str.lower, lambda text: text.replace(":", "")])
@pytest.mark.asyncio
async def test_a_pinned_certificate_is_accepted_whatever_is_wrong_with_it(
    wrong: str, spelled, authority: trustme.CA, tmp_path: Path, spool: Path
) -> None:
    path = certificates.store(tmp_path, "wrong", certificates.WRONG[wrong](authority))
    async with ScriptedServer(tls=shows(path)) as server:
        source = source_at(server, tls_fingerprint=spelled(certificates.fingerprint(path)))
        fetched = await fetch(source, retry_for(5), spool)
        steps = await probe(source)
    assert [file.path.read_bytes() for file in fetched.files] == [b"content of a"]
    assert "with the pinned certificate" in steps[0].detail


@pytest.mark.asyncio
async def test_a_self_signed_certificate_is_accepted_when_it_is_named_as_its_own_authority(
    self_signed: Path, spool: Path
) -> None:
    async with ScriptedServer(tls=shows(self_signed)) as server:
        fetched = await fetch(source_at(server, tls_ca=self_signed), retry_for(5), spool)
    assert len(fetched.files) == 1


@pytest.mark.asyncio
async def test_no_other_certificate_than_the_pinned_one_is_accepted_even_of_a_known_authority(
    certificate: Path, ca_file: Path, self_signed: Path, spool: Path
) -> None:
    async with ScriptedServer(tls=shows(certificate)) as server:
        pinned = certificates.fingerprint(self_signed)
        found = await refused(source_at(server, tls_ca=ca_file, tls_fingerprint=pinned), spool)
    assert found.code == "source-tls"
    assert "not the one pinned" in found.message
    assert certificates.fingerprint(certificate) in found.message
    assert set(server.count) == {"AUTH"}


@pytest.mark.parametrize("command", ["MLSD", "RETR"])
@pytest.mark.asyncio
async def test_a_data_connection_must_show_the_pinned_certificate_too(
    command: str, certificate: Path, self_signed: Path, spool: Path, faults: Faults
) -> None:
    async with ScriptedServer(tls=shows(self_signed)) as server:

        async def as_somebody_else(to: Conversation, argument: str) -> str:
            server.tls = shows(certificate)
            return await getattr(to, f"on_{command.lower()}")(argument)

        server.scripts[command] = as_somebody_else
        pinned = certificates.fingerprint(self_signed)
        found = await refused(source_at(server, tls_fingerprint=pinned), spool)
    assert (found.code, "another certificate" in found.message) == ("source-tls", True)
    faults.tell(
        Chapter.LINE,
        f"a certificate is pinned, the data connection of {command} shows another",
        f"`{found.code}`, nothing is read from it",
    )


@pytest.mark.asyncio
async def test_a_certificate_that_cannot_be_asked_for_again_is_refused_all_the_same(
    self_signed: Path, spool: Path
) -> None:
    async with ScriptedServer(tls=shows(self_signed)) as server:

        async def then_full(to: Conversation, argument: str) -> None:
            server.greeting = "421 one connection each"
            await to.on_auth(argument)

        server.scripts["AUTH"] = then_full
        found = await refused(source_at(server), spool)
    assert (found.code, "self-signed" in found.message) == ("source-tls", True)
    assert server.count == {"AUTH": 1}


@pytest.mark.asyncio
async def test_words_in_the_clear_do_not_pass_for_words_under_tls(
    certificate: Path, ca_file: Path, spool: Path, faults: Faults
) -> None:
    async with ScriptedServer(tls=shows(certificate)) as server:

        async def with_a_forged_answer(to: Conversation, _: str) -> None:
            await to.say("234 go ahead\r\n200 nothing is protected")
            await to.writer.start_tls(server.tls)

        server.scripts["AUTH"] = with_a_forged_answer
        found = await refused(source_at(server, tls_ca=ca_file), spool)
    assert (found.code, "in the clear" in found.message) == ("source-tls", True)
    assert server.count == {"AUTH": 1}
    faults.tell(
        Chapter.LINE,
        "an answer of the server forged in plain text just before TLS begins",
        f"`{found.code}`, no login sent",
    )


@pytest.mark.asyncio
async def test_bytes_in_the_clear_do_not_pass_for_a_listing_under_tls(
    certificate: Path, ca_file: Path, spool: Path, faults: Faults
) -> None:
    async with ScriptedServer(tls=shows(certificate)) as server:

        async def with_a_forged_line(to: Conversation, argument: str) -> str:
            assert to.data is not None
            _, writer = await to.data
            writer.write(b"type=file;size=1;modify=20240101000000; forged.xlsx\r\n")
            await writer.drain()
            return await to.on_mlsd(argument)

        server.scripts["MLSD"] = with_a_forged_line
        found = await refused(source_at(server, tls_ca=ca_file), spool)
    assert (found.code, "in the clear" in found.message) == ("source-tls", True)
    faults.tell(
        Chapter.LINE,
        "a line of the listing forged in plain text just before TLS begins on the data connection",
        f"`{found.code}`, the listing is not read",
    )


@pytest.mark.asyncio
async def test_a_password_that_the_encoding_of_names_cannot_write_goes_in_utf8_and_not_as_question_marks(
    spool: Path,
) -> None:
    async with ScriptedServer() as server:
        server.password = FTP
        source = source_at(server, encoding="cp1251", password=SecretStr(FTP))
        fetched = await fetch(source, retry_for(0), spool)
    assert len(fetched.files) == 1


@pytest.mark.asyncio
async def test_a_pinned_certificate_without_tls_is_a_mistake_and_no_login_in_the_clear(
    self_signed: Path, spool: Path, faults: Faults
) -> None:
    async with ScriptedServer() as server:
        found = await refused(source_at(server, tls_fingerprint=certificates.fingerprint(self_signed)), spool)
    assert (found.code, server.connections) == ("config-value", 0)
    assert "source.tls_fingerprint" in found.message
    faults.tell(
        Chapter.LINE,
        "a certificate is pinned, but `source.url` is `ftp://`, without TLS",
        f"`{found.code}`, {server.connections} connections opened",
    )


@pytest.mark.parametrize("text", ["", "5f", "5f" * 20, "5f" * 33, "zz" * 32, "sha1", "-" * 64])
def test_what_is_no_sha256_is_no_fingerprint(text: str) -> None:
    with pytest.raises(ValidationError, match="SHA-256"):
        settings.Source(tls_fingerprint=text)


@pytest.mark.asyncio
async def test_where_mlsd_is_forbidden_list_is_tried(spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = lambda *_: "550 MLSD: Operation not permitted"

        async def as_ls_does(to: Conversation, _: str) -> str:
            await to.send(b"-rw-r--r-- 1 ftp ftp 12 Jan 01 2024 a.xlsx\r\n")
            return "226 done"

        server.scripts["LIST"] = as_ls_does
        fetched = await fetch(source_at(server), retry_for(0), spool)
    assert [file.name for file in fetched.files] == ["a.xlsx"]
