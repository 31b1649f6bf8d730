"""What stands in `.env` beside the configuration reaches the daemon's runs, from its start on and after each reload."""

import os
import signal

from cpimportd.daemon.plan import COPY_PREFIX


def copies(place) -> list[str]:
    return sorted(path.suffix for path in place.runtime.glob(f"{COPY_PREFIX}*"))


def test_the_runs_of_a_daemon_have_what_stands_in_the_env_file(place):
    place.sample("day1")
    variables = place.folder / ".env"
    variables.write_text(f"DATABASE_URL='{place.keys.pop('database.url')}'\n")
    variables.chmod(0o600)
    place.configure()
    daemon = place.start()
    assert copies(place) == [".env", ".toml"]
    assert place.command("trigger", "--wait").returncode == 0
    assert place.outcomes() == ["published"]
    assert place.command("reload").returncode == 0
    assert place.command("trigger", "--wait").returncode == 0
    assert place.outcomes() == ["published", "unchanged"]
    daemon.kill()
    again = place.start()  # what a daemon that was killed left is gone, and its own is there
    assert copies(place) == [".env", ".toml"]
    assert again.stop() == 0
    assert copies(place) == []


def test_what_follows_a_run_that_crashed_goes_by_the_variables_that_were_accepted(place):
    """The database is asked, and readers are told, by the file that `--env-file` named as it was, not as it is."""
    place.sample("day1")
    with place.standing("commit") as stand:
        variables = place.folder / "named.env"
        variables.write_text(f"DATABASE_URL='{place.keys.pop('database.url')}'\n")
        variables.chmod(0o600)
        place.configure()
        daemon = place.start(CPIMPORTD_ENV_FILE=str(variables))
        daemon.send(signal.SIGUSR1)
        release = stand(daemon)
        variables.write_text("DATABASE_URL='postgresql://nobody@127.0.0.1:9/nothing'\n")
        os.kill(daemon.run_pid(), signal.SIGKILL)
        release()
        (ended,) = daemon.wait_runs(1)
    assert "run 1 is in the books" in ended["summary"]
