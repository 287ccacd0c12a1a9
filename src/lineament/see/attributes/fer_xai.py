"""Where an expression model looks, beside where people say an expression shows.

Each part of a crop is covered in turn; where covering lowers a class's probability, the model
looked for that class. Maps of many faces of an expression are averaged, since aligned crops share
their places, and held against a mask of the facial regions that move in that expression.

Source: F. X. Gaya-Morey et al., "Unveiling the human-like similarities of automatic facial
expression recognition: an empirical exploration through explainable AI", arXiv:2401.11835;
M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, for the
covering (section 4.2); P. Ekman, W. V. Friesen, "Facial action coding system", 1978, for the
regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="fer-xai",
    title="Unveiling the Human-like Similarities of Automatic Facial Expression Recognition: An "
    "Empirical Exploration through Explainable AI",
    paper="arXiv:2401.11835",
    verb="audit",
    task="Maps which parts of a face an expression model looks at, against the regions that move.",
    entry="occlusion",
    needs=("crops", "landmarks"),
    gives=("maps",),
    deviations=(
        "Maps come from covering squares of a grid, not from LIME's superpixels in a normalised "
        "face; crops are aligned on five points instead.",
        "Which region moves in which expression is drawn from the action units that Ekman and "
        "Friesen list; the authors' own masks are not published with the paper.",
        "The map is cut where it covers as much as the mask, so that neither a large nor a small "
        "map gains by its size.",
    ),
    risk=(
        "A map says what a network reacts to, not why, and agreement with people's regions does "
        "not make an answer right. Do not take it as grounds for a decision about a person."
    ),
    published=(("fer-xai", "mean IoU", 0.2702),),
)

Judge = Callable[[UInt8[np.ndarray, "n h w 3"]], Float32[np.ndarray, "n k"]]
"""Crops to probabilities of k classes."""

REGIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "brows": (
        (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
        (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    ),
    "eyes": (
        (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    ),
    "nose": ((168, 193, 417, 129, 358, 98, 327, 2, 4),),
    "cheeks": ((117, 118, 101, 205, 187, 123, 50), (346, 347, 330, 425, 411, 352, 280)),
    "mouth": ((61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 17, 181, 91, 146),),
}
"""Vertices of the 478 whose hulls make up each region."""
MOVING: dict[str, tuple[str, ...]] = {
    "angry": ("brows", "eyes", "mouth"),  # units 4, 5, 7, 23
    "disgust": ("nose", "mouth"),  # 9, 15, 16
    "fear": ("brows", "eyes", "mouth"),  # 1, 2, 4, 5, 20, 26
    "happy": ("cheeks", "eyes", "mouth"),  # 6, 12
    "sad": ("brows", "mouth"),  # 1, 4, 15
    "surprise": ("brows", "eyes", "mouth"),  # 1, 2, 5, 26
}
"""Regions that move in each expression; in none they do not."""


def occlusion(
    judge: Judge, crop: UInt8[np.ndarray, "h w 3"], parts: int = 4, steps: int = 2
) -> Float32[np.ndarray, "k h w"]:
    """How much each class loses where each pixel is covered.

    A square of the crop's mean colour moves over the crop. A pixel's value is the mean, over the
    squares that cover it, of the probability without cover less that under the square.

    Args:
        judge: the model.
        crop: one face.
        parts: squares side by side across the crop.
        steps: moves until the square has moved by its own width.

    Raises:
        BadInput: there would be no square, or the crop is smaller than the grid.
    """
    height, width = crop.shape[:2]
    if parts < 1 or steps < 1 or min(height, width) < parts * steps:
        raise BadInput(f"no grid of {parts} x {steps} fits a crop of {width} x {height}")
    places = (parts - 1) * steps + 1
    rows = np.linspace(0, height, parts * steps + 1).round().astype(int)
    columns = np.linspace(0, width, parts * steps + 1).round().astype(int)
    squares = [
        (slice(rows[i], rows[i + steps]), slice(columns[j], columns[j + steps]))
        for i in range(places)
        for j in range(places)
    ]
    covered = np.repeat(crop[None], len(squares) + 1, axis=0)
    for picture, square in zip(covered, squares, strict=False):
        picture[square] = crop.mean(axis=(0, 1)).round()
    *under, without = judge(covered)
    total = np.zeros((len(without), height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for square, chances in zip(squares, under, strict=True):
        total[:, *square] += (without - chances)[:, None, None]
        count[square] += 1
    return total / count


def region_mask(
    points: Float[np.ndarray, "478 2"], regions: Iterable[str], side: int
) -> Bool[np.ndarray, "side side"]:
    """The pixels of a crop that lie in any of these regions.

    Args:
        points: scheme "478" in the crop's pixels.
        regions: names of `REGIONS`.
        side: of the crop, pixels.
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("1", (side, side))
    draw = ImageDraw.Draw(canvas)
    for region in regions:
        for vertices in REGIONS[region]:
            draw.polygon([tuple(point) for point in hull(points[list(vertices)]).tolist()], fill=1)
    return np.asarray(canvas)


def hull(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """The corners of the convex hull, in order. Source: A. M. Andrew, "Another efficient algorithm
    for convex hulls in two dimensions", Information Processing Letters 1979."""
    ordered = np.unique(points, axis=0).tolist()

    def chain(row: list[list[float]]) -> list[list[float]]:
        corners: list[list[float]] = []
        for x, y in row:
            while len(corners) > 1:
                (ax, ay), (bx, by) = corners[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                corners.pop()
            corners.append([x, y])
        return corners[:-1]

    return np.asarray([*chain(ordered), *chain(ordered[::-1])])


def overlap(heat: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union of a mask and as many of the map's highest pixels, in [0, 1].

    Raises:
        BadInput: the mask is empty, or a value is not finite.
    """
    size = int(mask.sum())
    if not size or not np.isfinite(heat).all():
        raise BadInput("a mask with pixels and a finite map are needed")
    chosen = np.zeros(mask.size, bool)
    chosen[np.argsort(-heat, axis=None, kind="stable")[:size]] = True
    shared = int((chosen & mask.ravel()).sum())
    return shared / (2 * size - shared)


def correlation(heat: Float[np.ndarray, "h w"], mask: Float[np.ndarray, "h w"]) -> float:
    """Pearson's correlation of two maps, in [-1, 1].

    Raises:
        BadInput: one of them is flat or not finite.
    """
    a, b = (values.astype(np.float64) - values.mean() for values in (heat, mask))
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not np.isfinite(lengths) or lengths == 0:
        raise BadInput("two finite maps that are not flat are needed")
    return float((a * b).sum() / lengths)
