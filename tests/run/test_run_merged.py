"""Workbooks that become fewer, or others by name only; and accepting what is held because one is gone."""

import json

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.publish.held import to_accept
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus
from tests.support.run.workbooks import aged, rows_of, split, write

UNIT = "ЛОТОС ООО/receipts"
HALVES = (slice(0, 20), slice(20, None))


def served(workplace, unit=UNIT):
    organization, _, kind = unit.rpartition("/")
    rows = workplace.sql(
        workplace.url,
        f"SELECT file FROM cpimportd.served WHERE organization = '{organization}' AND kind = '{kind}' ORDER BY file",
    )
    return [row["file"] for row in rows]


def codes(report, unit=UNIT):
    return {found.code for one in report.units if one.unit.name == unit for found in one.problems}


async def two_workbooks(workplace, *parts):
    workplace.sample("day1")
    whole = rows_of(workplace.file("Lotos - Postuplenie"))
    files = split(workplace.file("Lotos - Postuplenie"), *(parts or HALVES))
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED
    assert served(workplace) == [file.name for file in files]
    return whole, files


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "which", [0, 1, None], ids=["under the first name", "under the second name", "under a new name"]
)
async def test_one_workbook_with_the_documents_of_two_is_nothing_to_ask_about(workplace, which):
    whole, files = await two_workbooks(workplace)
    books = workplace.books
    for file in files:
        file.unlink()
    one = write(workplace.upload / "receipts of all.xlsx" if which is None else files[which], whole)
    report = await workplace.run()
    assert (report.status, codes(report)) == (RunStatus.PUBLISHED, set()), report.all_problems
    assert workplace.books == books
    assert served(workplace) == [one.name]
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_one_workbook_with_the_documents_of_two_may_lack_what_1c_deleted(workplace):
    (titles, rows), (first, second) = await two_workbooks(workplace)
    second.unlink()
    write(first, (titles, rows[:-1]))
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED, report.all_problems
    assert [unit.removed for unit in report.units if unit.unit.name == UNIT] == [1]


@pytest.mark.asyncio
async def test_one_workbook_with_half_of_the_documents_shrinks_the_books(workplace):
    (titles, rows), (first, second) = await two_workbooks(workplace)
    second.unlink()
    write(first, (titles, rows[: 20 + (len(rows) - 20) // 2]))
    report = await workplace.run()
    assert "shrunk" in codes(report)
    assert report.code == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("renamed", [False, True], ids=["its name stays", "under a new name"])
async def test_a_small_workbook_that_is_gone_is_missed_however_much_the_other_grows(workplace, renamed):
    (titles, rows), (first, second) = await two_workbooks(workplace, slice(0, 30), slice(38, None))
    assert len(rows) > 39
    books = workplace.books
    small = len(rows) - 38
    second.unlink()
    grown = write(first, (titles, rows[:38]))  # more come than go
    if renamed:
        grown = grown.rename(grown.with_name("another name.xlsx"))
    report = await workplace.run()
    assert "file-missing" in codes(report)
    assert workplace.books == books
    accepted = workplace.command("accept", UNIT, "--yes")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert workplace.books["receipts"] == books["receipts"] + 8 - small
    assert served(workplace) == [grown.name]
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_a_unit_that_misses_a_workbook_is_accepted_as_it_was_seen_and_not_otherwise(workplace):
    _, (_first, second) = await two_workbooks(workplace)
    content = second.read_bytes()
    second.unlink()
    assert "file-missing" in codes(await workplace.run())
    second.write_bytes(content)
    aged(second)
    books = workplace.books
    refused = workplace.command("accept", UNIT, "--json", "--yes")
    assert json.loads(refused.stdout)["problems"][0]["code"] == "accept-outdated"
    assert workplace.books == books
    second.unlink()
    await workplace.run()
    assert workplace.command("accept", UNIT, "--yes").returncode == 0
    assert workplace.books["receipts"] == books["receipts"] - (books["receipts"] - 40 - 20)


@pytest.mark.asyncio
async def test_a_unit_with_no_workbook_left_is_accepted(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.file("Lotos - Postuplenie").unlink()
    assert codes(await workplace.run()) == {"file-missing"}
    accepted = workplace.command("accept", UNIT, "--yes")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert served(workplace) == []


@pytest.mark.asyncio
async def test_what_nobody_can_override_is_said_at_once_with_the_reason(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    file.write_bytes(file.read_bytes()[:5000])
    await workplace.run()
    refused = workplace.command("accept", UNIT, "--yes")
    assert refused.returncode == 2
    assert "file-damaged, which nobody can override: " in refused.stderr
    assert "accept-outdated" not in refused.stderr


@pytest.mark.asyncio
async def test_a_file_that_is_missing_beside_one_that_is_wrong_cannot_be_accepted(workplace):
    _, (first, second) = await two_workbooks(workplace)
    second.unlink()
    first.write_bytes(first.read_bytes()[:3000])
    await workplace.run()
    connection = await connect(workplace.settings.database)
    try:
        with pytest.raises(ProblemError, match="nobody can override"):
            await to_accept(connection, 8, [UNIT])
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_details_of_two_workbooks_come_in_one_and_are_missed_where_they_do_not(workplace):
    workplace.sample("day1")
    file = workplace.file("Lotos - Spisanie(rasshifrovka)")
    titles, rows = rows_of(file)
    amount = "Сумма платежа"
    document = next(number for number, title in enumerate(titles) if "окумент" in title or title.startswith("Списание"))
    last = [row for row in rows if row[document] == rows[-1][document]]
    rest = [row for row in rows if row[document] != rows[-1][document]]
    file.unlink()
    many = write(file.with_name("details 1.xlsx"), (titles, rest), amount)
    few = write(file.with_name("details 2.xlsx"), (titles, last), amount)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    few.unlink()
    unit = "ЛОТОС ООО/expenses"
    lost = await workplace.run()
    assert "file-missing" in codes(lost, unit)
    write(many, (titles, rows), amount)
    report = await workplace.run()
    assert (report.status, codes(report, unit)) == (RunStatus.PUBLISHED, set()), report.all_problems
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_a_workbook_under_another_name_goes_by_it_from_then_on(workplace):
    workplace.sample("day1")
    await workplace.run()
    old = workplace.file("Lotos - Postuplenie")
    new = old.rename(old.with_name("Лотос, поступления.xlsx"))
    books = workplace.books
    assert (await workplace.run(dry_run=True)).code == 0
    assert served(workplace) == [old.name]
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.UNCHANGED, 0)
    assert workplace.books == books
    assert served(workplace) == [new.name]
    reported = json.loads(workplace.command("report", "--json").stdout)["files"]
    assert (new.name in str(reported), old.name in str(reported)) == (True, False)
    assert old.name not in workplace.command("reconcile", "--json").stdout
    new.unlink()
    (missing,) = [found for found in (await workplace.run()).all_problems if found.code == "file-missing"]
    assert missing.file == new.name


@pytest.mark.asyncio
async def test_workbooks_that_exchange_their_names_are_told_apart(workplace):
    _, (first, second) = await two_workbooks(workplace)
    between = first.rename(first.with_name("between.xlsx"))
    second.rename(first)
    between.rename(second)
    rows = {
        row["file"]: row["digest"] for row in workplace.sql(workplace.url, "SELECT file, digest FROM cpimportd.served")
    }
    assert (await workplace.run()).status is RunStatus.UNCHANGED
    after = {
        row["file"]: row["digest"] for row in workplace.sql(workplace.url, "SELECT file, digest FROM cpimportd.served")
    }
    assert (after[first.name], after[second.name]) == (rows[second.name], rows[first.name])


@pytest.mark.asyncio
async def test_a_copy_beside_the_workbook_does_not_take_its_name(workplace):
    workplace.sample("day1")
    await workplace.run()
    file = workplace.file("Lotos - Postuplenie")
    aged_copy = file.with_name("0 copy.xlsx")
    aged_copy.write_bytes(file.read_bytes())
    aged(aged_copy)
    assert (await workplace.run()).code == 0
    assert served(workplace) == [file.name]


@pytest.mark.asyncio
async def test_the_weekly_summary_lists_no_workbook_that_is_gone(workplace):
    workplace.sample("day1")
    junk = workplace.upload / "notes.xlsx"
    junk.write_bytes(b"no workbook")
    await workplace.run()
    junk.unlink()
    await workplace.run()
    await workplace.run(only=frozenset({"receipts"}))
    files = json.loads(workplace.command("report", "--json").stdout)["files"]
    assert len(files) == 6
    assert junk.name not in {file["name"] for file in files}


@pytest.mark.asyncio
@pytest.mark.parametrize("before", [True, False], ids=["published before", "new"])
async def test_a_workbook_of_which_one_organization_is_held_is_read_again(workplace, before):
    """What is held is not missing: the books know its workbook by the other organization alone."""
    workplace.sample("day1")
    titles, rows = rows_of(workplace.file("Lotos - Postuplenie"))
    owner, amount = titles.index("Организация"), titles.index("Сумма")
    for row in rows[20:]:
        row[owner] = "МОСТ ООО"
    others_receipts = len(rows_of(workplace.file("Severnaya - Postuplenie"))[1])
    file = workplace.file("Lotos - Postuplenie")
    write(file, (titles, rows if before else rows[:20]))
    await workplace.run()
    first, *others = rows[:20]
    first = list(first)
    first[amount] += 1
    today = rows[20:25] if before else [[*row[:owner], "ЛОТОС  ООО", *row[owner + 1 :]] for row in rows[20:]]
    write(file, (titles, [first, *others, *today]))
    held = "МОСТ ООО/receipts" if before else "ЛОТОС  ООО/receipts"
    why = "shrunk" if before else "organization-lookalike"
    for _ in range(2):
        report = await workplace.run()
        assert (report.status, codes(report, held)) == (RunStatus.PARTIAL, {why})
        assert [one.unit.name for one in report.held_now] == [held]
    report = await workplace.run(accepted=(held,))
    assert report.status is RunStatus.PUBLISHED
    assert workplace.books["receipts"] == others_receipts + 20 + len(today)
    assert (await workplace.run()).status is RunStatus.UNCHANGED
