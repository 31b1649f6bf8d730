"""The child process that queries the database for the result of a run that died after it had begun to commit.

``python -m cpimportd.run.crash_outcome FILE RUN`` prints one JSON document: ``status``, from the run's row after the
run's last statement in the database has ended, or ``problem``, if the query failed. The daemon starts this process,
because it loads no database library itself.
"""

import asyncio
import json
import sys
from pathlib import Path

import asyncpg

from cpimportd.books.database.failures import translate
from cpimportd.books.publish.transaction import settled
from cpimportd.config.load import load, require_database
from cpimportd.core.problems import ProblemError
from cpimportd.core.process import forbid_core_dumps
from cpimportd.core.typed import to_json


def _answer(configuration: Path, run: int) -> dict[str, object]:
    try:
        settings = load(configuration).settings
        require_database(settings)
        return {"status": asyncio.run(settled(settings.database, settings.department_id, run))}
    except ProblemError as error:
        return {"problem": to_json(error.problems[0])}
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return {"problem": to_json(translate(error))}


if __name__ == "__main__":
    forbid_core_dumps()
    print(json.dumps(_answer(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201 - this is the answer
