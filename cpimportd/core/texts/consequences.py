"""What a problem does to the import, in more shades than its effect: each is one paragraph of the catalog."""

from enum import Enum, auto

from cpimportd.core.catalog import Effect, ProblemKind


class Consequence(Enum):
    """What a reader wants to know second: is anything published, and must I do something for it?"""

    RUN_FAILS = auto()
    RUN_STANDS_BACK = auto()
    SLOT_IS_DONE = auto()
    RUN_CUT_SHORT = auto()
    COMMIT_UNKNOWN = auto()
    CONFIGURATION_REFUSED = auto()
    COMMAND_REFUSED = auto()
    COMMAND_FAILS = auto()
    DAEMON_STANDS_BACK = auto()
    WORK_GIVEN_UP = auto()
    HELD = auto()
    HELD_UNTIL_ACCEPTED = auto()
    WARNING = auto()


_OF_CODE = {
    "commit-unknown": Consequence.COMMIT_UNKNOWN,
    "run-timeout": Consequence.RUN_CUT_SHORT,
    "run-crashed": Consequence.RUN_CUT_SHORT,
    "run-broken-off": Consequence.RUN_CUT_SHORT,
    "job-died": Consequence.COMMAND_FAILS,
    "daemon-running": Consequence.DAEMON_STANDS_BACK,
    "daemon-not-running": Consequence.COMMAND_FAILS,
    "daemon-permission": Consequence.COMMAND_FAILS,
    "daemon-silent": Consequence.COMMAND_FAILS,
    "check-timeout": Consequence.COMMAND_FAILS,
    "demo-server": Consequence.COMMAND_FAILS,
    "scratch-missing": Consequence.COMMAND_FAILS,
    "web-address": Consequence.COMMAND_FAILS,
    "web-unauthorized": Consequence.COMMAND_FAILS,
    "web-host": Consequence.COMMAND_FAILS,
    "web-foreign": Consequence.COMMAND_FAILS,
    "web-request": Consequence.COMMAND_FAILS,
    "web-not-found": Consequence.COMMAND_FAILS,
    "web-too-many": Consequence.COMMAND_FAILS,
    "workbook-gone": Consequence.COMMAND_FAILS,
    "workbook-unmarked": Consequence.COMMAND_FAILS,
    "outbox-failed": Consequence.COMMAND_FAILS,
    "internal": Consequence.WORK_GIVEN_UP,
}
_OF_EXIT_CODE = {
    2: Consequence.COMMAND_REFUSED,
    4: Consequence.RUN_STANDS_BACK,
    5: Consequence.SLOT_IS_DONE,
}
_OF_EFFECT = {
    Effect.FAILS: Consequence.RUN_FAILS,
    Effect.INTEGRITY: Consequence.HELD,
    Effect.PLAUSIBILITY: Consequence.HELD_UNTIL_ACCEPTED,
    Effect.WARNS: Consequence.WARNING,
}


def consequence_of(kind: ProblemKind) -> Consequence:
    """What this kind of problem does, as exactly as its code, its exit code and its effect tell."""
    if found := _OF_CODE.get(kind.code):
        return found
    if kind.effect is not Effect.FAILS:
        return _OF_EFFECT[kind.effect]
    if kind.code.startswith("config-"):
        return Consequence.CONFIGURATION_REFUSED
    return _OF_EXIT_CODE.get(kind.exit_code, Consequence.RUN_FAILS)


def may_pass(kind: ProblemKind) -> bool:
    """Whether to say that it may pass by itself: where something failed or is held that a later try can mend."""
    return kind.passing and consequence_of(kind) in {
        Consequence.RUN_FAILS,
        Consequence.RUN_CUT_SHORT,
        Consequence.HELD,
    }
