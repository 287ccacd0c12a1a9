"""Verification: are two faces of one person, and how often would strangers pass?"""

from __future__ import annotations

import numpy as np

from lineament.core.embeddings import Embeddings, require_same_space
from lineament.core.verdict import Calibration, Verdict
from lineament.know.calibration import calibration_of


def verify(
    a: Embeddings,
    b: Embeddings,
    *,
    false_match_rate: float = 1e-3,
    calibration: Calibration | None = None,
) -> list[Verdict]:
    """Row by row: is face i of `a` the same person as face i of `b`?

    Args:
        a: n embeddings.
        b: n embeddings of the same space.
        false_match_rate: the share of strangers that may pass, on the calibration data.
        calibration: of the space; None takes the one that ships with the package.

    Raises:
        SpaceMismatch: the spaces differ.
        ValueError: the lengths differ.
        BadInput: the calibration data cannot speak for that rate.
        LineamentError: there is no calibration of this space.
    """
    require_same_space(a.space, b.space)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} faces against {len(b)}")
    ladder = calibration or calibration_of(a.space)
    require_same_space(a.space, ladder.space)
    scores = np.einsum("nd,nd->n", a.vectors, b.vectors)
    return [ladder.verdict(float(score), false_match_rate) for score in scores]
