"""Measuring suggesters on a test set: reports and their uncertainty, comparisons, typing errors, misses, pictures."""

from qac.evaluation.comparison import compare
from qac.evaluation.misses import Miss, sample_misses
from qac.evaluation.outcomes import Outcomes
from qac.evaluation.report import WARM_UP, KnownQueries, Report, evaluate
from qac.evaluation.saved import load_report, save_report
from qac.evaluation.typos import mistype

__all__ = [
    "WARM_UP",
    "KnownQueries",
    "Miss",
    "Outcomes",
    "Report",
    "compare",
    "evaluate",
    "load_report",
    "mistype",
    "sample_misses",
    "save_report",
]
