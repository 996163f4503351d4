"""The results of benchmarks/speed.py: how many times better one is than another, and all of them as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

# What is better, by which figure, than what, and at least how many times it should be. "single" ways have percentiles,
# "bulk" ways requests a second, "trained" systems the costs of training and the model.
RATIOS: Sequence[tuple[str, str, str, str, float | None]] = (
    ("request, p50", "p50_us", "qac", "libpecos", 50),
    ("request, p99", "p99_us", "qac", "libpecos", 30),
    ("request, p50, against the search alone", "p50_us", "qac", "libpecos, search alone", 5),
    ("request, p99, against the search alone", "p99_us", "qac", "libpecos, search alone", None),
    ("--no-compose, p50, against the search alone", "p50_us", "qac --no-compose", "libpecos, search alone", None),
    ("exact search against beam 10, p50", "p50_us", "qac", "qac, beam 10", 1),
    ("the same, --no-compose", "p50_us", "qac --no-compose", "qac --no-compose, beam 10", 1),
    ("requests a second of a batch, one core", "per_second", "qac, batch", "libpecos, batch", 10),
    ("requests a second, two threads against one", "per_second", "qac, threads 2", "qac, threads 1", None),
    ("the same, batches", "per_second", "qac, batches on threads 2", "qac, batches on threads 1", None),
    ("training, s", "seconds", "qac", "libpecos", 1),
    ("training, processor s", "cpu_seconds", "qac", "libpecos", None),
    ("training, peak MB", "peak_mb", "qac", "libpecos", 1),
    ("model, bytes", "bytes", "qac", "libpecos", 2),
    ("opening, ms", "open_ms", "qac", "libpecos", None),
)
_HIGHER_IS_BETTER = {"per_second"}
_OF_ROUNDS = {"p50_us": "p50_rounds", "p99_us": "p99_rounds", "per_second": "rounds"}


def ratios(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how many times better one thing is than another, and the least and the most of any round or training.

    What a result has no figures of is left out.
    """
    measured = {**result["single"], **result["bulk"]}
    out = []
    for name, figure, better, worse, aim in RATIOS:
        a, b = (measured.get(way, {}) | result["trained"].get(way, {}) for way in (better, worse))
        if figure in a and figure in b:
            among = [_ratio(figure, x, y) for x, y in zip(_rounds(a, figure), _rounds(b, figure), strict=True)]
            ratio = _ratio(figure, a[figure], b[figure])
            out.append(
                {
                    "name": name,
                    "better": better,
                    "worse": worse,
                    "ratio": ratio,
                    "low": min(among, default=ratio),
                    "high": max(among, default=ratio),
                    "aim": aim,
                }
            )
    return out


def _ratio(figure: str, better: float, worse: float) -> float:
    return better / worse if figure in _HIGHER_IS_BETTER else worse / better


def _rounds(of: dict[str, Any], figure: str) -> list[float]:
    """Return the figure of each round or training, where there are several."""
    if figure in _OF_ROUNDS:
        return list(of[_OF_ROUNDS[figure]])
    return [run[figure] for run in of["runs"] if figure in run]


def markdown(report: dict[str, Any]) -> str:
    """Return all tables."""
    machine, logs = report["machine"], report["logs"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    blocks = [
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gb']} GB, {machine['system']}, "
        f"Python {machine['python']}, {versions}; medians of {report['settings']['rounds']} rounds",
        _table("log | how many times better | ratio | least–most | aim", logs, _ratio_rows),
        _table("log | a request | p50, µs | p99, µs", logs, _single_rows),
        _table("log | many requests | a second", logs, _bulk_rows),
        _table(
            "log | system | known queries | training, s | processor s | peak, MB | model, MB | bytes a query "
            "| opening, ms | MRR@10 | 95 %",
            logs,
            _trained_rows,
        ),
    ]
    if any("parts" in log for log in logs):
        blocks.append(_table("log | part | by | what | result", logs, _part_rows))
    return "\n\n".join(blocks)


def _table(header: str, logs: Sequence[dict[str, Any]], rows: Callable[[dict[str, Any]], list[list[str]]]) -> str:
    lines = [f"| {header} |", "|" + "---|" * (header.count("|") + 1)]
    lines += [f"| {' | '.join([log['log'], *row])} |" for log in logs for row in rows(log)]
    return "\n".join(lines)


def _ratio_rows(log: dict[str, Any]) -> list[list[str]]:
    return [
        [
            r["name"],
            number(r["ratio"]),
            f"{number(r['low'])}–{number(r['high'])}",
            f"≥ {r['aim']}" if r["aim"] else "-",
        ]
        for r in log["ratios"]
    ]


def _single_rows(log: dict[str, Any]) -> list[list[str]]:
    return [[way, number(t["p50_us"]), number(t["p99_us"])] for way, t in log["single"].items()]


def _bulk_rows(log: dict[str, Any]) -> list[list[str]]:
    return [[way, f"{t['per_second']:,.0f}"] for way, t in log["bulk"].items()]


def _trained_rows(log: dict[str, Any]) -> list[list[str]]:
    return [
        [
            system,
            f"{t['labels']:,}",
            number(t["seconds"]),
            number(t["cpu_seconds"]),
            f"{t['peak_mb']:.0f}",
            f"{t['bytes'] / 1e6:.1f}",
            f"{t['bytes'] / t['labels']:.0f}",
            number(t["open_ms"]),
            f"{t['mrr@10']:.4f}",
            "–".join(f"{end:.4f}" for end in t["ci95"]),
        ]
        for system, t in log["trained"].items()
    ]


def _part_rows(log: dict[str, Any]) -> list[list[str]]:
    return [[p["part"], p["by"], p["what"], f"{number(p['value'])} {p['unit']}"] for p in log.get("parts", ())]


def number(value: float) -> str:
    """Return a number with three digits that count, but no more than three places."""
    if value >= 100:
        return f"{value:,.0f}"
    places = 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{places}f}"
