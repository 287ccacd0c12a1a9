"""Is a stated false-match rate the rate that comes? Stated on half of the people, measured on the
other half.

A calibration says which score strangers exceed how often. Here it is made anew from the pairs of
one random half of the people and held against the pairs of the other half, then the other way
round, for several halvings. Nobody is on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from lineament.bench.plots import Axis, Curve, Span
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration

HALVINGS = 3
"""Each is measured in both directions."""


@dataclass(frozen=True)
class HeldOut:
    """Rates that were stated, and what came.

    Attributes:
        stated: false-match rates, falling.
        measured: the mean rate on people whom the calibration did not see.
        spread: the lowest and the highest of the measurements.
        error: mean distance of the measurements from the stated rate, as a share of it.
    """

    stated: tuple[float, ...]
    measured: tuple[float, ...]
    spread: tuple[Span, ...]
    error: tuple[float, ...]

    def row(self, rate: float) -> int:
        """Where a stated rate stands.

        Raises:
            BadInput: it was not stated.
        """
        if rate not in self.stated:
            raise BadInput(f"{rate:g} is none of the stated rates")
        return self.stated.index(rate)


def impostor_scores(
    vectors: Float32[np.ndarray, "n d"], people: Int64[np.ndarray, " n"]
) -> Float32[np.ndarray, " p"]:
    """Cosines of all pairs of rows of different people.

    Raises:
        BadInput: there is no such pair.
    """
    parts = [
        (vectors[row + 1 :] @ vectors[row])[people[row + 1 :] != people[row]]
        for row in range(len(people) - 1)
    ]
    if not any(map(len, parts)):
        raise BadInput("a false-match rate needs pairs of different people")
    return np.concatenate(parts)


def held_out(embeddings: Embeddings, people: Int64[np.ndarray, " n"], seed: int) -> HeldOut:
    """Calibrate on one half of the people and measure on the other, `HALVINGS` times both ways.

    Raises:
        BadInput: a half holds no pair of different people.
        ValueError: a half holds too few pairs for any rate.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(people)
    runs: list[dict[float, float]] = []
    for _ in range(HALVINGS):
        first = np.isin(people, rng.permutation(names)[: len(names) // 2])
        halves = [
            np.sort(impostor_scores(embeddings.vectors[half], people[half]))
            for half in (first, ~first)
        ]
        for known, unseen in (halves, halves[::-1]):
            ladder = Calibration.from_scores(embeddings.space, "half of the people", known)
            above = len(unseen) - np.searchsorted(unseen, np.asarray(ladder.scores, unseen.dtype))
            runs.append(dict(zip(ladder.rates, (above / len(unseen)).tolist(), strict=True)))
    stated = [rate for rate in runs[0] if all(rate in run for run in runs)]
    measured = [[run[rate] for run in runs] for rate in stated]
    return HeldOut(
        tuple(stated),
        tuple(float(np.mean(row)) for row in measured),
        tuple((min(row), max(row)) for row in measured),
        tuple(
            float(np.mean(np.abs(np.asarray(row) / rate - 1)))
            for rate, row in zip(stated, measured, strict=True)
        ),
    )


def calibration_plot(found: Mapping[str, HeldOut], data: str) -> Curve:
    """Measured over stated rates; an honest calibration lies on the diagonal."""
    # A rate of nothing has no place on a logarithmic axis.
    shown = {name: [i for i, v in enumerate(h.measured) if v > 0] for name, h in found.items()}
    return Curve(
        f"Calibration: {data}",
        Axis("stated false-match rate", "log"),
        Axis("measured on people not calibrated on", "log"),
        {
            name: ([h.stated[i] for i in shown[name]], [h.measured[i] for i in shown[name]])
            for name, h in found.items()
        },
        {name: [h.spread[i] for i in shown[name]] for name, h in found.items()},
        diagonal=True,
        note=f"Points are means and whiskers the range of {2 * HALVINGS} measurements: "
        f"{HALVINGS} random halvings of the people, each in both directions.",
    )
