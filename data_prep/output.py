"""The output folder: filled aside, then put in place all at once.

Everything is written to a hidden folder inside the target, on the same file system, and flushed to disk. Only when all
of it is there are the files renamed, one call each, with signals held back; ``stats.json`` goes first and comes last,
so that a folder that has it is whole. Until then, and after any failure, the old output stands untouched.

The folder is locked while it is being filled. A process that was killed leaves its hidden folder; the next one,
holding the lock, knows that nobody needs it and clears it away.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from qac.errors import OutputError
from qac.files import sync_file, sync_folder

STAGING_PREFIX = ".prep-"
"""Of the names of hidden folders; one that stays without ``stats.json`` beside it says that output is unfinished."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CURE = "name a folder you may write to, with space enough; what was there before is untouched"


@contextlib.contextmanager
def writing(what: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what can go wrong while writing ``what`` into OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as e:
        raise OutputError(f"cannot write {os.fspath(what)}: {e.strerror or e}; {_CURE}") from e


class StagedFolder:
    """A folder whose named files are replaced together.

    Use as a context manager: write to ``path(name)`` and ``scratch``, then call :meth:`commit`. Leaving without commit
    changes nothing, apart from files in ``scratch`` and the staging place, which are always removed.
    """

    def __init__(self, target: str | os.PathLike[str], scratch: str | os.PathLike[str] | None = None) -> None:
        self.target = Path(target)
        self._scratch_parent = Path(scratch) if scratch is not None else None
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "StagedFolder":
        try:
            with _signals_held():  # or one might come when a folder is there and its removal not yet provided for
                self._set_up(self._cleanup)
            return self
        except BaseException:
            with _signals_held():
                self._cleanup.close()
            raise

    def __exit__(self, *error: object) -> None:
        with _signals_held():
            self._cleanup.close()

    def _set_up(self, undo: contextlib.ExitStack) -> None:
        with writing(self.target):
            self._make_target(undo)
            lock = os.open(self.target, os.O_RDONLY)
            undo.callback(os.close, lock)
            self._lock(lock)
            self._clear_stale()
            self._staging = self._hidden(self.target, undo)
        parent = self._scratch_parent or self._staging
        with writing(parent):
            self.scratch = self._hidden(parent, undo)

    def path(self, name: str) -> Path:
        """Return where to write the file that will be called ``name``."""
        return self._staging / name

    def commit(self, names: Sequence[str], last: str) -> None:
        """Put what was written of ``names`` and ``last`` in place of the old files.

        Old files of ``names`` that were not written anew are removed.
        """
        with writing(self.target):
            staged = [name for name in (*names, last) if self.path(name).exists()]
            for name in staged:
                sync_file(self.path(name))
            with _signals_held():
                for name in (last, *(n for n in names if n not in staged)):
                    (self.target / name).unlink(missing_ok=True)
                for name in staged:
                    os.replace(self.path(name), self.target / name)
            sync_folder(self.target)

    def _make_target(self, undo: contextlib.ExitStack) -> None:
        if self.target.exists() and not self.target.is_dir():
            raise OutputError(f"cannot write to {self.target}: it is a file; name a folder")
        missing = [p for p in (self.target, *self.target.parents) if not p.exists()]
        self.target.mkdir(parents=True, exist_ok=True)
        for folder in reversed(missing):  # removed again, innermost first, if they are still empty at the end
            undo.callback(_remove_if_empty, folder)

    def _lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{self.target} is being written by another qac prep; wait for it or name another folder"
            ) from None
        except OSError:
            pass  # some network file systems have no locks: then nobody else is known to be there

    def _clear_stale(self) -> None:
        for leftover in self.target.glob(f"{STAGING_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @staticmethod
    def _hidden(parent: Path, undo: contextlib.ExitStack) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=parent))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Put off what signals do until the block is done.

    Handlers are replaced rather than signals masked: a mask holds for one thread, and any other thread, a progress
    bar's for instance, would take the signal and have the main thread interrupted all the same.
    """
    if threading.current_thread() is not threading.main_thread():  # interrupts reach the main thread only
        yield
        return
    arrived: list[int] = []
    handlers = {s: signal.signal(s, lambda number, _: arrived.append(number)) for s in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for late in arrived:
            signal.raise_signal(late)
