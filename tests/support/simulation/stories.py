"""Stories: lists of events that happen to a daemon, a configuration, and outcomes of runs; written down, drawn, played."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

from tests.support.simulation.scene import PUBLISHED, Configured, Outcome, Scheduled
from tests.support.simulation.world import World

STOPPED, KILLED, ORPHANED, POWER_CUT = "stopped", "killed", "killed, and its run lives on", "killed, and a save is lost"


@dataclass(frozen=True)
class Wait:
    """Nothing happens for so long."""

    length: timedelta

    def play(self, world: World) -> None:
        world.pass_time(self.length)


@dataclass(frozen=True)
class WaitForSlot:
    """Nothing happens until so long after the next slot, or before it."""

    offset: timedelta

    def play(self, world: World) -> None:
        world.pass_until_slot(self.offset)


@dataclass(frozen=True)
class ClockSet:
    """The wall clock is put forward or back."""

    by: timedelta

    def play(self, world: World) -> None:
        world.step(self.by)


@dataclass(frozen=True)
class Suspended:
    """The machine sleeps: the wall clock goes on, the monotonic clock does not."""

    length: timedelta

    def play(self, world: World) -> None:
        world.step(self.length, "the machine was suspended")


@dataclass(frozen=True)
class Outage:
    """The daemon ends in some way, and is started again after a while."""

    how: str
    length: timedelta
    state_lost: bool = False

    def play(self, world: World) -> None:
        if self.how == STOPPED:
            world.stop()
        else:
            world.kill(orphan=self.how == ORPHANED, power_cut=self.how == POWER_CUT)
        world.pass_time(self.length)
        if self.state_lost:
            world.lose_state()
        world.start()


@dataclass(frozen=True)
class Edited:
    """The configuration is edited, and read at once or at the next start."""

    schedules: tuple[Scheduled, ...]
    zone: str
    reload: bool = True

    def play(self, world: World) -> None:
        world.configure(replace(world.configured, schedules=self.schedules, zone=self.zone), reload=self.reload)


@dataclass(frozen=True)
class Refused:
    """A wrong configuration is read."""

    def play(self, world: World) -> None:
        world.reload_refused()


@dataclass(frozen=True)
class Triggered:
    """Somebody asks for a run."""

    def play(self, world: World) -> None:
        world.trigger()


@dataclass(frozen=True)
class Disk:
    """The state disk begins to fail, or works again."""

    fails: bool

    def play(self, world: World) -> None:
        world.disk_fails(self.fails)


Event = Wait | WaitForSlot | ClockSet | Suspended | Outage | Edited | Refused | Triggered | Disk


@dataclass(frozen=True)
class Story:
    """Everything that a play needs; its text can be pasted into a test."""

    begins: datetime
    configured: Configured
    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]
    afterwards: Outcome = PUBLISHED
    longest_sleep: int = 1200


class StoryError(AssertionError):
    """Something happened that must not, or did not happen; tells the last lines of the story's diary."""


def play(story: Story) -> World:
    """Play a story to its end, and two days more in which nothing happens, then stop the daemon in order.

    Args:
        story: what happens.

    Raises:
        StoryError: the daemon did something else than the model.
    """
    outcomes = chain(story.outcomes, repeat(story.afterwards))
    world = World(story.begins, story.configured, outcomes, longest_sleep=story.longest_sleep)
    with world.open():
        try:
            world.start()
            for event in story.events:
                event.play(world)
            world.disk_fails(False)
            world.pass_time(timedelta(days=2))
            world.stop()
            world.look_back()
        except AssertionError as error:
            raise StoryError(f"{error}\n" + "\n".join(world.diary)) from error
    return world
