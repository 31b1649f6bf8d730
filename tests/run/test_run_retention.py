"""What is older than its retention goes; runs, bridges and everything that is served stay."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cpimportd.run.spool import open_spool, prune_spool


async def two_days(workplace):
    for day in ("day1", "day2"):
        workplace.sample(day)
        await workplace.run()


@pytest.mark.asyncio
async def test_journal_entries_of_old_runs_go_and_the_rest_stays(workplace):
    await two_days(workplace)
    before, books = workplace.sql(workplace.url, "SELECT count(*) AS n FROM cpimportd.change")[0]["n"], workplace.books
    assert before > 0
    config = workplace.config()
    config.write_text(config.read_text() + '[journal]\nkeep = "1h"\n')
    kept = json.loads(workplace.command("prune", "--json", config=config).stdout)
    assert kept["journal_entries"] == 0
    workplace.sql(workplace.url, "UPDATE cpimportd.runs SET finished_at = now() - interval '2 hours'")
    gone = json.loads(workplace.command("prune", "--json", config=config).stdout)
    assert gone["journal_entries"] == before
    assert workplace.sql(workplace.url, "SELECT count(*) AS n FROM cpimportd.change")[0]["n"] == 0
    assert workplace.sql(workplace.url, "SELECT count(*) AS n FROM cpimportd.runs")[0]["n"] == 2
    assert workplace.books == books


@pytest.mark.asyncio
async def test_by_default_the_journal_is_kept_for_ever(workplace):
    await two_days(workplace)
    workplace.sql(workplace.url, "UPDATE cpimportd.runs SET finished_at = now() - interval '20 years'")
    assert json.loads(workplace.command("prune", "--json").stdout)["journal_entries"] == 0


def test_old_runs_folders_go_and_foreign_ones_stay(tmp_path):
    open_spool(tmp_path, timedelta(days=30)).close(keep_files=True)
    (tmp_path / "somebody-else").mkdir()
    assert prune_spool(tmp_path, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert prune_spool(tmp_path, datetime.now(UTC) + timedelta(hours=1)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["somebody-else"]
