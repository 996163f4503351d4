"""The plain computations of what the composer computes, for its tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from plain.composer import KneserNey, PlainComposer, telling


@pytest.fixture(scope="session")
def kneser_ney() -> type[KneserNey]:
    """Return the plain n-gram model."""
    return KneserNey


@pytest.fixture(scope="session")
def plain_composer() -> type[PlainComposer]:
    """Return the plain mixture."""
    return PlainComposer


@pytest.fixture(scope="session", name="telling")
def plain_telling() -> Callable[[Sequence[Sequence[str]]], list[int]]:
    """Return the plain choice of queries."""
    return telling
