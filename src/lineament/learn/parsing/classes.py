"""The classes of parsers that are trained here: 19 of a face and what it wears, and the six of
FASSEG that they are parts of. No torch here."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.measure.sets.fasseg import CLASSES as SIX

NAMES = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses"),
    *("left_ear", "right_ear", "earring", "nose", "mouth", "upper_lip", "lower_lip"),
    *("neck", "necklace", "clothes", "hair", "hat"),
)
"""By number, in the order of the labeller's; right and left are the person's own."""
LONG_TAIL = ("glasses", "earring", "necklace", "hat")
"""Classes that few faces wear. Source: arXiv:2412.08647, section 1."""
OUTSIDE = 255
"""The label of a pixel beyond the picture, which does not count."""

_OF_SIX = {
    **dict.fromkeys(("skin", "neck", "glasses", "earring", "necklace"), "skin"),
    **dict.fromkeys(("left_ear", "right_ear"), "skin"),
    # FASSEG paints brows as hair, hats as what they hide, ears and necks as skin.
    **dict.fromkeys(("hair", "left_brow", "right_brow", "hat"), "hair"),
    **dict.fromkeys(("left_eye", "right_eye"), "eyes"),
    "nose": "nose",
    **dict.fromkeys(("mouth", "upper_lip", "lower_lip"), "mouth"),
    **dict.fromkeys(("background", "clothes"), "background"),
}
PARTS_OF_SIX: Int64[np.ndarray, " 19"] = np.asarray([SIX.index(_OF_SIX[name]) for name in NAMES])
"""The class of FASSEG that each class is a part of."""


def _mirrored(name: str) -> str:
    side, _, part = name.partition("_")
    return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)


MIRRORED: UInt8[np.ndarray, " 256"] = np.arange(256, dtype=np.uint8)
"""What each label is in a mirror; `OUTSIDE` stays so."""
MIRRORED[: len(NAMES)] = [NAMES.index(_mirrored(name)) for name in NAMES]
