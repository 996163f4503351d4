"""Applications around the small log's model, and servers that run them in processes of their own."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from qac.config import ServerConfig
from qac.modelfile import SectionFile, write_sections
from qac.webdemo.app import create_app


@pytest.fixture
def make_client(model_path: Path) -> Callable[..., FlaskClient]:
    """Return a client of an application with these settings."""

    def make(**settings: Any) -> FlaskClient:
        return create_app(ServerConfig(**{"model": model_path, **settings})).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of an application with the default settings."""
    return make_client()


@pytest.fixture
def other_model(model_path: Path, tmp_path: Path) -> Path:
    """Return a model with the same answers and another fingerprint."""
    file = SectionFile(model_path)
    path = tmp_path / "other.qac"
    write_sections(path, {**{name: file.bytes(name) for name in file.sections}, "variant": b"other"})
    return path


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Wait until something is so; fail if it does not become so."""

    def wait(true: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    return wait


class Running:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        url = urlsplit(self.url)
        assert url.hostname
        assert url.port
        return url.hostname, url.port

    def get(self, path: str) -> Any:
        """Return what is at a path, parsed where it is JSON."""
        with urllib.request.urlopen(self.url + path, timeout=20) as response:
            body = response.read().decode()
            return json.loads(body) if response.headers.get_content_type() == "application/json" else body

    def texts(self, prefix: str) -> list[str]:
        """Return the completions of a prefix."""
        return [c["text"] for c in self.get(f"api/v1/complete?prefix={prefix}")["completions"]]

    def log(self) -> str:
        """Return what was logged so far."""
        return self._log.read_text(encoding="utf-8")

    def children(self) -> list[int]:
        """Return the ids of the worker processes."""
        pid = self.process.pid
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the status that the server ends with."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def run_server(model_path: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start ``qac serve`` on a free port, with further arguments; stop it when the test is over."""
    started = []

    def run(*argv: object, model: Path = model_path) -> Running:
        log = tmp_path / f"server{len(started)}.log"
        with log.open("wb") as f:
            process = subprocess.Popen(
                [sys.executable, "-m", "qac", "serve", *map(str, ["--model", model, "--port", 0, *argv])],
                stdout=subprocess.PIPE,
                stderr=f,
                text=True,
            )
        started.append(process)
        assert process.stdout
        for line in process.stdout:
            found = re.search(r"http://\S+/", line)
            if found:
                return Running(process, found[0], log)
        raise AssertionError(f"it did not start: {log.read_text()}")

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
