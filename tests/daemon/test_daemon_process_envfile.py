"""What stands in `.env` beside the configuration reaches the daemon's runs, from its start on and after each reload."""

from cpimportd.plan import COPY_PREFIX


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
