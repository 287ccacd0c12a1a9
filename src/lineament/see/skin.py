"""Where skin is, by colour alone: no learned weights, and no face either, only a likely place.

Skin reflects more red than green and more yellow than blue under any usual light. In L*a*b* that
leaves a* and b* positive, apart from how bright it is. A fixed threshold did better here than one
found for each picture (Otsu's), which takes the reddest half of a close face for the face.

Anything else of that colour (wood, sand, a red wall, other skin) is taken for skin too, and faces
under coloured light are missed. It finds one region a picture, without points.

Source: arXiv:1111.1090, for the use of L*a*b*, the thresholds are ours; components: A.
Rosenfeld, J. Pfaltz, "Sequential operations in digital picture processing", JACM 1966.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lineament.core.colour import lab
from lineament.core.image import Image

LEAST_RED = 6.0
"""The least a* of skin: below, chroma is noise of the camera and of JPEG."""
LIGHTNESS = (15.0, 98.0)
"""L* between black shadow and clipped highlight, where colour can be told."""
LEAST_SHARE = 0.02
"""The least share of the picture that a face region fills."""
TALLEST = 1.3
"""Height of a frontal face over its width; what hangs below is neck."""
SIDE = 256
"""Regions are sought at this size at most, pixels: skin is large or no use."""


def skin(image: Image) -> Bool[np.ndarray, "h w"]:
    """Which pixels have the colour of skin; none of a grey picture."""
    lightness, red, yellow = np.moveaxis(lab(image.pixels), -1, 0)
    low, high = LIGHTNESS
    return (red > LEAST_RED) & (yellow > 0) & (lightness > low) & (lightness < high)


def components(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "h w"]:
    """Numbers the pieces of a mask from 1, in reading order of their first pixel; 0 is outside.

    Pixels that share an edge are of one piece.
    """
    parent: list[int] = []

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    labels = np.full(mask.shape, -1, np.int64)
    above: list[tuple[int, int, int]] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(line, prepend=False, append=False))
        here = []
        for start, end in edges.reshape(-1, 2).tolist():
            run = len(parent)
            parent.append(run)
            for other_start, other_end, other in above:
                if other_start < end and start < other_end:
                    a, b = sorted((root(run), root(other)))
                    parent[b] = a
            labels[row, start:end] = run
            here.append((start, end, run))
        above = here
    roots = np.asarray([root(run) for run in range(len(parent))], np.int64)
    _, numbers = np.unique(roots, return_inverse=True)
    return np.where(mask, np.append(numbers + 1, 0)[labels], 0)


def face_region(image: Image) -> Float32[np.ndarray, " 4"] | None:
    """Box (x1, y1, x2, y2, pixels) of the largest piece of skin, cut to a face's height.

    None where no piece fills `LEAST_SHARE` of the picture. Other skin that touches the face, such
    as a hand or a neck beside it, widens the box.
    """
    step = max(1, -(-max(image.width, image.height) // SIDE))
    small = image if step == 1 else Image(np.asarray(image.pillow.reduce(step)))
    labels = components(_opened(skin(small)))
    sizes = np.bincount(labels.ravel())[1:]
    if not sizes.size or sizes.max() < LEAST_SHARE * labels.size:
        return None
    rows, columns = np.nonzero(labels == 1 + int(sizes.argmax()))
    # The outermost hundredth are strands, not the face.
    x1, x2 = np.quantile(columns, [0.01, 0.99])
    y1, y2 = np.quantile(rows, [0.01, 0.99])
    y2 = min(y2, y1 + TALLEST * (x2 - x1))
    box = np.array([x1, y1, x2 + 1, y2 + 1]) * step
    return np.clip(box, 0, [image.width, image.height] * 2).astype(np.float32)


def _opened(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The mask without what is thinner than three pixels (opening by a square of three)."""
    return _grown(~_grown(~mask))


def _grown(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    padded = np.pad(mask, 1)
    tall = padded[:-2] | padded[1:-1] | padded[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]
