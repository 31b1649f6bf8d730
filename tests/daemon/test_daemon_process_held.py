"""``status`` tells what the books hold back, whatever the daemon knows of it."""

import json

UNIT = "ЛОТОС ООО/receipts"


def held_by_hand(place):
    """A first day and a spoiled second one, imported by hand before any daemon."""
    place.sample("day1")
    assert place.command("run").returncode == 0
    place.workbook("Postuplenie").write_bytes(b"no workbook")
    assert place.command("run").returncode == 3


def says_held(place):
    told = place.command("status")
    assert told.returncode == 1, told.stdout + told.stderr
    assert f"Look: {UNIT} is held" in told.stdout
    assert f"Held: {UNIT}" in told.stdout
    found = json.loads(place.command("status", "--json").stdout)
    assert (found["held"], found["well"], found["held_unasked"]) == ([UNIT], False, None)


def test_a_unit_held_before_the_first_daemon_is_reported_and_looked_at(place):
    held_by_hand(place)
    place.start()
    says_held(place)


def test_a_daemon_that_lost_its_state_folder_hides_nothing(place):
    daemon = place.start()
    place.sample("day1")
    daemon.trigger()
    place.workbook("Postuplenie").write_bytes(b"no workbook")
    daemon.trigger(2)
    assert daemon.stop() == 0
    (place.state / "daemon.json").unlink()
    daemon = place.start()
    assert daemon.status["held"] == []  # it knows of nothing
    says_held(place)


def test_a_run_of_another_kind_tells_the_daemon_all_that_is_held(place):
    held_by_hand(place)
    daemon = place.start()
    assert place.command("run", "--only", "expenses").returncode == 0
    daemon.wait_status(lambda found: found["held"] == [UNIT], "knows what is held")
    says_held(place)


def test_where_the_database_cannot_be_asked_the_daemons_word_is_reported_as_that(place):
    held_by_hand(place)
    daemon = place.start()
    daemon.trigger()
    place.configure({"database.url": "postgresql://cpimportd@/books?host=/nowhere"})
    told = place.command("status")
    assert told.returncode == 1
    assert f"Held: {UNIT}" in told.stdout
    assert "What is held is what the daemon remembers: " in told.stdout
    assert "[database-unreachable]" in told.stdout
    unasked = json.loads(place.command("status", "--json").stdout)["held_unasked"]
    assert unasked["code"] == "database-unreachable"


def test_an_accept_by_hand_is_reported_at_once(place):
    place.sample("day1")
    assert place.command("run").returncode == 0
    place.workbook("Postuplenie").unlink()
    assert place.command("run").returncode == 3
    place.start()
    says_held(place)
    assert place.command("accept", UNIT, "--yes").returncode == 0
    told = place.command("status")
    assert (told.returncode, "Held" in told.stdout) == (0, False), told.stdout
