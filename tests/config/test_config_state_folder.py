"""The state folder is found without the rest of the configuration, and is the one that the whole configuration names."""

import pytest

from cpimportd.config.load import load
from cpimportd.core import state_folder

FILES = ["", "state_directory = '/file/state'", "[database]\nurl = 'postgresql://h/d'"]
ENVIRONMENTS = [
    {},
    {"CPIMPORTD_STATE_DIRECTORY": "/environment/state"},
    {"CPIMPORTD_state_directory": "/environment/in/small/letters"},
    {"CPIMPORTD_STATE_DIRECTORY": ""},
    {"STATE_DIRECTORY": "/unit/state:/unit/more"},
    {"STATE_DIRECTORY": "/unit/state", "CPIMPORTD_STATE_DIRECTORY": "/environment/state"},
    {"XDG_STATE_HOME": "/home/of/state"},
    {"XDG_STATE_HOME": "relative", "HOME": "/home/somebody"},
]


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("environ", ENVIRONMENTS)
@pytest.mark.parametrize("content", FILES)
def test_it_is_the_one_that_the_whole_configuration_names(tmp_path, monkeypatch, content, environ, root):
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(state_folder, "USUAL", tmp_path / "nowhere")
    file = tmp_path / "cpimportd.toml"
    file.write_text(content)
    whole = load(file, environ).settings.state_directory
    assert state_folder.configured_state_folder(file, environ) == whole
    assert state_folder.configured_state_folder(None, {**environ, "CPIMPORTD_CONFIG": str(file)}) == whole


@pytest.mark.parametrize(
    "content",
    ["state_directory = '/file/state'\nunknown = 1", "state_directory = '/file/state'\ndepartment_id = 'eight'"],
)
def test_a_fault_elsewhere_does_not_hide_it(tmp_path, content):
    file = tmp_path / "cpimportd.toml"
    file.write_text(content)
    assert str(state_folder.configured_state_folder(file, {})) == "/file/state"


@pytest.mark.parametrize(
    "content", [b"[database\n", b"user = '\xcf\xf0'", b"state_directory = 5", b"state_directory = 'relative'", None]
)
def test_where_the_file_does_not_say_it_nothing_is_guessed(tmp_path, content):
    file = tmp_path / "cpimportd.toml"
    if content is not None:
        file.write_bytes(content)
    assert state_folder.configured_state_folder(file, {}) is None


@pytest.mark.parametrize(
    "rest",
    [
        b"department_id = 8\ndepartment_id = 9",
        b"[database\n",
        b"# \xcf\xf0\xe8\xe2\xe5\xf2",
        b"[source]\nurl = 'file:///a\nstate_directory = '/other'",
    ],
)
def test_a_file_that_is_no_toml_still_says_it_in_a_line_of_its_own(tmp_path, rest):
    file = tmp_path / "cpimportd.toml"
    file.write_bytes(b"state_directory = '/file/state'  # ours\n" + rest)
    assert str(state_folder.configured_state_folder(file, {})) == "/file/state"


@pytest.mark.parametrize(
    "content",
    [
        b"state_directory = '/a'\nstate_directory = '/b'",
        b"[source]\nstate_directory = '/a'\n[",
        b"state_directory = '/a\n",
        b"x = '''\nstate_directory = '/a'\n'''\n[",
    ],
)
def test_where_no_toml_says_it_twice_or_elsewhere_nothing_is_guessed(tmp_path, content):
    file = tmp_path / "cpimportd.toml"
    file.write_bytes(content)
    assert state_folder.configured_state_folder(file, {}) is None


def test_a_byte_order_mark_is_no_fault(tmp_path):
    file = tmp_path / "cpimportd.toml"
    file.write_bytes(b"\xef\xbb\xbfstate_directory = '/file/state'")
    assert str(state_folder.configured_state_folder(file, {})) == "/file/state"
