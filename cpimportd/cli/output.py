"""The output of verbs: JSON or text on stdout, problems on stderr, and long lists while they are read."""

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import click

from cpimportd.core.process import lost_error

if TYPE_CHECKING:
    from rich.console import Console

    from cpimportd.core.problems import Problem
    from cpimportd.daemon.messages import Message

Item = TypeVar("Item")

_PRINTED: Final = "cpimportd.printed"
"""In click's context: a JSON document was printed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb found out, for scripts and for people; only the form that was asked for is made.

    Attributes:
        document: makes the JSON document.
        text: for people on stdout: the text, or what renders it on a console.
        hint: for people on stderr, after it.
        code: the verb's exit code.
    """

    document: Callable[[], object]
    text: "str | Callable[[Console], object]" = ""
    hint: str = ""
    code: int = 0

    def print(self, *, as_json: bool) -> int:
        """Print it; the exit code."""
        if as_json:
            print_json(self.document())
            return self.code
        if not isinstance(self.text, str):
            from cpimportd.render.layout import stdout_console

            self.text(stdout_console())
        elif self.text:
            click.echo(self.text)
        if self.hint:
            click.echo(self.hint, err=True)
        return self.code


def print_problems(problems: "Iterable[Problem]") -> None:
    """Show problems to a human, each with its way out, on stderr."""
    for one in problems:
        click.echo(f"cpimportd: {one}", err=True)
        click.echo(f"  → {one.way_out}", err=True)


def print_json(document: object) -> None:
    """One JSON document on stdout, readable by people too."""
    from cpimportd.core.typed import json_text

    click.echo(json_text(document, indent=2))
    _note_printed()


def print_json_problems(problems: "Iterable[Problem]") -> None:
    """Print problems as the verb's only JSON document; nothing if another one has been started."""
    if (context := click.get_current_context(silent=True)) is None or _PRINTED not in context.meta:
        print_json({"problems": problems})


def _note_printed() -> None:
    """Note that a JSON document was started: later problems must not become a second one."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[_PRINTED] = True


async def print_json_lists(head: Mapping[str, object], lists: Mapping[str, AsyncGenerator[object, None]]) -> None:
    """One JSON document on stdout whose last members are lists that may be too long to be made at once.

    It ends early if stdout was closed: the rest, which may be long, would be lost.

    Args:
        head: the members before them, at least one; a list of the same name takes a member's place.
        lists: each item is printed as it comes.
    """
    from cpimportd.core.typed import json_text

    _note_printed()
    before = {name: value for name, value in head.items() if name not in lists}
    click.echo(json_text(before, indent=2).removesuffix("\n}"), nl=False)
    for name, items in lists.items():
        click.echo(f",\n  {json.dumps(name)}: [", nl=False)
        first = True
        async with aclosing(items):
            async for item in items:
                click.echo(("" if first else ",") + "\n" + json_text(item), nl=False)
                first = False
                if lost_error(sys.stdout) is not None:
                    return
        click.echo("]", nl=False)
    click.echo("}")


async def print_list(
    items: AsyncGenerator[Item, None], total: int, render: Callable[..., None], *, whole: bool
) -> None:
    """Print a list for people as it comes, or the first of it and how many follow.

    Args:
        items: the list.
        total: how many there are.
        render: prints some of them, with ``headed``: whether they are the first, and ``more``: how many are left out.
        whole: print all of them.
    """
    from cpimportd.render.layout import MAX_PROBLEMS

    seen = 0
    async with aclosing(items):
        async for some in _batches(items, MAX_PROBLEMS):
            seen += len(some)
            more = 0 if whole else total - seen
            render(some, headed=seen == len(some), more=more)
            if more or lost_error(sys.stdout) is not None:
                break


async def _batches(items: AsyncIterator[Item], size: int) -> AsyncIterator[list[Item]]:
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def send_messages(*messages: "Message") -> None:
    """Send these to the daemon that started this verb, a line each; it reads our stderr."""
    from cpimportd.daemon.messages import encode

    for message in messages:
        sys.stderr.write(f"{encode(message)}\n")
    sys.stderr.flush()


def after_output(code: int, *, acted: bool) -> int:
    """The exit code once everything is written; output that was lost is reported on stderr if anybody was reading it.

    Args:
        code: how the verb itself ended.
        acted: whether it did something, and was not only asked to show something.
    """
    from cpimportd.core.problems import problem
    from cpimportd.core.process import abandon_stream, unread

    lost = lost_error(sys.stdout)
    if lost is None or unread(sys.stdout):
        return code
    abandon_stream(sys.stdout)
    print_problems((problem("output-lost", reason=lost.strerror or str(lost)),))
    return code if code or acted else 1


def require_terminal() -> None:
    """Make sure that somebody is there to be asked: without a terminal, waiting for an answer would never end.

    Raises:
        click.UsageError: nobody is.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("nobody is there to be asked: say --yes")


def confirm(question: str, declined: str) -> None:
    """Ask on stderr before something is done.

    Args:
        question: with a mark at its end.
        declined: what is said where the answer is no.

    Raises:
        click.Abort: the answer is no, or there is none.
    """
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        click.echo(f"\n{declined} Without the question: --yes", err=True)
        raise
