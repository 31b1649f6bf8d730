"""One meaning of a cell from the workbook to the books, whatever the format: right figures, or a problem that names it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from cpimportd.core.model import CellError
from cpimportd.core.report import RunStatus
from tests.support.run.exports import DETAILS, EXPENSES, NAMES, RECEIPTS, Exports
from tests.support.workbook.binaries import Formula, Raw, Shown, Value, write_xls, write_xlsb, write_xlsx

FORMATS = {
    "xlsx": (write_xlsx, ".xlsx"),
    "xls": (write_xls, ".xls"),
    "biff5": (partial(write_xls, biff=5), ".XLS"),
    "xlsb": (write_xlsb, ".xlsb"),
    "xls called xlsx": (write_xls, ".xlsx"),
}
EVERY_FORMAT = pytest.mark.parametrize(("write", "suffix"), list(FORMATS.values()), ids=list(FORMATS))
MOSCOW = ZoneInfo("Europe/Moscow")
EXTRA = "SELECT extra->>'Ведомость' AS value FROM cpimportd.lineage WHERE extra ? 'Ведомость'"
DAYS = [date(2022, 4, 22), date(2023, 3, 1), date(2024, 12, 31)]

pytestmark = pytest.mark.asyncio


def rejects(report):
    return sorted(
        (found.file.partition(" XLSX")[0], found.row, found.column, found.value)
        for file in report.files
        for found in file.problems
        if found.code == "reject"
    )


def stops(report):
    return {found.code for found in report.all_problems if found.effect != "warns"}


def days(workplace, table):
    rows = workplace.sql(workplace.url, f"SELECT document_date FROM {table} ORDER BY document_date")
    return [row[0] for row in rows]


@EVERY_FORMAT
async def test_what_every_format_brings_is_published(workplace, write, suffix):
    Exports().upload(workplace.upload, write, suffix)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PUBLISHED, 0)
    books = workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (3, 3, 6)
    assert [str(books[f"{kind}_sum"]) for kind in ("receipts", "expenses", "details")] == [
        "6003.00",
        "1801.50",
        "1801.50",
    ]
    assert days(workplace, "fin_expenses") == days(workplace, "fin_receipts") == DAYS


@EVERY_FORMAT
async def test_error_values_hold_their_units_by_name(workplace, write, suffix):
    exports = Exports()
    wrap: Callable[[CellError], Value] = Formula if suffix != ".xlsx" else lambda error: error
    exports.rows[DETAILS][0]["Вид платежа по кредитам займам"] = wrap(CellError("#N/A"))
    exports.rows[DETAILS][3]["Сумма платежа"] = wrap(CellError("#VALUE!"))
    exports.rows[EXPENSES][0]["Договор"] = wrap(CellError("#REF!"))
    exports.rows[EXPENSES][1]["Вх. дата"] = wrap(CellError("#NUM!"))
    exports.rows[EXPENSES][2]["Получатель"] = wrap(CellError("#NAME?"))
    exports.rows[RECEIPTS][0]["Плательщик"] = wrap(CellError("#NULL!"))
    exports.rows[RECEIPTS][1]["Счет учета"] = wrap(CellError("#DIV/0!"))
    exports.rows[RECEIPTS][2]["Поступление на расчетный счет"] = wrap(CellError("#GETTING_DATA"))
    exports.upload(workplace.upload, write, suffix)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.HELD, 3)
    assert rejects(report) == sorted(
        [
            (NAMES[DETAILS], 2, "Вид платежа по кредитам займам", "#N/A"),
            (NAMES[DETAILS], 5, "Сумма платежа", "#VALUE!"),
            (NAMES[EXPENSES], 2, "Договор", "#REF!"),
            (NAMES[EXPENSES], 3, "Вх. дата", "#NUM!"),
            (NAMES[EXPENSES], 4, "Получатель", "#NAME?"),
            (NAMES[RECEIPTS], 2, "Плательщик", "#NULL!"),
            (NAMES[RECEIPTS], 3, "Счет учета", "#DIV/0!"),
            (NAMES[RECEIPTS], 4, "Поступление на расчетный счет", "#GETTING_DATA"),
        ]
    )
    books = workplace.books
    assert (books["receipts"], books["expenses"], books["details"]) == (0, 0, 0)


@EVERY_FORMAT
async def test_an_error_value_in_a_column_without_a_field_is_kept(workplace, write, suffix):
    exports = Exports()
    exports.rows[EXPENSES][1]["Ведомость"] = CellError("#REF!")
    exports.upload(workplace.upload, write, suffix)
    report = await workplace.run()
    assert (report.status, stops(report)) == (RunStatus.PUBLISHED, set())
    assert [row["value"] for row in workplace.sql(workplace.url, EXTRA)] == ["#REF!"]


@EVERY_FORMAT
@pytest.mark.parametrize("where", ["total", "title"])
async def test_an_error_value_for_a_total_or_a_title_holds_the_unit(workplace, write, suffix, where):
    exports = Exports()
    if where == "total":
        exports.totals[EXPENSES] = CellError("#REF!")
    else:
        place = exports.titles[EXPENSES].index("Получатель")
        exports.titles[EXPENSES][place] = CellError("#REF!")
        for row in exports.rows[EXPENSES]:
            row["#REF!"] = row["Получатель"]
    exports.upload(workplace.upload, write, suffix)
    report = await workplace.run()
    assert (report.status, report.code) == (RunStatus.PARTIAL, 3)
    assert stops(report) >= ({"reject"} if where == "total" else {"column-missing"})
    assert workplace.books["expenses"] == 0


@EVERY_FORMAT
async def test_days_since_1904_are_those_of_1c(workplace, write, suffix):
    exports = Exports()
    for kind, title in ((EXPENSES, "Вх. дата"), (RECEIPTS, "Дата входящего документа")):
        for row, day in zip(exports.rows[kind], DAYS, strict=True):
            number = (day - date(1904, 1, 1)).days
            row[title] = number if kind is EXPENSES else Shown(number)
    exports.upload(workplace.upload, write, suffix, since_1904=True)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert days(workplace, "fin_expenses") == days(workplace, "fin_receipts") == DAYS


@EVERY_FORMAT
async def test_a_number_beyond_dates_is_kept_or_named(workplace, write, suffix):
    exports = Exports()
    for row, number in zip(exports.rows[EXPENSES], (-1e12, -1, 2958466), strict=True):
        row["Ведомость"] = Shown(number)
    exports.upload(workplace.upload, write, suffix)
    report = await workplace.run()
    assert (report.status, stops(report)) == (RunStatus.PUBLISHED, set())
    kept = [float(row["value"]) for row in workplace.sql(workplace.url, EXTRA)]
    assert sorted(kept) == [-1e12, -1, 2958466]
    for row in exports.rows[EXPENSES]:
        row["Вх. дата"] = row["Ведомость"]
    exports.upload(workplace.upload, write, suffix)
    found = rejects(await workplace.run())
    assert [one[:3] for one in found] == [(NAMES[EXPENSES], row, "Вх. дата") for row in (2, 3, 4)]
    assert [float(one[3]) for one in found] == [-1e12, -1, 2958466]


@pytest.mark.parametrize("second", [False, True], ids=["first engine", "second engine"])
@pytest.mark.parametrize(
    "written",
    [
        lambda midnight: f"{midnight.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        lambda midnight: midnight.isoformat(),
        lambda midnight: (midnight + timedelta(hours=23)).astimezone(UTC).isoformat(),
        lambda midnight: f"{midnight:%Y-%m-%dT%H:%M:%S}",
        lambda midnight: f"{midnight:%Y-%m-%d}",
    ],
    ids=["UTC", "offset", "late in the day", "no zone", "day"],
)
async def test_dates_in_iso_form_are_days_of_the_zone(workplace, written, second):
    exports = Exports()
    for row, day in zip(exports.rows[EXPENSES], DAYS, strict=True):
        row["Вх. дата"] = Raw('t="d"', f"<v>{written(datetime.combine(day, time(), MOSCOW))}</v>")
    if second:
        exports.rows[EXPENSES][0]["Ведомость"] = CellError("#REF!")
    exports.upload(workplace.upload, write_xlsx)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert days(workplace, "fin_expenses") == DAYS


async def test_the_empty_date_of_1c_is_empty(workplace):
    exports = Exports()
    exports.rows[EXPENSES][0]["Вх. дата"] = "0001-01-01T00:00:00"
    exports.rows[EXPENSES][1]["Вх. дата"] = Raw('t="d"', "<v>0001-01-01T00:00:00</v>")
    exports.rows[EXPENSES][2]["Вх. дата"] = "01.01.0001 00:00"
    exports.upload(workplace.upload, write_xlsx)
    report = await workplace.run()
    assert report.status is RunStatus.PUBLISHED
    assert [found.message.count("3") for found in report.all_problems if found.code == "date-from-document"] == [1]
    assert days(workplace, "fin_expenses") == DAYS


@pytest.mark.parametrize("second", [False, True], ids=["first engine", "second engine"])
async def test_a_shared_text_without_a_place_is_empty(workplace, sql, second):
    exports = Exports()
    exports.rows[EXPENSES][0]["Комментарий"] = Raw('t="s"', "<v> </v>")
    exports.rows[EXPENSES][1]["Комментарий"] = "Загружен из Клиент-Банка"
    exports.rows[EXPENSES][2]["Комментарий"] = Raw('t="s"', "<v>\n\t\t</v>")
    if second:
        exports.rows[EXPENSES][0]["Ведомость"] = CellError("#REF!")
    exports.upload(workplace.upload, write_xlsx)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    comments = sql(workplace.url, "SELECT comment FROM fin_expenses ORDER BY document_date")
    assert [row[0] for row in comments] == [None, "Загружен из Клиент-Банка", None]


async def test_a_shared_text_that_is_nowhere_holds_the_unit(workplace):
    exports = Exports()
    exports.rows[EXPENSES][0]["Комментарий"] = Raw('t="s"', "<v>-1</v>")
    exports.upload(workplace.upload, write_xlsx)
    report = await workplace.run()
    assert report.status is RunStatus.PARTIAL
    assert stops(report) >= {"file-damaged"}
    assert workplace.books["expenses"] == 0


@pytest.mark.parametrize("noise", [5e-6, -5e-6])
async def test_a_total_summed_in_doubles_is_the_sum(workplace, noise):
    exports = billions()
    for kind in (EXPENSES, DETAILS):
        exports.totals[kind] += noise
    exports.upload(workplace.upload, write_xlsx)
    assert (await workplace.run()).status is RunStatus.PUBLISHED
    assert str(workplace.books["expenses_sum"]) == str(workplace.books["details_sum"]) == "4024831892.88"


@pytest.mark.parametrize("off", [0.01, 0.004])
async def test_a_total_that_is_off_by_more_than_noise_holds_the_unit(workplace, off):
    exports = billions()
    exports.totals[EXPENSES] += off
    exports.upload(workplace.upload, write_xlsx)
    report = await workplace.run()
    assert report.status is RunStatus.PARTIAL
    assert stops(report) & {"control-total", "reject"}
    assert workplace.books["expenses"] == 0


def billions():
    exports = Exports()
    for place, amount in enumerate((4024831000.11, 800.33, 92.44)):
        exports.rows[EXPENSES][place]["Сумма"] = amount
        for detail, part in ((0, amount - 0.11), (1, 0.11)):
            exports.rows[DETAILS][2 * place + detail]["Сумма платежа"] = round(part, 2)
    exports.totals = {**exports.totals, EXPENSES: 4024831892.88, DETAILS: 4024831892.88}
    return exports
