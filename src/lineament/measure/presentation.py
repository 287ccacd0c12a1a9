"""Presentation-attack detection: how often attacks pass, and how often real people are refused.

A score says how bona fide a presentation looks: one of at least the threshold passes. Errors of
attacks are taken by species (print, replay, mask ..), and the worst species is the figure, because
an attacker chooses. A threshold is an object that remembers which data it was chosen on, and the
rates of that same data are refused: a rate is worth something on other data only.

Source: ISO/IEC 30107-3:2023. ACER is not among its measures; it is given because papers report it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from lineament.measure.checks import need, need_rows, need_share
from lineament.measure.interval import Interval, proportion
from lineament.measure.verification import roc, threshold_at

OPERATING_POINTS = (0.10, 0.05, 0.01)
"""The APCERs at which BPCER is usually given (BPCER10, BPCER20 and BPCER100)."""


@dataclass(frozen=True, eq=False)
class Presentations:
    """The scores of one data set.

    Attributes:
        name: of the set, as results name it.
        bona_fide: scores of real people.
        attacks: scores of attack presentations, by species.

    Raises:
        BadInput: the name is empty, a kind is missing, or a score is not finite.
    """

    name: str
    bona_fide: Float[np.ndarray, " n"]
    attacks: Mapping[str, Float[np.ndarray, " _"]]

    def __post_init__(self) -> None:
        need(self.name.strip() != "", "a set of presentations needs a name")
        need(len(self.attacks) > 0, "a set of presentations needs attacks")
        need_rows(bona_fide=self.bona_fide)
        for species, scores in self.attacks.items():
            need_rows(**{species: scores})

    @property
    def fingerprint(self) -> str:
        """Hash of the scores, in whatever order they come."""
        total = hashlib.sha256()
        for scores in (self.bona_fide, *(self.attacks[name] for name in sorted(self.attacks))):
            total.update(np.sort(scores.astype(np.float64)).tobytes() + b"|")
        return total.hexdigest()


@dataclass(frozen=True)
class Threshold:
    """Where presentations pass, and who says so.

    Attributes:
        value: a score of at least this passes.
        origin: the name of the set that it was chosen on, or where else it comes from.
        fingerprint: of that set; empty where it was not chosen on scores at all.

    Raises:
        BadInput: the value is NaN, or the origin is empty.
    """

    value: float
    origin: str
    fingerprint: str = ""

    def __post_init__(self) -> None:
        need(not np.isnan(self.value), "a threshold cannot be NaN")
        need(self.origin.strip() != "", "a threshold must say where it comes from")


@dataclass(frozen=True)
class Rate:
    """Errors among trials."""

    errors: int
    trials: int

    @property
    def value(self) -> float:
        """In [0, 1]."""
        return self.errors / self.trials

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval, taking presentations as independent."""
        return proportion(self.errors, self.trials)


@dataclass(frozen=True)
class PresentationErrors:
    """Errors on a test set at a threshold from elsewhere.

    Attributes:
        threshold: that threshold.
        apcer_by_species: attack presentations that pass.
        bpcer: bona fide presentations that do not.
    """

    threshold: Threshold
    apcer_by_species: Mapping[str, Rate]
    bpcer: Rate

    @property
    def apcer(self) -> float:
        """Of the worst species."""
        return max(rate.value for rate in self.apcer_by_species.values())

    @property
    def acer(self) -> float:
        """Mean of `apcer` (the worst species) and BPCER."""
        return (self.apcer + self.bpcer.value) / 2

    @property
    def hter(self) -> float:
        """Half total error rate: the mean of BPCER and of the error of all attacks pooled."""
        rates = self.apcer_by_species.values()
        pooled = sum(rate.errors for rate in rates) / sum(rate.trials for rate in rates)
        return (pooled + self.bpcer.value) / 2


def equal_error_threshold(development: Presentations) -> Threshold:
    """The threshold at which the errors of pooled attacks and of bona fide are closest.

    It is one of the scores; of equally good ones the strictest.
    """
    pooled = np.concatenate(list(development.attacks.values()))
    curve = roc(*joined(development.bona_fide, pooled))
    best = int(np.argmin(np.abs(curve.fmr - curve.fnmr)))
    return _chosen(float(curve.thresholds[best]), development)


def apcer_threshold(development: Presentations, apcer: float) -> Threshold:
    """The lowest threshold at which no species passes more often than `apcer`.

    Raises:
        BadInput: `apcer` is not in [0, 1].
    """
    return _chosen(_at_apcer(development, apcer), development)


def presentation_errors(test: Presentations, threshold: Threshold) -> PresentationErrors:
    """All error rates of a set at a threshold that was not chosen on it.

    Raises:
        BadInput: the threshold was chosen on these scores, or on a set of this name.
    """
    chosen_here = threshold.fingerprint == test.fingerprint
    same_name = bool(threshold.fingerprint) and threshold.origin == test.name
    need(
        not (chosen_here or same_name),
        f"the threshold was chosen on {threshold.origin!r} itself; choose it on other data",
    )
    passed = {
        name: _rate(scores.astype(np.float64) >= threshold.value)
        for name, scores in test.attacks.items()
    }
    refused = test.bona_fide.astype(np.float64) < threshold.value
    return PresentationErrors(threshold, passed, _rate(refused))


def bpcer_at(test: Presentations, apcer: float) -> float:
    """BPCER where the worst species passes no more often than `apcer`.

    A point of the set's own trade-off, as ISO/IEC 30107-3 asks for: it says how well scores
    separate, not what a threshold set beforehand would do.

    Raises:
        BadInput: `apcer` is not in [0, 1].
    """
    return float(np.mean(test.bona_fide.astype(np.float64) < _at_apcer(test, apcer)))


def joined(
    bona_fide: Float[np.ndarray, " n"], attacks: Float[np.ndarray, " m"]
) -> tuple[Float64[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """Scores of both kinds, and which are bona fide: they stand where genuine pairs do."""
    real = np.repeat([True, False], [len(bona_fide), len(attacks)])
    return np.concatenate([bona_fide, attacks]).astype(np.float64), real


def _at_apcer(presentations: Presentations, apcer: float) -> float:
    need_share(apcer=apcer)
    attacks = presentations.attacks.values()
    return max(threshold_at(scores.astype(np.float64), apcer) for scores in attacks)


def _rate(errors: np.ndarray) -> Rate:
    return Rate(int(errors.sum()), len(errors))


def _chosen(value: float, development: Presentations) -> Threshold:
    return Threshold(value, development.name, development.fingerprint)
