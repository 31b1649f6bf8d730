"""Output that is printed while it is read: nobody waits for the whole of it, and nothing has to hold it."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import click

Item = TypeVar("Item")


class UnwrittenError(Exception):
    """Standard output took no more; not to be mistaken for a database that went away.

    Attributes:
        error: why.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def writing() -> Iterator[None]:
    """Within it, what goes wrong is standard output's.

    Raises:
        UnwrittenError: it took no more.
    """
    try:
        yield
    except OSError as error:
        raise UnwrittenError(error) from error


async def batches(items: AsyncIterator[Item], size: int) -> AsyncIterator[list[Item]]:
    """Items some at a time, as they come; the last time perhaps fewer."""
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def print_json_lists(head: Mapping[str, object], lists: Mapping[str, AsyncIterator[object]]) -> None:
    """One JSON document on stdout whose last members are lists that may be too long to be made at once.

    Args:
        head: the members before them, at least one.
        lists: each item is printed as it comes.

    Raises:
        UnwrittenError: standard output took no more.
    """
    _say(json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}"))
    for name, items in lists.items():
        _say(f",\n  {json.dumps(name)}: [")
        first = True
        async for item in items:
            _say(("" if first else ",") + "\n" + json.dumps(item, ensure_ascii=False))
            first = False
        _say("]")
    _say("}\n")


def _say(text: str) -> None:
    with writing():
        click.echo(text, nl=False)
