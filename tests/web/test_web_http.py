"""What HTTP wants of every address alike: HEAD, OPTIONS, redirects; and no value of a parameter breaks anything."""

import itertools
from urllib.parse import quote

import httpx
import pytest

from tests.support.web.served import API, TOKEN

PATHS = ["/", "/static/app.js", "/healthz", "/openapi.json", "/metrics", "/status", "/history", "/runs/1", "/runs/2/diff",
         *(f"{API}/{name}" for name in ("summary", "import/logs", "import-logs", "import/history", "import/overview", "import/months",
                                        "import/status", "import/runs/2", "import/runs/2/diff"))]  # fmt: skip


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/runs/77", "/runs/x", f"{API}/import/trigger"])
def test_head_answers_as_get_does_without_a_body(served, path):
    got, told = served.ask(path), served.ask(path, "HEAD")
    assert (told.status_code, told.content) == (got.status_code, b"")
    assert told.headers["content-type"] == got.headers["content-type"]
    assert told.headers.keys() == got.headers.keys()


def test_head_needs_the_token_too(served):
    assert served.ask(f"{API}/summary", "HEAD", token=None).status_code == 401
    assert served.ask("/healthz", "HEAD", token=None).status_code == 200


def test_head_of_the_events_opens_no_stream(served):
    for _ in range(40):
        told = served.ask(f"{API}/import/events", "HEAD")
        assert (told.status_code, told.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")


def test_a_connection_serves_on_after_head(served):
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
        for method, path in (
            ("HEAD", "/runs/1"),
            ("GET", "/healthz"),
            ("HEAD", f"{API}/import/events"),
            ("GET", "/healthz"),
        ):
            assert client.request(method, served.address + path).status_code == 200


@pytest.mark.parametrize(
    ("path", "allow"),
    [(f"{API}/summary", "GET, HEAD, OPTIONS"), (f"{API}/import/trigger", "POST, OPTIONS"), ("/", "GET, HEAD, OPTIONS"),
     ("/static/app.js", "GET, HEAD, OPTIONS"), ("/runs/1/diff", "GET, HEAD, OPTIONS")],
)  # fmt: skip
def test_options_and_405_say_what_may_be_done(served, path, allow):
    told = served.ask(path, "OPTIONS")
    assert (told.status_code, told.headers["allow"], told.content) == (204, allow, b"")
    assert "access-control-allow-origin" not in told.headers
    if not path.startswith("/static"):
        refused = served.ask(path, "DELETE")
        assert (refused.status_code, refused.headers["allow"]) == (405, allow)
        assert refused.headers["content-type"] == "application/problem+json"


def test_options_of_what_is_not_there(served):
    assert served.ask("/nowhere", "OPTIONS").status_code == 404
    assert served.ask(f"{API}/summary", "OPTIONS", token=None).status_code == 401


@pytest.mark.parametrize("path", ["/runs/2/", f"{API}/summary/", "/static", f"{API}/import/runs/2/diff/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_redirect_stays_with_the_scheme_and_the_name_that_a_proxy_has(served, path, method):
    answer = served.ask(
        f"{path}?a=%D0%B1&c=d", method, headers={"Host": "import.example.org", "X-Forwarded-Proto": "https"}
    )
    assert answer.status_code in {307, 308}
    location = answer.headers["location"]
    assert location.partition("?")[0] in {path.rstrip("/"), f"{path}/"}
    assert location.partition("?")[2] in {"a=%D0%B1&c=d", ""}


@pytest.mark.parametrize(
    "path", ["//evil.example/runs/2/", "//evil.example/", "/\\evil.example/", "/%5Cevil.example/", "/%2Fevil.example/"]
)
def test_no_redirect_leads_to_another_host(served, path):
    answer = served.ask(path)
    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert answer.status_code < 500


def test_streams_are_held_back_by_no_proxy(served):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("GET", f"{served.address}{API}/import/events", headers=headers, timeout=60) as stream:
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-store, no-transform"
        assert stream.headers["x-frame-options"] == "DENY"


HOSTILE = ["%00", "a%00b", "%ED%A0%80", "%FF%FE", "%C0%80", "%F0%9F%92%A9", "", "%20", "-1", "0", "1", "9" * 30, "9" * 5000, "-" + "9" * 400, "1e400",
           "NaN", "Infinity", "0x10", "%D9%A1", "1_000", "1.5", "+1", str(2**31), str(2**63), str(2**63 - 1), "10000000", "0001-01-01",
           "9999-12-31", "0000-00-00", "2024-02-30", "99999-01-01", "2024-13-01", "-0001-01-01", "null", "true", "[]", "'%3B--", "%25", "%5C",
           "%E2%80%AE", "%0D%0AX:%20y", "a" * 5000, quote("Я" * 200), "../..", "%2E%2E%2F", "$1", "%7B%7D"]  # fmt: skip


def requests_of(description):
    """Every parameter of every route with every hostile value; of each route the rest as it should be."""
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            known = route.get("parameters", [])
            for one, value in itertools.product(known, HOSTILE):
                filled = path.replace("{run}", value if one["in"] == "path" else "2")
                yield method.upper(), filled, f"{one['name']}={value}" if one["in"] == "query" else ""


def test_no_value_of_any_parameter_is_a_defect(served):
    description = served.get("/openapi.json")
    asked = list(requests_of(description))
    asked += [
        ("GET", path.removeprefix(f"{API}/import"), query)
        for _, path, query in asked
        if path.startswith(f"{API}/import/")
    ]
    asked += [("GET", f"/static/{value}", "") for value in HOSTILE] + [("GET", f"/{value}", "") for value in HOSTILE]
    asked += [("GET", "/healthz", f"{value}=1") for value in HOSTILE]
    assert len(asked) > 600
    wrong = []
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
        for method, path, query in asked:
            if path.endswith("/events") and not query:
                continue
            answer = client.request(method, httpx.URL(served.address).copy_with(raw_path=f"{path}?{query}".encode()))
            if answer.status_code >= 500 and answer.json()["code"] != "daemon-not-running":
                wrong.append((method, path[:80], query[:80], answer.status_code, answer.text[:200]))
            elif answer.status_code >= 400 and answer.headers["content-type"] not in {
                "application/problem+json",
                "text/plain; charset=utf-8",
            }:
                wrong.append((method, path[:80], query[:80], answer.headers["content-type"]))
    assert wrong == []


@pytest.mark.parametrize("value", ["%00", "a%00", "%ED%A0%80", "%FF"])
def test_an_address_that_is_not_text_is_refused(served, value):
    for path in (f"/runs/2/diff?organization={value}", f"{API}/import/runs/2/diff?organization={value}", f"/runs/{value}", f"/static/{value}",
                 f"/healthz?{value}=1"):  # fmt: skip
        answer = httpx.get(
            httpx.URL(served.address).copy_with(raw_path=path.encode()), headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "web-request")


@pytest.mark.parametrize(
    "headers",
    [{"Accept-Language": "ru;q=nan,en;q=inf"}, {"Accept-Language": ",;;q=,-"}, {"Origin": "\\"}, {"Authorization": "Bearer " + "x" * 9000},
     {"Range": "bytes=9-1"}, {"Range": "bytes=-9999999999999999999999"}, {"If-None-Match": '"' * 99}, {"If-Modified-Since": "yesterday"}, {"Accept": "\x01"},
     {"If-Range": "x", "Range": "bytes=0-,0-,0-"}],
)  # fmt: skip
def test_no_header_is_a_defect(served, headers):
    for path in ("/static/app.js", "/", f"{API}/summary", "/nowhere"):
        try:
            answer = served.ask(path, headers=headers)
        except httpx.LocalProtocolError:
            pytest.skip("no client sends that")
        assert answer.status_code < 500
