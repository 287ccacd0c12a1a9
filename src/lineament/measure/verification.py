"""Verification metrics: pairs of faces with a score each, and whether they are of one person.

Throughout, a pair matches where ``score >= threshold``. FMR, the false-match rate, is the share of
pairs of different people (impostors) that match; FNMR, the false non-match rate, the share of
pairs of one person (genuine) that do not. Equal scores are one point of every curve.

Source: ISO/IEC 19795-1:2021; T. Fawcett, "An introduction to ROC analysis", 2006.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lineament.core.errors import BadInput
from lineament.measure.interval import Interval, proportion


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


@dataclass(frozen=True)
class ErrorRates:
    """Both kinds of error at one threshold, as counts.

    The intervals take pairs as independent; where people come in several pairs, use
    `interval.bootstrap_pairs`.
    """

    false_matches: int
    impostors: int
    false_non_matches: int
    genuine: int

    @property
    def fmr(self) -> float:
        """False-match rate, in [0, 1]."""
        return self.false_matches / self.impostors

    @property
    def fnmr(self) -> float:
        """False non-match rate, in [0, 1]."""
        return self.false_non_matches / self.genuine

    @property
    def fmr_interval(self) -> Interval:
        """Wilson's 95 % interval of `fmr`."""
        return proportion(self.false_matches, self.impostors)

    @property
    def fnmr_interval(self) -> Interval:
        """Wilson's 95 % interval of `fnmr`."""
        return proportion(self.false_non_matches, self.genuine)


@dataclass(frozen=True, eq=False)
class Roc:
    """The receiver operating characteristic: from "nothing matches" to "everything does".

    Attributes:
        thresholds: falling; infinity first, then every score that occurs.
        fmr: false-match rate at each, rising from 0 to 1.
        tpr: true-match rate at each, rising from 0 to 1.
    """

    thresholds: Float64[np.ndarray, " k"]
    fmr: Float64[np.ndarray, " k"]
    tpr: Float64[np.ndarray, " k"]

    @property
    def fnmr(self) -> Float64[np.ndarray, " k"]:
        """False non-match rate at each threshold, falling from 1 to 0."""
        return 1 - self.tpr

    @property
    def area(self) -> float:
        """Area under the curve: how often a genuine pair outscores an impostor; ties are half."""
        return float(np.trapezoid(self.tpr, self.fmr))


def require_finite(scores: Float[np.ndarray, "*n"]) -> None:
    """Refuse NaN and infinities.

    Raises:
        BadInput: a score is not finite.
    """
    if not np.all(np.isfinite(scores)):
        raise BadInput("scores must be finite")


def require_pairs(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> None:
    """Refuse what has no error rates.

    Raises:
        BadInput: lengths differ, a score is not finite, or one kind of pair is missing.
    """
    if scores.ndim != 1 or scores.shape != same.shape:
        raise BadInput(f"one score and one truth a pair expected; got {scores.shape}, {same.shape}")
    require_finite(scores)
    if same.all() or not same.any():
        raise BadInput("error rates need pairs of one person and pairs of two")


def require_threshold(threshold: float) -> None:
    """Refuse NaN; infinities are thresholds that all or none pass.

    Raises:
        BadInput: the threshold is NaN.
    """
    if np.isnan(threshold):
        raise BadInput("a threshold cannot be NaN")


def best_threshold(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """The threshold t for which ``score >= t`` agrees with `same` most often.

    Of several equally good thresholds, the middle of the lowest-lying gap between scores.

    Raises:
        BadInput: there are no scores, or one is not finite.
    """
    require_finite(scores)
    if not len(scores):
        raise BadInput("a threshold needs at least one pair")
    order = np.argsort(scores, kind="stable")
    ranked, truth = scores[order], same[order]
    # Cutting before position i calls the i lowest pairs different.
    right = np.concatenate([[0], np.cumsum(~truth)]) + np.concatenate(
        [[truth.sum()], truth.sum() - np.cumsum(truth)]
    )
    edges = np.concatenate([[ranked[0] - 1.0], ranked, [ranked[-1] + 1.0]])
    cuttable = edges[1:] > edges[:-1]  # equal scores cannot be told apart
    cut = int(np.argmax(np.where(cuttable, right, -1)))
    middle = (edges[cut] + edges[cut + 1]) / 2
    # Between neighbouring floats the middle is rounded to one of them: it must not be the lower.
    return float(middle if middle > edges[cut] else edges[cut + 1])


def fold_accuracy(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], fold: Int[np.ndarray, " n"]
) -> FoldAccuracy:
    """Accuracy of each fold at the threshold chosen on the others, as LFW's protocol asks.

    Source: G. B. Huang et al., "Labeled Faces in the Wild", 2007, view 2.

    Raises:
        BadInput: scores are not finite, or there are fewer than two folds.
    """
    require_finite(scores)
    names = np.unique(fold)
    if len(names) < 2:
        raise BadInput("cross-validation needs at least two folds")
    accuracies = []
    for name in names:
        held = fold == name
        threshold = best_threshold(scores[~held], same[~held])
        accuracies.append(float(np.mean((scores[held] >= threshold) == same[held])))
    spread = float(np.std(accuracies, ddof=1)) / len(names) ** 0.5
    return FoldAccuracy(float(np.mean(accuracies)), spread, tuple(accuracies))


def threshold_at(impostors: Float[np.ndarray, " n"], false_match_rate: float) -> float:
    """The lowest threshold at which no more than this share of `impostors` score at or above it.

    At rate 1 that is minus infinity. At a rate below 1 / n no impostor passes.

    Raises:
        BadInput: there are no impostors, scores are not finite, or the rate is not in [0, 1].
    """
    require_finite(impostors)
    if not len(impostors):
        raise BadInput("a false-match rate needs pairs of different people")
    if not 0 <= false_match_rate <= 1:
        raise BadInput(f"a false-match rate lies in [0, 1]; got {false_match_rate}")
    allowed = int(np.floor(false_match_rate * len(impostors) + 1e-9))
    if allowed >= len(impostors):
        return -np.inf
    highest_refused = np.partition(impostors, len(impostors) - 1 - allowed)[-1 - allowed]
    return float(np.nextafter(highest_refused, np.inf))


def rates_at(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], threshold: float
) -> ErrorRates:
    """Both error rates where a score of at least `threshold` is a match.

    Raises:
        BadInput: one kind of pair is missing, scores are not finite, or the threshold is NaN.
    """
    require_pairs(scores, same)
    require_threshold(threshold)
    matched = scores >= threshold
    false_matches, false_non_matches = int((matched & ~same).sum()), int((~matched & same).sum())
    genuine = int(same.sum())
    return ErrorRates(false_matches, len(same) - genuine, false_non_matches, genuine)


def true_accept_rate(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], false_match_rate: float
) -> float:
    """Share of pairs of one person that pass where `false_match_rate` of the others do (TAR@FAR).

    Raises:
        BadInput: one kind of pair is missing, scores are not finite, or the rate is not in [0, 1].
    """
    require_pairs(scores, same)
    return float(np.mean(scores[same] >= threshold_at(scores[~same], false_match_rate)))


def roc(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> Roc:
    """False- and true-match rate at every threshold that tells scores apart.

    Raises:
        BadInput: one kind of pair is missing, or scores are not finite.
    """
    require_pairs(scores, same)
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], same[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    fmr = np.cumsum(~truth)[last_of_tie] / (~truth).sum()
    tpr = np.cumsum(truth)[last_of_tie] / truth.sum()
    thresholds = np.concatenate([[np.inf], ranked[last_of_tie].astype(np.float64)])
    return Roc(thresholds, np.concatenate([[0.0], fmr]), np.concatenate([[0.0], tpr]))


def area_under_roc(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Chance that a pair of one person outscores a pair of two; equal scores count half.

    Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a ROC curve",
    1982.

    Raises:
        BadInput: one kind of pair is missing, or scores are not finite.
    """
    return roc(scores, same).area


def det(
    scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """The detection error trade-off as it is drawn: FMR across and FNMR up, on `probit` axes.

    Scores of normal shape give a straight line. Points where a rate is 0 or 1 lie at infinity and
    are left out, so that kinds that nowhere overlap give no points at all. The rates themselves
    are ``roc(...).fmr`` and ``.fnmr``.

    Source: A. Martin et al., "The DET curve in assessment of detection task performance", 1997.

    Returns:
        Two arrays of normal deviates, along which FMR rises and FNMR falls.

    Raises:
        BadInput: one kind of pair is missing, or scores are not finite.
    """
    curve = roc(scores, same)
    drawn = (curve.fmr > 0) & (curve.fmr < 1) & (curve.tpr > 0) & (curve.tpr < 1)
    return probit(curve.fmr[drawn]), probit(curve.fnmr[drawn])


def probit(rates: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Where rates stand on a normal-deviate axis: the inverse of the normal distribution function.

    Raises:
        BadInput: a rate is not strictly between 0 and 1.
    """
    if not np.all((rates > 0) & (rates < 1)):
        raise BadInput("a normal-deviate axis holds rates strictly between 0 and 1")
    return np.fromiter(map(NormalDist().inv_cdf, rates.tolist()), np.float64, len(rates))


def equal_error_rate(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """The error rate where false matches and false non-matches are equally frequent.

    Between two thresholds the rates are joined by a straight line.

    Raises:
        BadInput: one kind of pair is missing, or scores are not finite.
    """
    curve = roc(scores, same)
    gap = curve.fmr - curve.fnmr
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(curve.fmr[before] + share * (curve.fmr[after] - curve.fmr[before]))


def d_prime(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> float:
    """Decidability d': how many standard deviations the two kinds of pair lie apart.

    (mean of genuine - mean of impostors) / sqrt((variance + variance) / 2), with the variances of
    the scores at hand; negative where impostors score higher. It sees no tails: where thresholds
    lie, `true_accept_rate` says more.

    Source: J. Daugman, "The importance of being random: statistical principles of iris
    recognition", Pattern Recognition 2003, section 3.

    Raises:
        BadInput: one kind of pair is missing, scores are not finite, or neither kind varies.
    """
    require_pairs(scores, same)
    genuine, impostors = (scores[kind].astype(np.float64) for kind in (same, ~same))
    spread = ((genuine.var() + impostors.var()) / 2) ** 0.5
    if not spread:
        raise BadInput("d' needs scores that vary")
    return float((genuine.mean() - impostors.mean()) / spread)
