"""No password is ever shown, whatever way it came in."""

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.config.keys import mask_url
from cpimportd.config.load import load
from cpimportd.config.show import config_document, render
from cpimportd.core.problems import ProblemError
from cpimportd.core.typed import to_json

PLANTED = "hunter2"


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("ftp://u:p%40%2Fw@h:2121/1c", "ftp://h:2121/1c", "u", "p@/w"),
        ("ftps://u@h/1c", "ftps://h/1c", "u", None),
        ("ftp://:pw@h", "ftp://h", "anonymous", "pw"),
        ("ftp://u:a@b@h/", "ftp://h/", "u", "a@b"),
        ("ftp://%D1%8E:%D1%8F@[::1]:21/", "ftp://[::1]:21/", "ю", "я"),
        ("file:///srv/a@b:c", "file:///srv/a@b:c", "anonymous", None),
        ("ftp://h/a%40b", "ftp://h/a%40b", "anonymous", None),
    ],
)
def test_a_login_inside_the_sources_url_is_taken_out_of_it(write, url, shown, user, password):
    loaded = load(write(f"[source]\nurl = '{url}'"), {})
    source = loaded.settings.source
    assert (source.url, source.user) == (shown, user)
    assert (source.password.get_secret_value() if source.password else None) == password
    if password:
        assert loaded.origins["source.password"] == f"{loaded.path} (inside source.url)"


@pytest.mark.parametrize(
    ("stronger", "user", "password"),
    [
        ({"CPIMPORTD_SOURCE__USER": "own"}, "own", "url"),
        ({"CREDIT_PORTFOLIO_FTP_USER": "old", "CREDIT_PORTFOLIO_FTP_PASSWORD": "old"}, "url", "url"),
    ],
)
def test_a_login_inside_a_url_is_as_strong_as_the_place_of_the_url(read, stronger, user, password):
    source = read("[source]\nuser = 'file'\npassword = 'file'", CPIMPORTD_SOURCE__URL="ftp://url:url@h/", **stronger)
    source = source.settings.source
    assert (source.user, source.password.get_secret_value()) == (user, password)


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://u:{PLANTED}/x@h/",
        f"ftp://u:{PLANTED}#@h/",
        f"ftp://u:{PLANTED}",
        f"ftp://u:{PLANTED}%FF@h/",
        f"ftp://u:a@{PLANTED}/x@h/",
        f"u:{PLANTED}@h",
    ],
)
def test_a_url_that_cannot_be_split_is_refused_and_not_repeated(refused, url):
    (wrong,) = refused("", CPIMPORTD_SOURCE__URL=url)
    assert (wrong.code, wrong.message.split(" in ")[0]) == ("config-value", "source.url")
    assert PLANTED not in f"{wrong} {to_json(wrong)}"


EVERYWHERE = [
    ("[source]\npassword = 'hunter2'\n[cache]\npassword = 'hunter2'", None, {}),
    ("[database]\nurl = 'postgresql://u:hunter2@h:5432/books?sslpassword=hunter2'\npassword = 'hunter2'", None, {}),
    ("[database]\ndirect_url = 'postgresql://h/books?user=u&password=hunter2'", None, {}),
    ("[source]\nurl = 'ftp://u:hunter2@h/'\n[cache]\nurl = 'redis://:hunter2%2F@h/0'", None, {}),
    (
        "",
        {
            "source.password": "hunter2",
            "database.url": "postgresql://u:hunter2@h/books",
            "cache.url": "redis://:hunter2@h",
        },
        {},
    ),
    ("", None, {"CPIMPORTD_SOURCE__PASSWORD": "hunter2", "CPIMPORTD_CACHE__URL": "redis://x:hunter2@h"}),
    ("", None, {"CREDIT_PORTFOLIO_FTP_HOST": "u:hunter2@h", "CREDIT_PORTFOLIO_FTP_PASSWORD": "hunter2"}),
    ("", None, {"DATABASE_URL": "postgresql+psycopg://u:hunter2@h/books"}),
    ("", None, {"DB_NAME": "d", "DB_PASSWORD": "hunter2", "USE_REDIS": "1", "REDIS_PASSWORD": "hunter2"}),
]


@pytest.mark.parametrize(("text", "credentials", "environ"), EVERYWHERE)
def test_no_password_is_shown(read, text, credentials, environ):
    loaded = read(text, credentials, **environ)
    settings = loaded.settings
    shown = [
        str(loaded),
        repr(settings),
        settings.model_dump_json(),
        str(render(loaded)),
        json.dumps(config_document(loaded)),
    ]
    assert PLANTED not in "\n".join(shown)
    secrets = (settings.source.password, settings.database.url, settings.database.direct_url, settings.cache.password)
    assert any(PLANTED in s.get_secret_value() for s in (*secrets, settings.cache.url) if s)


@pytest.mark.parametrize(("text", "credentials", "environ"), EVERYWHERE)
def test_no_password_is_in_an_error_or_its_traceback(read, text, credentials, environ):
    with pytest.raises(ProblemError) as caught:
        read("within = 1\ndepartment_id = 0\n" + text, credentials, **environ)
    said = [str(caught.value), repr(caught.value), *(str(to_json(p)) for p in caught.value.problems)]
    assert PLANTED not in "\n".join([*said, *traceback.format_exception(caught.value)])
    assert caught.value.__context__ is None


def test_a_shown_url_keeps_the_server_and_the_database(read):
    rows = {row.key: row.value for row in render(read("", DATABASE_URL="postgresql://u:hunter2@h:5432/books"))}
    assert rows["database.url"] == "postgresql://u:********@h:5432/books"
    assert rows["database.password"] == ""


def test_a_password_alone_is_eight_stars_whatever_its_length(read):
    rows = {row.key: row.value for row in render(read("[source]\npassword = 'x'"))}
    assert rows["source.password"] == "********"


@given(st.text(min_size=1).map(lambda text: "\u2620" + text))
def test_no_part_of_a_password_up_to_its_last_at_sign_survives(password):
    assert "\u2620" not in mask_url(f"postgresql://u:{password}@h/books")
