"""`systemd-analyze calendar` asked for many expressions at once, and a table of its answers for machines without it.

`python -m tests.support.timetable.analyze` writes the table anew.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("systemd_252.json")
BASE: Final = datetime(2026, 12, 10, 12, 0, 0, tzinfo=UTC)
ITERATIONS: Final = 5
_AT_ONCE: Final = 500
_ELAPSE: Final = re.compile(r"(?:Next elapse|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
_FAILED: Final = re.compile(r"Failed to parse calendar specification '(.*)': ")

EXPRESSIONS: Final = (
    # Ranges of one, and steps that do not fit.
    "*-*-15..15/1", "*-*-15..15", "*-1..1-1", "6..6:30..30/5", "2027..2027-1-1", "*-*-1..31/31", "*-*-1..2/2", "*:0..59/60",
    "*:0/60", "*:0/59", "*:*:0/60", "*:*:30/40", "*-*-1/31", "*-*-31/1", "*-*-1/30", "0/24:00", "*-12/1-1", "2199/1-1-1",
    "0..24/20:00", "*-*-1..32/30", "*:0..60/31", "24:00", "*:60", "*:*:60", "*-13-1", "*-*-32", "*-*-0", "*-0-1", "*-*-5/0",
    "*-*-5..1", "22..6:00", "Fri..Mon", "*-*-* 06:00:0/29", "*-*-1..7/3,20..22", "*-*-1,1,1",
    # From the month's end.
    "2027-*~20..26/8", "*-9~06..14/7", "*-*~1..5/2", "*-*~5..1", "*-*~20/8", "*-*~7/1", "*-*~3/2", "*-*~3/3", "*-*~1/1",
    "*-*~2/1", "*-*~28/27", "*-*~28/28", "*-*~28", "*-*~29", "*-*~1..28/9", "*-*~1..1", "*-*~*", "*~1", "*~1,3 06:00",
    "*-02~1", "Mon *-05~07/1", "Fri *-*~1..7", "*-02~1..28/13", "2027~01-05", "1~2~3", "*-*~0", "*-*~1..0",
    # Zones and shorthands.
    "06:00 utc", "06:00 Utc", "06:00 UTC", "Mon utc", "daily uTc", "06:00 Asia/Tokyo", "06:00 asia/tokyo", "06:00 Mars/Olympus",
    "06:00 Asia", "06:00 Z", "06:00 +03:00", "06:00 UTC UTC", "utc", "Asia/Tokyo", "minutely", "hourly", "daily", "weekly",
    "monthly", "quarterly", "biannually", "bi-annually", "semiannually", "semi-annually", "yearly", "annually", "anually",
    "biannually Asia/Tokyo", "semi-annually Asia/Tokyo", "bi-annually UTC", "SEMI-ANNUALLY utc", "Weekly Asia/Tokyo",
    "quarterly Asia/Tokyo", "fortnightly", "semi annually", "weekly Mon", "daily 06:00", "Mon weekly",
    # Instants.
    "@1800000000", "@1800000000 UTC", "@1800000000 Asia/Tokyo", "@1395716396", "@0", "@7258118399", "@7258118400", "@", "@-1",
    "@1800000000.5", "@1800000000 06:00", "@1800000000 Mars/Olympus",
    # Weekdays.
    "Mon", "Mon,", "Mon,Fri 6:00", "Mon, 6:00", "Mon-Fri 6:0", "Mon..Fri 06:00", "monday..WEDNESDAY 6:00", "Mon..", "Mon..Mon",
    "Mon..Tue..Wed", "Mon,,Tue", "Mon,Tue..Thu,Sun", "Mond", "Mo 06:00", "Mon.Tue", "Mon Tue", "Mon, Tue", ",Mon", "Thu 2027-01-01",
    # Years of two digits and others, and what goes where.
    "99-1-1", "30-1-1", "0001-1-1", "99..5-1-1", "28..30-1-1", "69..71-1-1", "100-1-1", "2200-1-1", "1969-1-1", "2199-01-01",
    "2027/2-1-1", "02027-011-01", "1-1", "2027", "6", "6:0", ":00", "06:", "1:2:3:4", "06:00 2027-01-01", "01-01:00",
    "2027-01-01 6", "*", "*-*", "*-*-*", "*-*-*  06:00", "Mon  06:00", "*-*-*T06:00", "*/2-1-1", "*:*/15", "*-*-*/2", "*-*-1,*",
    "*,1-1-1", "+1:00", "*-*-1-1", "0 6 * * *", "*-*-* *:*:*", "*:*:*", "*:*", "*-*-* 06:00:*", "*-02-30", "*-02-29", "1.5:00",
)  # fmt: skip


def ask(expressions: Iterable[str], base: datetime) -> dict[str, list[datetime] | None]:
    """The next instants of each expression after a base, in UTC; None where systemd refuses it."""
    asked, answers = list(expressions), dict[str, list[datetime] | None]()
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        done = subprocess.run(
            ["systemd-analyze", "calendar", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC",
             f"--iterations={ITERATIONS}", "--", *part],
            capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        )  # fmt: skip
        refused = set(_FAILED.findall(done.stderr))
        blocks = [block for block in done.stdout.split("\n\n") if block.strip()]
        accepted = [one for one in part if one not in refused]
        for one, block in zip(accepted, blocks, strict=True):
            answers[one] = [datetime.fromisoformat(f"{found}+00:00") for found in _ELAPSE.findall(block)]
        answers.update(dict.fromkeys(refused))
    return answers


def table() -> dict[str, list[datetime] | None]:
    """What systemd 252 answered for :data:`EXPRESSIONS`."""
    kept = json.loads(TABLE.read_text("utf-8"))
    return {
        one: None if found is None else [datetime.fromisoformat(text) for text in found] for one, found in kept.items()
    }


if __name__ == "__main__":
    answered = ask(EXPRESSIONS, BASE)
    lines = (
        f"{json.dumps(one)}: {json.dumps(None if found is None else [slot.isoformat() for slot in found])}"
        for one, found in ((one, answered[one]) for one in EXPRESSIONS)
    )
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
