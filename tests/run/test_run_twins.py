"""One document, one name: whatever way a text is written, nothing is published twice and nobody is split in two."""

import shlex
import unicodedata
from decimal import Decimal

import pytest

from cpimportd.books.database.connection import connect
from cpimportd.books.publish.held import to_accept
from cpimportd.config.settings import Guards
from cpimportd.core.report import RunStatus
from tests.support.run.rewriting import one_hour_later, rewrite_workbook

SOFT, ZERO_WIDTH, BOM, NBSP = "\u00ad", "\u200b", "\ufeff", "\u00a0"
PARTS = ("Postuplenie", "Spisanie kredity", "Spisanie(rasshifrovka)")

IDS = {
    "an hour later": one_hour_later,
    "ё for е": lambda text: text.replace("расчетн", "расчётн"),
    "capitals": str.upper,
    "two spaces": lambda text: text.replace(" ", "  ", 1),
    "an inner no-break space": lambda text: text.replace(" ", NBSP, 1),
    "a narrow no-break space": lambda text: text.replace(" от ", "\u202fот\u202f"),
    "a soft hyphen": lambda text: f"{text[:4]}{SOFT}{text[4:]}",
    "a zero-width space in the number": lambda text: text.replace("-0", f"-{ZERO_WIDTH}0", 1),
    "a BOM": lambda text: f"{BOM}{text}",
    "a Latin letter": lambda text: text.replace("с", "c", 1),
    "a Latin letter in the number": lambda text: text.replace("0С00", "0C00").replace("0Л0Л-", "0Л0Л\u2011"),
    "a Greek letter": lambda text: text.replace("о", "ο", 1),
    "NFD": lambda text: unicodedata.normalize("NFD", text.replace("ие", "йе")).replace("и\u0306е", "ие\u200d"),
    "a dash": lambda text: text.replace("-", "\u2013"),
    "a wide digit": lambda text: text.replace("20", "２0"),
    "wide digits": lambda text: text.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}),
    "a no-break space in the number": lambda text: text.replace("-", f"-{NBSP}"),
    "an hour later, with a Latin letter": lambda text: one_hour_later(text).replace("с", "c", 1),
}


def codes(report):
    return {problem.code for problem in report.all_problems}


def held(report):
    return {unit.unit.name for unit in report.units if unit.status == "held"}


def twice(workplace, change, *parts):
    """Beside the workbooks that lie there, ones of other names with the same documents, written otherwise."""
    sources = [workplace.file(f"Lotos - {part}") for part in parts or PARTS]
    return [rewrite_workbook(one, one.with_name(f"Copy of {one.name}"), ids=change) for one in sources]


UNITS = {"ЛОТОС ООО/receipts", "ЛОТОС ООО/expenses"}


async def wrong(workplace, change):
    """What is not as it should be where the same documents lie there again, written otherwise; None if nothing is."""
    copies = twice(workplace, change)
    report = await workplace.run(dry_run=True, accepted=tuple(UNITS))  # integrity: nobody can accept it
    for copy in copies:
        copy.unlink()
    found = codes(report) & {"number-twice", "document-lookalike"}
    return None if held(report) == UNITS and found else (held(report), codes(report))


@pytest.mark.asyncio
async def test_the_same_documents_in_other_workbooks_the_next_day_are_held(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    assert {name: found for name, change in IDS.items() if (found := await wrong(workplace, change))} == {}
    twice(workplace, one_hour_later)
    report = await workplace.run()
    assert (report.code, held(report)) == (3, UNITS)
    assert workplace.books == books


@pytest.mark.asyncio
async def test_the_same_documents_in_other_workbooks_are_held_on_the_first_day_too(workplace):
    workplace.sample("day1")
    assert {name: found for name, change in IDS.items() if (found := await wrong(workplace, change))} == {}
    twice(workplace, one_hour_later)
    report = await workplace.run()
    assert (report.status, held(report)) == (RunStatus.PARTIAL, UNITS)
    assert workplace.books["receipts"] == 40


@pytest.mark.asyncio
async def test_two_rows_of_one_workbook_are_held(workplace):
    workplace.sample("day1")
    file = workplace.file("Lotos - Postuplenie")
    plain = file.read_bytes()
    for name, change in IDS.items():
        file.write_bytes(plain)
        rewrite_workbook(file, again=lambda place, line: [[change(line[0]), *line[1:]]] if place == 5 else [])  # noqa: B023
        report = await workplace.run(dry_run=True)
        assert held(report) == {"ЛОТОС ООО/receipts"}, name
        found = [one for one in report.all_problems if one.code in {"number-twice", "document-lookalike"}]
        assert (found[0].file, found[0].row) == (file.name, 42), name
        assert "row 7" in found[0].message, name


@pytest.mark.asyncio
async def test_what_differs_is_named_with_place_and_code_point(workplace):
    workplace.sample("day1")
    twice(workplace, IDS["a soft hyphen"], "Postuplenie")
    report = await workplace.run()
    found = next(problem for problem in report.all_problems if problem.code == "document-lookalike")
    assert "character 5: U+00AD SOFT HYPHEN, not nothing" in found.message
    assert "(5: U+00AD ≠ –)" in found.value
    assert "Correct the name in 1C" in found.way_out


@pytest.mark.asyncio
async def test_a_document_that_1c_gave_another_time_is_one_document_still(workplace):
    workplace.sample("day1")
    await workplace.run()
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), ids=one_hour_later, rows=slice(0, 2))
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED
    (unit,) = [unit for unit in report.units if unit.unit.name == "ЛОТОС ООО/receipts"]
    assert (unit.retimed, unit.inserted, unit.removed) == (2, 0, 0)
    assert workplace.books["receipts"] == 80


ORGANIZATIONS = {
    "Latin letters": lambda text: text.replace("ООО", "OOO"),
    "a zero-width space": lambda text: f"{text[:3]}{ZERO_WIDTH}{text[3:]}",
    "a soft hyphen": lambda text: f"{text[:3]}{SOFT}{text[3:]}",
    "a BOM": lambda text: f"{BOM}{text}",
    "two spaces": lambda text: text.replace(" ", "  "),
    "a no-break space": lambda text: text.replace(" ", NBSP),
    "another case": lambda text: text.capitalize(),
    "an ideographic space": lambda text: text.replace(" ", "\u3000"),
    "a left-to-right mark": lambda text: f"{text}\u200e",
    "a Greek letter": lambda text: text.replace("О", "Ο", 1),
}


@pytest.mark.asyncio
async def test_an_organization_is_not_split_in_two_on_the_first_day(workplace):
    workplace.sample("day1")
    file = workplace.file("Lotos - Postuplenie")
    plain = file.read_bytes()
    for name, change in ORGANIZATIONS.items():
        file.write_bytes(plain)
        rewrite_workbook(file, organization=change)
        report = await workplace.run(dry_run=True)
        assert held(report) == {f"{change('ЛОТОС ООО')}/receipts", "ЛОТОС ООО/expenses"}, name
        found = [problem for problem in report.all_problems if problem.code == "organization-lookalike"]
        assert len(found) == 2, name
        assert all("U+" in problem.message and "U+" in problem.value for problem in found), name


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["Latin letters", "a zero-width space", "a left-to-right mark"])
async def test_the_way_out_accepts_both_spellings_once(workplace, name):
    workplace.sample("day1")
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), organization=ORGANIZATIONS[name])
    report = await workplace.run()
    assert report.status is RunStatus.PARTIAL
    assert workplace.books["expenses"] == 200
    found = [problem for problem in report.all_problems if problem.code == "organization-lookalike"]
    # What a human pastes, invisible characters escaped.
    pasted = [shlex.split(problem.way_out.partition("cpimportd accept ")[2].removesuffix("."))[0] for problem in found]
    connection = await connect(workplace.settings.database)
    try:
        seen = await to_accept(connection, 8, pasted)
    finally:
        await connection.close()
    files = {one.unit.name: one.contents for one in seen}
    assert (await workplace.run(dry_run=True, accepted=tuple(pasted))).problems == ()
    accepted = await workplace.run(accepted=tuple(files), accepted_files=files)
    assert accepted.status is RunStatus.PUBLISHED
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_an_organization_in_decomposed_letters_is_held(workplace):
    workplace.sample("day1")
    for part in PARTS:
        rewrite_workbook(workplace.file(f"Lotos - {part}"), organization=lambda _: "ЛОТОСЙ ООО")
    await workplace.run()
    rewrite_workbook(
        workplace.file("Lotos - Postuplenie"), organization=lambda text: unicodedata.normalize("NFD", text)
    )
    report = await workplace.run()
    assert "organization-lookalike" in codes(report)
    assert workplace.books["receipts"] == 80


@pytest.mark.asyncio
async def test_a_new_way_to_write_an_organization_the_next_day_is_held_and_the_books_stay(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    # Of forty documents, three: fewer than the guards against shrinkage notice.
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), organization=ORGANIZATIONS["Latin letters"], rows=slice(3))
    report = await workplace.run()
    assert held(report) >= {"ЛОТОС OOO/receipts"}
    assert workplace.books == books
    (found,) = [problem for problem in report.all_problems if problem.code == "organization-lookalike"]
    assert "in the books" in found.message
    assert "U+004F LATIN CAPITAL LETTER O" in found.message


@pytest.mark.asyncio
async def test_two_spellings_that_a_human_accepted_are_not_asked_for_again(workplace):
    workplace.sample("day1")
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), organization=ORGANIZATIONS["two spaces"])
    units = ("ЛОТОС  ООО/receipts", "ЛОТОС ООО/expenses")
    assert (await workplace.run(accepted=units)).status is RunStatus.PUBLISHED
    workplace.sample("day2")
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), organization=ORGANIZATIONS["two spaces"])
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED
    assert "organization-lookalike" not in codes(report)


@pytest.mark.asyncio
async def test_a_document_that_stays_under_a_name_that_looks_the_same_is_not_published_anew(workplace):
    """The books know both spellings; now the documents of one come an hour later under the other."""
    workplace.sample("day1")
    rewrite_workbook(workplace.file("Lotos - Postuplenie"), organization=ORGANIZATIONS["two spaces"])
    source = workplace.file("Severnaya - Postuplenie")
    rewrite_workbook(source, organization=lambda _: "ЛОТОС ООО")
    units = ("ЛОТОС  ООО/receipts", "ЛОТОС ООО/receipts", "ЛОТОС ООО/expenses")
    assert (await workplace.run(accepted=units)).status is RunStatus.PUBLISHED
    books = workplace.books
    lotos = workplace.file("Lotos - Postuplenie")
    rewrite_workbook(
        lotos, lotos.with_name("Moved postuplenie.xlsx"), ids=one_hour_later, organization=lambda _: "ЛОТОС ООО"
    )
    report = await workplace.run()
    assert held(report) == {"ЛОТОС ООО/receipts"}
    (found,) = [problem for problem in report.all_problems if problem.code == "document-twin"]
    assert "40 new documents" in found.message
    assert "ЛОТОС  ООО" in found.message
    assert workplace.books == books


@pytest.mark.asyncio
async def test_details_of_an_expense_that_only_looks_the_same_say_which_character_differs(workplace):
    workplace.sample("day1")
    rewrite_workbook(workplace.file("Lotos - Spisanie(rasshifrovka)"), ids=IDS["a Latin letter"], rows=slice(3, 4))
    report = await workplace.run()
    assert held(report) == {"ЛОТОС ООО/expenses"}
    found = [problem for problem in report.all_problems if problem.code == "orphan-lookalike"]
    assert found
    assert "U+0063 LATIN SMALL LETTER C, not U+0441 CYRILLIC SMALL LETTER ES" in found[0].message
    assert "in 1C" in found[0].way_out
    assert "orphan-detail" not in codes(report)


@pytest.mark.asyncio
async def test_details_whose_expense_the_books_know_by_other_characters_say_so(workplace):
    workplace.sample("day1")
    await workplace.run()
    workplace.file("Lotos - Spisanie kredity").write_bytes(b"")
    rewrite_workbook(workplace.file("Lotos - Spisanie(rasshifrovka)"), ids=IDS["a soft hyphen"], rows=slice(3, 4))
    report = await workplace.run()
    found = [problem for problem in report.all_problems if problem.code == "orphan-lookalike"]
    assert "in the books" in found[0].message
    assert "U+00AD SOFT HYPHEN" in found[0].message


TITLES = {
    "a BOM": (lambda title: f"{BOM}{title}", False),
    "a soft hyphen": (lambda title: title.replace("Сум", f"Су{SOFT}м"), True),
    "a Latin letter": (lambda title: title.replace("Сумма", "Cумма"), True),
    "a no-break space": (lambda title: title.replace("Сумма", f"Сумма{NBSP}"), False),
    "a zero-width joiner": (lambda title: title.replace("Сумма", "Сумма\u200d"), True),
}


@pytest.mark.asyncio
async def test_a_title_is_read_however_it_is_written_with_its_control_total(workplace, truth):
    for name, (change, told) in TITLES.items():
        workplace.sample("day1")
        for part in PARTS:
            rewrite_workbook(workplace.file(f"Lotos - {part}"), title=change)
        report = await workplace.run(dry_run=True)
        assert not held(report), name
        assert all(file.control_total is not None for file in report.files), name
        found = [problem for problem in report.all_problems if problem.code == "title-lookalike"]
        assert bool(found) is told, name
        assert all("the title of column " in problem.message and "U+" in problem.message for problem in found), name
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert workplace.books["receipts_sum"] == Decimal(truth("day1")["receipts"]["sum"])
    assert workplace.books["details_sum"] == Decimal(truth("day1")["details"]["sum"])


def renumbered(operation_id):
    """Another document: the number and the time are others."""
    return operation_id.replace("-000", "-900", 1)


@pytest.mark.asyncio
async def test_a_unit_that_doubles_overnight_is_held_until_a_human_accepts_it(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    twice(workplace, renumbered, "Postuplenie")
    report = await workplace.run()
    assert held(report) == {"ЛОТОС ООО/receipts"}
    (found,) = [problem for problem in report.all_problems if problem.code == "grown"]
    assert "40 new documents" in found.message
    assert "beside 40" in found.message
    assert workplace.books == books
    assert (await workplace.run(accepted=("ЛОТОС ООО/receipts",))).status is RunStatus.PUBLISHED
    assert workplace.books["receipts"] == 120
    assert (await workplace.run()).status is RunStatus.UNCHANGED


@pytest.mark.asyncio
async def test_growth_can_be_allowed_and_grows_with_the_days_without_a_publication(workplace):
    workplace.sample("day1")
    await workplace.run()
    twice(workplace, renumbered, "Postuplenie")

    async def grown(**guards):
        settings = workplace.settings.model_copy(update={"guards": Guards(**guards)})
        return "grown" in codes(await workplace.run(settings, dry_run=True))

    assert await grown()
    assert not await grown(added_times=0)
    assert not await grown(added_documents=40)
    assert await grown(added_documents=39)
    workplace.sql(workplace.url, "UPDATE cpimportd.runs SET started_at = started_at - interval '30 days'")
    assert not await grown()


@pytest.mark.asyncio
async def test_what_somebody_else_deleted_comes_back_without_being_growth(workplace):
    workplace.sample("day1")
    await workplace.run()
    books = workplace.books
    workplace.sql(
        workplace.url,
        "DELETE FROM fin_receipts WHERE id IN (SELECT f.id FROM fin_receipts f JOIN fin_organizations o "
        "ON o.id = f.organization_id WHERE o.name = 'ЛОТОС ООО' ORDER BY f.id LIMIT 30)",
    )
    report = await workplace.run()
    assert "grown" not in codes(report)
    assert workplace.books["receipts_sum"] == books["receipts_sum"]


@pytest.mark.asyncio
async def test_an_accept_of_a_unit_whose_name_only_looks_right_says_so(workplace):
    workplace.sample("day1")
    report = await workplace.run(accepted=("ЛОТОС OOO/receipts",))
    (found,) = [problem for problem in report.problems if problem.code == "accept-unknown"]
    assert "«ЛОТОС ООО/receipts» looks the same" in found.message
    assert "U+004F LATIN CAPITAL LETTER O" in found.message


def test_the_hour_is_one_hour_later():
    assert one_hour_later("С 1 от 01.01.2024 9:00:00") == "С 1 от 01.01.2024 10:00:00"
    assert one_hour_later("С 1 от 01.01.2024 23:00:00") == "С 1 от 01.01.2024 22:00:00"
