"""Short stories of one daily schedule, and what came of them in few words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tests.support.simulation.naive_calendar import Rule, daily
from tests.support.simulation.scene import PUBLISHED, Configured, Outcome, Scheduled
from tests.support.simulation.stories import Event, Story, Wait, play
from tests.support.simulation.world import World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BEGINS = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_SIX = daily("06:00")
HOURLY = daily(*(f"{hour:02}:00" for hour in range(24)))
TO_THE_END = Wait(DAY)


def story(
    *events: Event,
    rule: Rule = AT_SIX,
    zone: str = "UTC",
    begins: datetime = BEGINS,
    outcomes: Iterable[Outcome] = (),
    afterwards: Outcome = PUBLISHED,
    retry_within: timedelta = HOUR,
    grace: timedelta = HOUR,
    catch_up: bool = True,
    wait_for_upload: timedelta = timedelta(0),
) -> World:
    """Play a story of one daily schedule; the model looks at every instant of it."""
    schedules = (Scheduled("import", rule, grace, catch_up, wait_for_upload),)
    configured = Configured(zone, schedules, retry_within=retry_within)
    return play(Story(begins, configured, tuple(outcomes), events, afterwards, longest_sleep=900))


def imported(world: World) -> list[str]:
    """The slots that were imported, in the order in which that was, by UTC."""
    assert set(world.database.imports.values()) <= {1}
    return [f"{slot:%m-%d %H:%M}" for _, slot in world.database.imports]


def runs(world: World) -> list[tuple[str, str]]:
    """Every run: its slot, and what came of it."""
    return [
        (f"{run.order.slot:%m-%d %H:%M}" if run.order.slot else "asked for", run.over.happened if run.over else "lost")
        for run in world.launches
    ]


def heard(world: World, event: str) -> list[tuple[str, int | str]]:
    """The lines of one kind: slot and number."""
    return [
        (f"{told.slot:%m-%d %H:%M}" if told.slot else "", told.detail) for told in world.heard if told.event == event
    ]
