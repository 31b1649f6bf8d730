"""An instant, a day, a date and a sum have one form each; what alerts say of uploads is in the configured zone, too."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cpimportd.core.formatting import amount, count, day, document_day, moment, signed
from cpimportd.core.report import FileReport, FileStatus, RunReport, RunStatus
from cpimportd.notify.assessment import Scope, assess_run

MOSCOW = ZoneInfo("Europe/Moscow")
EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


def test_half_past_eleven_in_the_evening_is_the_next_day_in_moscow():
    assert moment(EVENING, MOSCOW) == "2026-11-24 02:30 MSK"
    assert moment(EVENING + timedelta(seconds=5), MOSCOW) == "2026-11-24 02:30:05 MSK"
    assert day(EVENING, MOSCOW) == "2026-11-24"
    assert document_day(date(2026, 11, 4)) == "04.11.2026"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("812625.8", "812\u00a0625,80"),
        ("-0.01", "-0,01"),
        ("-0.00", "0,00"),
        ("-1234.5", "-1\u00a0234,50"),
        ("999999999999999.99", "999\u00a0999\u00a0999\u00a0999\u00a0999,99"),
        ("1.005", "1,005"),
        ("1E+3", "1\u00a0000,00"),
    ],
)
def test_a_sum_is_written_as_1c_prints_it_and_never_rounded(value, told):
    assert amount(Decimal(value)) == told
    assert signed(abs(Decimal(value))).lstrip("+") == told.lstrip("-")
    assert count(1050) == "1\u00a0050"


def test_an_alert_tells_when_a_workbook_was_uploaded_in_the_configured_zone():
    old = FileReport("a.xlsx", None, (), EVENING, FileStatus.UNCHANGED, 1)
    report = RunReport(1, RunStatus.UNCHANGED, EVENING, 1.0, files=(old,))
    look = Scope(EVENING + timedelta(days=5), stale_after=timedelta(days=2), known_upload=EVENING, zone=MOSCOW)
    told = [found for one in assess_run(report, look).conditions for found in one.problems]
    assert {found.code for found in told} == {"file-stale", "upload-missing"}
    assert {found.value for found in told} == {"2026-11-24 02:30 MSK"}
