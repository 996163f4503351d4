"""Writing files so that a reader sees the old content or the new, never a part.

Files that stand alone, models and the sample log, are written to a temporary file beside the target, flushed to disk,
then renamed. The files of ``qac prep``, which belong together, are put in place together: see qac.data_prep.output.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from qac.errors import OutputError


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing bytes; it appears, whole, only when the block ends without an exception.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written to, or the disk is full. The old file, if any, is untouched.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise OutputError(f"cannot write {target}: it is a folder; name a file in it")
        if target.exists() and not target.is_file():  # replacing /dev/null would be a nasty surprise
            raise OutputError(f"cannot write {target}: it is not a regular file; name one")
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent or Path("."))
    except OSError as e:
        raise OutputError(
            f"cannot write {target}: {e.strerror}; name a folder that exists and that you may write to"
        ) from e
    try:
        with os.fdopen(handle, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
        sync_folder(target.parent)
    except OSError as e:
        raise OutputError(
            f"cannot write {target}: {e.strerror}; what was there before is untouched; make room or name another place"
        ) from e
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OutputError now if ``path`` could not be written: before the work whose result it will hold, not after."""
    try:
        with atomic_writer(path):
            raise _TrialError
    except _TrialError:
        pass


class _TrialError(Exception):
    """Ends a trial write before it replaces anything."""


def _umask() -> int:
    # There is no way to read the mask but to set it; the window is harmless for the permissions of our own files.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sync_file(path: Path) -> None:
    """Wait until what was written to ``path`` is on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Wait until renames in ``folder`` are on the disk.

    Some file systems cannot sync a folder: then there is nothing to do.
    """
    with contextlib.suppress(OSError):
        sync_file(folder)
