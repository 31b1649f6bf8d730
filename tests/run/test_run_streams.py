"""A run that loses its standard streams does what it was to do, and ends with the code of that."""

import os

import pytest

from tests.support.lost_streams import DEFECT, LOSSES, command, shell


@pytest.mark.parametrize("loss", ["reader never there", "full", "all closed", "all full"])
def test_a_run_ends_with_what_happened(workplace, sql, loss):
    workplace.sample("day1")
    run = f"{command('run', '--config', workplace.config())} {LOSSES[loss]}"
    code, _, stderr = shell(run)
    assert code == 0, stderr
    assert not any(word in stderr for word in DEFECT), stderr
    assert workplace.books["receipts"] == 80
    assert [row["status"] for row in sql(workplace.url, "SELECT status FROM cpimportd.runs")] == ["published"]
    workplace.file("Lotos - Postuplenie").write_bytes(b"no workbook")
    os.utime(workplace.file("Lotos - Postuplenie"), (0, 0))
    code, _, stderr = shell(run.replace(" run ", " run --json --progress json "))
    assert code == 3, stderr
