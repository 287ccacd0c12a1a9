"""What the protocols of attributes share: several answers measured on the same faces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from lineament.bench.context import Table
from lineament.bench.probes import BASELINE
from lineament.core.cards import methods
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap

COMMONEST = "always the commonest"
"""The answer that needs no picture: the commonest class, or the middle age."""
ITSELF = ", its own heads"
"""After the slug of a method that is also probed."""


@dataclass(frozen=True)
class Metric:
    """A figure of answers.

    Attributes:
        name: with its unit.
        of: answers and truth, row by row, to the figure.
        higher_is_better: which way is good.
        percent: whether tables show it in per cent.
    """

    name: str
    of: Callable[[np.ndarray, np.ndarray], float]
    higher_is_better: bool = True
    percent: bool = True

    def show(self, value: float, interval: tuple[float, float]) -> str:
        """The figure and its interval, as tables have it."""
        scale = 100 if self.percent else 1
        low, high = interval
        return f"{scale * value:.2f} ({scale * low:.2f} to {scale * high:.2f})"


@dataclass(frozen=True)
class Comparison:
    """Figures of several answers to the same question.

    Attributes:
        metrics: what was measured.
        values: by who answered and by metric.
        intervals: the same, 95 %.
    """

    metrics: tuple[Metric, ...]
    values: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]]

    def table(self, title: str) -> Table:
        """One row for each who answered."""
        headings = [f"{m.name} %#" if m.percent else f"{m.name}#" for m in self.metrics]
        rows = [
            (who, *(m.show(row[m.name], self.intervals[who][m.name]) for m in self.metrics))
            for who, row in self.values.items()
        ]
        return Table(title, ("who answers", *headings), rows)

    def results(
        self,
        protocol: str,
        data: str,
        digest: str,
        seed: int,
        note: str,
        itself: Collection[str] = (),
        baseline: str = BASELINE,
    ) -> list[Result]:
        """The evidence: every method beside a probe on raw pixels, or on other features.

        Args:
            protocol: its name.
            data: what it was measured on.
            digest: of the data.
            seed: of everything random.
            note: on all figures.
            itself: methods that answer by themselves. Of the others it is a probe that answers.
            baseline: whose probe the figures are held against.
        """
        return [
            Result(
                method=who.removesuffix(ITSELF),
                protocol=protocol,
                data=data,
                data_hash=digest,
                metric=m.name if who in itself else f"{m.name} (linear probe)",
                ours=row[m.name],
                interval=self.intervals[who][m.name],
                baseline=f"linear probe on {baseline}",
                baseline_value=self.values[baseline][m.name],
                paper=published(who, protocol, m.name) if who in itself else None,
                higher_is_better=m.higher_is_better,
                seed=seed,
                note="; ".join(
                    [
                        f"{COMMONEST}: {self.values[COMMONEST][m.name]:.4f}",
                        note,
                        *([trained_on(who)] if who in itself else []),
                    ]
                ),
            )
            for who, row in self.values.items()
            if who not in (baseline, BASELINE, COMMONEST)
            for m in self.metrics
        ]


def published(slug: str, protocol: str, metric: str) -> float | None:
    """The authors' own figure, as the card has it."""
    rows = {row[:2]: row[2] for row in methods()[slug.removesuffix(ITSELF)].card.published}
    return rows.get((protocol, metric))


def trained_on(slug: str) -> str:
    """What a method learnt from, in a phrase for a note: the test set may be part of it."""
    return f"trained on: {methods()[slug.removesuffix(ITSELF)].card.weights[0].trained_on}"


def compare(
    answers: Mapping[str, np.ndarray],
    truth: np.ndarray,
    metrics: tuple[Metric, ...],
    people: Int[np.ndarray, " n"],
    seed: int,
) -> Comparison:
    """Measure all answers on the same faces, with intervals over people.

    Args:
        answers: one row a face, by who answered.
        truth: one row a face.
        metrics: what to measure.
        people: of each face; its own number where nobody says.
        seed: of the intervals.
    """
    values: dict[str, dict[str, float]] = {}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    for who, found in answers.items():
        values[who] = {m.name: m.of(found, truth) for m in metrics}
        intervals[who] = {
            m.name: bootstrap(
                lambda rows, m=m, found=found: m.of(found[rows], truth[rows]), people, seed=seed
            ).pair
            for m in metrics
        }
    return Comparison(metrics, values, intervals)
