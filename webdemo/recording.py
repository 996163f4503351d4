"""Searches written down, for tomorrow's model to learn from: files of JSON lines that ``qac prep`` reads.

Each process writes files of its own, whole lines at a time, each by one system call: what was written stays when the
process dies, and a line cut short by a full disk is taken back. A file of full size is flushed to disk and the next one
begun.

Sessions are told apart by a keyed hash of what the client calls its session. The key is made when the server starts
and never leaves its memory, so that no file says which visitor, or which session elsewhere, an entry belongs to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from qac.errors import OutputError


class Recorder:
    """Appends searches to files in ``folder`` of at most ``max_bytes`` each. May be shared by threads.

    Made before processes are forked, so that they agree on the names of sessions.

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"cannot record into {folder}: {e.strerror}; name a folder") from e
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"cannot record into {folder}: no permission to write; name another folder")

    def record(self, session: str, query: str, prefix: str | None, rank: int | None) -> None:
        """Write down a search. ``rank``: of the completion that was accepted, None where the query was typed out.

        Raises
        ------
        OutputError
            It could not be written; nothing of it is there.
        """
        entry: dict[str, Any] = {
            "session": hashlib.blake2b(session.encode(), key=self._key, digest_size=12).hexdigest(),
            "time": time.time_ns() // 1_000_000,
            "query": query,
            "prefix": prefix,
            "rank": rank,
        }
        line = json.dumps(entry).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._append(line)
            except OSError as e:
                raise OutputError(f"cannot record into {self._folder}: {e.strerror}; make room or permit it") from e

    def _append(self, line: bytes) -> None:
        if self._file is None or self._size + len(line) > self._max_bytes:
            self._end_file()
            now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            name = f"searches-{now}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
            self._file = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._size = 0
        written = os.write(self._file, line)
        if written < len(line):  # the disk is full
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _end_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.fsync(file)
            os.close(file)

    def close(self) -> None:
        """Flush what was written to disk."""
        with self._lock:
            self._end_file()
