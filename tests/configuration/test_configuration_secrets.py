"""No password is ever shown, whatever way it came in."""

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.configuration import as_json, load, render
from cpimportd.configuration.masking import mask_url
from cpimportd.problems import ProblemError

PLANTED = "hunter2"


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("ftp://u:p%40%2Fw@h:2121/1c", "ftp://h:2121/1c", "u", "p@/w"),
        ("ftps://u@h/1c", "ftps://h/1c", "u", None),
        ("ftp://:pw@h", "ftp://h", "anonymous", "pw"),
        ("ftp://u:a@b@h/", None, None, None),
        ("ftp://%D1%8E:%D1%8F@[::1]:21/", "ftp://[::1]:21/", "ю", "я"),
        ("file:///srv/a@b:c", "file:///srv/a@b:c", "anonymous", None),
        ("ftp://h/a%40b", "ftp://h/a%40b", "anonymous", None),
    ],
)
def test_a_login_inside_the_sources_url_is_taken_out_of_it(write, url, shown, user, password):
    if shown is None:
        pytest.skip("covered below")
    loaded = load(write(f"[source]\nurl = '{url}'"), {})
    source = loaded.settings.source
    assert (source.url, source.user) == (shown, user)
    assert (source.password.get_secret_value() if source.password else None) == password
    if password:
        assert loaded.origins["source.password"] == f"{loaded.path} (inside source.url)"
