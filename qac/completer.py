"""The completer: a model file, opened once and asked many times."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from qac._native import AS_TYPED, COMPOSE, CORRECT, SOURCES, FormError, NativeError
from qac.completion import Completion, check_k
from qac.errors import InputError, ModelError, UsageError
from qac.explain import Explanation, explain
from qac.model import LoadedModel, load_model
from qac.text import Protocol, normalize, normalize_prefix

_SOURCE_NAMES: Final = np.array(SOURCES)
# A fifth of what calling the class takes, which is written in Python.
_new: Final = tuple.__new__


class CompletionArrays(NamedTuple):
    """The completions of many requests, best first: row i is request i's."""

    text: npt.NDArray[np.object_]
    """Shape (requests, k), str; empty behind the last completion."""
    score: npt.NDArray[np.float64]
    """Shape (requests, k); 0 behind the last completion."""
    source: npt.NDArray[np.str_]
    """Shape (requests, k); as :attr:`qac.completion.Completion.source`."""
    number: npt.NDArray[np.uint32]
    """Shape (requests,): how many completions there are."""


class Completer:
    """Answers requests from a model.

    Immutable and safe to use from any number of threads at once: each thread has its own work space.

    >>> completer = Completer.load("my.qac")                              # doctest: +SKIP
    >>> completer.complete("n", prev=["digital camera"], k=3)            # doctest: +SKIP
    [Completion(text='nikon d70', score=0.31, source='index'), ...]

    Parameters
    ----------
    model : LoadedModel
    beam : int or None
        0: best-first search, exact. Otherwise the number of tree nodes kept per round: an upper bound on work, at the
        price that an answer may be missed. None: as the model was trained to be searched.
    compose : bool
        Whether to propose queries that nobody made before, where the model can. Without them and without a session the
        answers are exactly the most popular completions, if nothing is corrected either.
    correct : bool
        Whether to look for queries that start with a prefix one typing error away, where few known ones start with the
        typed one.
    """

    name = "qac"

    def __init__(self, model: LoadedModel, beam: int | None = None, compose: bool = True, correct: bool = True) -> None:
        beam = model.beam if beam is None else beam
        if not 0 <= beam < 1 << 31:
            raise UsageError(f"beam must be 0 (exact) or a positive number of nodes, got {beam}")
        self._model = model
        self._native = model.native
        self._protocol = model.protocol
        self._beam = beam
        self._options = (COMPOSE if compose else 0) | (CORRECT if correct else 0)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        beam: int | None = None,
        compose: bool = True,
        correct: bool = True,
        check: bool | None = None,
    ) -> Self:
        """Open the model file at ``path``. ``beam``, ``compose``, ``correct``: see the class.

        The file is read in place while the completer lives: replace it by renaming another over it, never by writing
        into it.

        ``check``: compare all of it with its checksums first; None: where that takes no time that matters.

        Raises
        ------
        ModelError
            The file is missing, not a model, damaged, or of another format version.
        """
        return cls(load_model(path, check), beam, compose, correct)

    @property
    def protocol(self) -> Protocol:
        """The text protocol of the model, applied to every request."""
        return self._protocol

    def complete(self, prefix: str, prev: str | Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions of ``prefix``, best first; k of them whenever k known queries start with it.

        (Fewer from models that filter by the prefix what a beam finds: :class:`qac.config.DecodingConfig`.)

        Their ``source`` is "index" for known queries, "composed" for those that nobody made before, "session" for what
        this session asked before and the log does not know, "corrected" for
        known queries that start with a prefix one typing error away from this: a character too many, missing or wrong,
        or two neighbours swapped. These stand below all known queries that start with the prefix as it is.

        Parameters
        ----------
        prefix : str
            What is typed so far, may be empty. A trailing space counts: that word is finished.
        prev : str or sequence of str
            The session's earlier queries, oldest first, or just the last one.
        k : int
            From 1 to 1000.

        Raises
        ------
        InputError
            ``k`` is out of range.
        ModelError
            The file is damaged where this request reads it, and was opened without comparing all of it.
        """
        check_k(k)
        try:
            texts, rest = self._ask(prefix, prev, k)
        except (NativeError, UnicodeDecodeError) as e:
            raise self._damaged(e) from e
        return [_new(Completion, (text, p, SOURCES[source])) for text, (source, p) in zip(texts, rest, strict=True)]

    def _ask(self, prefix: str, prev: str | Sequence[str], k: int) -> tuple[list[str], Iterator[tuple[int, float]]]:
        session = _in_lines(prev)
        if self._protocol == "default" and session is not None and prefix.isascii() and session.isascii():
            try:  # most such requests need nothing done, and the native call sees that
                options = self._options | AS_TYPED
                return self._native.complete(prefix.encode(), session.encode(), k, self._beam, options)
            except FormError:
                pass
        typed = normalize_prefix(prefix, self._protocol).encode("utf-8")
        return self._native.complete(typed, self._session(prev), k, self._beam, self._options)

    def complete_batch(
        self, prefixes: Sequence[str], prevs: Sequence[str | Sequence[str]] | None = None, k: int = 10
    ) -> CompletionArrays:
        """Answer many requests, as :meth:`complete` does each, several times as fast.

        Parameters
        ----------
        prefixes : sequence of str
            A list, or an array.
        prevs : sequence of str or sequences of str
            Of each request the session's earlier queries, oldest first, or just the last one. None: no sessions.
        k : int
            From 1 to 1000.

        Raises
        ------
        InputError
            ``k`` is out of range.
        UsageError
            There are not as many sessions as prefixes.
        ModelError
            As of :meth:`complete`.
        """
        check_k(k)
        if prevs is not None and len(prevs) != len(prefixes):
            raise UsageError(f"as many sessions as prefixes, please: got {len(prevs):,} and {len(prefixes):,}")
        requests: list[str] = []
        for i, prefix in enumerate(prefixes):
            requests += (normalize_prefix(prefix, self._protocol), self._session_text(prevs[i]) if prevs else "")
        text = np.full((len(prefixes), k), "", object)
        score, source = np.zeros((len(prefixes), k)), np.zeros((len(prefixes), k), np.uint8)
        number, at = np.zeros(len(prefixes), np.uint32), 0
        try:
            for answers, numbers, texts in self._native.complete_batch(requests, k, self._beam, self._options):
                rows = slice(at, at + len(numbers))
                score[rows], source[rows], number[rows] = answers["score"], answers["source"], numbers
                given = np.arange(k) < numbers[:, None]
                text[rows][given] = texts
                at += len(numbers)
        except (NativeError, UnicodeDecodeError) as e:
            raise self._damaged(e) from e
        return CompletionArrays(text, score, _SOURCE_NAMES[source], number)

    def explain(self, prefix: str, prev: str | Sequence[str], text: str, k: int = 10) -> Explanation:
        """Return why the completion ``text`` is scored as it is: the path through the tree and what pushed it.

        ``k``: how many completions were asked for.

        Raises
        ------
        InputError
            ``text`` is not among the 1000 best answers to this request.
        """
        typed = normalize_prefix(prefix, self._protocol).encode("utf-8")
        try:
            explanation = explain(
                self._model,
                typed,
                self._session(prev),
                normalize(text, self._protocol),
                k=check_k(k),
                beam=self._beam,
                options=self._options,
            )
        except (NativeError, UnicodeDecodeError) as e:
            raise self._damaged(e) from e
        if explanation is None:
            raise InputError(f"{text!r:.80} is no answer to {prefix!r:.80}: nothing to explain; take one that is")
        return explanation

    def _damaged(self, error: Exception) -> ModelError:
        return ModelError(f"{self._model.file.path} is damaged ({error}); run `qac verify`, copy or train it anew")

    def _session(self, prev: str | Sequence[str]) -> bytes:
        return self._session_text(prev).encode("utf-8")

    def _session_text(self, prev: str | Sequence[str]) -> str:
        if isinstance(prev, str):
            return normalize(prev, self._protocol)
        return "\n".join(filter(None, [normalize(query, self._protocol) for query in prev]))

    def __len__(self) -> int:
        """Return the number of queries that it knows."""
        return self._model.meta.labels

    def __contains__(self, text: object) -> bool:
        """Return whether it knows the query ``text``."""
        return isinstance(text, str) and self._label(text) is not None

    def count(self, text: str) -> float:
        """Return how often the query ``text`` was made in the log that the model learned from; 0: never."""
        label = self._label(text)
        return 0.0 if label is None else float(self._model.arrays.count[label])

    def _label(self, text: str) -> int | None:
        return self._native.find_label(normalize(text, self._protocol).encode("utf-8"))

    def info(self) -> dict[str, Any]:
        """Return what the model is: its file, size, version, labels and configuration."""
        meta, file = self._model.meta, self._model.file
        return {
            "path": str(file.path),
            "bytes": file.size,
            "bytes_per_label": round(file.size / len(self), 1),
            "fingerprint": file.fingerprint,
            "qac": meta.qac,
            "labels": len(self),
            "weights": meta.weights,
            "config": dict(meta.config),
        }


def _in_lines(prev: str | Sequence[str]) -> str | None:
    """Return a session's queries with line ends between them, as they are; None where they have some themselves."""
    if isinstance(prev, str):
        return None if "\n" in prev else prev
    if not isinstance(prev, (tuple, list)):
        return None
    text = "\n".join(prev)
    return text if text.count("\n") < max(len(prev), 1) else None


def default_model_path() -> Path:
    """Return ``$QAC_MODEL`` or, where it is not set, the sample model, trained now if it was not yet."""
    named = os.environ.get("QAC_MODEL")
    if named:
        return Path(named)
    from qac.sample import sample_model

    return sample_model()
