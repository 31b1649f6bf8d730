"""A server that gives the password back, in whatever form: nobody is shown it."""

import base64
import html
import json
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from cpimportd.core.problems import ProblemError
from cpimportd.source.control import MASK, redact
from cpimportd.source.fetch import fetch
from cpimportd.source.probe import probe
from tests.source.test_source_answers import failure_of, saying, source_at
from tests.support.secrets import FTP, FTP_ASCII
from tests.support.source.scripted import Conversation, ScriptedServer
from tests.support.source.serving import retry_for

SECRET = "gEheim'7\\Ünß \"х&"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "spaced out": " ".join,
    "with marks that nobody sees": "\u200b".join,
    "by repr": lambda text: repr(text)[1:-1],
    "by ascii": lambda text: ascii(text)[1:-1],
    "by repr of its bytes": lambda text: repr(text.encode())[2:-1],
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in HTML": html.escape,
    "in a URL": quote,
    "in a form": quote_plus,
    "with quotes doubled": lambda text: text.replace("'", "''").replace('"', '""'),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "with question marks": lambda text: text.encode("ascii", "replace").decode(),
    "in a wrong code page": lambda text: text.encode().decode("cp1251", "ignore"),
    "in another wrong code page": lambda text: text.encode().decode("latin-1"),
    "without its end": lambda text: text[:-1],
    "its first eight characters": lambda text: text[:8],
    "over two lines": lambda text: f"{text[:5]}\n {text[5:]}",
    "in hexadecimal digits": lambda text: text.encode().hex(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64, behind the user": lambda text: base64.b64encode(b"finance\0" + text.encode()).decode(),
    "in base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [SECRET, "Sommer2026!"])
def test_a_password_is_struck_out_in_every_form(form: str, secret: str) -> None:
    written = FORMS[form](secret)
    said = redact(f"530 '{written}' is wrong, finance.", secret)
    assert MASK in said
    assert said.endswith("is wrong, finance.")
    left = said.partition("'")[2].replace(MASK, "")
    assert len(left) < len("' is wrong, finance.") + 16  # what stands around it in base64


def test_other_words_stay_as_they_are() -> None:
    said = "530 Login incorrect: the account Sommer is locked until 2026-12-01 06:10; try again."
    assert redact(said, "Sommer2026!") == said
    assert redact(said, "") == said


def test_the_longest_answer_takes_no_time() -> None:
    began = time.monotonic()
    for said in ("a" * 262_144, "Sommer202 " * 26_000, " \\" * 130_000, "S o m m e r 2 0 2 6" * 13_000):
        redact(said, "Sommer2026!" * 20)
    assert time.monotonic() - began < 5


def answers(verb: str) -> dict[str, Any]:
    """Repeats the password wherever this command is answered."""
    refusal = saying(f"550 not for {FTP_ASCII}")
    return {"EPSV": {"EPSV": refusal, "PASV": refusal}, "MLSD": {"MLSD": refusal, "LIST": refusal}}.get(
        verb, {verb: refusal}
    )


async def listed(to: Conversation, line: str) -> str:
    await to.send(line.encode())
    return "226 done"


@pytest.mark.parametrize("verb", ["USER", "PASS", "TYPE", "CWD", "EPSV", "MLSD", "SIZE", "MDTM", "RETR"])
@pytest.mark.asyncio
async def test_no_answer_to_any_command_shows_the_password(verb: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.password = FTP_ASCII
        server.scripts |= answers(verb)
        source = source_at(f"{server.url}folder", password=SecretStr(FTP_ASCII))
        steps = await probe(source)
        try:
            problems = (await fetch(source, retry_for(0), spool)).problems
        except ProblemError as error:
            problems = error.problems
    shown = f"{steps} {problems}"
    assert FTP_ASCII not in shown
    assert verb in {"SIZE", "MDTM"} or MASK in shown


@pytest.mark.asyncio
async def test_a_step_of_a_check_shows_no_password_and_reads_as_the_server_meant_it() -> None:
    async with ScriptedServer() as server:
        server.greeting = f"220 Добро пожаловать, {FTP}"
        server.scripts["PASS"] = saying(f"202 Пароль {FTP} не нужен")
        steps = await probe(source_at(server.url))
    assert "Добро пожаловать, ***" in steps[0].detail
    assert "PASS: 202 Пароль *** не нужен" in steps[1].detail


@pytest.mark.parametrize("verb", ["MLSD", "LIST"])
@pytest.mark.asyncio
async def test_a_line_of_a_listing_that_nobody_can_read_shows_no_password(verb: str, spool: Path) -> None:
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = saying("500 no")
        server.scripts[verb] = lambda to, _: listed(to, f"кто это? {FTP}.xlsx\r\n")
        problem = await failure_of(fetch(source_at(server.url), retry_for(0), spool))
    assert problem.code == "source-listing"
    assert "кто это? ***.xlsx" in problem.message


@pytest.mark.parametrize("digits", [19, 5000])
@pytest.mark.parametrize("verb", ["MLSD", "LIST", "DOS"])
@pytest.mark.asyncio
async def test_a_size_that_no_file_has_is_no_size(digits: int, verb: str, spool: Path) -> None:
    """A listing with one such line was unreadable as a whole, for int() refuses 4,300 digits."""
    line = {
        "MLSD": "type=file;size={}; a.xlsx\r\n",
        "LIST": "-rw-r--r-- 1 u g {} Jan 02 2024 a.xlsx\r\n",
        "DOS": "01-02-24  10:00AM {} a.xlsx\r\n",
    }[verb].format("9" * digits)
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = saying("500 no")
        server.scripts["MLSD" if verb == "MLSD" else "LIST"] = lambda to, _: listed(to, line)
        fetched = await fetch(source_at(server.url), retry_for(0), spool)
    assert [file.size for file in fetched.files] == [12]


@pytest.mark.asyncio
async def test_a_silence_is_reported_by_the_limit_that_it_broke(spool: Path) -> None:
    """A listing may take ``transfer_timeout``, and be silent for ``command_timeout``."""
    async with ScriptedServer() as server:
        server.scripts["MLSD"] = saying("150 soon")
        source = source_at(server.url, command_timeout=0.4, transfer_timeout=30)
        problem = await failure_of(fetch(source, retry_for(0), spool))
    assert "no answer within 0.4 s to MLSD" in problem.message
