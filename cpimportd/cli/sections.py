"""`cpimportd --help`: the verbs by purpose, each with an uncut line."""

import itertools
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import click

SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Begin": {
        "demo": "See everything on generated data; needs nothing else",
        "config": "Show effective values and their origin; print an example file",
        "check": "Check everything that a run needs; also for Nagios",
        "db": "Create or upgrade the tables",
        "rehearse": "Try another configuration on past days",
    },
    "Import": {
        "run": "Import today's workbooks now",
        "trigger": "Import now through the daemon",
        "accept": "Publish held units that are right after all",
        "undo": "Restore the books to their state before a run",
    },
    "Read the books": {
        "summary": "Sums, balance, principal and interest",
        "history": "The latest runs",
        "show": "One run: its report and its journal",
        "diff": "What a run changed, field by field",
        "explain": "Trace a document or a sum to its cells",
        "rejects": "Copies of the workbooks with the bad cells marked",
        "report": "Summary of the last week",
        "reconcile": "Compare books, control totals and journal",
    },
    "The daemon": {
        "daemon": "Run in the foreground, and import when a schedule is due",
        "status": "What it does; held units; every workbook's age",
        "next": "The coming slots",
        "reload": "Reload its configuration",
        "reschedule": "Change a schedule until its next start",
    },
    "Monitor and maintain": {
        "alerts": "What is wrong now, and which alerts were sent",
        "notify": "Clear caches and refresh views for runs that could not",
        "metrics": "Figures for Prometheus",
        "web": "The dashboard and the HTTP API",
        "backup": "Dump the tables concerned",
        "prune": "Remove what is older than its retention",
        "completion": "Tab completion for bash, zsh and fish",
    },
}

_ASKED: Final = "cpimportd.json"
"""In click's context: whether JSON is asked for."""


class Verbs(UserDict[str, click.Command]):
    """Verbs by name, each imported when it is asked for: a start is quicker, and the daemon carries no verb but itself.

    Args:
        modules: of :mod:`cpimportd.cli`, with the names of the verbs in them.
    """

    def __init__(self, modules: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._modules = {name: module for module, names in modules.items() for name in names}

    def __missing__(self, name: str) -> click.Command:
        module = vars(import_module(f"cpimportd.cli.{self._modules[name]}"))
        for found in module.values():
            if isinstance(found, click.Command) and found.name == name:
                self.data[name] = found
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules


class Sections(click.Group):
    """A group whose help lists its verbs by section; what is in none comes last, by its own words.

    Where a verb that was asked for JSON is used wrongly, that is told as JSON, too.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether JSON is asked for, before the verb's own arguments can turn out to be wrong."""
        ctx.meta[_ASKED] = "--json" in itertools.takewhile(lambda word: word != "--", args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever a verb returns
        """Call the verb."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if ctx.meta[_ASKED]:
                within = error.ctx if isinstance(error, click.UsageError) and error.ctx is not None else ctx
                _print_wrong_use(error.format_message(), within)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        visible = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        listed = {name for verbs in SECTIONS.values() for name in verbs}
        others = {name: self.commands[name].get_short_help_str(limit=60) for name in visible if name not in listed}
        for title, verbs in (*SECTIONS.items(), ("Others", others)):
            rows = [(name, text) for name, text in verbs.items() if name in visible]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _print_wrong_use(reason: str, within: click.Context) -> None:
    from cpimportd.cli.output import print_json_problems
    from cpimportd.core.problems import problem

    found = problem("wrong-use", reason=reason, verb=within.command_path.partition(" ")[2])
    with within.scope(cleanup=False):
        print_json_problems(
            [replace(found, way_out=found.way_out.replace("  ", " "))]
        )  # of no verb: `cpimportd --help`
