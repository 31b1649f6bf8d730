"""Who gets in, and what every answer tells a browser."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.web.served import API, TOKEN

DATA = [f"{API}/summary", f"{API}/import/logs", f"{API}/import/history", f"{API}/import/overview", "/status", "/runs/1",
        "/runs/1/diff", f"{API}/import/months", f"{API}/import/events", f"{API}/nothing", "//healthz", "/metrics"]  # fmt: skip


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize("token", [None, TOKEN[:-1], TOKEN + "x", "токен"])
def test_without_the_token_no_data_is_given(served, path, token):
    answer = served.ask(path, token=token)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "web-unauthorized"


def test_only_a_bearer_token_in_the_header_counts(served):
    assert served.ask(f"{API}/summary?token={TOKEN}", token=None).status_code == 401
    assert served.ask(f"{API}/summary", token=None, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert served.ask(f"{API}/summary", token=None, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_a_token_in_an_address_is_not_logged(served):
    served.ask(f"{API}/summary?token={TOKEN}", token=None)
    served.wait_log(f"GET {API}/summary: 401")
    assert TOKEN not in served.log.read_text()


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/static/style.css", "/healthz", "/openapi.json"])
def test_the_page_health_and_description_need_no_token_and_hold_no_data(served, path):
    answer = served.ask(path, token=None)
    assert answer.status_code == 200
    assert "ЛОТОС" not in answer.text


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/healthz", f"{API}/summary", "/nowhere"])
def test_every_answer_tells_browsers_to_keep_it_apart(served, path):
    headers = served.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    static = path == "/" or path.startswith("/static")
    assert headers["cache-control"] == ("no-cache" if static else "no-store")


@pytest.mark.parametrize(
    ("host", "status"),
    [("import.example.org", 200), ("IMPORT.example.org:443", 200), ("localhost:1", 200), ("[::1]:8008", 200),
     ("10.0.0.7", 200), ("evil.example.net", 421), ("import.example.org.evil.net", 421), ("", 421)],
)  # fmt: skip
def test_only_known_host_names_are_served(served, host, status):
    assert served.ask("/healthz", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80/static/", "localhost/static/", "127.0.0.1:80?", "127.0.0.1:80#/static/", "a@127.0.0.1:80"]
)
def test_a_path_in_the_host_name_opens_nothing(served, host):
    answer = served.ask(f"{API}/summary", token=None, headers={"Host": host})
    assert answer.status_code in {400, 421}
    assert "total_receipts" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_cannot_ask_for_an_import(served, headers):
    answer = served.ask(f"{API}/import/trigger", "POST", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "web-foreign")


def test_a_large_body_is_refused(served):
    answer = served.ask(f"{API}/import/trigger", "POST", content=b"x" * 100_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "web-request")


@pytest.mark.parametrize("path", ["/healthz", f"{API}/import/trigger"])
def test_a_large_body_in_chunks_is_refused(served, path):
    """No header tells its length: ten seconds of it were 8 GB, read and thrown away."""
    parts, sent = urlsplit(served.address), 0
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as plug:
        plug.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):
            while sent < 64 * 1024**2:
                plug.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                sent += 0x4000
    assert sent < 32 * 1024**2  # what the kernel had taken before it was closed
    assert served.ask("/healthz").status_code == 200


def test_a_small_body_in_chunks_is_read_over(served):
    answer = served.ask("/healthz", "POST", content=iter([b"x" * 1000] * 3))
    assert answer.status_code == 405


def test_a_long_head_does_no_harm(served):
    with httpx.Client() as client, suppress(httpx.TransportError):  # some of it was not even read
        answer = client.get(served.address + "/healthz", headers={"X-Long": "x" * 200_000})
        assert answer.status_code in {400, 431}
    assert served.ask("/healthz").status_code == 200


def test_files_beside_the_pages_own_are_not_served(served):
    for path in ("/static/../guard.py", "/static/%2e%2e/guard.py", "/static//etc/passwd", "/static/..%2fguard.py"):
        assert served.ask(path).status_code == 404
