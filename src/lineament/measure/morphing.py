"""Face morphs: how well they are detected, and how vulnerable a recogniser is to them.

A morph is one picture made of several people, meant to match each of them. For detection a score
says how bona fide a picture looks, as in `measure.presentation`; for vulnerability it says how much
a probe looks like the morph. Either way a score of at least the threshold passes.

Source: ISO/IEC 20059 for the terms; U. Scherhag et al., "Biometric systems under morphing
attacks: assessment of morphing techniques and vulnerability reporting", BIOSIG 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from lineament.measure.checks import need, need_alike, need_share
from lineament.measure.presentation import joined
from lineament.measure.verification import equal_error_rate, roc, threshold_at


@dataclass(frozen=True, eq=False)
class MorphCurve:
    """The trade-off of a morph detector.

    Attributes:
        thresholds: falling; infinity first, then every score that occurs.
        macer: share of morphs that pass as bona fide, rising from 0 to 1.
        bpcer: share of bona fide pictures taken for morphs, falling from 1 to 0.
    """

    thresholds: Float64[np.ndarray, " k"]
    macer: Float64[np.ndarray, " k"]
    bpcer: Float64[np.ndarray, " k"]


def morph_curve(bona_fide: Float[np.ndarray, " n"], morphs: Float[np.ndarray, " m"]) -> MorphCurve:
    """Both errors at every threshold that tells scores apart.

    Raises:
        BadInput: one kind is missing, or a score is not finite.
    """
    curve = roc(*joined(bona_fide, morphs))
    return MorphCurve(curve.thresholds, curve.fmr, curve.fnmr)


def detection_equal_error_rate(
    bona_fide: Float[np.ndarray, " n"], morphs: Float[np.ndarray, " m"]
) -> float:
    """D-EER: the error where MACER and BPCER are equal, on straight lines between thresholds.

    Raises:
        BadInput: one kind is missing, or a score is not finite.
    """
    return equal_error_rate(*joined(bona_fide, morphs))


def bpcer_at_macer(
    bona_fide: Float[np.ndarray, " n"], morphs: Float[np.ndarray, " m"], macer: float
) -> float:
    """BPCER at the lowest threshold at which no more than `macer` of the morphs pass.

    Raises:
        BadInput: one kind is missing, a score is not finite, or `macer` is not in [0, 1].
    """
    need_share(macer=macer)
    curve = morph_curve(bona_fide, morphs)
    return float(
        curve.bpcer[curve.thresholds >= threshold_at(morphs.astype(np.float64), macer)][-1]
    )


def mmpmr(scores: Float[np.ndarray, "m s"], threshold: float) -> float:
    """Mated morph presentation match rate: share of morphs that match *all* their people.

    The paper counts scores above the threshold; here, as everywhere in this package, a score at the
    threshold matches too.

    Args:
        scores: of each morph against one probe of each of its s people.
        threshold: of the recogniser, from its own false-match rate.

    Raises:
        BadInput: there are no morphs, fewer than two people a morph, or a number is not finite.
    """
    _need_morphs(scores, threshold, 2)
    return float(np.mean(scores.min(axis=1) >= threshold))


def min_max_mmpmr(scores: Float[np.ndarray, "m s p"], threshold: float) -> float:
    """MMPMR where each person has p probes and the best one decides; it grows with p.

    Raises:
        BadInput: as `mmpmr`, or there are no probes.
    """
    _need_morphs(scores, threshold, 3)
    return mmpmr(scores.max(axis=2), threshold)


def prod_avg_mmpmr(scores: Float[np.ndarray, "m s p"], threshold: float) -> float:
    """MMPMR where each person has p probes: the chance that one drawn of each person all match.

    Raises:
        BadInput: as `mmpmr`, or there are no probes.
    """
    _need_morphs(scores, threshold, 3)
    return float(np.mean((scores >= threshold).mean(axis=2).prod(axis=1)))


def relative_morph_match_rate(match_rate: float, fnmr: float) -> float:
    """RMMR: an MMPMR held against how often the recogniser matches at all: MMPMR + FNMR.

    1 + (MMPMR - (1 - FNMR)) in the paper; it may exceed 1.

    Raises:
        BadInput: a rate is not in [0, 1].
    """
    need_share(match_rate=match_rate, fnmr=fnmr)
    return match_rate + fnmr


def _need_morphs(scores: np.ndarray, threshold: float, axes: int) -> None:
    need_alike(scores=scores)
    need(scores.ndim == axes, f"an array of {axes} axes expected; got {scores.shape}")
    need(scores.shape[1] >= 2, "a morph is of two people at least")
    need(np.isfinite(threshold), "the threshold must be finite")
