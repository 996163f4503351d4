"""What requests are answered with, and how it is replaced while they run.

A request takes one :class:`Snapshot` and keeps it to its end, so a new model or blocklist is put in place by replacing
one reference: requests that run finish with the old one, which goes when the last of them does.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from qac._version import __version__
from qac.blocklist import Blocklist
from qac.completer import Completer
from qac.completion import MAX_K, Completion
from qac.config import ServerConfig
from qac.errors import InputError, QacError
from qac.explain import Explanation
from qac.text import normalize_prefix
from qac.webdemo.highlight import Ranges, untyped
from qac.webdemo.limits import CompletionRequest

POLL_SECONDS: Final = 0.5
"""How often files are looked at for changes."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Watched(Generic[T]):
    """What is loaded from a file, and loaded again when the file is another one or was written to.

    Parameters
    ----------
    path : Path
    load : callable
        Returns what the file holds; raises QacError where that is not usable.
    """

    def __init__(self, path: Path, load: Callable[[Path], T]) -> None:
        self.path = path
        self._load = load
        self._seen = _identity(path)  # taken before loading: what changes meanwhile is seen the next time
        self.value = load(path)
        self.refused = False
        """Whether the file as it is now could not be loaded, and ``value`` is from an earlier one."""

    def refresh(self, *, always: bool = False, level: int = logging.INFO) -> bool:
        """Load the file if it changed; return whether ``value`` is another one now.

        What cannot be loaded is logged and left; ``value`` stays.

        ``always``: load it even if it did not change. ``level``: of the log line that says it was loaded; refusals are
        errors from INFO on and have ``level`` below it.
        """
        identity = _identity(self.path)
        if identity == self._seen and not always:
            return False
        self._seen = identity
        try:
            self.value = self._load(self.path)
        except Exception as e:  # whatever it is, the server goes on with what it has
            self.refused = True
            reason = str(e) if isinstance(e, QacError) else repr(e)
            logger.log(logging.ERROR if level >= logging.INFO else level, "refused, the previous one stays: %s", reason)
            return False
        self.refused = False
        logger.log(level, "loaded %s", self.path)
        return True


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what differs when another file stands at ``path`` or this one was written to; None: there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Answer:
    """The completions of a request."""

    request: CompletionRequest
    completions: list[Completion]
    highlights: list[Ranges]
    """Of each completion, the ranges of code points that the user did not type."""
    blocked: int
    """How many the blocklist took out."""
    took_us: int

    def to_json(self) -> dict[str, Any]:
        """Return it as the API gives it."""
        return {
            "prefix": self.request.prefix,
            "prev": self.request.prev,
            "completions": [
                {"text": c.text, "score": c.score, "source": c.source, "highlight": highlight}
                for c, highlight in zip(self.completions, self.highlights, strict=True)
            ],
            "took_us": self.took_us,
        }


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that was opened, and tried."""

    completer: Completer
    version: str
    """12 hexadecimal digits, different for every other content."""
    modified: float
    """When the file was written, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model and a blocklist: what one request is answered with from beginning to end."""

    model: LoadedModel
    blocklist: Blocklist
    etag: str
    """The same for the same answers, in every process and after every restart."""

    def complete(self, request: CompletionRequest) -> Answer:
        """Answer a request. What is blocked makes room for others, as long as there are any among the best 1000."""
        started = time.perf_counter_ns()
        completer, protocol = self.model.completer, self.model.completer.protocol
        wanted = request.k
        while True:
            found = completer.complete(request.prefix, request.prev, wanted)
            kept = [c for c in found if not self.blocklist.blocks(c.text, protocol)]
            if len(kept) >= request.k or len(found) < wanted or wanted == MAX_K:
                break
            wanted = min(4 * wanted, MAX_K)
        blocked = len(found) - len(kept)
        kept = kept[: request.k]
        typed = normalize_prefix(request.prefix, protocol)
        highlights = [untyped(c.text, typed) for c in kept]
        return Answer(request, kept, highlights, blocked, (time.perf_counter_ns() - started) // 1000)

    def explain(self, request: CompletionRequest, text: str) -> Explanation | None:
        """Return why ``text`` is scored as it is; None where it is no answer to the request."""
        completer = self.model.completer
        try:
            explanation = completer.explain(request.prefix, request.prev, text, request.k)
        except InputError:
            return None
        return None if self.blocklist.blocks(explanation.text, completer.protocol) else explanation


class Engine:
    """Answers requests from files that may be replaced at any time.

    Raises
    ------
    QacError
        The model or the blocklist cannot be used.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self.model = Watched(config.model, self._load_model)
        self.blocklist = Watched(config.blocklist, Blocklist.read) if config.blocklist else None
        self.current = self._snapshot()

    def refresh(self, *, always: bool = False, level: int = logging.INFO) -> None:
        """Take up files that changed. To be called by one thread at a time. See :meth:`Watched.refresh`."""
        changed = self.model.refresh(always=always, level=level)
        if self.blocklist:
            changed |= self.blocklist.refresh(always=always, level=level)
        if changed:
            self.current = self._snapshot()

    def _load_model(self, path: Path) -> LoadedModel:
        modified = path.stat().st_mtime if path.exists() else 0.0
        c = self._config
        completer = Completer.load(path, beam=c.beam, compose=c.compose, correct=c.correct)
        completer.complete("")  # a first request meets what opening leaves to requests to check
        return LoadedModel(completer, completer.info()["fingerprint"][:12], modified)

    def _snapshot(self) -> Snapshot:
        model = self.model.value
        blocklist = self.blocklist.value if self.blocklist else Blocklist()
        c = self._config
        content = f"{__version__} {model.version} {blocklist.digest} {c.beam} {c.compose} {c.correct}"
        return Snapshot(model, blocklist, hashlib.blake2b(content.encode(), digest_size=8).hexdigest())


class Watcher(threading.Thread):
    """Looks at an engine's files again and again.

    ``asked`` returns a number that changes when they are to be loaded whether they changed or not. ``level``: see
    :meth:`Watched.refresh`.
    """

    def __init__(self, engine: Engine, asked: Callable[[], int], level: int = logging.INFO) -> None:
        super().__init__(name="qac-watcher", daemon=True)
        self.engine = engine
        self._asked = asked
        self._seen = asked()
        self._level = level
        self._stopped = threading.Event()

    def run(self) -> None:
        """Watch until stopped."""
        while not self._stopped.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Take up what changed since the last look."""
        asked = self._asked()
        self.engine.refresh(always=asked != self._seen, level=self._level)
        self._seen = asked

    def stop(self) -> None:
        """End the thread, and wait until it has ended."""
        self._stopped.set()
        self.join()
