"""Makes ``leaderboard.md`` from the evidence, and from nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from lineament.bench.published import from_baseline, from_paper, is_explained
from lineament.measure.evidence import Result, read_all
from methods_page import number, table
from page import publish

HEAD = """\
# Leaderboard

What `lineament bench` measured, protocol by protocol: made from the evidence alone, and made again
by `lineament bench --all`. An interval in parentheses holds the figure with 95 % confidence. The
best of each column is **bold**, whatever its interval says: where intervals overlap, the order may
be chance.

A difference is ours less the other's, in percentage points where both are shares, else in per cent
of the other. Where ours lies more than 0.5 from the published figure, the last column says why.
"""


WIDEST = 8
"""More metrics than this stand one below the other, with the methods side by side."""


def figure(result: Result) -> str:
    """Ours, with its interval."""
    if result.interval is None:
        return number(result.ours)
    return f"{number(result.ours)} ({number(result.interval[0])} to {number(result.interval[1])})"


def metric(result: Result) -> str:
    return result.metric


def in_order(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def board(results: Sequence[Result]) -> str:
    """Methods by metrics, best first by the first metric."""
    by_metric = {m: [r for r in results if r.metric == m] for m in in_order(map(metric, results))}
    cells = {(r.method, r.metric): figure(r) for r in results}
    for name, rows in by_metric.items():
        top = (max if rows[0].higher_is_better else min)(r.ours for r in rows)
        cells |= {(r.method, name): f"**{figure(r)}**" for r in rows if r.ours == top}
    baselines = {r.baseline for r in results}
    first = next(iter(by_metric.values()))
    ranked = sorted(first, key=lambda r: -r.ours if r.higher_is_better else r.ours)
    methods = in_order(r.method for r in [*ranked, *results])
    arrow = {True: "↑", False: "↓"}
    heads = [f"{m} {arrow[rows[0].higher_is_better]}" for m, rows in by_metric.items()]
    if len(heads) > WIDEST:
        return table(
            ["metric", *methods],
            [
                [head, *(cells.get((method, name), "") for method in methods)]
                for head, name in zip(heads, by_metric, strict=True)
            ],
        )
    return table(
        ["method", *heads],
        [
            [
                method + (" (baseline)" if method in baselines else ""),
                *(cells.get((method, name), "") for name in by_metric),
            ]
            for method in methods
        ],
    )


def beside(results: Sequence[Result]) -> str:
    """Each figure and what was measured with it in the same run."""
    return table(
        ["method", "metric", "ours (95 %)", "baseline", "its figure", "difference"],
        [
            [
                r.method,
                r.metric,
                figure(r),
                r.baseline or "",
                number(r.baseline_value),
                str(from_baseline(r) or ""),
            ]
            for r in results
        ],
    )


def published(results: Sequence[Result]) -> str:
    """Each figure that the authors gave too."""
    return table(
        ["method", "metric", "published", "ours (95 %)", "difference", "holds", "why"],
        [
            [
                r.method,
                r.metric,
                number(r.paper),
                figure(r),
                str(from_paper(r)),
                "yes" if r.claim_holds else "no",
                r.note if is_explained(r) else "**unexplained**",
            ]
            for r in results
        ],
    )


def section(data: str, results: Sequence[Result]) -> str:
    """One set of a protocol: what several methods share, the rest, and the papers' figures."""
    shared = {m for m, count in Counter(map(metric, results)).items() if count > 1}
    together = [r for r in results if r.metric in shared]
    methods = {r.method for r in together}
    others = [r for r in results if r not in together or (r.baseline and r.baseline not in methods)]
    text = f"On {data}.\n\n"
    if together:
        text += board(together) + "\n"
    if others:
        text += beside(others) + "\n"
    if papers := [r for r in results if r.paper is not None]:
        text += "Published beside ours:\n\n" + published(papers) + "\n"
    return text


def page() -> str:
    every = [result for rows in read_all().values() for result in rows]
    text = HEAD
    for protocol in sorted({r.protocol for r in every}):
        text += f"\n## {protocol}\n\n"
        rows = [r for r in every if r.protocol == protocol]
        for data in sorted({r.data for r in rows}):
            text += section(data, [r for r in rows if r.data == data])
    return re.sub(r"\n{3,}", "\n\n", text)


if __name__ == "__main__":
    publish("leaderboard.md", page())
