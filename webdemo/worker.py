"""A worker process of gunicorn that answers completions without passing them from thread to thread.

Gunicorn's threaded worker waits for requests in one thread, answers them in others, and hands connections back through
a pipe. That keeps slow clients from holding up the rest, but it costs more than a completion does. So what cannot be
held up is answered by the waiting thread itself, and only the rest goes to the others.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

MAX_REQUEST_LINE: Final = 8190
"""The most that gunicorn bounds; texts that are not ASCII take up to 12 bytes a character."""

_PROMPT: Final = b"GET /api/v1/complete?"
_MAX_HEAD: Final = 2 * MAX_REQUEST_LINE


class Worker(ThreadWorker):
    """See the module."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return _Pool(max_workers=self.cfg.threads)


class _Pool(ThreadPoolExecutor):
    """Gets gunicorn's connections to handle, and handles the prompt ones in the thread that submits them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        connection = args[0]
        if not is_prompt(connection.sock):
            return super().submit(fn, *args, **kwargs)
        handled: Future[Any] = Future()
        try:
            handled.set_result(fn(*args, **kwargs))
        except Exception as e:
            handled.set_exception(e)
        return handled


def is_prompt(connection: socket.socket) -> bool:
    """Return whether a whole request for completions has come, and nothing else, and its answer can be sent at once.

    A client that has yet to take earlier answers may leave no room for another.
    """
    try:
        request = connection.recv(_MAX_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        (unsent,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    except OSError:  # nothing has come, or this system cannot say what is unsent
        return False
    if unsent or not (request.startswith(_PROMPT) and request.endswith(b"\r\n\r\n")):
        return False
    head = request.lower()
    return b"\ncontent-length" not in head and b"\ntransfer-encoding" not in head
