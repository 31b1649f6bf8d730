"""``python -m cpimportd.core.texts FOLDER``: write the catalog's files into a folder."""

import sys
from pathlib import Path

from cpimportd.core.texts.journald import write


def main(arguments: list[str]) -> int:
    """Write the files and name them; exit code 2 where it is used wrongly.

    Args:
        arguments: the folder, which must exist.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m cpimportd.core.texts FOLDER\n")
        return 2
    for file in write(Path(arguments[0])):
        sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
