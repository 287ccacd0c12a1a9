"""What verification shows: ROC, DET, and the pairs that each method got most wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from lineament.bench.plots import Axis, Curve, ErrorGallery, Mistake
from lineament.measure.verification import Roc, best_threshold, roc

Scores = Mapping[str, Float[np.ndarray, " p"]]
"""Name of a method -> its score of each pair."""

WORST = 8
"""Mistakes of each kind that are listed for each method."""


def verification_plots(
    scores: Scores,
    same: Bool[np.ndarray, " p"],
    pairs: Int[np.ndarray, "p 2"],
    names: Sequence[str],
    data: str,
) -> list[Curve | ErrorGallery]:
    """ROC and DET of several methods on the same pairs, and their worst mistakes.

    Args:
        scores: of each method.
        same: whether a pair shows one person.
        pairs: the two pictures of each pair, as rows of `names`.
        names: of the pictures: stems or numbers.
        data: what was measured on, for the titles.

    Raises:
        BadInput: one kind of pair is missing, or scores are not finite.
    """
    rocs = {name: roc(values, same) for name, values in scores.items()}
    return [
        roc_plot(rocs, same, data),
        det_plot(rocs, data),
        ErrorGallery(
            f"Pairs that went most wrong: {data}",
            {n: mistakes(values, same, pairs, names) for n, values in scores.items()},
            f"Wrong at the threshold that errs least on these very pairs; at most {WORST} of each "
            "kind. Pictures are named, never shown; scores are cosines.",
        ),
    ]


def roc_plot(rocs: Mapping[str, Roc], same: Bool[np.ndarray, " p"], data: str) -> Curve:
    """TAR over FMR, from the lowest rate that the pairs can speak of."""
    return Curve(
        f"ROC: {data}",
        Axis("false-match rate", "log", (1 / float((~same).sum()), 1.0)),
        Axis("true-accept rate", span=(_floor(rocs), 1.0)),
        {name: (curve.fmr.tolist(), curve.tpr.tolist()) for name, curve in rocs.items()},
    )


def det_plot(rocs: Mapping[str, Roc], data: str) -> Curve:
    """FNMR over FMR on normal-deviate axes; scores of normal shape give straight lines."""
    span = (5e-4, 0.4)
    return Curve(
        f"DET: {data}",
        Axis("false-match rate", "probit", span),
        Axis("false non-match rate", "probit", span),
        {name: (curve.fmr.tolist(), curve.fnmr.tolist()) for name, curve in rocs.items()},
        diagonal=True,
        note="Lower is better; a line meets the diagonal at its equal error rate.",
    )


def mistakes(
    scores: Float[np.ndarray, " p"],
    same: Bool[np.ndarray, " p"],
    pairs: Int[np.ndarray, "p 2"],
    names: Sequence[str],
) -> list[Mistake]:
    """The worst false matches and false non-matches, worst first within each kind."""
    threshold = best_threshold(scores, same)
    found = []
    for kind, wrong, badness in (
        ("false match", ~same & (scores >= threshold), scores),
        ("false non-match", same & (scores < threshold), -scores),
    ):
        rows = np.flatnonzero(wrong)
        worst = rows[np.argsort(-badness[rows], kind="stable")][:WORST]
        found += [
            Mistake(kind, [names[int(i)] for i in pairs[row]], float(scores[row])) for row in worst
        ]
    return found


def _floor(rocs: Mapping[str, Roc]) -> float:
    """Where the axis of TAR begins: a tenth below the lowest line at FMR 1e-3."""
    lowest = min(float(curve.tpr[curve.fmr <= 1e-3].max()) for curve in rocs.values())
    return max(0.0, float(np.floor(10 * lowest - 0.5)) / 10)
