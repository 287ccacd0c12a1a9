"""CRFR-P: hide one facial region wholly, and the same share of every other.

Source: G. Wang et al., "FSFM: A Generalizable Face Security Foundation Model via Self-Supervised
Facial Representation Learning", CVPR 2025 (arXiv:2412.12032) (Covering a Random Facial
Region followed by Proportional masking); ties and rounding as in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from lineament.learn.pretraining.masked import HIDDEN

LABELS = ("outside", "skin", "brows", "eyes", "nose", "mouth")
"""Of pixels, by number."""
REGIONS = ("brows", "eyes", "nose", "mouth", "boundary", "skin", "outside")
"""Of patches, in the order in which a patch that lies in several is given to one. The boundary is
where skin meets what is outside."""
COVERED = REGIONS[:5]
"""Those that may be hidden wholly."""


@dataclass(frozen=True, eq=False)
class Masks:
    """What is hidden of n faces.

    Attributes:
        hidden: patches, equally many of each face.
        covered: those among them that belong to the region that is hidden wholly.
    """

    hidden: Bool[np.ndarray, "n p"]
    covered: Bool[np.ndarray, "n p"]


def masks(
    labels: UInt8[np.ndarray, "n s s"],
    patch: int,
    rng: np.random.Generator,
    share: float = HIDDEN,
) -> Masks:
    """Draw a region for each face, and its mask.

    Args:
        labels: numbers of `LABELS`; the side is a multiple of `patch`.
        patch: side of a patch, pixels.
        rng: for what is random.
        share: of the patches that is hidden, rounded down.
    """
    regions = patches_of(labels, patch)
    drawn = [
        mask_of(face, int(rng.integers(len(COVERED))), rng, int(share * face.shape[1]))
        for face in regions
    ]
    hidden, covered = (np.stack(each) for each in zip(*drawn, strict=True))
    return Masks(hidden, covered)


def patches_of(labels: UInt8[np.ndarray, "n s s"], patch: int) -> Bool[np.ndarray, "n r p"]:
    """Which patches hold a pixel of each of `REGIONS`; one may be of several, or of none but its
    surroundings."""
    side = labels.shape[1] // patch
    cells = labels.reshape(len(labels), side, patch, side, patch)
    cells = cells.transpose(0, 1, 3, 2, 4).reshape(len(labels), side * side, -1)
    holds = {name: (cells == LABELS.index(name)).any(axis=2) for name in LABELS}
    holds["boundary"] = holds["skin"] & holds["outside"]
    return np.stack([holds[name] for name in REGIONS], axis=1)


def mask_of(
    regions: Bool[np.ndarray, "r p"], drawn: int, rng: np.random.Generator, count: int
) -> tuple[Bool[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """The patches hidden of one face, and those covered.

    The region that was drawn is covered. Of what each other region has beyond it and the regions
    before, the same share is hidden, such that `count` are hidden in all; rounding is made good
    by single patches outside the covered region. A region larger than `count` gives up as many
    patches as it is too large.

    Args:
        regions: patches of each of `REGIONS`.
        drawn: number of the region to cover.
        rng: for what is random.
        count: of patches to hide.
    """
    covered = regions[drawn].copy()
    if (surplus := int(covered.sum()) - count) >= 0:
        covered[_some(covered, surplus, rng)] = False
        return covered, covered
    hidden = covered.copy()
    share = -surplus / int((~covered).sum())
    taken = covered.copy()
    for number, region in enumerate(regions):
        if number != drawn:
            free = region & ~taken
            hidden[_some(free, round(share * int(free.sum())), rng)] = True
            taken |= free
    missing = count - int(hidden.sum())
    if missing >= 0:
        hidden[_some(~hidden, missing, rng)] = True
    else:
        hidden[_some(hidden & ~covered, -missing, rng)] = False
    return hidden, covered


def _some(among: Bool[np.ndarray, " p"], count: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of `count` of the patches."""
    return rng.choice(np.flatnonzero(among), count, replace=False)
