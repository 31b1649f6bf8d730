"""The interface as a real process: started, asked, ended."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.daemon.living_daemon import environment
from tests.support.polling import until
from tests.support.secrets import look_at

TOKEN = "token-of-the-tests-0123456789abcdef"
API = "/api/v1/credit-portfolio"


def configure(file: Path, keys: dict[str, object]) -> Path:
    """Write a configuration; JSON's texts, numbers and lists are TOML's, too."""
    file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
    file.chmod(0o600)
    return file


class Served:
    """``cpimportd web`` on a free port; a context manager."""

    def __init__(self, folder: Path, config: Path, **environ: str) -> None:
        self.log = folder / "web.log"
        argv = [sys.executable, "-m", "cpimportd", "web", "--json", "--config", str(config)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(**environ),
            )
        self._said = ""

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said += line
            if line.startswith("}"):
                break
        assert self._said, self.log.read_text()
        self.address: str = json.loads(self._said)["address"].rstrip("/")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        look_at("the log of the web process", self.log.read_bytes())

    def ask(self, path: str, method: str = "GET", *, token: str | None = TOKEN, **options: Any) -> httpx.Response:
        headers = {
            **({} if token is None else {"Authorization": f"Bearer {token}".encode()}),
            **options.pop("headers", {}),
        }
        return httpx.request(method, self.address + path, headers=headers, timeout=60, **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.ask(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_log(self, text: str) -> None:
        until(lambda: text in self.log.read_text(), f"log line with {text}")

    def stop(self, number: int) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(30)
