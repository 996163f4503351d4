"""What ``qac eval`` prints for people: reports side by side, a comparison, misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from qac.cli.common import format_columns

if TYPE_CHECKING:
    from qac.evaluation import Miss

_METRICS: Final = {
    "mrr@10": "MRR@10",
    "success@1": "Success@1",
    "success@5": "Success@5",
    "success@10": "Success@10",
    "bleu_rr": "BLEU_RR",
    "coverage": "coverage",
    "keystrokes_saved": "keystrokes saved",
    "composed": "composed answers a request",
    "composed_precision@1": "right of those at rank 1",
    "composed_precision": "right of all of them",
}
_KINDS: Final = {
    "by_prefix_length": "characters typed",
    "by_previous_query": "previous query",
    "by_frequency": "times the right answer was made in training",
    "by_typing": "what was typed",
}


def format_reports(reports: Mapping[str, Mapping[str, Any]], k: int) -> str:
    """Return the ``reports`` (name → what ``Report.to_json`` gives) side by side."""
    columns = list(reports.values())
    first = columns[0]  # all were asked the same, so group sizes are equal
    nothing = [""] * len(reports)

    def row(label: str, metric: str, *path: str) -> tuple[str, ...]:
        return label, *(_value(_at(column, path), metric) for column in columns)

    def group(label: str, *path: str) -> tuple[str, ...]:
        return row(f"  {label} ({_at(first, path)['n']:,})", "mrr@10", *path)

    rows: list[tuple[str, ...]] = [
        (f"{first['n']:,} requests, k = {k}", *reports),
        row(_METRICS["mrr@10"], "mrr@10"),
        group("seen", "seen"),
        group("unseen", "unseen"),
        *(row(label, metric) for metric, label in _METRICS.items() if metric != "mrr@10"),
        ("", *nothing),
        *(
            (f"latency {p}, µs", *(f"{column['latency_us'][p]:.1f}" for column in columns))
            for p in ("p50", "p95", "p99")
        ),
    ]
    for kind, label in _KINDS.items():
        if kind in first:
            rows += [("", *nothing), (f"MRR@10 by {label}", *nothing)]
            rows += [group(name, kind, name) for name in first[kind]]
    text = format_columns(rows)
    if "bootstrap" in first:
        text += f"\n\nin brackets: 95 % intervals, {_of_sessions(first['bootstrap'])}"
    return text


def format_comparison(comparison: Mapping[str, Any]) -> str:
    """Return what :func:`qac.evaluation.compare` gives, a line per metric and, of MRR@10, per group."""
    a, b = comparison["a"]["name"], comparison["b"]["name"]

    def row(label: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
        if entry["difference"] is None:
            return label, *(_number(entry[side]) for side in "ab"), "-", "", "-"
        low, high = entry["ci95"]
        ends = f"[{low:+.4f}, {high:+.4f}]"
        return label, *(_number(entry[side]) for side in "ab"), f"{entry['difference']:+.4f}", ends, f"{entry['p']:.4f}"

    rows: list[tuple[str, ...]] = [(f"{b} (b) against {a} (a)", "a", "b", "b - a", "95 % interval", "p")]
    rows += [row(label, comparison[metric]) for metric, label in _METRICS.items()]
    for path in (("seen",), ("unseen",), *((kind, name) for kind in _KINDS for name in comparison.get(kind, ()))):
        part = _at(comparison, path)
        label = f"{_KINDS[path[0]]}: {path[1]}" if len(path) > 1 else path[0]
        rows.append(row(f"  MRR@10, {label} ({part['n']:,})", part["mrr@10"]))
    return f"{format_columns(rows)}\n\npaired, {_of_sessions(comparison)}"


def format_misses(name: str, misses: Sequence[Miss]) -> str:
    """Return ``misses``, a block of lines each."""
    lines = [f"{len(misses):,} misses of {name}, drawn at random; the more was typed, the likelier"]
    for miss in misses:
        place = f"at rank {miss.rank}" if miss.rank else "missing"
        lines += ["", f"{' > '.join(miss.prev_queries) or '(no previous query)'} > {miss.typed!r}"]
        lines.append(f"  right: {miss.right}  ({place}; made {miss.count:g} times in training)")
        lines += [f"  {number}      {c.text}  ({c.source}, {c.score:.3g})" for number, c in enumerate(miss.first, 1)]
    return "\n".join(lines)


def _at(report: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for key in path:
        report = report[key]
    return report


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _value(metrics: Mapping[str, Any], metric: str) -> str:
    """Return a metric with its interval, if there is one."""
    ends = metrics.get("ci95", {}).get(metric)
    return _number(metrics[metric]) + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")


def _of_sessions(how: Mapping[str, Any]) -> str:
    return f"{how['resamples']:,} resamples of {how['sessions']:,} sessions"
