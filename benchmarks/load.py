"""Load test of ``qac serve`` on the loopback interface: the server in one process group, this client in another.

    python benchmarks/load.py --workers 1
    python benchmarks/load.py --workers 2 --faults

First as many requests as the connections carry, for the maximum rate; then half that rate, each request at its time
whether or not those before it are answered, for latencies. With ``--faults`` a third part, at half the rate again: the
model's file is replaced 20 times and one worker is killed (SIGKILL). A request whose connection breaks is sent once
more on a new one, as browsers and proxies do; lost is what has no answer then, failed is any answer but 200.

Requests are prefixes of the model's most popular queries, each after another such query.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from qac.completer import Completer, default_model_path
from qac.modelfile import SectionFile, write_sections

RELOADS = 20
SEED = 7


@dataclass
class Tally:
    """What became of the requests."""

    seconds: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
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
        }


class Connection:
    """A connection that is kept alive."""

    def __init__(self, host: str, port: int, tally: Tally) -> None:
        self._address = host, port
        self._tally = tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, request: bytes) -> None:
        """Ask, once more if the connection breaks."""
        for _ in range(2):
            try:
                status, body = await self._get(request)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                self._tally.retried += 1
                continue
            if status != 200:
                self._tally.failed += 1
            else:
                self._tally.models.add(json.loads(body)["model"])
            return
        self._tally.retried -= 1
        self._tally.lost += 1

    async def _get(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        assert size
        body = await reader.readexactly(int(size[1]))
        if re.search(rb"(?i)\r\nconnection: close", head):
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def run_load(
    port: int,
    requests: list[bytes],
    seconds: float,
    connections: int,
    rate: float | None,
    during: Callable[[], Awaitable[None]] | None = None,
) -> tuple[Tally, float]:
    """Send requests for some time, ``rate`` a second or, with None, as fast as they are answered.

    Return the tally and the time that it took. A latency begins when the request was due, if its connection was free
    then only later.
    """
    tally = Tally()
    began = time.perf_counter()

    async def work(number: int) -> None:
        connection = Connection("127.0.0.1", port, tally)
        due = began + number / rate if rate else began
        i = number
        while due < began + seconds:
            now = time.perf_counter()
            if now < due:
                await asyncio.sleep(due - now)
                now = time.perf_counter()
                start = now
            else:
                start = due
            await connection.get(requests[i % len(requests)])
            done = time.perf_counter()
            tally.seconds.append(done - start)
            due = due + connections / rate if rate else done
            i += connections
        connection.close()

    await asyncio.gather(*(work(n) for n in range(connections)), *([during()] if during else []))
    return tally, time.perf_counter() - began


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


def main() -> None:
    """Run the parts and print what came out as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float, help="requests a second (default: half of the maximum, measured first)")
    parser.add_argument("--faults", action="store_true")
    args = parser.parse_args()
    original = args.model or default_model_path()
    requests = make_requests(original)
    results: dict[str, Any] = {"workers": args.workers, "threads": args.threads, "connections": args.connections}
    with tempfile.TemporaryDirectory() as folder:
        copies = variants(original, Path(folder))
        model = Path(folder, "model.qac")
        shutil.copy(copies[0], model)
        with server(model, args.workers, args.threads) as (pid, port):

            def measure(rate: float | None, during: Callable[[], Awaitable[None]] | None = None) -> dict[str, Any]:
                tally, elapsed = asyncio.run(run_load(port, requests, args.seconds, args.connections, rate, during))
                return tally.report(elapsed) | {"models": len(tally.models)}

            async def break_things() -> None:
                for i in range(RELOADS):
                    shutil.copy(copies[1 - i % 2], model.with_suffix(".new"))
                    os.replace(model.with_suffix(".new"), model)
                    os.kill(pid, signal.SIGHUP)
                    if i == RELOADS // 2:
                        os.kill(worker_ids(pid)[0], signal.SIGKILL)
                    await asyncio.sleep(args.seconds / (RELOADS + 2))

            measure(200)  # warm up
            if args.rate is None:
                results["maximum"] = measure(None)
            rate = args.rate or results["maximum"]["per_second"] / 2
            results["half"] = measure(rate)
            if args.faults:
                results["faults"] = measure(rate, break_things)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
