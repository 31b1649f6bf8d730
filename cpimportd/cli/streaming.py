"""Output that is printed while it is read: nobody waits for the whole of it, and nothing has to hold it."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

import click

from cpimportd.cli.common import note_printed
from cpimportd.core.streams import loss

Item = TypeVar("Item")


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


async def print_list(items: AsyncIterator[Item], every: int, render: Callable[..., None], *, whole: bool) -> None:
    """Print a list for people as it comes, or the first of it and how many follow.

    Args:
        items: the list.
        every: how many there are.
        render: prints some of them, with ``headed``: whether they are the first, and ``more``: how many are left out.
        whole: print all of them.
    """
    from cpimportd.render.shortening import MOST_PROBLEMS

    seen = 0
    async for some in batches(items, MOST_PROBLEMS):
        seen += len(some)
        more = 0 if whole else every - seen
        render(some, headed=seen == len(some), more=more)
        if more or loss(sys.stdout) is not None:
            break


async def print_json_lists(head: Mapping[str, object], lists: Mapping[str, AsyncIterator[object]]) -> None:
    """One JSON document on stdout whose last members are lists that may be too long to be made at once.

    It ends early where stdout takes no more: nobody gets the rest, which may be long.

    Args:
        head: the members before them, at least one; a list of the same name takes a member's place.
        lists: each item is printed as it comes.
    """
    from cpimportd.core.typed import json_text

    note_printed()
    before = {name: value for name, value in head.items() if name not in lists}
    click.echo(json_text(before, indent=2).removesuffix("\n}"), nl=False)
    for name, items in lists.items():
        click.echo(f",\n  {json.dumps(name)}: [", nl=False)
        first = True
        async for item in items:
            click.echo(("" if first else ",") + "\n" + json_text(item), nl=False)
            first = False
            if loss(sys.stdout) is not None:
                return
        click.echo("]", nl=False)
    click.echo("}")
