"""The report of a protocol: one self-contained HTML page with figures, plots and circumstances."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from lineament import __version__
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.plots import ErrorGallery
from lineament.bench.published import (
    TOLERANCE,
    from_baseline,
    from_paper,
    is_explained,
    unexplained,
)
from lineament.cli.plots import lay_out, number, strip
from lineament.measure.evidence import Result

STRIP = 130
"""Pixels of the small axis beside each figure."""
COLOURS = 8
"""Of the style sheet, each with its own kind of line; a name has one of them in all plots."""


def write_bench_report(
    protocol: Protocol, outcome: Outcome, context: Context, seconds: float, path: Path
) -> None:
    """Write the page of one protocol that has just run, and whose evidence is written.

    Args:
        protocol: what ran.
        outcome: what it found.
        context: what it ran with; machine, versions and weights are read from its evidence.
        seconds: that it took.
        path: of the page; its folder is made.
    """
    page = render(protocol, outcome, context, seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", errors="backslashreplace")


def render(protocol: Protocol, outcome: Outcome, context: Context, seconds: float) -> str:
    """The page as text."""
    from jinja2 import Environment

    template = (files("lineament.cli") / "bench_report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pictures = [lay_out(p) for p in outcome.plots if not isinstance(p, ErrorGallery)]
    names = list(dict.fromkeys(name for p in pictures for name in p.names))
    notes = list(dict.fromkeys(r.note for r in outcome.results if r.note))
    page = environment.from_string(template).render(
        protocol=protocol,
        command=" ".join(("lineament bench", protocol.name, *context.methods)),
        groups=[_group(key, rows, notes) for key, rows in _by_metric(outcome.results)],
        notes=notes,
        unexplained=unexplained(outcome.results),
        tolerance=TOLERANCE,
        strip=STRIP,
        tables=outcome.tables,
        pictures=pictures,
        colour={name: f"s{i % COLOURS}" for i, name in enumerate(names)},
        galleries=[p for p in outcome.plots if isinstance(p, ErrorGallery)],
        data=list(dict.fromkeys((r.data, r.data_hash) for r in outcome.results)),
        runs=_runs(outcome.results, context.out),
        seed=context.seed,
        seconds=f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}",
        date=datetime.date.today().isoformat(),
        version=__version__,
    )
    return page.lstrip() + "\n"


def _by_metric(results: Sequence[Result]) -> list[tuple[tuple[str, str], list[Result]]]:
    """Results of each set and metric, in the order of their first mention, best first."""
    order = list(dict.fromkeys((r.data, r.metric) for r in results))
    ranked = sorted(results, key=lambda r: -r.ours if r.higher_is_better else r.ours)
    ranked.sort(key=lambda r: order.index((r.data, r.metric)))
    return [(k, list(rows)) for k, rows in groupby(ranked, key=lambda r: (r.data, r.metric))]


def _group(key: tuple[str, str], rows: Sequence[Result], notes: Sequence[str]) -> dict[str, Any]:
    ends = [
        value
        for r in rows
        for value in (r.ours, r.baseline_value, r.paper, *(r.interval or ()))
        if value is not None
    ]
    low, high = min(ends), max(ends)
    span = (low, high) if high > low else (low - 1, high + 1)
    return {
        "data": key[0],
        "metric": key[1],
        "better": "higher is better" if rows[0].higher_is_better else "lower is better",
        "rows": [_row(r, span, notes) for r in rows],
    }


def _row(result: Result, span: tuple[float, float], notes: Sequence[str]) -> dict[str, Any]:
    low, high = result.interval or (None, None)
    gap = from_paper(result)
    beside = from_baseline(result)
    return {
        "method": result.method,
        "ours": number(result.ours),
        "interval": f"{number(low)} to {number(high)}" if result.interval else "",
        "baseline": result.baseline or "",
        "baseline_value": number(result.baseline_value),
        "beats": {None: "", True: "better", False: "worse"}[beside and beside.better],
        "paper": number(result.paper),
        "gap": str(gap) if gap else "",
        "holds": result.claim_holds,
        "explained": is_explained(result),
        "note": notes.index(result.note) + 1 if result.note else None,
        "places": strip((result.ours, low, high, result.baseline_value, result.paper), span, STRIP),
    }


def _runs(results: Sequence[Result], folder: Path) -> list[dict[str, Any]]:
    """Circumstances of each method's run, as the evidence just written holds them."""
    found = []
    for slug in dict.fromkeys(r.method for r in results):
        run = json.loads((folder / f"{slug}.json").read_text(encoding="utf-8"))["runs"][-1]
        found.append({"method": slug, **{k: v for k, v in run.items() if k != "results"}})
    return found
