"""A file that a user asked for is whole, private, and never takes another one's place unasked."""

import os
import stat

import pytest

from cpimportd.core.problems import ProblemError
from cpimportd.notify.metrics import write_textfile
from cpimportd.render.workbooks.tables import write_output


def write(text):
    return lambda path: path.write_text(text)


def test_a_file_is_private_and_alone_in_its_folder(tmp_path):
    write_output(tmp_path / "a.xlsx", write("one"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]
    assert (tmp_path / "a.xlsx").read_text() == "one"
    assert stat.S_IMODE((tmp_path / "a.xlsx").stat().st_mode) == 0o600


def test_another_file_is_not_overwritten_unless_asked(tmp_path):
    (tmp_path / "a.xlsx").write_text("theirs")
    with pytest.raises(ProblemError) as refused:
        write_output(tmp_path / "a.xlsx", write("ours"))
    assert refused.value.problems[0].code == "output-exists"
    assert "--force" in refused.value.problems[0].way_out
    assert (tmp_path / "a.xlsx").read_text() == "theirs"
    write_output(tmp_path / "a.xlsx", write("ours"), force=True)
    assert (tmp_path / "a.xlsx").read_text() == "ours"
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_a_file_that_comes_while_ours_is_written_is_not_overwritten(tmp_path):
    def slow(path):
        (tmp_path / "a.xlsx").write_text("theirs")
        path.write_text("ours")

    with pytest.raises(ProblemError, match="exists already"):
        write_output(tmp_path / "a.xlsx", slow)
    assert (tmp_path / "a.xlsx").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "a.xlsx").symlink_to(tmp_path / "theirs")
    with pytest.raises(ProblemError, match="exists already"):
        write_output(tmp_path / "a.xlsx", write("ours"))
    write_output(tmp_path / "a.xlsx", write("ours"), force=True)
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(ProblemError) as missing:
        write_output(tmp_path / "nowhere" / "a.xlsx", write("ours"))
    assert missing.value.problems[0].code == "disk"

    def broken(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ProblemError, match="No space left"):
        write_output(tmp_path / "a.xlsx", broken)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["pipe", "folder", "link to a device", "link to a descriptor"])
def no_file(request, tmp_path):
    """What a file must not take the place of: with root's rights it could be /dev/null itself."""
    path = tmp_path / "there"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null" if "device" in request.param else "/proc/self/fd/1")
    return path


def test_what_is_no_file_is_never_replaced_by_one(no_file):
    before = no_file.lstat()
    with pytest.raises(ProblemError, match="no file that can be replaced"):
        write_output(no_file, write("ours"), force=True)
    with pytest.raises(OSError, match="no file that can be replaced"):
        write_textfile(no_file, "ours")
    assert (no_file.lstat().st_ino, no_file.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert [path.name for path in no_file.parent.iterdir()] == [no_file.name]
