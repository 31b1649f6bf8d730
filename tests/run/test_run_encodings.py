"""Databases that are not in UTF-8: what they cannot hold holds its workbook, by cell and character; the rest goes on."""

import itertools
import json
from decimal import Decimal

import pytest
from pydantic import SecretStr

from cpimportd.books.database.connection import connect
from cpimportd.books.database.encodings import fitting, lacking_characters
from cpimportd.books.schema.upgrade import upgrade
from cpimportd.cli.checkup.checkup import checkup
from cpimportd.config.load import Loaded
from cpimportd.config.settings import Database
from cpimportd.core.problems import ProblemError
from cpimportd.core.report import RunStatus, UnitStatus
from tests.run.test_run_guest import receipt, upload
from tests.support.database import run_sql

_NUMBERS = itertools.count(1)


@pytest.fixture
def encoded(templates, workplace_for):
    """A workplace over a migrated database in an encoding."""
    made = []

    async def make(encoding):
        name = f"encoded_{next(_NUMBERS)}"
        run_sql(
            templates.server.url(),
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' OWNER cpimportd",
        )
        made.append(name)
        url = templates.server.url(name, "cpimportd")
        await upgrade(Database(url=SecretStr(url)))
        return workplace_for(url)

    yield make
    templates.drop(made)


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["WIN1251", "KOI8R", "ISO_8859_5", "SQL_ASCII"])
async def test_what_the_encoding_has_is_published_to_the_kopeck(encoded, encoding):
    place = await encoded(encoding)
    upload(place, "Поступление Лотос.xlsx", [receipt(n, f"{n}.10", purpose="Съёмка, ЁЖ") for n in range(1, 6)])
    report = await place.run()
    assert report.status is RunStatus.PUBLISHED, report.problems
    (row,) = place.sql(place.url, "SELECT sum(amount), min(payment_purpose), min(payer) FROM fin_receipts")
    assert tuple(row) == (Decimal("15.50"), "Съёмка, ЁЖ", "БАНК ПАО")
    assert (await place.run()).status is RunStatus.UNCHANGED


CHARACTERS = {
    "₽": "U+20BD RUBLE SIGN",
    "е\u0308": "U+0308 COMBINING DIAERESIS",
    "→": "U+2192 RIGHTWARDS ARROW",
    "😀": "U+1F600 GRINNING FACE",
    "ū": "U+016B LATIN SMALL LETTER U WITH MACRON",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("character", CHARACTERS, ids=list(CHARACTERS.values()))
async def test_a_character_that_the_database_lacks_holds_its_unit_alone(encoded, character):
    place = await encoded("WIN1251")
    rows = [receipt(n, f"{n}.00") for n in range(1, 4)]
    rows[1][-1] = f"Оплата 5 {character}"
    upload(place, "Поступление Лотос.xlsx", rows)
    upload(place, "Поступление Ирис.xlsx", [receipt(n, f"{n}.00", organization="ИРИС ООО") for n in range(4, 9)])
    report = await place.run()
    assert report.status is RunStatus.PARTIAL
    status = {unit.unit.organization: unit.status for unit in report.units}
    assert status == {"ЛОТОС ООО": UnitStatus.HELD, "ИРИС ООО": UnitStatus.PUBLISHED}
    (found,) = [p for file in report.files for p in file.problems if p.code == "text-not-storable"]
    assert (found.file, found.row, found.column, found.value) == (
        "Поступление Лотос.xlsx", 3, "Назначение платежа", CHARACTERS[character])  # fmt: skip
    assert "WIN1251" in found.message
    assert place.sql(place.url, "SELECT count(*), sum(amount) FROM fin_receipts")[0] == (5, 30)
    stored = json.loads(place.sql(place.url, f"SELECT report FROM cpimportd.runs WHERE id = {report.run}")[0][0])
    assert stored["status"] == "partial"
    rows[1][-1] = "Оплата 5 руб."
    upload(place, "Поступление Лотос.xlsx", rows)
    assert (await place.run()).status is RunStatus.PUBLISHED


@pytest.mark.asyncio
async def test_every_place_is_told_wherever_it_stands(encoded):
    """In an organization, a key, a further column, a name of a file: the run goes on with the rest."""
    place = await encoded("WIN1251")
    rows = [receipt(1, "1.00", organization="ЛОТОС ₽"), receipt(2, "2.00")]
    rows[1][8] = "Договор № 1 → 2"
    upload(place, "Поступление ₽.xlsx", rows)
    upload(place, "Поступление Ирис ₽.xlsx", [receipt(3, "3.00", organization="ИРИС ООО")])
    report = await place.run()
    assert report.status is RunStatus.PARTIAL
    found = [p for file in report.files for p in file.problems if p.code == "text-not-storable"]
    assert {(p.row, p.column) for p in found} == {(2, "Организация"), (3, "Договор")}
    assert {unit.unit.organization for unit in report.units if unit.status is UnitStatus.PUBLISHED} == {"ИРИС ООО"}
    names = {row[0] for row in place.sql(place.url, "SELECT file FROM cpimportd.snapshot")}
    assert names == {"Поступление <U+20BD>.xlsx", "Поступление Ирис <U+20BD>.xlsx"}
    again = await place.run()
    assert again.status is RunStatus.HELD
    assert {unit.unit.organization: unit.status for unit in again.units}["ИРИС ООО"] is UnitStatus.UNCHANGED


@pytest.mark.asyncio
async def test_many_places_of_one_file_are_told_as_many_as_are_wanted(encoded):
    place = await encoded("WIN1251")
    upload(place, "Поступление Лотос.xlsx", [receipt(n, f"{n}.00", purpose="→ ₽") for n in range(1, 400)])
    report = await place.run()
    assert report.status is RunStatus.HELD
    found = [p for file in report.files for p in file.problems if p.code == "text-not-storable"]
    assert [p.row for p in found] == list(range(2, 2 + place.settings.reader.max_problems))
    assert place.sql(place.url, "SELECT report IS NOT NULL FROM cpimportd.runs")[0][0]


@pytest.mark.asyncio
async def test_an_encoding_without_cyrillic_is_blamed_by_the_upgrade(encoded):
    with pytest.raises(ProblemError, match="encoding") as caught:
        await encoded("LATIN1")
    (found,) = caught.value.problems
    assert (found.code, "ENCODING 'UTF8'" in found.message) == ("database-failed", True)


@pytest.mark.asyncio
@pytest.mark.parametrize(("encoding", "code"), [("WIN1251", "database-encoding"), ("SQL_ASCII", "database-encoding")])
async def test_check_says_that_the_encoding_has_not_everything(encoded, encoding, code):
    place = await encoded(encoding)
    lines = await checkup(Loaded(place.settings, {}, None))
    assert [(line.status, line.code) for line in lines if line.code == code] == [("WARNING", code)]
    assert encoding in next(line.text for line in lines if line.code == code)


@pytest.mark.asyncio
async def test_the_database_is_asked_which_characters_it_has(encoded):
    place = await encoded("WIN1251")
    connection = await connect(place.settings.database)
    try:
        assert await lacking_characters(connection, "абвЁё№«»—€₽→ū") == {"₽", "→", "ū"}
        assert await lacking_characters(connection, "") == frozenset()
    finally:
        await connection.close()


def test_texts_about_workbooks_are_made_to_fit():
    fit = fitting("WIN1251")
    assert fit is not None
    assert [fit(value) for value in ("ё ₽", 7, None, ["₽", 1], b"\xff")] == [
        "ё <U+20BD>", 7, None, ["<U+20BD>", 1], b"\xff"]  # fmt: skip
    assert fitting("UTF8") is fitting("SQL_ASCII") is None
    for encoding in (
        "KOI8R",
        "KOI8U",
        "ISO_8859_5",
        "WIN866",
        "WIN1252",
        "LATIN1",
        "LATIN5",
        "LATIN9",
        "EUC_JP",
        "MULE_INTERNAL",
    ):
        other = fitting(encoding)
        assert other is not None
        assert other("abc 😀") == "abc <U+1F600>"
