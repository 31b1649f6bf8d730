"""How long the command line takes to answer, and what it loads for that."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.contenders import configuration
from bench.measuring import REPOSITORY, run
from bench.race import Bench
from tests.support.daemon.living_daemon import environment
from tests.support.polling import until

HEAVY = ("aioftp", "alembic", "apprise", "asyncpg", "fastapi", "openpyxl", "prometheus_client", "pydantic",
         "python_calamine", "redis", "rich", "sqlalchemy", "uvicorn")  # fmt: skip


def measure(bench: Bench) -> dict[str, object]:
    """``--help``, and ``status`` of a living daemon, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        url = bench.laboratory.fresh("of_start")
        (Path(folder) / "upload").mkdir()
        config = configuration(Path(folder), url)
        commands = {"--help": ["--help"], "status": ["status", "--config", str(config)]}
        daemon = subprocess.Popen(
            [*program(), "daemon", "--config", str(config)],
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd=REPOSITORY,
        )
        try:
            until((Path(folder) / "state" / "run" / "status.json").exists, "the daemon's status", 60)
            seconds: dict[str, list[float]] = {name: [] for name in commands}
            for _ in range(bench.rounds(20)):
                for name, arguments in commands.items():
                    seconds[name].append(
                        round(run([*program(), *arguments], codes=(0, 1), environment=environment()).seconds, 4)
                    )
            loaded = {name: modules(arguments) for name, arguments in commands.items()}
        finally:
            daemon.terminate()
            daemon.wait()
            bench.laboratory.drop("of_start")
    return {"seconds": seconds, "loaded": loaded}


def program() -> list[str]:
    """The command as it is installed."""
    script = Path(sys.executable).with_name("cpimportd")
    return [str(script)] if script.exists() else [sys.executable, "-m", "cpimportd"]


def modules(arguments: list[str]) -> dict[str, object]:
    """What ``-X importtime`` shows: how many modules, and which large libraries are among them."""
    argv = [sys.executable, "-X", "importtime", "-m", "cpimportd", *arguments]
    said = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=REPOSITORY).stderr
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+([\w.]+)$", said, re.MULTILINE)
    return {"modules": len(names), "libraries": [name for name in HEAVY if name in names]}
