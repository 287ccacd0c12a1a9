"""Faces cut into their parts: which class each pixel is of, for a region around each face."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from lineament.core.geometry import invert_transform, transform_points
from lineament.core.named_scores import NamedScores


@dataclass(frozen=True, eq=False)
class Masks:
    """Label maps of n faces.

    A map covers a square around its face, not the picture, so that many faces of a large picture
    cost little. `label_map` brings one to the picture.

    Attributes:
        labels: number of each pixel's class, n x h x w.
        transforms: picture to map, n x 2 x 3.
        names: of the classes, by number; the first is the background.

    Raises:
        ValueError: there is not one transform a map, or two classes have the same name.
    """

    labels: UInt8[np.ndarray, "n h w"]
    transforms: Float32[np.ndarray, "m 2 3"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.transforms):
            raise ValueError(f"{len(self.transforms)} transforms for {len(self.labels)} maps")
        if len(set(self.names)) != len(self.names):
            raise ValueError("two classes have the same name")

    @classmethod
    def none(cls, side: int, names: tuple[str, ...]) -> Masks:
        """Of a picture without faces."""
        return cls(np.empty((0, side, side), np.uint8), np.empty((0, 2, 3), np.float32), names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | np.ndarray) -> Masks:
        return Masks(self.labels[rows], self.transforms[rows], self.names)

    def mask(self, name: str) -> Bool[np.ndarray, "n h w"]:
        """Which pixels of each map are of this class.

        Raises:
            KeyError: no class has this name.
        """
        if name not in self.names:
            raise KeyError(f"no class {name!r}; there are {', '.join(self.names)}")
        return self.labels == self.names.index(name)

    def area(self) -> NamedScores:
        """The share of each class in each map; a row sums to 1. What of a map lies beyond the
        picture counts too, mostly as background."""
        shares = [(self.labels == k).mean(axis=(1, 2)) for k in range(len(self.names))]
        values = np.stack(shares, axis=1).astype(np.float32)
        return NamedScores(values, self.names)

    def label_map(self, row: int, width: int, height: int) -> UInt8[np.ndarray, "height width"]:
        """The classes of the pixels of the whole picture, for one face.

        A pixel beyond the map is background. Where the map is coarser than the picture, the edges
        between classes are drawn smooth: each class's mask is sampled bilinearly and the largest
        share wins.

        Args:
            row: of the face.
            width: of the picture, pixels.
            height: of the picture, pixels.
        """
        best = np.zeros((height, width), np.uint8)
        share = np.zeros((height, width), np.uint8)
        labels, matrix = self.labels[row], self.transforms[row].astype(np.float64)
        for label in np.flatnonzero(np.bincount(labels.ravel())):
            mask = labels == label
            x1, y1, x2, y2 = _window(mask, matrix, width, height)
            if x1 < x2 and y1 < y2:
                here = slice(y1, y2), slice(x1, x2)
                found = _sampled(mask, matrix, x1, y1, x2, y2)
                better = found > share[here]
                best[here][better], share[here][better] = label, found[better]
        return best


def _window(
    mask: Bool[np.ndarray, "h w"], matrix: Float64[np.ndarray, "2 3"], width: int, height: int
) -> tuple[int, int, int, int]:
    """The part of the picture that a class covers, as x1, y1, x2, y2."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    (left, right), (top, bottom) = columns[[0, -1]] + (-1, 1), rows[[0, -1]] + (-1, 1)
    corners = np.asarray([(left, top), (right, top), (left, bottom), (right, bottom)], np.float64)
    at = transform_points(invert_transform(matrix), corners)
    (left, top), (right, bottom) = at.min(axis=0).tolist(), at.max(axis=0).tolist()
    x1, y1 = max(0, floor(left)), max(0, floor(top))
    return x1, y1, min(width, ceil(right) + 1), min(height, ceil(bottom) + 1)


def _sampled(
    mask: Bool[np.ndarray, "h w"],
    matrix: Float64[np.ndarray, "2 3"],
    x1: int,
    y1: int,
    x2: int,
    y2: int,
) -> UInt8[np.ndarray, "high wide"]:
    """How much of each pixel of a part of the picture is in the mask, 0 to 255."""
    from PIL import Image as Pillow

    (a, b, x), (c, d, y) = matrix.tolist()
    # A pixel's centre lies at a whole number here; Pillow's lie at halves.
    x, y = a * (x1 - 0.5) + b * (y1 - 0.5) + x + 0.5, c * (x1 - 0.5) + d * (y1 - 0.5) + y + 0.5
    sampled = Pillow.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).transform(
        (x2 - x1, y2 - y1),
        Pillow.Transform.AFFINE,
        (a, b, x, c, d, y),
        Pillow.Resampling.BILINEAR,
    )
    return np.asarray(sampled)
