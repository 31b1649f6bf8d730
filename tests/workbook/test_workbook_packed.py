"""What comes back from a cluster: nothing is lost on the way, and nothing else than what was packed is believed."""

import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpimportd.workbook.cluster.reply import Packer, unpack

MOST = 10 * 1024 * 1024


def packed(*blocks: bytes) -> bytes:
    packer = Packer()
    for block in blocks:
        packer.feed(block)
    return packer.end()


def unpacked(content: bytes, most: int = MOST, piece: int = 1000) -> bytes:
    return b"".join(unpack((content[at : at + piece] for at in range(0, len(content), piece)), most))


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"\t") + b"\n"), max_size=60))
def test_every_line_comes_back_in_its_order(lines):
    assert unpacked(packed(*lines)) == b"".join(lines)


def test_rows_by_the_thousand_come_back_and_are_smaller_than_when_they_lie_in_rows():
    rows = b"".join(
        b"0\t%d\tdocument %d of 2024\tLOTOS\t%d.00\tpayment of principal under contract %d\n"
        % (n, n * 7, n * 31, n % 9)
        for n in range(40_000)
    )
    small = packed(b'{"header": 1}\n', rows, b'{"trailer": 1}\n')
    assert unpacked(small) == b'{"header": 1}\n' + rows + b'{"trailer": 1}\n'
    assert len(small) < len(lzma.compress(rows, preset=1))


def test_a_line_that_is_cut_off_is_not_packed():
    with pytest.raises(ValueError, match="cut off"):
        packed(b"0\t1\n0\t2")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"0\t2\tx\n", "how many"),
        (b"2 1\n1\t2\t3\n", "as many fields"),
        (b"2 3\n1\t2\n", "cut off"),
        (b"0 1\n\n", "how many"),
        (b"99999999 1\n1\n", "how many"),
        (b"2 1\n1\t2", "cut off"),
        (b"1 1\n" + b"x" * 11_000_000 + b"\n", "too long"),
    ],
)
def test_other_forms_are_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        unpacked(lzma.compress(text), 2 * MOST)


def test_what_cannot_be_unpacked_is_refused():
    whole = packed(b"0\t1\n0\t2\n")
    for content in (b"", b"nonsense", whole[:-1], whole + b"x", whole + whole, whole[:20] + b"?" + whole[21:]):
        with pytest.raises(ValueError, match=r"unpacked|cut off"):
            unpacked(content)


def test_a_small_reply_that_unpacks_to_much_is_cut_off_early():
    bomb = lzma.compress(b"{" + b"0" * 1000 + b"}\n" + b"{}\n" * 2_000_000, preset=1)
    assert len(bomb) < 20_000
    with pytest.raises(ValueError, match="max_unpacked"):
        unpacked(bomb, 1024 * 1024)
