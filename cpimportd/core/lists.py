"""Lists read from a cursor while they are consumed. Stopping early closes the source of the list.

Python closes an abandoned iterator at an arbitrary time, when the connection may be in use for something else.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


async def each(make: Callable[[Item], Iterable[Made]], items: AsyncGenerator[Item, None]) -> AsyncGenerator[Made, None]:
    """What is made of each item, as they come; closing it closes these, too."""
    async with aclosing(items):
        async for item in items:
            for made in make(item):
                yield made


async def first(items: AsyncGenerator[Item, None], most: int) -> tuple[Item, ...]:
    """The first of what comes, at most so many; the rest is given up."""
    found: list[Item] = []
    async with aclosing(items):
        async for item in items:
            found.append(item)
            if len(found) == most:
                break
    return tuple(found)
