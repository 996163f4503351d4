"""Inputs: a file or standard input, unpacked on the way, its lines bounded.

What the bytes say counts, not the name: a gzip file need not end in ``.gz``.
"""

import bz2
import codecs
import contextlib
import functools
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from qac.data_prep.tally import Bad, Drop, Tally
from qac.errors import InputError, UsageError

HEAD_BYTES = 1 << 16
MAX_LINE = 1 << 20
STDIN = "-"
_SUFFIXES = {".gz", ".bz2", ".xz", ".lzma"}
_FOREIGN = {b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "zstd data", b"7z\xbc\xaf": "a 7z archive"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Rejoined(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self.served = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            n = min(len(buffer), len(self._head))
            buffer[:n] = self._head[:n]
            self._head = self._head[n:]
        else:
            data = self._rest.read(len(buffer))
            n = len(data)
            buffer[:n] = data
        self.served += n
        return n


class Source:
    """One opened input."""

    def __init__(self, name: str, path: Path | None, packed: _Rejoined, stream: IO[bytes], head: bytes, encoding: str):
        self.name = name
        self.path = path
        self.head = head
        """The first bytes, unpacked: enough to tell formats apart."""
        self.encoding = encoding
        self.fraction: float | None = None
        """How much was read, where a reader opens the path itself."""
        self._packed = packed
        self._stream = io.BufferedReader(_Rejoined(head, stream), 1 << 18)

    def position(self) -> int:
        """Return how many bytes of the file itself were consumed: for progress bars."""
        if self.fraction is not None:
            return int(self.fraction * (size_of(self.name) or 0))
        return self._packed.served

    @property
    def suffix(self) -> str:
        """The extension, lower case, without that of the compression."""
        suffixes = [s.lower() for s in Path(self.name).suffixes]
        while suffixes and suffixes[-1] in _SUFFIXES:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""

    def head_lines(self) -> list[str]:
        """Return the first whole lines that are not blank."""
        lines = self.head.decode(self.encoding, "replace").lstrip("\ufeff").splitlines()
        if len(self.head) >= HEAD_BYTES and len(lines) > 1:
            lines.pop()
        return [line for line in lines if line.strip()][:50]

    def chunks(self) -> Iterator[bytes]:
        """Yield the unpacked bytes."""
        with _readable(self.name):
            yield from iter(functools.partial(self._stream.read, HEAD_BYTES), b"")

    def lines(self, tally: Tally) -> Iterator[tuple[int, str]]:
        """Yield numbered lines without their ends. Undecodable and endless ones are rejected, blank ones dropped."""
        readline = functools.partial(self._stream.readline, MAX_LINE)
        encoding = self.encoding
        with _readable(self.name):
            for number, raw in enumerate(iter(readline, b""), 1):
                if len(raw) == MAX_LINE and raw[-1:] != b"\n":
                    tally.reject(f"{self.name}:{number}", Bad.LINE, raw[:400].decode(encoding, "replace"))
                    while raw and raw[-1:] != b"\n":
                        raw = readline()
                    continue
                try:
                    text = raw.decode(encoding)
                except UnicodeDecodeError:
                    tally.reject(f"{self.name}:{number}", Bad.CODE, raw.decode(encoding, "replace").rstrip("\r\n"))
                    continue
                text = text.rstrip("\r\n")
                if number == 1:
                    text = text.removeprefix("\ufeff")
                if text:
                    yield number, text
                else:
                    tally.drop(Drop.BLANK)


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what can go wrong while reading ``name`` into InputError."""
    try:
        yield
    except EOFError as e:
        raise InputError(f"{name} ends in the middle of its compressed data; fetch it again, whole") from e
    except (zlib.error, lzma.LZMAError, gzip.BadGzipFile) as e:
        raise InputError(f"{name} has damaged compressed data ({e}); fetch it again") from e
    except OSError as e:
        raise InputError(f"cannot read {name}: {e.strerror or e}; name a log that exists and that you may read") from e


def _unpack(raw: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(raw))
    if magic.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.LZMAFile(raw))
    return raw


def check_encoding(name: str) -> str:
    """Return ``name`` if text so encoded can be cut into lines at the byte 0x0A."""
    try:
        usable = "\t\n\r,".encode(name) == b"\t\n\r,"
    except (LookupError, UnicodeError):
        usable = False
    if not usable:
        raise UsageError(f"--encoding {name}: expected an ASCII-compatible one (utf-8, latin-1, cp1252, gbk, ...)")
    return name


def size_of(log: str) -> int | None:
    """Return the bytes of a regular file, None for what has no size."""
    try:
        status = os.stat(log)
    except OSError:
        return None
    return status.st_size if log != STDIN and stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def open_source(log: str, encoding: str = "utf-8") -> Iterator[Source]:
    """Open ``log``, a path or ``-`` for standard input.

    Raises
    ------
    InputError
        It is missing, a folder, unreadable, damaged, an archive, or not text (parquet excepted).
    """
    with contextlib.ExitStack() as stack:
        raw: IO[bytes]
        if log == STDIN:
            name, path, raw = "standard input", None, sys.stdin.buffer
        else:
            name, path = log, Path(log)
            if path.is_dir():
                raise InputError(f"{log} is a folder; name the log files in it")
            with _readable(name):
                raw = stack.enter_context(open(log, "rb"))
        with _readable(name):
            magic = raw.read(HEAD_BYTES)
            packed = _Rejoined(magic, raw)
            stream = _unpack(cast(IO[bytes], io.BufferedReader(packed, 1 << 18)), magic)
            head = stream.read(HEAD_BYTES)
        _check_text(name, head)
        yield Source(name, path, packed, stream, head, encoding)


def _check_text(name: str, head: bytes) -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{name} is {what}; unpack it first (gz, bz2 and xz are read as they are)")
    if head.startswith(_UTF16):
        raise InputError(f"{name} is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8")
    if b"\0" in head and not head.startswith(b"PAR1"):
        raise InputError(f"{name} is binary, not a search log; expected text (TSV, CSV, JSON lines, XML) or parquet")
