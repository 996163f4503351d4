"""Load test of ``qac serve`` on the loopback interface: the server in processes of its own, this client in another.

    python benchmarks/load.py                         # one worker, then two
    python benchmarks/load.py --workers 2 --json
    chrt --rr 1 python benchmarks/load.py             # as root: what else the machine does waits meanwhile

For each number of workers, three parts. "maximum": as many requests as the connections carry. "half": half that rate,
every request at its time whether or not those before it are answered; its latency begins when it was due, so waiting
for a free connection, or for this client, counts. "faults": the same while the model's file is replaced 20 times, with
a SIGHUP each time, and one worker killed (SIGKILL). A request whose connection breaks is sent once more on a new one,
as browsers and proxies do; lost is what has no answer then, failed is any answer but 200.

Requests are prefixes of the model's most popular queries, each after another such query, ten completions each.
"""

import argparse
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from qac.completer import Completer, default_model_path
from qac.modelfile import SectionFile, write_sections

RELOADS = 20
SEED = 7
PATIENCE_SECONDS = 30
"""How long to wait for an answer before it counts as lost."""

_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.IGNORECASE | re.DOTALL)
_MODEL = re.compile(rb'"model":"([0-9a-f]{12})"')


@dataclass
class Tally:
    """What became of the requests."""

    seconds: list[float] = field(default_factory=list)
    models: set[bytes] = field(default_factory=set)
    failed: int = 0
    retried: int = 0
    lost: int = 0

    def report(self, elapsed: float) -> dict[str, Any]:
        """Return figures: requests per second and milliseconds."""
        ordered = sorted(self.seconds)

        def at(share: float) -> float:
            return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

        return {
            "requests": len(ordered),
            "per_second": round(len(ordered) / elapsed),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "max_ms": at(1),
            "failed": self.failed,
            "retried": self.retried,
            "lost": self.lost,
            "models": len(self.models),
        }


class Connection:
    """A connection that is kept alive, with at most one request under way."""

    def __init__(self, port: int, tally: Tally) -> None:
        self._port = port
        self._tally = tally
        self._socket: socket.socket | None = None
        self._request = b""
        self._due = 0.0
        self._again = False
        self._received = b""

    def fileno(self) -> int:
        """Return the file descriptor, for select."""
        assert self._socket
        return self._socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a time of ``time.perf_counter``."""
        self._request, self._due, self._again = request, due, False
        self._send()

    def _send(self) -> None:
        self._received = b""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port))
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(self._request)
        except ConnectionError:
            pass  # reading will meet it too

    def receive(self) -> bool:
        """Read what has come; return whether the request is done with, answered or lost."""
        assert self._socket
        try:
            chunk = self._socket.recv(1 << 16)
        except ConnectionError:
            chunk = b""
        if not chunk:
            return self._broken()
        self._received += chunk
        head = _HEAD.match(self._received)
        if not head or len(self._received) < head.end() + int(head[2]):
            return False
        self._tally.seconds.append(time.perf_counter() - self._due)
        if head[1] == b"200":
            self._tally.models.update(_MODEL.findall(self._received, head.end()))
        else:
            self._tally.failed += 1
        if b"\r\nconnection: close\r\n" in head[0].lower():
            self.close()
        return True

    def _broken(self) -> bool:
        self.close()
        if self._again:
            self._tally.lost += 1
            return True
        self._again = True
        self._tally.retried += 1
        self._send()
        return False

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._socket:
            self._socket.close()
            self._socket = None


def run_load(
    port: int, requests: list[bytes], seconds: float, connections: int, rate: float | None
) -> tuple[Tally, float]:
    """Send requests for some time, ``rate`` a second or, with None, as fast as they are answered.

    Return the tally and the time that it took.
    """
    tally = Tally()
    free = [Connection(port, tally) for _ in range(connections)]
    busy: set[Connection] = set()
    began = time.perf_counter()
    upcoming = itertools.cycle(requests)
    sent = 0
    while True:
        now = time.perf_counter()
        due = began + sent / rate if rate else now
        if due >= began + seconds and not busy:
            break
        if free and due <= now and due < began + seconds:
            connection = free.pop()
            busy.add(connection)
            connection.send(next(upcoming), due)
            sent += 1
            continue
        to_wait = due - now if free and due < began + seconds else PATIENCE_SECONDS
        readable, _, _ = select.select(busy, (), (), max(0.0, to_wait))
        if not readable and to_wait == PATIENCE_SECONDS:
            tally.lost += len(busy)
            break
        for connection in readable:
            if connection.receive():
                busy.remove(connection)
                free.append(connection)
    elapsed = time.perf_counter() - began
    for connection in (*free, *busy):
        connection.close()
    return tally, elapsed


def make_requests(model: Path) -> list[bytes]:
    """Return requests for a model."""
    chance = random.Random(SEED)
    popular = [c.text for c in Completer.load(model).complete("", k=1000)]
    requests = []
    for _ in range(5000):
        query, prev = chance.choice(popular), chance.choice(popular)
        fields = {"prefix": query[: chance.randint(1, len(query))], "prev": prev, "k": 10}
        target = f"/api/v1/complete?{urlencode(fields)}"
        requests.append(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return requests


def variants(model: Path, folder: Path) -> list[Path]:
    """Return two copies of a model with different fingerprints."""
    file = SectionFile(model)
    content: dict[str, bytes] = {name: file.bytes(name) for name in file.sections}
    paths = [folder / "a.qac", folder / "b.qac"]
    for path in paths:
        write_sections(path, {**content, "variant": path.name.encode()})
    return paths


@contextmanager
def server(model: Path, workers: int, threads: int) -> Iterator[tuple[int, int]]:
    """Run ``qac serve``; yield its process id and port."""
    command = [sys.executable, "-m", "qac", "serve", "--model", str(model), "--port", "0"]
    command += ["--workers", str(workers), "--threads", str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = re.search(r":(\d+)/$", process.stdout.readline().strip())
        assert found, "the server did not start"
        try:
            yield process.pid, int(found[1])
        finally:
            process.terminate()
            status = process.wait(60)
            assert status == 0, f"the server ended with {status}"


def worker_ids(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@contextmanager
def faults(parent: int, model: Path, copies: list[Path], seconds: float) -> Iterator[None]:
    """Replace ``model`` by each of two ``copies`` in turn meanwhile, and kill one worker halfway."""

    def break_things() -> None:
        for i in range(RELOADS):
            shutil.copy(copies[1 - i % 2], model.with_suffix(".new"))
            os.replace(model.with_suffix(".new"), model)
            os.kill(parent, signal.SIGHUP)
            if i == RELOADS // 2:
                os.kill(worker_ids(parent)[0], signal.SIGKILL)
            time.sleep(seconds / (RELOADS + 2))

    thread = threading.Thread(target=break_things)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def load_test(original: Path, workers: int, threads: int, connections: int, seconds: float) -> dict[str, Any]:
    """Return the figures of a server with so many workers, by part."""
    requests = make_requests(original)
    with tempfile.TemporaryDirectory() as folder:
        copies = variants(original, Path(folder))
        model = Path(folder, "model.qac")
        shutil.copy(copies[0], model)
        with server(model, workers, threads) as (pid, port):

            def measure(rate: float | None, seconds: float = seconds) -> dict[str, Any]:
                tally, elapsed = run_load(port, requests, seconds, connections, rate)
                return tally.report(elapsed)

            measure(200, 2)  # warm up
            maximum = measure(None)
            rate = maximum["per_second"] / 2
            half = measure(rate)
            with faults(pid, model, copies, seconds):
                broken = measure(rate)
    return {"maximum": maximum, "half": half, "faults": broken}


def format_table(results: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| workers | part | {' | '.join(columns)} |"
    yield "|---" * (2 + len(columns)) + "|"
    for result in results:
        for part, figures in result["parts"].items():
            yield f"| {result['workers']} | {part} | {' | '.join(f'{figures[c]:,}' for c in columns)} |"


def main() -> None:
    """Run the parts for each number of workers and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="default: $QAC_MODEL, else the sample model")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--threads", type=int, default=4, help="of each worker, default: %(default)s")
    parser.add_argument("--connections", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10, help="of each part, default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    args = parser.parse_args()
    model = args.model or default_model_path()
    results = [
        {"workers": n, "parts": load_test(model, n, args.threads, args.connections, args.seconds)} for n in args.workers
    ]
    if args.json:
        about = {"threads": args.threads, "connections": args.connections, "seconds": args.seconds}
        print(json.dumps({**about, "results": results}, indent=2))
    else:
        columns = ("requests", "per_second", "p50_ms", "p99_ms", "max_ms", "failed", "retried", "lost", "models")
        print(*format_table(results, columns), sep="\n")


if __name__ == "__main__":
    main()
