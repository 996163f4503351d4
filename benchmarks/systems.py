"""The systems that are compared, and the measuring of one of them in a process of its own.

    python benchmarks/systems.py SYSTEM DATA REPORT

trains SYSTEM on DATA/train.jsonl, asks it DATA/test.jsonl, and writes what `qac eval --save` would. That is how
benchmarks/quality.py runs it, so that a peak of memory is the system's alone. Trained models are kept in DATA/models.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qac.baselines import BASELINES
from qac.cli.common import text_protocol
from qac.completer import Completer
from qac.completion import Completion, Suggester
from qac.config import TrainingConfig
from qac.evaluation import evaluate, mistype, save_report
from qac.examples import Example, normalize_examples, read_examples
from qac.labels import LabelTable
from qac.machine import peak_mb
from qac.presets import PRESETS
from qac.saving import save_model
from qac.training import train

Change = Callable[[TrainingConfig], TrainingConfig]


def _unchanged(config: TrainingConfig) -> TrainingConfig:
    return config


def _with(part: str = "", **settings: Any) -> Change:
    """Return a change of settings, of the configuration itself or of a ``part`` of it."""

    def change(config: TrainingConfig) -> TrainingConfig:
        if part:
            return replace(config, **{part: replace(getattr(config, part), **settings)})
        return replace(config, **settings)

    return change


ABLATIONS: dict[str, Change] = {
    "no composer": _with("composer", enabled=False),
    "the composer alone": _with("composer", share=1.0),
    "no copying": _with("composer", copy=0.0),
    "no association": _with("composer", associate=0),
    "no say for characters": _with("composer", spelling=0),
    "no recall": _with(recall=0),
    "no length discount": _with(length_discount=0),
    "no word pairs": _with(bigram_weight=0),
    "no whole query": _with(query_weight=0),
    "last query not held back": _with(repeat_weight=1),
    "two earlier queries": _with(history=2),
    "trie alone": _with("index", kind="trie"),
    "k-means alone": _with("index", kind="kmeans"),
    "nothing pruned": _with("ranker", prune=0),
}
"""The default configuration with one thing changed: each is a model of its own."""


@dataclass(frozen=True)
class WithoutSession:
    """A suggester that is told nothing of the session."""

    suggester: Completer
    name: str = "without session"

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return the completions of ``prefix`` alone."""
        return self.suggester.complete(prefix, k=k)

    def info(self) -> dict[str, Any]:
        """Return what the suggester says of itself."""
        return self.suggester.info()


@dataclass(frozen=True)
class Data:
    """Prepared examples."""

    folder: Path

    def examples(self, part: str) -> list[Example]:
        """Return a part's examples in normal form."""
        path = self.folder / f"{part}.jsonl"
        return list(normalize_examples(read_examples(path), text_protocol(None, path)))

    def config(self, change: Change = _unchanged) -> TrainingConfig:
        """Return the default configuration for these texts, changed."""
        return change(TrainingConfig(text=text_protocol(None, self.folder / "train.jsonl")))


Trainer = Callable[[Data], Suggester]


def _baseline(name: str, data: Data) -> Suggester:
    return BASELINES[name]().fit(data.examples("train"))


def _qac(model: str, change: Change, data: Data, *, compose: bool = True, correct: bool = True) -> Completer:
    """Open the model called ``model``, trained first if it was not yet."""
    path = data.folder / "models" / f"{model.replace(' ', '-')}.qac"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        save_model(train(data.examples("train"), data.config(change), quiet=True), path)
    return Completer.load(path, compose=compose, correct=correct)


def _preset(name: str, data: Data) -> Completer:
    text = data.config().text
    return _qac(name, lambda _: replace(PRESETS[name].config, text=text), data)


def _libpecos(preset: str, data: Data) -> Suggester:
    from libpecos_peer import train_libpecos

    peer: Suggester = train_libpecos(preset, data.examples("train"))
    return peer


def groups() -> dict[str, dict[str, Trainer]]:
    """Return all systems there are here, by group; those of a group that cannot run here are not in it."""
    return {
        "main": {
            **{name: partial(_baseline, name) for name in BASELINES},
            "qac": partial(_qac, "qac", _unchanged),
            "qac --no-compose": partial(_qac, "qac", _unchanged, compose=False),
        },
        "ablations": {
            "qac --no-correct": partial(_qac, "qac", _unchanged, correct=False),
            "qac, session unknown": lambda data: WithoutSession(_qac("qac", _unchanged, data)),
            **{f"qac, {name}": partial(_qac, name, change) for name, change in ABLATIONS.items()},
        },
        "presets": {f"qac {name}": partial(_preset, name) for name in PRESETS},
        "libpecos": {f"libpecos {name}": partial(_libpecos, name) for name in (PRESETS if find_spec("pecos") else ())},
    }


def main() -> int:
    """Measure one system."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", help="its name, as `quality.py --list` shows it")
    parser.add_argument("data", type=Path, help="a folder that `qac prep` wrote")
    parser.add_argument("report", type=Path, help="the file to write")
    parser.add_argument("--limit", type=int, help="ask only the first so many examples")
    parser.add_argument("--part", default="test", help="what to ask: test or valid")
    parser.add_argument("--typos", type=float, default=0.0, help="share of prefixes to mistype")
    args = parser.parse_args()
    data = Data(args.data)
    trainer = {name: trainer for group in groups().values() for name, trainer in group.items()}[args.system]
    began = time.monotonic()
    suggester = trainer(data)
    costs = {"train_seconds": time.monotonic() - began, "peak_mb": peak_mb()}
    known = LabelTable.from_examples(data.examples("train"))
    examples = data.examples(args.part)[: args.limit]
    info = suggester.info() if hasattr(suggester, "info") else {}
    report = evaluate(
        suggester, examples, known=known, typed=mistype(examples, args.typos), model={**info, **costs}, quiet=True
    )
    save_report(replace(report, name=args.system), args.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
