"""What would fail only when a run comes to it is refused where the configuration is read: at the start and at a reload."""

from itertools import product
from pathlib import Path

import pytest

from cpimportd.cli.checkup.checkup import checkup
from cpimportd.config.load import load
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json
from cpimportd.run.planner import make_plan
from cpimportd.run.usable import require_addresses

SECRET = "zqxj"
"""In every password here; it must show nowhere."""

SERVED = "[database]\nurl = 'postgresql://u@h/d'\n[source]\nurl = 'ftp://h/1c'\n"


@pytest.fixture
def planned(write, tmp_path):
    """The problems of a configuration that the daemon refuses; empty where it is accepted."""

    def planned(text: str, **environ: str):
        wrong = problems(write(text), environ)
        assert SECRET not in str([to_json(one) for one in wrong])
        assert {one.kind.exit_code for one in wrong} <= {2}
        return wrong

    def problems(file, environ):
        try:
            make_plan(load(file, environ), tmp_path / "run")
        except ProblemError as error:
            return error.problems
        return ()

    return planned


def section(name: str, *lines: str) -> str:
    return f"{SERVED}[{name}]\n" + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("scheme", "way"),
    [
        ("sftp", "use ftps://, or mount"),
        ("SFTP", "use ftps://, or mount"),
        ("scp", "use ftps://, or mount"),
        ("ftpes", "write ftps://"),
        ("http", "mount the folder"),
        ("smb", "mount the folder"),
    ],
)
def test_a_source_of_another_kind_is_refused_in_words(planned, scheme, way):
    (wrong,) = planned(SERVED.replace("ftp://h", f"{scheme}://robot:{SECRET}@h"))
    assert wrong.code == "config-value"
    assert "cpimportd.toml, line 4: " in wrong.message
    assert f"{scheme.lower()}:// is not supported: {way}" in wrong.message


def test_the_scheme_of_the_source_may_stand_in_capitals(read):
    assert read("[source]\nurl = 'FTP://h/1c'").settings.source.url == "ftp://h/1c"


URLS = {
    "source": ("url", "ftp://u:{}@h/1c", "/?#"),
    "database": ("url", "postgresql://u:{}@h/d", "@/%"),
    "web": ("database_url", "postgresql://u:{}@h/d", "@/%"),
    "cache": ("url", "redis://:{}@h:6379/0", "/?#"),
    "alerts": ("urls", "mailtos://u:{}@mail.example.org?to=you@example.org", "@/?#"),
}
ENCODED = {"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"}


@pytest.mark.parametrize(
    ("where", "character"), [(name, character) for name, (*_, wrong) in URLS.items() for character in wrong]
)
def test_a_character_that_is_not_encoded_is_named_with_its_code_and_the_password_is_not(planned, where, character):
    key, url, _ = URLS[where]
    text = url.format(f"{SECRET}{character}{SECRET}")
    served = "" if where in {"source", "database"} else SERVED
    other = {"source": "database.url = 'postgresql://h/d'\n", "database": "source.url = 'ftp://h/1c'\n"}.get(where, "")
    line = f"{key} = {[text]!r}" if key == "urls" else f"{key} = '{text}'"
    (wrong,) = planned(f"{other}{served}[{where}]\n{line}\n")
    assert wrong.code == "config-value"
    assert wrong.message.startswith(f"{where}.{key} in ")
    assert ", line " in wrong.message
    assert f"{character} as {ENCODED[character]}" in wrong.message


@pytest.mark.parametrize("where", URLS)
def test_several_characters_are_named_at_once(planned, where):
    key, url, _ = URLS[where]
    text = url.format(f"{SECRET}@ss/w#{SECRET}")
    name = f"CPIMPORTD_{where}__{key}".upper()
    (wrong,) = planned(SERVED.replace(f"[{where}]\nurl =", f"[{where}]\n#"), **{name: text})
    assert "@ as %40, / as %2F, # as %23" in wrong.message
    assert f"environment {name}" in wrong.message


@pytest.mark.parametrize(("where", "character"), list(product(URLS, "@/?#%:")))
def test_a_character_that_is_encoded_is_taken(planned, where, character):
    key, url, _ = URLS[where]
    code = {**ENCODED, ":": "%3A"}[character]
    text = url.format(f"{SECRET}{code}{SECRET}")
    assert planned(SERVED, **{f"CPIMPORTD_{where}__{key}".upper(): text}) == ()


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:ABCdefGHIjklMNOpqrSTUvwxYZ012345678/-100123",
        "mailtos://user:password@mail.example.org/accountant@example.org",
        "mailto://robot:secret@mail.example.org:2525?to=you@example.org",
        "json://localhost:8080/hook",
    ],
)
def test_addresses_whose_paths_hold_such_characters_by_right_are_taken(planned, url):
    assert planned(section("alerts", f"urls = ['{url}']")) == ()


@pytest.mark.parametrize("url", ["foo://bar", "https://example.org", "tgram://short"])
def test_an_alert_that_apprise_does_not_understand_is_refused_by_its_place(planned, url):
    (wrong,) = planned(section("alerts", f"urls = ['json://localhost/', '{url}']"))
    assert f"line 6: address 2 {url.partition(':')[0]}: Apprise does not understand it" in wrong.message


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("state_directory = 'state'", "state_directory"),
        ("state_directory = '~/state'", "state_directory"),
        ("state_directory = ''", "state_directory"),
        ("source.tls_ca = 'ca.pem'", "source.tls_ca"),
        ("metrics.textfile = '../x.prom'", "metrics.textfile"),
        ('state_directory = "/a\\nb"', "state_directory"),
    ],
)
def test_a_path_is_absolute(refused, lines, key):
    (wrong,) = refused(lines)
    assert wrong.message.startswith(f"{key} in ")
    assert "line 1: expected a" in wrong.message
    assert "path" in wrong.message


def test_so_is_the_file_of_an_authority_in_the_databases_url(planned):
    (wrong,) = planned("source.url = 'ftp://h/1c'\n[database]\nurl = 'postgresql://u@h/d?sslrootcert=ca.pem'")
    assert "line 3: sslrootcert must be an absolute path" in wrong.message


def test_a_file_of_certificates_that_is_none_is_found(planned, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for file in ("ca.pem", "gone.pem"):
        (wrong,) = planned(SERVED.replace("ftp:", "ftps:") + f"tls_ca = '{tmp_path / file}'")
        assert wrong.message.startswith("source.tls_ca in ")
        assert f"line 5: {tmp_path / file} cannot be read" in wrong.message


@pytest.mark.parametrize("job", ["report", "reconcile"])
def test_a_job_that_is_sent_needs_somebody_to_send_to(planned, job):
    lines = ("at = 'Mon 07:00'", f"job = '{job}'")
    (wrong,) = planned(section("schedules.weekly", *lines))
    assert wrong.code == "config-incomplete"
    assert wrong.message == f"alerts.urls, which the job {job} of schedules.weekly needs, is not set"
    assert "CPIMPORTD_ALERTS__URLS" in wrong.way_out
    assert planned(section("schedules.weekly", *lines, "enabled = false")) == ()
    assert planned(section("schedules.weekly", *lines), CPIMPORTD_ALERTS__URLS="json://localhost/") == ()


@pytest.mark.parametrize(
    ("text", "code", "package"),
    [
        ("[alerts]\nurls = ['json://localhost/']", "alerts-not-installed", "apprise"),
        ("[metrics]\ntextfile = '/tmp/x.prom'", "metrics-not-installed", "prometheus_client"),
        ("[engine]\nexecutor = 'dask'\ndask_scheduler = 'tcp://h:1'", "cluster-not-installed", "distributed"),
    ],
)
def test_a_package_that_the_configuration_needs_is_missed_at_once(planned, monkeypatch, text, code, package):
    from cpimportd.run import usable

    assert planned(SERVED + text) == ()
    monkeypatch.setattr(usable, "find_spec", lambda name: None if name == package else object())
    (wrong,) = planned(SERVED + text)
    assert wrong.code == code


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h", "expected redis://"),
        ("h:6379", "expected redis://"),
        ("redis://h:port/0", "expected redis://host:6379/0"),
        ("redis://h:99999/0", "from 1 to 65535"),
        ("redis://h/first", "number of the database"),
        ("unix://run/redis.sock", "unix:///"),
        ("redis://h/0?foo=1", "knows no option foo"),
        ("redis://h/0?socket_timeout=soon", "wrong value"),
    ],
)
def test_a_cache_that_cannot_be_asked_is_refused(planned, url, reason):
    (wrong,) = planned(section("cache", f"url = '{url}'"))
    assert "cpimportd.toml, line 6: " in wrong.message
    assert reason in wrong.message


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://u:p@h:6380/3?ssl_cert_reqs=none", "unix:///run/redis.sock?db=1"]
)
def test_a_cache_that_can_be_asked_is_taken(planned, url):
    assert planned(section("cache", f"url = '{url}'")) == ()


@pytest.mark.parametrize(
    ("text", "key", "first", "again"),
    [
        ("[retry]\nwithin = '1min'\n\nwithin = '2min'", "retry.within", 2, 4),
        ("[retry]\n'within' = '1min'\nwithin = '2min'", "retry.within", 2, 3),
        ("[source]\n[retry]\n# within = 1\n[ source ]", "source", 1, 4),
        ("[schedules.a]\nat = '06:00'\n[schedules.a]\nat = '07:00'", "schedules.a", 1, 3),
        ("source.url = 'ftp://a/'\n[source]\nuser = 'u'", "source", 1, 2),
        ("[source]\nurl = 'ftp://a/'\n[retry]\nwithin = 1\n[source]\nuser = 'u'", "source", 1, 5),
        ("[database]\npassword = 'zqxj'\nurl = 'x'\npassword = 'zqxj'", "database.password", 2, 4),
        ("retry.within = 1\nretry.within = 2", "retry.within", 1, 2),
    ],
)
def test_a_key_that_stands_twice_is_named_with_both_lines(refused, text, key, first, again):
    (wrong,) = refused(text)
    assert wrong.code == "config-syntax"
    assert f"{key} stands twice: line {first} has it, line {again} sets it again" in wrong.message
    assert SECRET not in wrong.message


def test_a_key_that_stands_twice_in_one_line_is_named_too(refused):
    (wrong,) = refused("retry = { within = 1, wait_first = 2, within = 2 }")
    assert "retry.within stands twice: line 1 has it" in wrong.message


def test_two_variables_of_one_key_are_refused(refused):
    (wrong,) = refused("", CPIMPORTD_SOURCE__URL="ftp://a/", CPIMPORTD_source__url="ftp://b/")
    assert "environment CPIMPORTD_source__url: CPIMPORTD_SOURCE__URL sets the same key" in wrong.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("department_id = 8\n[source]\nurl = ftp://h/1c", "line 3: expected a value; a text stands in quotes"),
        ('[source]\npassword = "zqxj\\d"', "line 2: a backslash stands in a text; put the text between single quotes"),
        ("a = " + "[" * 9999, "nested too deeply"),
        ("department_id = " + "9" * 9999, "too many digits"),
        ("department_id = 8\n[source\n", "line 2: the section's name is not closed"),
    ],
)
def test_what_is_no_toml_is_reported_in_words(refused, text, reason):
    (wrong,) = refused(text)
    assert wrong.code == "config-syntax"
    assert reason in wrong.message
    assert SECRET not in wrong.message


RUSSIAN = "# Настройки загрузки кредитного портфеля\n" + SERVED


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16", "it is UTF-16, expected UTF-8"),
        ("utf-16-le", "it is UTF-16LE, expected UTF-8"),
        ("utf-16-be", "it is UTF-16BE, expected UTF-8"),
        ("utf-32", "it is UTF-32, expected UTF-8"),
        ("cp1251", "line 1 is not UTF-8, but probably Windows-1251 (cp1251)"),
        ("cp866", "line 1 is not UTF-8, but probably DOS (cp866)"),
        ("koi8-r", "line 1 is not UTF-8, but probably KOI8-R"),
    ],
)
def test_a_file_in_another_encoding_is_reported_with_the_encoding_and_how_to_convert_it(tmp_path, encoding, named):
    path = tmp_path / "cpimportd.toml"
    path.write_bytes((SERVED if encoding.startswith("utf-16-") else RUSSIAN).encode(encoding))
    with pytest.raises(ProblemError) as caught:
        load(path, {})
    (wrong,) = caught.value.problems
    assert wrong.code == "config-syntax"
    assert named in wrong.message
    assert "`iconv -f " in wrong.message


def test_a_credential_in_another_encoding_is_refused_and_a_byte_order_mark_is_no_part_of_it(read, refused):
    (wrong,) = refused("", {"source.password": SECRET.encode("utf-16")})
    assert "credential source.password: it is UTF-16" in wrong.message
    assert SECRET not in str(wrong)


def test_a_byte_order_mark_is_no_part_of_a_password(read):
    loaded = read("", {"source.password": SECRET.encode("utf-8-sig") + b"\r\n"})
    assert loaded.settings.source.password.get_secret_value() == SECRET


@pytest.mark.parametrize("kind", ["folder", "unreadable", "device"])
def test_what_is_no_readable_file_is_refused_in_words(tmp_path, kind):
    path = {"folder": tmp_path, "device": Path("/dev/zero")}.get(kind, tmp_path / "loop")
    if kind == "unreadable":
        path.symlink_to(path)
    with pytest.raises(ProblemError) as caught:
        load(path, {})
    (wrong,) = caught.value.problems
    assert wrong.code == "config-unreadable"
    assert "Name a file that can be read (--config, CPIMPORTD_CONFIG)" in wrong.way_out


@pytest.mark.parametrize("at", ["06:00 Europe/Moskow", "*-*-* 06:00:00 MSK", "Mon 06:00 Moscow/Europe"])
def test_a_wrong_zone_of_a_schedule_is_named(refused, at):
    (wrong,) = refused(f"[schedules.import]\nat = '{at}'")
    assert f"(unknown time zone '{at.split()[-1]}'" in wrong.message


@pytest.mark.asyncio
async def test_check_says_the_same_and_tries_nothing_by_a_wrong_address(write, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    found = await checkup(write(f"source.url = 'ftp://h/1c'\n[database]\nurl = 'postgresql://u:{SECRET}/x@h/d'\n"))
    assert [line.name for line in found] == ["configuration"]
    assert "write / as %2F" in found[0].text
    assert SECRET not in found[0].text


@pytest.mark.asyncio
async def test_check_names_a_job_that_has_nobody_to_send_to(write, tmp_path):
    text = section("schedules.weekly", "at = 'Mon 07:00'", "job = 'report'").replace(
        "//u@h/d", f"//u@/d?host={tmp_path}"
    )
    found = await checkup(write(f"state_directory = '{tmp_path}'\n{text}".replace("ftp://h/1c", f"file://{tmp_path}")))
    assert any(line.name == "configuration" and not line.ok and "schedules.weekly" in line.text for line in found)


def test_verbs_refuse_an_address_that_cannot_be_taken_apart(write):
    pinned = "ab" * 32
    loaded = load(write(f"[source]\nurl = 'ftp://h/'\ntls_fingerprint = '{pinned}'"), {})
    with pytest.raises(ProblemError, match=r"source\.tls_fingerprint in .*line 3: .* write ftps://"):
        require_addresses(loaded)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h:99999/", "the host or port is not valid"),
        ("ftp://h/a?b", "write ? as %3F"),
        ("ftp://:21/a", "it names no host"),
        ("ftp://h/a%0D%0ADELE%20b", "a line break"),
    ],
)
def test_a_source_that_cannot_be_taken_apart_is_refused(refused, url, reason):
    (wrong,) = refused(f"[source]\nurl = '{url}'")
    assert "line 2: " in wrong.message
    assert reason in wrong.message
