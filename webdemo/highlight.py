"""What of a completion the user did not type, and is to be emphasised."""

from __future__ import annotations

Ranges = list[tuple[int, int]]


def untyped(text: str, typed: str) -> Ranges:
    """Return the ranges ``[begin, end)`` of code points of ``text`` that are not as ``typed``.

    Both are in normal form. Where ``text`` does not start with ``typed``, but with what one typing error makes of it (a
    character too many, missing or wrong, or two neighbours swapped), the mended characters are such a range too.
    """
    if text.startswith(typed):
        return _ranges((len(typed), len(text)))
    i = 0  # characters that agree
    while i < min(len(text), len(typed)) and text[i] == typed[i]:
        i += 1
    if i == len(text):  # "new " stands for "new" as well
        return []
    swapped = typed[i + 1 : i + 2] + typed[i : i + 1]
    for mended, rest, width in (
        (swapped, typed[i + 2 :], 2),
        (text[i], typed[i + 1 :], 1),
        (text[i], typed[i:], 1),
        ("", typed[i + 1 :], 0),
    ):
        if text.startswith(mended + rest, i):
            return _ranges((i, i + width), (i + width + len(rest), len(text)))
    return [(0, len(text))]


def _ranges(*ranges: tuple[int, int]) -> Ranges:
    """Return those that are not empty, neighbours joined."""
    joined: Ranges = []
    for begin, end in ranges:
        if begin == end:
            continue
        if joined and joined[-1][1] == begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return joined
