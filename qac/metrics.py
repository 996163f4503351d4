"""What is measured of a ranked list of completions: reciprocal rank, success, keystrokes saved, and BLEU.

There is one right answer per request, the query that was then made, so a list is judged by the rank of that answer
(1 is best, 0 says it is not there) and, for answers that are nearly right, by the words they share with it. The
metrics of ranks take whole arrays; their means over requests are the figures people quote (MRR@k, Success@k).
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
RankArray = npt.NDArray[np.integer]

_MAX_ORDER: Final = 4
_EPSILON: Final = 0.1


def rank_of(truth: str, answers: Sequence[str]) -> int:
    """Return the rank of the first answer equal to ``truth``, from 1, or 0 where there is none."""
    for rank, answer in enumerate(answers, 1):
        if answer == truth:
            return rank
    return 0


def reciprocal_rank(ranks: RankArray, k: int) -> FloatArray:
    """Return RR@k of each request: ``1 / rank`` where ``1 <= rank <= k``, else 0.

    Voorhees, "The TREC-8 Question Answering Track Report", 1999. Its mean is MRR@k.
    """
    return np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=(ranks >= 1) & (ranks <= k))


def success(ranks: RankArray, k: int) -> FloatArray:
    """Return Success@k of each request: 1 where the right answer is among the first ``k``, else 0."""
    return ((ranks >= 1) & (ranks <= k)).astype(np.float64)


def keystrokes_saved(ranks: RankArray, remaining: RankArray) -> FloatArray:
    """Return how many keys each request saves a person who looks at its answers once.

    ``remaining`` characters are left to type. Picking the answer at rank ``j`` takes ``j`` presses of the arrow key in
    their place (Duan and Hsu, "Online Spelling Correction for Query Completion", WWW 2011, section 5), and who saves
    nothing by that types on: ``max(0, remaining - j)``, and 0 where the right answer is missing. Enter ends a query
    either way and is not counted.
    """
    saved = np.maximum(remaining.astype(np.float64) - ranks, 0)
    return np.where(ranks >= 1, saved, 0.0)


class BleuReference:
    """One reference text whose n-grams are counted once, to score many candidates against it.

    Sentence BLEU-4 with one reference (Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine
    Translation", ACL 2002, sections 2.1-2.3)::

        BLEU = BP · exp(Σₙ ¼ · ln pₙ),  n = 1 … 4
        pₙ   = candidate n-grams found in the reference, each at most as often as it stands there / candidate n-grams
        BP   = 1 if the candidate is longer than the reference, else exp(1 - reference length / candidate length)

    with smoothing 1 of Chen and Cherry, "A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU",
    WMT 2014: a numerator of 0 becomes ε = 0.1. The conventions are those of ``nltk.translate.bleu_score.sentence_bleu``
    with ``SmoothingFunction().method1``: a denominator is at least 1, a candidate without a word in common scores 0,
    and weights are not spread anew over short texts. So a one-word text that is exactly right has p = 1, .1, .1, .1
    and scores .178, not 1. Tokens are words, split at spaces.
    """

    __slots__ = ("_grams", "_length")

    def __init__(self, text: str) -> None:
        words = text.split()
        self._length = len(words)
        self._grams: list[dict[tuple[str, ...], int]] = []
        for order in range(1, _MAX_ORDER + 1):
            counts: dict[tuple[str, ...], int] = {}
            for gram in _ngrams(words, order):
                counts[gram] = counts.get(gram, 0) + 1
            self._grams.append(counts)

    def score(self, candidate: str) -> float:
        """Return the BLEU of ``candidate``, from 0 to 1."""
        words = candidate.split()
        logs: list[float] = []
        matches = 0
        for order, reference in enumerate(self._grams, 1):
            # Without a common n-gram there is no common (n + 1)-gram to look for.
            matches = _matches(words, order, reference) if matches or order == 1 else 0
            if order == 1 and not matches:
                return 0.0
            total = max(1, len(words) - order + 1)
            logs.append(math.log((matches or _EPSILON) / total) / _MAX_ORDER)
        # A candidate with a word in common is not empty: the division is safe.
        brevity = min(1.0, math.exp(1 - self._length / len(words)))
        return brevity * math.exp(math.fsum(logs))


def _ngrams(words: list[str], order: int) -> Iterable[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(order)), strict=False)


def _matches(words: list[str], order: int, reference: dict[tuple[str, ...], int]) -> int:
    """Return how many n-grams of ``words`` the reference has, each at most as often as it stands there."""
    left = reference.copy()
    matches = 0
    for gram in _ngrams(words, order):
        if left.get(gram, 0):
            left[gram] -= 1
            matches += 1
    return matches


def sentence_bleu(reference: str, candidate: str) -> float:
    """Return the BLEU of ``candidate`` against ``reference``; see :class:`BleuReference`."""
    return BleuReference(reference).score(candidate)


def bleu_rr(scores: Sequence[float]) -> float:
    """Return the mean of the BLEU ``scores`` of a ranked list, weighted by reciprocal rank; 0 for an empty list.

    ``BLEU_RR = Σᵢ (bleuᵢ / i) / Σᵢ (1 / i)`` over the answers returned, best first (Yadav et al., "Session-Aware Query
    Auto-completion using Extreme Multi-Label Ranking", KDD 2021).
    """
    if not scores:
        return 0.0
    gained = math.fsum(score / rank for rank, score in enumerate(scores, 1))
    return gained / math.fsum(1 / rank for rank in range(1, len(scores) + 1))
