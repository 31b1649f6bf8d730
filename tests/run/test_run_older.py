"""Older workbooks that are uploaded again: a human says whether 1C has really taken its changes back."""

import shutil
import zipfile

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.publish.held import held_units
from cpimportd.core.report import RunStatus
from cpimportd.run.undoing import undo_once
from tests.support.run.workbooks import aged, rows_of, shrink, write

RECEIPTS = "ЛОТОС ООО/receipts"


def second_day(workplace):
    """The receipts of this day differ, too: one is gone."""
    workplace.sample("day2")
    shrink(workplace.file("Lotos - Postuplenie"), keep=39)


async def two_days(workplace):
    workplace.sample("day1")
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    second_day(workplace)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    return workplace.books


def older(report):
    return {
        unit.unit.name: [found for found in unit.problems if found.code == "older-file"]
        for unit in report.units
        if unit.status == "held"
    }


async def accepted(workplace):
    connection = await connect(workplace.settings.database)
    try:
        names = tuple(one.unit.name for one in await held_units(connection, 8))
    finally:
        await connection.close()
    return await workplace.run(accepted=names)


@pytest.mark.asyncio
async def test_yesterdays_workbooks_after_todays_are_held_by_run_and_day_until_a_human_accepts_them(workplace):
    workplace.sample("day1")
    await workplace.run()
    first = workplace.books
    workplace.sample("day2")
    await workplace.run()
    second = workplace.books
    # 01:30 in Moscow is the day before in UTC.
    workplace.sql(workplace.url, "UPDATE cpimportd.runs SET started_at = '2026-11-23 22:30+00' WHERE id = 1")
    workplace.sample("day1")
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    assert workplace.books == second
    found = older(report)
    assert all(found.values())
    for problems in found.values():
        for one in problems:
            assert "run 1 published on 2026-11-24; run 2 has published another since" in one.message
            assert one.file in one.message
            assert "cpimportd accept" in one.way_out
    taken = await accepted(workplace)
    assert taken.status is RunStatus.PUBLISHED
    amounts = [name for name in first if not name.endswith("md5")]
    assert [workplace.books[name] for name in amounts] == [first[name] for name in amounts]
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    workplace.sample("day2")
    again = older(await workplace.run())
    assert again.keys() == found.keys()
    assert all(
        "run 2 published" in one.message and "run 4 has" in one.message
        for problems in again.values()
        for one in problems
    )


@pytest.mark.asyncio
async def test_one_older_workbook_beside_new_ones_holds_its_unit_and_no_other(workplace):
    second = await two_days(workplace)
    newest = shutil.copytree(workplace.upload, workplace.state / "day2")
    workplace.sample("day1")
    kept = workplace.file("Lotos - Postuplenie").rename(workplace.state / "older.xlsx")
    shutil.rmtree(workplace.upload)
    shutil.copytree(newest, workplace.upload)
    workplace.file("Lotos - Postuplenie").unlink()
    aged(kept.rename(workplace.upload / "Postuplenie, once more.xlsx"))  # whatever it is called
    report = await workplace.run()
    assert {name: len(problems) for name, problems in older(report).items()} == {RECEIPTS: 1}
    assert workplace.books == second


def zipped_anew(file):
    """The same parts in a package whose bytes are others."""
    with zipfile.ZipFile(file) as package:
        parts = [(name, package.read(name)) for name in package.namelist()]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as package:
        for name, content in parts:
            package.writestr(name, content)
    aged(file)


@pytest.mark.asyncio
async def test_bytes_and_content_are_known_each_for_itself(workplace):
    second = await two_days(workplace)
    workplace.sample("day1")
    zipped_anew(workplace.file("Lotos - Postuplenie"))
    assert older(await workplace.run())[RECEIPTS]  # by its content
    workplace.sql(workplace.url, "UPDATE cpimportd.snapshot SET digest = 'by another version of the reader ' || id")
    workplace.sample("day1")
    assert older(await workplace.run())[RECEIPTS]  # by its bytes
    assert workplace.books == second


@pytest.mark.asyncio
async def test_what_serves_after_an_undo_is_no_older_file_and_what_was_undone_is_refused_for_that(workplace):
    await two_days(workplace)
    await undo_once(workplace.settings, 2)
    undone = await workplace.run()
    assert {found.code for found in undone.all_problems if "accept" in found.way_out} == {"undone"}
    workplace.sample("day1")
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    # Once others were published, what was undone is an older file like any.
    shrink(workplace.file("Lotos - Postuplenie"), keep=38)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    second_day(workplace)
    report = await workplace.run()
    (found,) = older(report)[RECEIPTS]
    assert "run 2 published" in found.message


@pytest.mark.asyncio
async def test_a_workbook_of_two_organizations_holds_only_the_one_that_would_change(workplace):
    """The other one's documents are the same in both."""
    workplace.sample("day2")
    lotos, other = workplace.file("Lotos - Postuplenie"), workplace.file("Severnaya - Postuplenie")
    titles, later = rows_of(lotos)
    _, rest = rows_of(other)
    amount, comment = titles.index("Сумма"), titles.index("Комментарий")
    other.unlink()
    earlier = [list(row) for row in later]
    earlier[0][comment] = "one word less"
    for rows in (earlier, later):
        write(lotos, (titles, [*rows, *rest]))
        report = await workplace.run()
        assert report.status is RunStatus.PUBLISHED, report.all_problems
    assert amount
    write(lotos, (titles, [*earlier, *rest]))
    report = await workplace.run()
    assert older(report).keys() == {RECEIPTS}


@pytest.mark.asyncio
async def test_an_organization_that_ended_and_comes_back_with_its_last_workbooks_is_looked_at(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    content = file.read_bytes()
    file.unlink()
    await workplace.run()
    assert (await accepted(workplace)).status is RunStatus.PUBLISHED
    file.write_bytes(content)
    aged(file)
    assert [len(problems) for problems in older(await workplace.run()).values()] == [1]
