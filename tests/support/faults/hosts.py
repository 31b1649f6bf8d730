"""Two hosts: each has a daemon, a configuration and a memory of its own; the database and the upload folder are shared."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.daemon.living_daemon import LivingDaemon
from tests.support.daemon.notify_socket import NotifySocket
from tests.support.daemon.place import Place, whole_second


class Hosts:
    """The host that is first at work, and the one that stands by."""

    def __init__(self, first: Place, standby: Place) -> None:
        self.first, self.standby = first, standby
        standby.configure({"source.url": first.upload.as_uri()})
        first.sample("day1")

    def slot_in(self, seconds: float) -> datetime:
        """A slot so far from now; the daemons of both hosts have had the schedule in force for some minutes."""
        slot = whole_second(seconds)
        for place in (self.first, self.standby):
            place.slot_at(slot)
        return slot

    def due_slot(self) -> datetime:
        """A slot that came a moment ago: whoever starts finds it due."""
        return self.slot_in(-20)

    def done_once(self, slot: datetime) -> None:
        """One run published the slot, whatever others were tried, and the books are right."""
        ended = [status for status in self.first.outcomes(slot) if status not in {"abandoned", "failed"}]
        assert ended == ["published"]
        assert self.first.books == self.first.truth("day1")


def how_done(daemon: LivingDaemon, slot: datetime) -> str:
    """How a daemon says that the slot was done, once it says so and remembers it."""
    line = daemon.wait_slot(slot)
    assert datetime.fromisoformat(daemon.remembered["import"]["last_done"]) == slot
    return str(line["CPIMPORTD_STATUS"])


@contextmanager
def two_hosts(url: str, sql: Callable[..., list[Any]]) -> Iterator[Hosts]:
    """Both hosts; whatever was started on them is gone afterwards."""
    with ExitStack() as things:
        places = []
        for name in ("first", "standby"):
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp"))  # sockets must have short names
            things.callback(shutil.rmtree, folder)
            place = Place(folder, url, sql, things.enter_context(NotifySocket()))
            things.callback(place.end)
            places.append(place)
        yield Hosts(*places)
