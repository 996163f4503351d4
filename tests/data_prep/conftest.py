"""Fixtures of the preparation tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qac.config import UNSCREENED
from qac.data_prep import PrepOptions, prepare

Parts = dict[str, list[dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., str]:
    """Write text or bytes to a file and return its path."""

    def write(content: str | bytes, name: str = "log.tsv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def prep(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Parts]]:
    """Prepare logs, unscreened unless it is said how; return the statistics and the examples of each part."""

    def run(*logs: str, **options: Any) -> tuple[dict[str, Any], Parts]:
        out = tmp_path / "out"
        stats = prepare(logs, out, PrepOptions(**{"screening": UNSCREENED, **options}))
        assert stats == json.loads((out / "stats.json").read_text())
        parts = {}
        for part in ("train", "valid", "test"):
            lines = (out / f"{part}.jsonl").read_bytes().splitlines()
            parts[part] = [json.loads(line) for line in lines]
            assert stats["parts"][part]["examples"] == len(lines)
            assert stats["parts"][part]["bytes"] == (out / f"{part}.jsonl").stat().st_size
        return stats, parts

    return run
