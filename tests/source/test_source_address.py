"""source.url."""

import pytest
from pydantic import SecretStr, ValidationError

from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.source.address import Address, parse
from cpimportd.source.probe import probe


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://host", Address("ftp", "host", 21, b"")),
        ("ftp://host/", Address("ftp", "host", 21, b"")),
        ("ftps://host:2121/a/b", Address("ftps", "host", 2121, b"a/b")),
        ("ftp://host//a/b/", Address("ftp", "host", 21, b"/a/b/")),
        ("ftp://host/%2Fa", Address("ftp", "host", 21, b"/a")),
        ("ftp://[::1]:2121/a", Address("ftp", "::1", 2121, b"a")),
        ("ftp://host/%D0%B0%20b%23", Address("ftp", "host", 21, "а b#".encode())),
        ("ftp://host/а", Address("ftp", "host", 21, "а".encode())),
        ("ftp://host/%E0", Address("ftp", "host", 21, b"\xe0")),
        ("file:///srv/1c%20export", Address("file", "", 0, b"/srv/1c export")),
    ],
)
def test_urls(url: str, expected: Address) -> None:
    assert parse(settings.Source(url=url)) == expected


def test_the_folder_is_written_in_the_encoding_of_the_settings() -> None:
    assert parse(settings.Source(url="ftp://host/а", encoding="cp1251")).path == b"\xe0"


def test_an_ipv6_host_is_shown_in_brackets() -> None:
    assert parse(settings.Source(url="ftp://[::1]/")).label == "ftp://[::1]:21"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:hunter2@host/a",
        "ftp://host:hunter2/a",
        "ftp://host:99999/a",
        "ftp://host/a?b",
        "ftp://host/a#b",
        "ftp://host/a%0D%0ADELE%20b",
        "ftp://host/a%00",
        "ftp://:21/a",
    ],
)
def test_wrong_urls_are_reported_without_repeating_them(url: str) -> None:
    with pytest.raises((ProblemError, ValidationError)) as failure:
        parse(settings.Source(url=url))
    if isinstance(failure.value, ValidationError):  # a configuration refuses most of them as values
        assert "hunter2" not in str(failure.value)
        return
    assert failure.value.problems[0].code == "config-value"
    assert failure.value.exit_code == 2
    assert "hunter2" not in str(failure.value)


@pytest.mark.asyncio
async def test_no_url_names_the_key_that_is_missing() -> None:
    (step,) = await probe(settings.Source(password=SecretStr("hunter2")))
    assert step.problem is not None
    assert step.problem.code == "config-incomplete"
    assert "source.url" in step.problem.message
