"""Inputs that are compressed, damaged, or no logs at all."""

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qac.data_prep.source import check_encoding, open_source
from qac.data_prep.tally import Tally
from qac.errors import InputError

Log = Callable[..., str]
TEXT = "".join(f"line {i}\n" for i in range(30_000)).encode()  # longer than one buffer


def lines(path: str, encoding: str = "utf-8") -> list[str]:
    with open_source(path, encoding) as source:
        return [line for _, line in source.lines(Tally())]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content(log: Log, pack: Callable[[bytes], bytes]) -> None:
    assert lines(log(pack(TEXT), "no-extension")) == TEXT.decode().splitlines()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    assert lines("-") == TEXT.decode().splitlines()


def test_other_encodings(log: Log) -> None:
    assert lines(log("münchen\n".encode("latin-1")), "latin-1") == ["münchen"]
    for name in ("utf-16", "no such", "utf-8-sig"):
        with pytest.raises(InputError, match="ASCII-compatible"):
            check_encoding(name)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("keep", [0.9, 0.02])
def test_truncated(log: Log, pack: Callable[[bytes], bytes], keep: float) -> None:
    data = pack(TEXT)
    with pytest.raises(InputError, match="ends in the middle of its compressed data; fetch it again"):
        lines(log(data[: int(len(data) * keep)]))


def test_damaged(log: Log) -> None:
    data = bytearray(gzip.compress(TEXT))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InputError, match="damaged"):
        lines(log(bytes(data)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "is binary, not a search log"),
        (gzip.compress(b"\x00\x01" * 50), "is binary, not a search log"),
        (b"PK\x03\x04 and so on", "zip archive; unpack it first"),
        ("user\ttime\n".encode("utf-16"), "UTF-16 text; convert it first"),
    ],
)
def test_no_log_at_all(log: Log, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lines(log(content))


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.tsv: No such file"):
        lines(str(tmp_path / "nowhere.tsv"))
    with pytest.raises(InputError, match="is a folder; name the log files in it"):
        lines(str(tmp_path))


class _Failing(io.RawIOBase):
    """A disk that gives out after the first megabyte."""

    def __init__(self) -> None:
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.given > 1 << 20:
            raise OSError(5, "Input/output error")
        buffer[:] = b"x\n" * (len(buffer) // 2) + b"\n" * (len(buffer) % 2)
        self.given += len(buffer)
        return len(buffer)


def test_a_read_error_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(_Failing())))
    with pytest.raises(InputError, match="cannot read standard input: Input/output error"):
        lines("-")
