"""Verbs that look after what is kept, without rights or without our schema: what lacks is named, and is no defect."""

import os
import subprocess

import pytest

from tests.support import launcher
from tests.support.daemon.fixtures import everybodys_python
from tests.support.daemon.living_daemon import environment

__all__ = ["everybodys_python"]

VERBS = {
    "prune": ["prune"],
    "rejects": ["rejects", "1", "--output"],
    "history": ["history"],
    "show": ["show", "1"],
    "diff": ["diff", "1"],
    "accept": ["accept"],
    "alerts": ["alerts"],
    "notify": ["notify"],
    "summary": ["summary"],
}


def configured(folder, url, **keys):
    file = folder / "cpimportd.toml"
    lines = {"state_directory": f'"{folder}/state"', "database.url": f'"{url}"', "journal.keep": '"30d"', **keys}
    file.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    file.chmod(0o600)
    return file


def refused(verb, file, folder, **options):
    arguments = [*VERBS[verb], *([str(folder / "marked")] if verb == "rejects" else [])]
    done = launcher.run(*arguments, "--config", str(file), env=environment(), cwd="/", **options)
    assert "[internal]" not in done.stderr, done.stderr
    assert "defect" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("verb", VERBS)
def test_without_our_schema_it_reports_it(verb, backend_database, tmp_path):
    done = refused(verb, configured(tmp_path, backend_database), tmp_path)
    assert done.returncode == 1
    assert "Run `cpimportd db upgrade`." in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_without_rights_to_our_schema_it_names_the_grant(verb, database, sql, superuser_url, tmp_path):
    sql(
        superuser_url(database),
        "ALTER SCHEMA cpimportd OWNER TO postgres",
        "REVOKE ALL ON SCHEMA cpimportd FROM cpimportd",
    )
    done = refused(verb, configured(tmp_path, database), tmp_path)
    assert done.returncode == 1
    assert "GRANT USAGE, CREATE ON SCHEMA cpimportd TO cpimportd;" in done.stderr


@pytest.mark.parametrize("verb", ["prune", "rejects"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_we_may_not_look_into_is_named(verb, database, sql, folders_for_all, everybodys_python):
    folder = folders_for_all()
    file = configured(folder, database)
    (folder / "state" / "spool").mkdir(parents=True, mode=0o700)
    (folder / "state").chmod(0o700)
    os.chown(file, 65534, 65534)
    if verb == "rejects":
        sql(
            database,
            'INSERT INTO cpimportd.runs (department_id, status, report) VALUES (8, \'failed\', \'{"files": [{"name": '
            '"a.xlsx", "problems": [{"code": "reject", "message": "m", "way_out": "w", "file": "a.xlsx",'
            ' "row": 3, "column": null, "value": null, "organization": null}]}]}\')',
        )
    arguments = [*VERBS[verb], *([str(folder / "marked")] if verb == "rejects" else [])]
    argv = [everybodys_python, "-m", "cpimportd", *arguments, "--config", str(file)]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        cwd="/",
        user=65534,
        group=65534,
        extra_groups=[],
    )
    assert done.returncode == 1
    assert f"{folder}/state" in done.stderr
    assert "Permission denied" in done.stderr
    assert "[internal]" not in done.stderr
