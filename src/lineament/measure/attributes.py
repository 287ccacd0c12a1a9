"""How well what a face shows is named: classes, attributes, age, expression, action units.

An expression is a class like any other: its usual figures are `accuracy` and `macro_f1`. Classes
are numbers from 0. A class that the truth lacks has no recall, so the means over classes refuse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.measure.checks import need, need_alike, need_rows


def accuracy(found: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"]) -> float:
    """Share of faces whose class is right.

    Raises:
        BadInput: lengths differ, or there are no faces.
    """
    need_rows(found=found, truth=truth)
    return float(np.mean(found == truth))


def confusion(
    found: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], classes: int
) -> Int64[np.ndarray, "c c"]:
    """Faces by true class (rows) and answered class (columns).

    Raises:
        BadInput: lengths differ, there are no faces, or a number is not in 0 to `classes` - 1.
    """
    need_rows(found=found, truth=truth)
    for labels in (found, truth):
        need(
            ((labels >= 0) & (labels < classes)).all(),
            f"class numbers must lie in 0 to {classes - 1}",
        )
    cells = truth.astype(np.int64) * classes + found.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def balanced_accuracy(
    found: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], classes: int
) -> float:
    """Mean over the classes of the share of their faces that are right.

    Raises:
        BadInput: as `confusion`, or the truth lacks a class.
    """
    return float(np.mean(_recalls(confusion(found, truth, classes))))


def macro_f1(found: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], classes: int) -> float:
    """Mean over the classes of their F1, 2 TP / (2 TP + FP + FN).

    Raises:
        BadInput: as `confusion`, or the truth lacks a class.
    """
    table = confusion(found, truth, classes)
    _recalls(table)
    return float(np.mean(2 * np.diag(table) / (table.sum(axis=0) + table.sum(axis=1))))


def attribute_accuracies(
    found: Bool[np.ndarray, "n a"], truth: Bool[np.ndarray, "n a"]
) -> Float64[np.ndarray, " a"]:
    """Share of faces that are right, of each yes-or-no attribute; CelebA's figure is the mean.

    Raises:
        BadInput: shapes differ, or there are no faces.
    """
    need_alike(found=found, truth=truth)
    return np.mean(found == truth, axis=0)


def balanced_accuracies(
    found: Bool[np.ndarray, "n a"], truth: Bool[np.ndarray, "n a"]
) -> Float64[np.ndarray, " a"]:
    """Mean of true-positive and true-negative rate, of each attribute; 1/2 is blind guessing.

    Raises:
        BadInput: shapes differ, there are no faces, or all faces agree on an attribute.
    """
    need_alike(found=found, truth=truth)
    yes = truth.sum(axis=0)
    lacking = np.flatnonzero((yes == 0) | (yes == len(truth)))
    need(not len(lacking), f"the truth has only one answer to attributes {lacking.tolist()}")
    hits = (found & truth).sum(axis=0) / yes
    passes = (~found & ~truth).sum(axis=0) / (len(truth) - yes)
    return (hits + passes) / 2


def age_error(found: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> float:
    """Mean absolute error in years.

    Raises:
        BadInput: lengths differ, there are no faces, or an age is not finite.
    """
    need_rows(found=found, truth=truth)
    return float(np.mean(np.abs(found.astype(np.float64) - truth.astype(np.float64))))


def cumulative_score(
    found: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"], years: float = 5.0
) -> float:
    """Share of faces whose age is wrong by at most `years` (so at most, not less than).

    Source: X. Geng, Z.-H. Zhou and K. Smith-Miles, "Automatic age estimation based on facial aging
    patterns", TPAMI 2007.

    Raises:
        BadInput: lengths differ, there are no faces, a number is not finite, or `years` is below 0.
    """
    need_rows(found=found, truth=truth)
    need(np.isfinite(years) and years >= 0, "years must be at least 0")
    errors = np.abs(found.astype(np.float64) - truth.astype(np.float64))
    return float(np.mean(errors <= years))


@dataclass(frozen=True)
class UnitScores:
    """F1 of action units.

    Attributes:
        f1: of each unit that the truth shows at least once, in [0, 1].
        undefined: units that it never shows; they are in no mean.
    """

    f1: dict[str, float]
    undefined: tuple[str, ...]

    @property
    def mean(self) -> float:
        """Over the units with an F1."""
        return float(np.mean(list(self.f1.values())))


def unit_scores(
    found: Bool[np.ndarray, "n u"], truth: Bool[np.ndarray, "n u"], units: Sequence[str]
) -> UnitScores:
    """F1 of each action unit over all frames, 2 TP / (2 TP + FP + FN).

    Args:
        found: which units are answered, one row a frame.
        truth: which are coded.
        units: their names, such as ``AU12``.

    Raises:
        BadInput: shapes or names do not fit, or the truth shows no unit at all.
    """
    need_alike(found=found, truth=truth)
    need(len(set(units)) == len(units) == truth.shape[1], "one name a unit expected, all different")
    shown = truth.any(axis=0)
    need(shown.any(), "the truth shows no unit")
    both, either = (found & truth).sum(axis=0), found.sum(axis=0) + truth.sum(axis=0)
    f1 = {units[i]: float(2 * both[i] / either[i]) for i in np.flatnonzero(shown).tolist()}
    return UnitScores(f1, tuple(unit for unit in units if unit not in f1))


def _recalls(table: np.ndarray) -> np.ndarray:
    sizes = table.sum(axis=1)
    need(sizes.all(), f"the truth lacks classes {np.flatnonzero(sizes == 0).tolist()}")
    return np.diag(table) / sizes
