"""What the tests of the core share: hypothesis profiles, a small log, models trained from it, the command line.

HYPOTHESIS_PROFILE chooses how hard the properties are tried: ``repeatable`` (the default: the same examples every
time), ``ci`` or ``thorough``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings

from qac.completer import Completer
from qac.config import IndexConfig, RankerConfig, TrainingConfig
from qac.examples import Example, normalize_examples
from qac.modelfile import SectionFile, write_sections
from qac.saving import save_model
from qac.training import train

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", derandomize=True, max_examples=40, **_COMMON)
settings.register_profile("ci", max_examples=150, print_blob=True, **_COMMON)
settings.register_profile("thorough", max_examples=2000, print_blob=True, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Oldest first; enough under "n" to need every kind of node with the fixture's configuration.
_SESSIONS = {
    "digital camera > nikon d70": 6,
    "digital camera > nikon d70 review": 2,
    "digital camera > new lens": 1,
    "running shoes > nike air": 12,
    "running shoes > nike": 4,
    "running shoes > new balance": 3,
    "travel > new york > new york hotels": 5,
    "travel > new york > new york weather": 3,
    "travel > naples": 2,
    "news": 9,
    "new york times > news": 2,
    "cheap flights to norway > norway hotels": 3,
    "süßes > nürnberger lebkuchen": 2,
    "日本 > 日本 料理": 2,
    "emoji > 😀 meaning > 😀😀": 2,
    "netbook > notebook": 1,
    "netbook > note": 1,
}


def _examples(sessions: dict[str, int]) -> list[Example]:
    """Turn "first > second > third" into an example for each query."""
    out = []
    for session, count in sessions.items():
        queries = session.split(" > ")
        out += [Example(tuple(queries[:i]), q[: 1 + i], q, float(count)) for i, q in enumerate(queries)]
    return out


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Return the examples of a small log, in normal form."""
    return list(normalize_examples(_examples(_SESSIONS)))


@pytest.fixture(scope="session")
def small_config() -> TrainingConfig:
    """Return a configuration that makes every kind of node out of a handful of labels."""
    return TrainingConfig(
        history=2,
        index=IndexConfig("hybrid", depth=2, max_leaf=2, branching=3),
        ranker=RankerConfig(l2=0.05, tolerance=1e-8, max_passes=200, prune=0.0),
    )


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train and save a model; return its path."""

    def make(examples: Iterable[Example], config: TrainingConfig | None = None, *, threads: int = 1) -> Path:
        path = tmp_path_factory.mktemp("model") / "m.qac"
        save_model(train(examples, config, threads=threads, quiet=True), path)
        return path

    return make


@pytest.fixture(scope="session")
def model_path(make_model: Callable[..., Path], examples: list[Example], small_config: TrainingConfig) -> Path:
    """Return the small log's model. Not to be changed."""
    return make_model(examples, small_config)


@pytest.fixture(scope="session")
def completer(model_path: Path) -> Completer:
    """Return a completer of the small log's model: known queries that start with what is typed, and no others."""
    return Completer.load(model_path, compose=False, correct=False)


@pytest.fixture(scope="session")
def example_file(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> Path:
    """Return the small log's examples as JSON lines. Not to be changed."""
    path = tmp_path_factory.mktemp("examples") / "train.jsonl"
    path.write_text("".join(e.to_json() + "\n" for e in examples), encoding="utf-8")
    return path


@pytest.fixture
def tamper(model_path: Path, tmp_path: Path) -> Callable[..., Path]:
    """Replace sections of the model and make all checksums right again; return the new file's path."""

    def replace(**changes: Callable[[bytes], bytes]) -> Path:
        file = SectionFile(model_path)
        content = {name: file.bytes(name) for name in file.sections}
        for key, change in changes.items():
            name = key.replace("__", ".")
            content[name] = change(content[name])
        path = tmp_path / "tampered.qac"
        write_sections(path, content)
        return path

    return replace


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the output, a JSON text."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def run_qac() -> Callable[..., Outcome]:
    """Run the command line in a process of its own."""

    def run(*argv: object, stdin: bytes | None = b"", env: dict[str, str] | None = None) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "qac", *map(str, argv)],
            input=stdin,
            capture_output=True,
            timeout=120,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
        )
        return Outcome(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    return run


@pytest.fixture(scope="session")
def assert_quantized() -> Callable[..., None]:
    """Return a check of more than 256 numbers in eight bits."""

    def check(exact: npt.ArrayLike, codes: npt.NDArray[np.uint8], table: npt.NDArray[np.float32]) -> None:
        """Assert that the codes are those of 256 equal steps of the logarithms, and each table's entry their mean.

        The steps are Heafield's (KenLM, 2011, section 3.4) with equal widths; a value in the middle may go either way.
        """
        exact = np.asarray(exact, np.float64)
        assert len(np.unique(exact.astype(np.float32))) > 256
        logs = np.log(exact)
        step = (logs.max() - logs.min()) / 255
        assert abs((logs - logs.min()) / step - codes).max() <= 0.5 + 1e-6
        assert np.log(table[codes] / exact) == pytest.approx(0, abs=step)
        for code in range(256):
            if (codes == code).any():
                assert table[code] == pytest.approx(exact[codes == code].mean(), rel=1e-6)
            else:
                assert table[code] == 0

    return check


@pytest.fixture
def call_qac(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line in this process: faster, but without standard input."""
    from qac.cli import main

    def call(*argv: object) -> Outcome:
        try:
            status = main([str(a) for a in argv])
        except SystemExit as e:  # argparse: wrong usage, or --help
            status = int(e.code or 0)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call
