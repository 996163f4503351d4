"""The container of a model: named sections in one file, checksummed, aligned, read in place.

The layout is written down in docs/model-format.md. This module knows bytes; what the sections mean is the subject of
:mod:`qac.model`.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qac.errors import ModelError
from qac.files import atomic_writer

MAGIC: Final = b"\x93qac\r\n\x1a\n"  # as PNG's: shows text-mode transfers and truncation at a glance
VERSION: Final = 3
ALIGNMENT: Final = 64
_HEADER: Final = struct.Struct("<8sIIQII")  # magic, version, sections, file size, CRC-32 of the table, zero
_ENTRY: Final = struct.Struct("<32sQQII")  # name, offset, size, CRC-32, zero
_MAX_SECTIONS: Final = 256
_CHECKED_AT_OPEN: Final = 64 << 20


@dataclass(frozen=True)
class Section:
    """A row of the section table; ``size`` in bytes."""

    name: str
    offset: int
    size: int
    crc32: int


def write_sections(path: str | os.PathLike[str], sections: Mapping[str, bytes | npt.NDArray[Any]]) -> None:
    """Write ``sections`` in their order; the file appears whole or not at all.

    Raises
    ------
    OutputError
    """
    views = {name: _bytes_of(data) for name, data in sections.items()}
    table = b""
    offset = _align(_HEADER.size + _ENTRY.size * len(views))
    offsets = []
    for name, view in views.items():
        table += _ENTRY.pack(name.encode("ascii"), offset, len(view), zlib.crc32(view), 0)
        offsets.append(offset)
        offset = _align(offset + len(view))
    with atomic_writer(path) as f:
        f.write(_HEADER.pack(MAGIC, VERSION, len(views), offset, zlib.crc32(table), 0))
        f.write(table)
        for start, view in zip(offsets, views.values(), strict=True):
            f.write(b"\0" * (start - f.tell()))
            f.write(view)
        f.write(b"\0" * (offset - f.tell()))


def _bytes_of(data: bytes | npt.NDArray[Any]) -> memoryview:
    if isinstance(data, bytes):
        return memoryview(data)
    # A view of an empty array cannot be cast.
    return np.ascontiguousarray(data).data.cast("B") if data.size else memoryview(b"")


def _align(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


class SectionFile:
    """A model file, mapped into memory.

    Parameters
    ----------
    path : path
    check : bool or None
        Whether to compare every section with its checksum. None: where the file is small enough (64 MiB) for that to
        take no time that matters. The header and the table are always checked.

    Raises
    ------
    ModelError
        The file is missing, a folder, not a model, of another format version, truncated, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str], check: bool | None = None) -> None:
        self.path = Path(path)
        try:
            if not stat.S_ISREG(self.path.stat().st_mode) and not self.path.is_dir():  # opening a pipe would wait
                raise self._error("is not a regular file; give the model file itself")
            with self.path.open("rb") as f:
                self.size = os.fstat(f.fileno()).st_size
                if self.size < _HEADER.size:
                    raise self._error("is not a qac model: it is too short to be one; make one with `qac train`")
                self._map = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        except IsADirectoryError as e:
            raise ModelError(f"{self.path} is a folder; give the model file in it") from e
        except FileNotFoundError as e:
            raise ModelError(f"there is no model at {self.path}; make one with `qac train` or check the path") from e
        except OSError as e:
            raise ModelError(f"cannot read the model {self.path}: {e.strerror}; check path and permissions") from e
        self.sections = self._read_table()
        if check or (check is None and self.size <= _CHECKED_AT_OPEN):
            self.check()

    def _error(self, text: str) -> ModelError:
        return ModelError(f"{self.path} {text}")

    def _read_table(self) -> dict[str, Section]:
        magic, version, count, size, crc32, zero = _HEADER.unpack_from(self._map, 0)
        if magic != MAGIC:
            raise self._error("is not a qac model; make one with `qac train`")
        if version > VERSION:
            raise self._error(
                f"has format version {version}, this qac reads {VERSION} only; upgrade qac or train the model anew"
            )
        if 1 <= version < VERSION:
            raise self._error(f"has format version {version}, this qac reads {VERSION} only; train it anew")
        end = _HEADER.size + _ENTRY.size * count
        if version < 1 or count > _MAX_SECTIONS or size < end or zero:
            raise self._error("is damaged: its header is not one that qac writes; copy or train it anew")
        if size != self.size:
            raise self._error(f"is incomplete: {self.size:,} of {size:,} bytes are there; copy or train it anew")
        table = self._map[_HEADER.size : end]
        if zlib.crc32(table) != crc32:
            raise self._error("is damaged: its section table does not match its checksum; copy or train it anew")
        self.fingerprint = hashlib.blake2b(table, digest_size=8).hexdigest()
        sections = {}
        for name, offset, length, section_crc, _ in _ENTRY.iter_unpack(table):
            if offset % ALIGNMENT or offset > size or length > size - offset:
                raise self._error("is damaged: a section lies outside the file; copy or train it anew")
            text = name.rstrip(b"\0").decode("ascii", "replace")
            sections[text] = Section(text, offset, length, section_crc)
        return sections

    def check(self) -> None:
        """Compare every section with its checksum, and the bytes between them with 0.

        Raises ModelError for the first that differs.
        """
        end = _HEADER.size + _ENTRY.size * len(self.sections)
        for s in sorted(self.sections.values(), key=lambda s: s.offset):
            if any(self._map[end : s.offset]):
                raise self._error(f'is damaged: what stands before section "{s.name}" is not empty; copy it anew')
            self._check(s)
            end = s.offset + s.size
        if any(self._map[end:]):
            raise self._error("is damaged: what stands after its last section is not empty; copy it anew")

    def _check(self, s: Section) -> None:
        with memoryview(self._map) as whole, whole[s.offset : s.offset + s.size] as content:
            if zlib.crc32(content) != s.crc32:
                raise self._error(f'is damaged: section "{s.name}" does not match its checksum; copy or train it anew')

    def array(self, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return a section as an array, read in place. Raises ModelError where it is missing or does not divide."""
        section = self._section(name)
        item = np.dtype(dtype)
        if section.size % item.itemsize:
            raise self._error(f'is damaged: section "{name}" is not a whole number of entries; train it anew')
        return np.frombuffer(self._map, item, section.size // item.itemsize, section.offset)

    def bytes(self, name: str) -> bytes:
        """Return a copy of a section's bytes. Raises ModelError where it is missing or does not match its checksum."""
        section = self._section(name)
        self._check(section)
        return self._map[section.offset : section.offset + section.size]

    def _section(self, name: str) -> Section:
        if name not in self.sections:
            raise self._error(f'is damaged: it has no section "{name}"; copy or train it anew')
        return self.sections[name]
