"""The example, the rows and the documentation say what settings.py says."""

import re
import tomllib
from pathlib import Path

import pytest

from cpimportd.config.keys import all_keys
from cpimportd.config.load import load
from cpimportd.config.settings import Settings
from cpimportd.config.show import config_document, example, render
from cpimportd.config.values import format_size, format_span, parse_size, parse_span

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_example_as_it_stands_changes_nothing(read):
    assert {row.key for row in render(read(example()), show="set")} == set()


def test_the_example_with_every_key_uncommented_loads_and_sets_every_key(read):
    uncommented = re.sub(r"(?m)^#(?! )(?=\w)", "", example())
    loaded = read(uncommented)
    assert "default" not in loaded.origins.values()
    defaults = load_defaults(read)
    differs = {
        key for key, entry in config_document(loaded)["settings"].items() if entry["value"] != defaults[key]["value"]
    }
    unset = {".".join(path) for path, key in all_keys().items() if key.field.default is None}
    assert differs == unset


def load_defaults(read):
    return config_document(read("", STATE_DIRECTORY="/var/lib/cpimportd"))["settings"]


def test_every_key_and_section_is_explained():
    for key in all_keys().values():
        assert key.field.description, key.path
        assert key.section.__doc__
        assert key.field.default is not None or key.field.examples, key.path


def test_the_example_keeps_to_a_width_that_fits_a_terminal():
    assert max(map(len, example().splitlines())) <= 110
    assert tomllib.loads(example())["schedules"] == {"import": {}}


def test_the_documentation_lists_every_key_with_its_default():
    rows = {row.key: row.value for row in render_defaults()}
    text = DOCUMENT.read_text("utf-8")
    for key, value in rows.items():
        assert f"| `{key}` | {f'`{value}`' if value else ''} |".replace("|  |", "| |") in text, key


def render_defaults():
    return render(load_from_nowhere())


def load_from_nowhere():
    return load(None, {"CPIMPORTD_DEPARTMENT_ID": "8", "STATE_DIRECTORY": "/var/lib/cpimportd"})


def test_rows_are_as_they_would_be_written_in_the_file(read):
    rows = {row.key: row.value for row in render(read("[schedules.import]\nonly = ['receipts', 'details']"))}
    assert rows["retry.within"] == "20min"
    assert rows["source.max_file_size"] == "200M"
    assert rows["guards.strict"] == "false"
    assert rows["schedules.import.only"] == "receipts, details"
    assert rows["source.url"] == ""


def test_json_keeps_numbers_and_truth(read):
    settings = config_document(read("department_id = 3"))["settings"]
    assert settings["department_id"]["value"] == 3
    assert settings["guards.strict"] == {"value": False, "origin": "default"}
    assert settings["source.url"]["value"] is None
    assert settings["schedules.import.only"]["value"] == []


@pytest.mark.parametrize("text", ["0s", "90ms", "1.5ms", "1s", "20min", "1h 30min", "30d", "1d 1h 1min 1s"])
def test_a_span_is_written_as_it_is_read(text):
    span = parse_span(text)
    assert parse_span(format_span(span)) == span


@pytest.mark.parametrize(
    ("size", "text"), [(1, "1"), (1024, "1K"), (1536, "1536"), (200 * 1024**2, "200M"), (2**31, "2G")]
)
def test_a_size_is_written_as_it_is_read(size, text):
    assert format_size(size) == text
    assert parse_size(text) == size


def test_settings_can_be_made_without_any_file():
    assert Settings().zone.key == "Europe/Moscow"
    assert Settings().spool_directory == Path("/var/lib/cpimportd/spool")
