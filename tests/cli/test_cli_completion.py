"""The Tab key completes verbs, options and choices: asked in the shells themselves, those that are here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cpimportd.cli import cli

BASH = """
source <(cpimportd completion bash)
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_cpimportd_completion cpimportd "${{COMP_WORDS[-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit; compinit -u -d {folder}/zcompdump
# Outside of a completion the builtins of zsh's completion system refuse: they are played here.
played() {{ while [[ $1 == -* ]]; do [[ $1 == -V ]] && shift; shift; done; eval 'print -l -- "${{(@)'$1'%%:*}}"'; }}
_describe() {{ played "$@"; }}
compadd() {{ played "$@"; }}
words=({words}); CURRENT=$#words
source <(cpimportd completion zsh) 2>/dev/null
_cpimportd_completion
"""
FISH = "cpimportd completion fish | source; complete -C '{words}' | string split -f1 \\t"
SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def shell(name: str) -> object:
    missing = shutil.which(name) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"there is no {name} here"))


def completed(name: str, words: str, folder: Path) -> set[str]:
    if name != "fish" and words.endswith(" "):
        words += "''"
    program = SHELLS[name].format(words=words, folder=folder)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [name, "-c", program], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PATH": path, "HOME": str(folder)},
    )  # fmt: skip
    return {line for line in done.stdout.split("\n") if line}


@pytest.mark.parametrize("name", [shell("bash"), shell("zsh"), shell("fish")])
def test_verbs_options_and_choices_are_completed(name, tmp_path):
    assert completed(name, "cpimportd reh", tmp_path) == {"rehearse"}
    assert completed(name, "cpimportd db ", tmp_path) == {"upgrade", "current"}
    assert completed(name, "cpimportd run --dry", tmp_path) == {"--dry-run"}
    assert completed(name, "cpimportd daemon --log-format j", tmp_path) == {"json", "journal"}
    assert completed(name, "cpimportd completion ", tmp_path) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("name", [shell("bash")])
def test_every_verb_is_offered(name, tmp_path):
    assert completed(name, "cpimportd ", tmp_path) == set(cli.commands)


@pytest.mark.parametrize("name", list(SHELLS))
def test_each_script_is_what_the_package_installs_too(name):
    shown = subprocess.run(
        [sys.executable, "-m", "cpimportd", "completion", name], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"_CPIMPORTD_COMPLETE={name}_complete" in shown.stdout


def test_a_shell_that_is_not_known_is_reported_with_those_that_are():
    refused = subprocess.run(
        [sys.executable, "-m", "cpimportd", "completion", "tcsh"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "'bash', 'zsh', 'fish'" in refused.stderr
