"""Progress: JSON lines that the daemon can read, not too many, and bars that leave nothing behind."""

import io
import json
import os

import pytest
from rich.console import Console

from cpimportd.core.model import Progress
from cpimportd.render.progress import JsonProgress, NoProgress, TerminalProgress, choose_progress


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def events(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_json_and_names_are_kept():
    stream = io.StringIO()
    with JsonProgress(stream) as progress:
        progress(Progress("fetch", "Поступление\n\x1b.xlsx", 10, 20))
    (event,) = events(stream)
    assert event == {"stage": "fetch", "file": "Поступление\n\x1b.xlsx", "done": 10, "total": 20, "finished": False}


def test_a_busy_file_writes_about_five_lines_a_second_and_its_last_one():
    stream, clock = io.StringIO(), Clock()
    with JsonProgress(stream, clock) as progress:
        for done in range(1000):
            progress(Progress("read", "a.xlsx", done, 1000))
            clock.now += 0.002
        progress(Progress("read", "a.xlsx", 1000, 1000, finished=True))
    found = events(stream)
    assert 8 <= len(found) <= 13
    assert found[0]["done"] == 0
    assert found[-1] == {"stage": "read", "file": "a.xlsx", "done": 1000, "total": 1000, "finished": True}


def test_files_do_not_throttle_each_other():
    stream = io.StringIO()
    with JsonProgress(stream, Clock()) as progress:
        for name in ("a", "b", "c"):
            progress(Progress("read", name, 1))
    assert [event["file"] for event in events(stream)] == ["a", "b", "c"]


def test_what_was_held_back_is_written_when_the_run_breaks_off():
    stream = io.StringIO()
    with pytest.raises(RuntimeError), JsonProgress(stream, Clock()) as progress:  # noqa: PT012
        progress(Progress("read", "a.xlsx", 1))
        progress(Progress("read", "a.xlsx", 2))
        raise RuntimeError
    assert [event["done"] for event in events(stream)] == [1, 2]


def test_a_reader_that_went_away_does_not_stop_the_run():
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    with JsonProgress(stream) as progress:
        progress(Progress("fetch", "a.xlsx", 1))
        progress(Progress("fetch", "b.xlsx", 1))
    with pytest.raises(BrokenPipeError):
        stream.close()


def terminal() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, width=120, highlight=False), stream


def test_a_terminal_shows_bytes_rows_and_names_literally():
    console, stream = terminal()
    with TerminalProgress(console) as progress:
        progress(Progress("fetch", "[red]x[/red].xlsx", 1_500_000, 3_000_000))
        progress(Progress("read", "b.xlsx", 12_345))
        progress._bars.refresh()
    shown = stream.getvalue()
    assert "Fetching [red]x[/red].xlsx" in shown
    assert "1.5 MB of 3.0 MB" in shown
    assert "12\u00a0345 of ? rows" in shown


def test_a_finished_file_makes_room():
    console, _ = terminal()
    with TerminalProgress(console) as progress:
        progress(Progress("fetch", "a.xlsx", 1, 2))
        progress(Progress("fetch", "a.xlsx", 2, 2, finished=True))
        progress(Progress("check", finished=True))
        assert progress._bars.tasks == []


def test_the_form_is_chosen_by_the_stream():
    assert isinstance(choose_progress("auto", io.StringIO()), NoProgress)
    assert isinstance(choose_progress("none", io.StringIO()), NoProgress)
    assert isinstance(choose_progress("json", io.StringIO()), JsonProgress)
    with pytest.raises(ValueError, match="xml"):
        choose_progress("xml", io.StringIO())
