"""The application under gunicorn.

The model is opened once, before the worker processes are forked, and all of them read the same mapped pages. Nothing is
restarted when a file changes or a reload is asked for (SIGHUP): every process loads the new file and goes over to it by
itself, while requests run. The parent does so too, so that a worker that is forked later begins with what the others
have; and it alone speaks of it in the log. A worker that is left with another file than the parent has, as it may be
where several follow one another within a moment, ends and is forked anew.
"""

from __future__ import annotations

import gc
import logging
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from qac.config import ServerConfig
from qac.webdemo.app import create_app
from qac.webdemo.metrics import Metrics
from qac.webdemo.models import Engine, Watcher
from qac.webdemo.services import Services

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 30
_KEEP_ALIVE_SECONDS = 30
_MAX_REQUEST_LINE = 8190  # the most that gunicorn bounds; texts that are not ASCII take up to 12 bytes a character
_AT_VARIANCE_SECONDS = 3
"""How long a worker may answer from other files than the parent; longer than both need to notice a change."""


def run(config: ServerConfig, listener: socket.socket, workers: int, threads: int, ready: Callable[[], None]) -> None:
    """See :func:`qac.webdemo.serving.serve`. Ends the process, or raises QacError."""
    app = create_app(config, Metrics(workers))
    settings = {
        "bind": f"fd://{listener.detach()}",
        "workers": workers,
        "threads": threads,
        "worker_class": "gthread",
        "preload_app": True,
        "graceful_timeout": _GRACE_SECONDS,
        "keepalive": _KEEP_ALIVE_SECONDS,
        "limit_request_line": _MAX_REQUEST_LINE,
        "logger_class": _Logger,
        "control_socket_disable": True,  # unknown to older versions, which have none
        "proc_name": "qac",
    }
    if os.access("/dev/shm", os.W_OK):  # noqa: S108 - gunicorn makes unnamed files in it
        settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108 - heartbeats must not wait for a disk
    application = _Application(app, settings, ready)
    gc.collect()
    gc.freeze()  # what is here now stays: no worker has to look through it, or to copy its pages in doing so
    _Arbiter(application).run()


class _Application(BaseApplication):
    """What gunicorn asks for the application and the settings."""

    def __init__(self, app: Flask, settings: dict[str, Any], ready: Callable[[], None]) -> None:
        self.services: Services = app.extensions["qac"]
        self._shared = memoryview(mmap.mmap(-1, 16)).cast("Q")  # with the workers: reloads asked for; parent's state
        self._app = app
        self._settings = settings
        self._ready = ready
        super().__init__()

    def load_config(self) -> None:
        hooks = {
            "when_ready": lambda _: self._ready(),
            "pre_fork": _give_slot,
            "post_worker_init": lambda worker: self._begin_worker(worker),
            "worker_exit": lambda _, worker: self._end_worker(),
        }
        for name, value in (self._settings | hooks).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    def refresh(self, *, always: bool = False) -> None:
        """In the parent: take up files that changed, and tell the workers what it has and whether they are to load too.

        ``always``: see :meth:`qac.webdemo.models.Watched.refresh`.
        """
        self.services.engine.refresh(always=always)
        self._shared[1] = _state(self.services.engine)
        self._shared[0] += always

    def _begin_worker(self, worker: Any) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is for the parent, though a terminal sends it to all
        self.services.metrics.use(worker.slot)
        _WorkerWatcher(self.services.engine, lambda: self._shared[0], lambda: self._shared[1]).start()

    def _end_worker(self) -> None:
        if self.services.recorder:
            self.services.recorder.close()


def _state(engine: Engine) -> int:
    """Return a number that is the same for the same files."""
    return int(engine.current.etag, 16)


class _WorkerWatcher(Watcher):
    """Ends the worker when it is left with other files than the parent has. ``parent``: returns the parent's state."""

    def __init__(self, engine: Engine, asked: Callable[[], int], parent: Callable[[], int]) -> None:
        super().__init__(engine, asked, logging.DEBUG)
        self._parent = parent
        self._agreed = time.monotonic()

    def look(self) -> None:
        super().look()
        now = time.monotonic()
        if _state(self.engine) == self._parent():
            self._agreed = now
        elif now - self._agreed > _AT_VARIANCE_SECONDS:
            logger.warning("this process has other files than its parent and is replaced")
            self._agreed = now
            os.kill(os.getpid(), signal.SIGTERM)


def _give_slot(arbiter: Any, worker: Any) -> None:
    """Let the worker count where no living one does."""
    taken = {other.slot for other in arbiter.WORKERS.values()}
    worker.slot = next(slot for slot in range(arbiter.num_workers) if slot not in taken)


class _Arbiter(Arbiter):
    """The parent: reloads files rather than workers."""

    def handle_hup(self) -> None:
        self.app.refresh(always=True)

    def manage_workers(self) -> None:
        # Called at every turn of the main loop, at least once a second, and before any worker is forked.
        self.app.refresh()
        super().manage_workers()

    def _refuse(self) -> None:
        logger.warning("ignored a signal: the number of workers is set with --workers, new code needs a restart")

    # More workers than there are slots to count in; a start with arguments that are not gunicorn's.
    handle_ttin = handle_ttou = handle_usr2 = _refuse


class _Logger(Logger):
    """Sends gunicorn's lines where ours go, without anything of a request in them."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
        self.error_log.addFilter(_hide_requests)


def _hide_requests(record: logging.LogRecord) -> bool:
    """Take requests out of a line; drop those that say that a client was too slow."""
    for start, instead in (
        ("Invalid request from", "refused what is not a request"),
        ("Error handling request", "failed to answer a request"),
    ):
        if str(record.msg).startswith(start):
            record.msg, record.args = instead, ()
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
