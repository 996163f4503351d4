"""Picking the few settings worth picking for one log: a coordinate search on its validation examples.

One setting at a time, those of which most is to be expected first, is moved along a row of values, up and then down, as
long as MRR@10 rises. A value is kept where the gain over the best configuration so far is beyond chance. Rounds over
all settings go on until one keeps nothing, or until time or trials are spent.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from qac.completer import Completer
from qac.config import TrainingConfig, setting, with_setting
from qac.errors import InputError
from qac.evaluation.report import number_sessions
from qac.examples import Example
from qac.metrics import FloatArray, rank_of, reciprocal_rank
from qac.progress import working
from qac.saving import save_model
from qac.training import TrainedModel, train

MAX_EXAMPLES: Final = 500_000
"""Of a longer log so many examples, drawn at random, serve the trials."""
MAX_REQUESTS: Final = 20_000
SIGNIFICANCE: Final = 0.01
"""A gain is kept where chance alone would give it with a smaller probability; small, for there are many trials."""
_SEED: Final = 0

Stopped = Literal["done", "trials", "time", "interrupted"]


@dataclass(frozen=True)
class _Tunable:
    """A setting and the values to try, in order."""

    path: str
    values: tuple[Any, ...]
    learned: bool = True
    """Whether another value needs another training."""


# By the gains in docs/experiments.md, and by what is unlike between logs.
_TUNABLES: Final = (
    _Tunable("length_discount", (0.0, 0.5, 1.0, 1.5)),
    _Tunable("composer.share", (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4), learned=False),
    _Tunable("repeat_weight", (0.01, 0.1, 1.0), learned=False),
    _Tunable("history", (1, 2, 3, 5)),
    _Tunable("age_decay", (0.1, 0.25, 0.5, 0.75)),
    _Tunable("ranker.l2", (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)),
    _Tunable("bigram_weight", (0.0, 0.25, 0.5, 1.0)),
    _Tunable("composer.order", (2, 3, 4)),
)
_HALF_LIVES: Final = (1, 1 / 3, 1 / 10, 1 / 30)
"""Of the time between the oldest example and the newest; None is tried as well."""
_SHORTEST_LOG: Final = 3600.0
"""Seconds; in shorter logs age is not tried."""


@dataclass(frozen=True)
class Trial:
    """One configuration and what it came to."""

    setting: str
    """What was changed of the best configuration so far; empty for the one that the search began with."""
    value: Any
    mrr: float
    gain: float
    """In MRR@10, over the best configuration so far."""
    p: float
    """How likely chance alone would give such a gain."""
    kept: bool
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What a search came to."""

    config: TrainingConfig
    model: TrainedModel | None
    """Trained with ``config``; None where the trials saw only a part of the examples."""
    trials: tuple[Trial, ...]
    stopped: Stopped

    def to_json(self) -> dict[str, Any]:
        """Return the MRR before and after, and the trials, as plain values."""
        best = [trial.mrr for trial in self.trials if trial.kept or not trial.setting]
        return {
            "mrr_before": best[0],
            "mrr": best[-1],
            "stopped": self.stopped,
            "trials": [asdict(trial) for trial in self.trials],
        }


def tune(
    examples: Iterable[Example],
    valid: Sequence[Example],
    config: TrainingConfig,
    *,
    seconds: float | None = None,
    trials: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
    report: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Search for settings that are better than those of ``config``.

    The same arguments give the same trials, and so the same result, where ``seconds`` is None; a bound of time allows
    as many trials as the machine is fast. An interrupt (Ctrl-C) ends the search with what it found.

    Parameters
    ----------
    examples, valid : iterable, sequence of Example
        To train with and to ask, normalised. Of long ones a random part is used, the same every time.
    config : TrainingConfig
        Where to begin.
    seconds, trials : float, int
        No trial is begun that would likely end after so many seconds, and there are no more than so many trials, of
        which the first, ``config`` itself, is always made. None: no bound.
    threads : int
        To train with; see :func:`qac.training.train`.
    report : callable
        Is given each trial when it is over.

    Raises
    ------
    InputError
        There are no validation examples, or nothing to learn from.
    KeyboardInterrupt
        In the first trial, when nothing is found yet.
    """
    if not valid:
        raise InputError("no validation examples to tune with; give the valid.jsonl that `qac prep` writes")
    with working("draw examples to tune with", quiet=quiet):
        sample, whole = _draw(examples, MAX_EXAMPLES)
        requests, _ = _draw(valid, MAX_REQUESTS)
    search = _Search(sample, requests, config, _Bounds(seconds, trials), threads, quiet, report or (lambda trial: None))
    stopped = search.run()
    return Tuned(search.config, search.model if whole else None, tuple(search.trials), stopped)


def _draw(examples: Iterable[Example], size: int) -> tuple[list[Example], bool]:
    """Return ``size`` of the examples, all equally likely, or all of them in order, and whether it is all.

    Vitter, "Random Sampling with a Reservoir", 1985, algorithm R.
    """
    rng = random.Random(_SEED)
    drawn: list[Example] = []
    whole = True
    for i, example in enumerate(examples):
        if i < size:
            drawn.append(example)
        else:
            whole = False
            if (place := rng.randrange(i + 1)) < size:
                drawn[place] = example
    return drawn, whole


def _tunables(config: TrainingConfig, examples: Sequence[Example]) -> list[_Tunable]:
    """Return the settings that have a say in what ``config`` makes of ``examples``."""
    usable = [t for t in _TUNABLES if config.composer.enabled or not t.path.startswith("composer.")]
    times = [e.time for e in examples if e.time is not None]
    if len(times) == len(examples) and (span := max(times) - min(times)) >= _SHORTEST_LOG:
        half_life = _Tunable("popularity.half_life", (None, *(_rounded(h * span) for h in _HALF_LIVES)))
        return [half_life, *usable]  # where popularity changes, nothing gains more
    return usable


def _rounded(seconds: float) -> float:
    """Return so many whole days or hours, where that is ten or more, else seconds."""
    unit = next((unit for unit in (86_400, 3600) if seconds >= 10 * unit), 1)
    return float(round(seconds / unit) * unit)


class _SpentError(Exception):
    """There is no more time, or trial, to be had."""

    def __init__(self, what: Stopped) -> None:
        self.what = what


@dataclass
class _Bounds:
    seconds: float | None
    trials: int | None
    made: int = 0
    longest: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raise _SpentError where another trial is too much; the first never is."""
        if self.made and self.trials is not None and self.made >= self.trials:
            raise _SpentError("trials")
        if self.made and self.seconds is not None and time.monotonic() - self.began + self.longest > self.seconds:
            raise _SpentError("time")

    def note(self, seconds: float) -> None:
        self.made += 1
        self.longest = max(self.longest, seconds)


class _Search:
    def __init__(
        self,
        examples: Sequence[Example],
        requests: Sequence[Example],
        config: TrainingConfig,
        bounds: _Bounds,
        threads: int | None,
        quiet: bool,
        report: Callable[[Trial], None],
    ) -> None:
        self.config = config
        self.model: TrainedModel | None = None
        self.trials: list[Trial] = []
        self._examples = examples
        self._requests = requests
        self._weight = np.array([e.count for e in requests])
        self._session = number_sessions(requests)
        self._bounds = bounds
        self._threads = threads
        self._quiet = quiet
        self._report = report
        self._known: dict[TrainingConfig, FloatArray] = {}
        """Reciprocal ranks of the configurations tried."""

    def run(self) -> Stopped:
        """Search; return why it ended."""
        try:
            self._try(None, None)
            tunables = _tunables(self.config, self._examples)
            kept = True
            while kept:
                kept = False
                for tunable in tunables:
                    kept |= self._climb(tunable)
        except _SpentError as e:
            return e.what
        except KeyboardInterrupt:
            if self.model is None:
                raise
            return "interrupted"
        return "done"

    def _climb(self, tunable: _Tunable) -> bool:
        """Try the values above the present one, then those below it; return whether one was kept."""
        if tunable.path == "age_decay" and self.config.history == 1:
            return False
        size = _size(self._present(tunable))
        above = [v for v in sorted(tunable.values, key=_size) if _size(v) > size]
        below = [v for v in sorted(tunable.values, key=_size, reverse=True) if _size(v) < size]
        return self._walk(tunable, above) or self._walk(tunable, below)

    def _walk(self, tunable: _Tunable, values: Iterable[Any]) -> bool:
        """Try one value after the other until one is worse than that before; return whether one was kept."""
        kept = False
        last = self._mrr(self._known[self.config])
        for value in values:
            mrr, better = self._try(tunable, value)
            kept |= better
            if mrr <= last:
                break
            last = mrr
        return kept

    def _present(self, tunable: _Tunable) -> Any:
        value = setting(self.config, tunable.path)
        if tunable.path == "composer.share" and value is None:
            assert self.model
            value = self.model.composer.settings["share"] if self.model.composer else 0.0
        return value

    def _try(self, tunable: _Tunable | None, value: Any) -> tuple[float, bool]:
        """Measure the best configuration so far with another value; return its MRR and whether it is now the best."""
        config = with_setting(self.config, tunable.path, value) if tunable else self.config
        if config in self._known:
            return self._mrr(self._known[config]), False
        self._bounds.check()
        began = time.monotonic()
        with working(f"try {tunable.path} {value}" if tunable else "try the settings as they are", quiet=self._quiet):
            if tunable and not tunable.learned:
                assert self.model
                model = _served_with(self.model, config)
            else:
                model = train(self._examples, config, threads=self._threads, quiet=True)
            ranks = self._known[config] = self._ask(model)
        best = self._known[self.config]
        difference = self._weight * (ranks - best)
        p = _chance(np.bincount(self._session, difference).astype(np.float64))  # requests of a session are alike
        kept = tunable is not None and p < SIGNIFICANCE
        if kept or tunable is None:
            self.config, self.model = config, model
        seconds = time.monotonic() - began
        self._bounds.note(seconds)
        gain = float(difference.sum() / self._weight.sum())
        path = tunable.path if tunable else ""
        self.trials.append(Trial(path, value, self._mrr(ranks), gain, p, kept, round(seconds, 2)))
        self._report(self.trials[-1])
        return self.trials[-1].mrr, kept

    def _ask(self, model: TrainedModel) -> FloatArray:
        """Return the reciprocal ranks of the right answers."""
        with tempfile.TemporaryDirectory(prefix="qac-tune-") as folder:
            path = Path(folder, "m.qac")
            save_model(model, path)
            completer = Completer.load(path)
            answers = (completer.complete(e.prefix, e.prev_queries) for e in self._requests)
            ranks = [
                rank_of(e.next_query, [c.text for c in found]) for e, found in zip(self._requests, answers, strict=True)
            ]
        return reciprocal_rank(np.array(ranks), 10)

    def _mrr(self, ranks: FloatArray) -> float:
        return float(np.average(ranks, weights=self._weight))


def _size(value: float | None) -> float:
    """Return what orders the values of a setting: None, a half-life without end, comes last."""
    return math.inf if value is None else value


def _served_with(model: TrainedModel, config: TrainingConfig) -> TrainedModel:
    """Return what training with ``config`` gives, where it differs from the model's in nothing that is learned."""
    composer = model.composer
    if composer and config.composer.share is not None:
        composer = replace(composer, settings={**composer.settings, "share": config.composer.share})
    return replace(model, config=config, composer=composer)


def _chance(difference: FloatArray) -> float:
    """Return the probability of a sum at least as large as that of ``difference`` if every sign were a coin's toss.

    The one-sided randomisation test (Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation", CIKM 2007) by its normal approximation: with random signs the sum has mean 0 and
    variance ``sum(difference ** 2)``.
    """
    spread = math.sqrt(float(difference @ difference))
    return 0.5 * math.erfc(float(difference.sum()) / spread / math.sqrt(2)) if spread else 1.0
