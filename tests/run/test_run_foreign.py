"""What somebody else wrote is put right whatever becomes of the day's files, and never called yesterday's books."""

from datetime import date
from io import StringIO

import pytest

from cpimportd.config.settings import Guards
from cpimportd.core.report import RunStatus
from cpimportd.render.layout import make_console
from cpimportd.render.run import render

FIVE_MILLIONS = """
    INSERT INTO fin_receipts (operation_id, amount, organization_id, department_id, is_active, currency, document_date,
                              created_at, updated_at)
    SELECT 'руками ' || n, 1000000, o.id, 8, true, 'RUB', '2024-03-01', now(), now()
    FROM fin_organizations o, generate_series(1, 5) n WHERE o.name = 'ЛОТОС ООО'
"""
PAYMENT_TYPE = """
    UPDATE fin_expense_details SET payment_type = 'Уплата процентов' WHERE id = (
        SELECT min(id) FROM fin_expense_details WHERE payment_type = 'Погашение долга')
"""
SEVEN = """
    UPDATE fin_expenses f SET amount = amount + 7 WHERE id = (
        SELECT min(f.id) FROM fin_expenses f JOIN fin_organizations o ON o.id = f.organization_id
        WHERE o.name = 'ЛОТОС ООО')
"""


def text_of(report):
    stream = StringIO()
    render(report, make_console(stream))
    return stream.getvalue()


@pytest.mark.asyncio
@pytest.mark.parametrize("strict", [False, True])
async def test_unchanged_files_are_no_shrinkage_and_change_no_closed_period(workplace, sql, strict):
    workplace.sample("day1")
    await workplace.run()
    sums = {name: value for name, value in workplace.books.items() if not name.endswith("md5")}
    sql(workplace.url, FIVE_MILLIONS, PAYMENT_TYPE, SEVEN)
    guards = Guards(closed_before=date(2100, 1, 1), strict=strict)
    report = await workplace.run(workplace.settings.model_copy(update={"guards": guards}))
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    assert {found.code for found in report.all_problems} == {"foreign-writes", "unconfirmed"}
    told = [found.message for found in report.all_problems if found.code == "foreign-writes"]
    assert any(
        "5 documents (receipts)" in message and "receipts +5\u00a0000\u00a0000,00" in message for message in told
    ), told
    assert {name: value for name, value in workplace.books.items() if not name.endswith("md5")} == sums
    whys = {row["why"] for row in sql(workplace.url, "SELECT why FROM cpimportd.change WHERE run_id = 2")}
    assert whys == {"put-right"}
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_a_cut_off_upload_is_held_and_the_hand_edit_beside_it_goes(workplace, sql):
    workplace.sample("day1")
    await workplace.run()
    sums = {name: value for name, value in workplace.books.items() if not name.endswith("md5")}
    for path in workplace.upload.iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    sql(workplace.url, SEVEN)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    (unit,) = [unit for unit in report.units if any(found.code == "foreign-writes" for found in unit.problems)]
    assert unit.unit.name.startswith("ЛОТОС ООО")
    assert unit.put_right == 1
    assert len({found.code for found in unit.problems}) > 1
    assert {name: value for name, value in workplace.books.items() if not name.endswith("md5")} == sums
    text = text_of(report)
    assert "their books stay as they were" not in text
    assert "what somebody else wrote was put right" in text
    again = await workplace.run()
    assert "foreign-writes" not in {found.code for found in again.all_problems}
    assert "their books stay as they were." in text_of(again)
