"""A workbook with a password is told from a damaged one, however it is protected."""

import struct

import pytest

from cpimportd.core.problems import ProblemError
from cpimportd.workbook.compound import is_protected
from cpimportd.workbook.guards import inspect
from tests.support.workbook.ole2 import ole2_container, record

BIFF8, BIFF5 = (struct.pack("<HHHH", version, 0x0005, 0, 0) + bytes(8) for version in (0x0600, 0x0500))
RC4, XOR = struct.pack("<HHH", 1, 1, 1) + bytes(48), struct.pack("<HHH", 0, 0x1234, 0x5678)
END = record(0x000A, b"")


def workbook(*records: tuple[int, bytes]) -> bytes:
    return b"".join(record(kind, content) for kind, content in records) + END


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("Workbook", workbook((0x0809, BIFF8), (0x002F, RC4))),
        ("Workbook", workbook((0x0809, BIFF8), (0x0086, b""), (0x002F, XOR))),
        ("Book", workbook((0x0809, BIFF5), (0x002F, XOR[2:]))),
        ("WORKBOOK", workbook((0x0809, BIFF8), (0x002F, RC4))),
        ("EncryptedPackage", bytes(5000)),
        ("\tDRMContent", bytes(5000)),
    ],
)
def test_a_protected_workbook_is_known(tmp_path, limits, name, stream):
    path = tmp_path / "a.xls"
    path.write_bytes(ole2_container(name, stream))
    with pytest.raises(ProblemError) as caught:
        inspect(path, limits, "a.xls")
    assert caught.value.problems[0].code == "file-encrypted"


def test_a_text_about_protection_protects_nothing(tmp_path, binary_xls):
    path = binary_xls(tmp_path / "a.xls", [["EncryptedPackage", "Итого"]])
    assert "EncryptedPackage".encode("utf-16-le") in path.read_bytes()
    assert not is_protected(path.read_bytes())


def test_a_record_behind_the_globals_is_none_of_theirs():
    assert not is_protected(ole2_container("Workbook", workbook((0x0809, BIFF8)) + record(0x002F, RC4)))


@pytest.mark.parametrize("there", [8, 100, 512, 600, 1024, 1100, 1536])
def test_half_a_workbook_is_not_called_protected(there):
    assert not is_protected(ole2_container("Workbook", workbook((0x0809, BIFF8)))[:there])


def test_a_chain_of_sectors_without_an_end_ends():
    whole = bytearray(ole2_container("Workbook", workbook((0x0809, BIFF8))))
    struct.pack_into("<I", whole, 512 + 4, 1)  # the directory's sector follows itself
    assert not is_protected(bytes(whole))
