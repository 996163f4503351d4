"""From a log with secrets to answers without: the benchmark's attack, in small."""

import importlib.util
import sys
from pathlib import Path

import pytest

from qac.config import UNSCREENED, ScreeningConfig


@pytest.fixture(scope="module")
def attack():
    path = Path(__file__).parent.parent / "benchmarks" / "privacy.py"
    specification = importlib.util.spec_from_file_location("privacy", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["privacy"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module.attack
    del sys.modules["privacy"]


def test_nothing_that_was_planted_comes_out(attack, tmp_path):
    found = attack(sessions=1500, each=12, deep=1, screening=ScreeningConfig(), folder=tmp_path)
    assert found["leaks"] == []
    assert found["same_examples"]
    assert sum(found["came_out"].values()) == 0
    assert found["most_guessed"] <= 2  # characters of a word: the composer spells
    assert found["requests"] > 10_000
    assert found["answers"] > found["requests"]  # most prefixes of planted words have none


def test_the_same_attack_finds_all_where_nothing_is_screened(attack, tmp_path):
    found = attack(sessions=1500, each=4, deep=0, screening=UNSCREENED, folder=tmp_path)
    assert found["came_out"] == found["planted"]
