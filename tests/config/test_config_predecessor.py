"""The predecessor's variables in our keys."""

import pytest

FTP = "CREDIT_PORTFOLIO_FTP_"
IMPORT = "CREDIT_PORTFOLIO_IMPORT_"


@pytest.mark.parametrize(
    ("environ", "enabled"),
    [
        ({"SCHEDULER_ENABLED": "false"}, False),
        ({f"{IMPORT}ENABLED": "0"}, False),
        ({"SCHEDULER_ENABLED": "True", f"{IMPORT}ENABLED": "Off"}, False),
        ({"SCHEDULER_ENABLED": "YES", f"{IMPORT}ENABLED": "1"}, True),
        ({"SCHEDULER_ENABLED": ""}, True),
    ],
)
def test_either_switch_turns_the_import_off(read, environ, enabled):
    assert read("", **environ).settings.schedules["import"].enabled is enabled


@pytest.mark.parametrize(
    ("text", "environ"),
    [("[schedules.import]\nenabled = true", {}), ("", {"CPIMPORTD_SCHEDULES__IMPORT__ENABLED": "true"})],
)
def test_our_own_switch_overrides_the_shared_one(read, text, environ):
    loaded = read(text, SCHEDULER_ENABLED="false", **environ)
    assert loaded.settings.schedules["import"].enabled
    assert "predecessor" not in loaded.origins["schedules.import.enabled"]


@pytest.mark.parametrize(
    ("environ", "at"),
    [
        ({f"{IMPORT}HOUR": "7", f"{IMPORT}MINUTE": "5"}, "*-*-* 07:05:00"),
        ({f"{IMPORT}HOUR": "23"}, "*-*-* 23:00:00"),
        ({f"{IMPORT}MINUTE": "30"}, "*-*-* 06:30:00"),
    ],
)
def test_hour_and_minute_become_an_expression(read, environ, at):
    loaded = read("", **environ)
    assert loaded.settings.schedules["import"].at == at
    assert all(name in loaded.origins["schedules.import.at"] for name in environ)


@pytest.mark.parametrize(
    ("host", "folder", "url"),
    [
        ("ftp.example.org", None, "ftp://ftp.example.org/"),
        (
            "ftp.example.org:2121",
            "/1c/кредиты",
            "ftp://ftp.example.org:2121/1c/%D0%BA%D1%80%D0%B5%D0%B4%D0%B8%D1%82%D1%8B",
        ),
        ("ftp.example.org", "a@b #2", "ftp://ftp.example.org/a%40b%20%232"),
        ("ftps://ftp.example.org/", "1c", "ftps://ftp.example.org/1c"),
    ],
)
def test_host_and_folder_become_the_sources_url(read, host, folder, url):
    loaded = read(
        "",
        **{f"{FTP}HOST": host, f"{FTP}USER": "u", f"{FTP}PASSWORD": " p "}
        | ({f"{FTP}REMOTE_DIR": folder} if folder else {}),
    )
    source = loaded.settings.source
    assert (source.url, source.user, source.password.get_secret_value()) == (url, "u", " p ")
    assert f"{FTP}HOST" in loaded.origins["source.url"]


def test_the_old_download_folder_is_reported_to_be_unused(read):
    loaded = read("", **{f"{FTP}LOCAL_DIR": "/srv/old"})
    assert f"{FTP}LOCAL_DIR is not used" in loaded.notes[0]
    assert "/srv/old" not in str(loaded.settings)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"DATABASE_URL": "postgresql+asyncpg://u:p@h/d"}, "postgresql://u:p@h/d"),
        ({"DATABASE_URL": "postgresql://h/d", "DB_HOST": "other"}, "postgresql://h/d"),
        (
            {"DB_HOST": "h", "DB_PORT": "5433", "DB_NAME": "d", "DB_USER": "u", "DB_PASSWORD": "p@/:"},
            "postgresql://u:p%40%2F%3A@h:5433/d",
        ),
        ({"DB_HOST": "/run/postgresql", "DB_NAME": "d"}, "postgresql:///d?host=/run/postgresql"),
        ({"DB_NAME": "d"}, "postgresql://localhost/d"),
        ({"DB_PASSWORD": "p"}, None),
    ],
)
def test_the_database_is_one_url_or_its_parts(read, environ, url):
    found = read("", **environ).settings.database.url
    assert (found.get_secret_value() if found else None) == url


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (
            {"USE_REDIS": "true", "REDIS_HOST": "r", "REDIS_PORT": "6380", "REDIS_DB": "2", "REDIS_PASSWORD": "p w"},
            "redis://:p%20w@r:6380/2",
        ),
        ({"USE_REDIS": "1"}, "redis://localhost:6379/0"),
        ({"REDIS_HOST": "r"}, None),
        ({"USE_REDIS": "no", "REDIS_HOST": "r", "REDIS_PORT": "tcp://10.0.0.1:6379"}, None),
    ],
)
def test_redis_is_used_only_where_the_predecessor_used_it(read, environ, url):
    loaded = read("", **environ)
    found = loaded.settings.cache.url
    assert (found.get_secret_value() if found else None) == url
    assert bool(loaded.notes) == (url is None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHEDULER_ENABLED", "maybe"),
        (f"{IMPORT}HOUR", "24"),
        (f"{IMPORT}HOUR", "-1"),
        (f"{IMPORT}MINUTE", "٣"),
        ("USE_REDIS", "2"),
    ],
)
def test_a_value_that_the_predecessor_would_refuse_is_refused(refused, name, value):
    (wrong,) = refused("", **{name: value})
    assert wrong.code == "config-value"
    assert f"environment {name} (the predecessor's name)" in wrong.message
    assert repr(value) in wrong.message


def test_a_database_that_the_predecessor_could_not_reach_by_port_is_refused(refused):
    (wrong,) = refused("", DB_HOST="h", DB_PORT="99999")
    assert wrong.message.startswith("database.url in environment DB_PORT")
