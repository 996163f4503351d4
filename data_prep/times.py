"""Times of search logs: milliseconds since 1970, in UTC. A time without a zone is taken as UTC.

Bare digits are told apart by how many there are. Eight are a date where they make one (20260101), though a log whose
seconds count from its own start may pass through such a number after 227 days: ``--time-format epoch`` is for that.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from qac.errors import UsageError

TimeParser = Callable[[str], int]

_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"\d{1,11}\.\d*")
_LATEST = (datetime.max - _EPOCH) // _MILLISECOND


def _since_epoch(moment: datetime) -> int:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // _MILLISECOND


def _in_range(milliseconds: int) -> int:
    if not 0 <= milliseconds <= _LATEST:
        raise ValueError("time out of range")
    return milliseconds


def _iso(text: str) -> int:
    return _since_epoch(datetime.fromisoformat(text.strip()))


def _epoch(text: str) -> int:
    return _in_range(round(float(text) * 1000)) if "." in text else _in_range(int(text) * 1000)


def _epoch_ms(text: str) -> int:
    return _in_range(int(float(text)))


def _compact(text: str) -> int:
    """YYMMDDhhmmss (69-99 are 1969-1999, as strptime's %y has it) or YYYYMMDDhhmmss."""
    if not (text.isascii() and text.isdigit() and len(text) in (12, 14)):
        raise ValueError("expected 12 or 14 digits")
    short = int(text[:-10])
    year = short if len(text) == 14 else short + (1900 if short >= 69 else 2000)
    month, day, hour, minute, second = (int(text[i : i + 2]) for i in range(len(text) - 10, len(text), 2))
    return _since_epoch(datetime(year, month, day, hour, minute, second))


def _date(text: str) -> int | None:
    """YYYYMMDD: its midnight; None where the digits are no date of the years 1970 to 2100."""
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    try:
        return _since_epoch(datetime(year, month, day)) if 1970 <= year <= 2100 else None
    except ValueError:
        return None


def _auto(text: str) -> int:
    text = text.strip()
    if text.isascii() and text.isdigit():
        digits = len(text)
        if digits == 8 and (date := _date(text)) is not None:
            return date
        if digits <= 11:
            return _epoch(text)
        if digits in (12, 14):  # as seconds or milliseconds these would lie before 2001 or after 5000
            return _compact(text)
        if digits == 13:
            return _epoch_ms(text)
        if digits == 16:
            return _in_range(int(text) // 1000)
        raise ValueError("expected up to 14 digits, or 16")
    if _NUMBER.fullmatch(text):
        return _epoch(text)
    return _iso(text)


TIME_FORMATS: dict[str, TimeParser] = {
    "auto": _auto,
    "iso": _iso,
    "epoch": _epoch,
    "epoch-ms": _epoch_ms,
    "YYMMDDhhmmss": _compact,
    "YYYYMMDDhhmmss": _compact,
}


def time_parser(name: str) -> TimeParser:
    """Return the function that reads times written as ``name`` says; it raises ValueError or OverflowError.

    ``name`` is a key of TIME_FORMATS or a strptime pattern such as ``%d/%b/%Y:%H:%M:%S %z``.
    """
    if name in TIME_FORMATS:
        return TIME_FORMATS[name]
    if "%" in name:
        return lambda text: _since_epoch(datetime.strptime(text.strip(), name))
    raise UsageError(
        f"--time-format {name}: expected one of {', '.join(TIME_FORMATS)} or a pattern with % such as '%Y/%m/%d %H:%M'"
    )


def to_iso(milliseconds: int) -> str:
    """Return a time for people to read."""
    return (_EPOCH + milliseconds * _MILLISECOND).isoformat(timespec="seconds") + "Z"
