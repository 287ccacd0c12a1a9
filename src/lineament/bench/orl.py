"""ORL's grey pictures as the protocols need them: as they are, and aligned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from lineament.core.cards import method
from lineament.core.crops import Crops, align
from lineament.core.image import Image
from lineament.measure.sets.orl import PEOPLE, SHOTS, read_orl, read_pgm


@dataclass(frozen=True, eq=False)
class OrlFaces:
    """40 people, 10 pictures of each.

    Attributes:
        digest: of the pictures.
        images: grey, with three equal colours.
        people: of each.
        found: whether the default detector found a face in it.
        crops: aligned, of those where it did.
    """

    digest: str
    images: tuple[Image, ...]
    people: Int64[np.ndarray, " n"]
    found: Bool[np.ndarray, " n"]
    crops: Crops


@cache
def orl_faces(folder: Path) -> OrlFaces:
    """Read and align a folder of ORL."""
    labeled = read_orl(folder)
    images = tuple(Image(np.repeat(read_pgm(p)[..., None], 3, axis=2)) for p in labeled.paths)
    faces = method("yunet", "detect").load()()(images)
    crops = [align(image, f[:1].keypoints) for image, f in zip(images, faces, strict=True)]
    return OrlFaces(
        labeled.digest(),
        images,
        np.repeat(np.arange(PEOPLE), SHOTS),
        np.asarray([len(f) > 0 for f in faces]),
        Crops.join(crops),
    )
