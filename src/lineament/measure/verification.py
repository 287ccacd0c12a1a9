"""Verification metrics: pairs of faces with a score each, and whether they are of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy of pairs under cross-validation.

    Attributes:
        mean: over the folds, in [0, 1].
        error: standard error of that mean.
        folds: accuracy of each fold, at the threshold that was best on all the others.
    """

    mean: float
    error: float
    folds: tuple[float, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean, taking folds as independent."""
        return self.mean - 1.96 * self.error, self.mean + 1.96 * self.error


def _require_finite(scores: np.ndarray) -> None:
    if not np.all(np.isfinite(scores)):
        raise ValueError("scores must be finite")


def best_threshold(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """The threshold t for which ``score >= t`` agrees with `same` most often.

    Of several equally good thresholds, the middle of the lowest-lying gap between scores.
    """
    _require_finite(scores)
    order = np.argsort(scores, kind="stable")
    ranked, truth = scores[order], same[order]
    # Cutting before position i calls the i lowest pairs different.
    right = np.concatenate([[0], np.cumsum(~truth)]) + np.concatenate(
        [[truth.sum()], truth.sum() - np.cumsum(truth)]
    )
    edges = np.concatenate([[ranked[0] - 1.0], ranked, [ranked[-1] + 1.0]])
    cuttable = edges[1:] > edges[:-1]  # equal scores cannot be told apart
    cut = int(np.argmax(np.where(cuttable, right, -1)))
    return float((edges[cut] + edges[cut + 1]) / 2)


def fold_accuracy(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], fold: Int[np.ndarray, " n"]
) -> FoldAccuracy:
    """Accuracy of each fold at the threshold chosen on the others, as LFW's protocol asks.

    Source: G. B. Huang et al., "Labeled Faces in the Wild", 2007, view 2.

    Raises:
        ValueError: scores are not finite, or there are fewer than two folds.
    """
    _require_finite(scores)
    names = np.unique(fold)
    if len(names) < 2:
        raise ValueError("cross-validation needs at least two folds")
    accuracies = []
    for name in names:
        held = fold == name
        threshold = best_threshold(scores[~held], same[~held])
        accuracies.append(float(np.mean((scores[held] >= threshold) == same[held])))
    spread = float(np.std(accuracies, ddof=1)) / len(names) ** 0.5
    return FoldAccuracy(float(np.mean(accuracies)), spread, tuple(accuracies))


def threshold_at(impostors: Float[np.ndarray, " n"], false_match_rate: float) -> float:
    """The lowest threshold at which no more than this share of `impostors` score at or above it.

    Raises:
        ValueError: there are no impostors, or scores are not finite.
    """
    _require_finite(impostors)
    if not len(impostors):
        raise ValueError("a false-match rate needs pairs of different people")
    allowed = int(np.floor(false_match_rate * len(impostors) + 1e-9))
    if allowed >= len(impostors):
        return -np.inf
    highest_refused = np.partition(impostors, len(impostors) - 1 - allowed)[-1 - allowed]
    return float(np.nextafter(highest_refused, np.inf))


def true_accept_rate(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], false_match_rate: float
) -> float:
    """Share of pairs of one person that pass where `false_match_rate` of the others do (TAR@FAR).

    Raises:
        ValueError: one kind of pair is missing, or scores are not finite.
    """
    _require_finite(scores)
    if not same.any():
        raise ValueError("a true-accept rate needs pairs of one person")
    return float(np.mean(scores[same] >= threshold_at(scores[~same], false_match_rate)))


def equal_error_rate(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """The error rate where false matches and false non-matches are equally frequent.

    Between two thresholds the rates are joined by a straight line.

    Raises:
        ValueError: one kind of pair is missing, or scores are not finite.
    """
    _require_finite(scores)
    if same.all() or not same.any():
        raise ValueError("an equal error rate needs pairs of both kinds")
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], same[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    fmr = np.concatenate([[0.0], (np.cumsum(~truth) / (~truth).sum())[last_of_tie]])
    fnmr = np.concatenate([[1.0], (1 - np.cumsum(truth) / truth.sum())[last_of_tie]])
    gap = fmr - fnmr
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(fmr[before] + share * (fmr[after] - fmr[before]))
