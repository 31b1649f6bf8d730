"""Commands that a human pastes into a shell: whatever a name holds, it stays one word."""

import shlex

OURS = "cpimportd"


def command(*words: str) -> str:
    """Our command with its words, as any POSIX shell takes it: ``cpimportd accept 'ООО "Рога"/expenses'``.

    ``--`` ends the options, so that a word with a leading dash is not parsed as one.
    """
    verb, *rest = words
    ends_options = ["--"] if any(word.startswith("-") for word in rest) else []
    return shlex.join([OURS, verb, *ends_options, *rest])
