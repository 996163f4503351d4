"""The table of systems of benchmarks/; what they are worth is measured there, not here."""

import importlib.util
import sys
from pathlib import Path

import pytest

from qac.config import TrainingConfig

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def systems():
    specification = importlib.util.spec_from_file_location("systems", FOLDER / "systems.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["systems"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["systems"]


def test_every_ablation_changes_something(systems):
    configs = [TrainingConfig(), *(change(TrainingConfig()) for change in systems.ABLATIONS.values())]
    assert all(a != b for i, a in enumerate(configs) for b in configs[:i])


def test_names_are_of_one_system_each(systems):
    names = [name for group in systems.groups().values() for name in group]
    assert len(set(names)) == len(names)
    assert {"mfq", "cooc", "qac", "qac --no-compose"} < set(names)
