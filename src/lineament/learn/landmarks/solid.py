"""Faces in space: meshes of 478 points with their depth, and such a face turned to another side.

Shares of a crop's side throughout, for depth too: x right, y down, z away from the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from lineament.core.cards import method
from lineament.core.crops import Crops, align
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.markups import mesh_to_68
from lineament.core.media import read_image
from lineament.learn.data.cache import DAMAGED
from lineament.learn.landmarks.crops import template
from lineament.learn.landmarks.faces import default_detector, in_crop
from lineament.measure.sets.nouns import digest

LOOK = template(256, 1.09)
"""About the square that the mesh's network was made for."""
_OVAL = (
    (127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    (152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
"""Vertices of the mesh from the right ear along the jaw to the chin, and on to the left ear."""
_NEAR = 4
"""Vertices that give a place of the picture its depth."""
_RECEDES = 0.7
"""How fast the picture falls back beyond the outline of the face: depth over distance."""
_BACK = 0.12
"""How far behind the ears the axis lies that a head turns about, shares of the crop."""


@runtime_checkable
class Mesher(Protocol):
    """A method that gives meshes with depth, such as the face landmarker."""

    def look(self, crops: Crops) -> tuple[Float32[np.ndarray, "n 478 3"], np.ndarray]:
        """Points and depth in the pixels of the pictures, and the belief in a face."""
        ...


@dataclass(frozen=True, eq=False)
class SolidCrops:
    """Crops of faces with points in space.

    Attributes:
        pixels: uint8 RGB.
        points: shares of the crop's side, from its middle; depth from the head's, or from the mean
            of all points.
        hash: of the source.
    """

    pixels: UInt8[np.ndarray, "n b b 3"]
    points: Float32[np.ndarray, "n k 3"]
    hash: str

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: np.ndarray) -> SolidCrops:
        return SolidCrops(self.pixels[rows], self.points[rows], self.hash)


def kept_solid(path: Path, make: Callable[[], SolidCrops]) -> SolidCrops:
    """What `make` gives, made once and kept in a file, which knows nothing of how it was made.

    Raises:
        BadInput: the file there is something else.
    """
    if not path.is_file():
        made = make()
        partial = path.with_suffix(".part.npz")
        np.savez(partial, pixels=made.pixels, points=made.points, hash=made.hash)
        partial.replace(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return SolidCrops(archive["pixels"], archive["points"], str(archive["hash"]))
    except DAMAGED as error:
        raise BadInput(f"not a file of crops: {error}", str(path)) from error


def meshed(
    paths: Sequence[Path],
    side: int,
    wider: float,
    mesher: Mesher | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> SolidCrops:
    """Crops of the best face of each picture with its mesh of 478 points; pictures without one are
    left out.

    Args:
        paths: of pictures.
        side: of the crops, pixels.
        wider: than the usual square (`crops.template`).
        mesher: gives the meshes; None takes the face landmarker.
        say: shows a line of progress.

    Raises:
        BadInput: no picture has a face.
        WeightError: the face landmarker's weight cannot be had.
    """
    look = (mesher or method("face-landmarker", "describe").load()(threads=1)).look
    detector, shape = default_detector(), template(side, wider)
    pixels, meshes = [], []
    for row, path in enumerate(paths):
        if row % 500 == 0:
            say(f"meshing picture {row} of {len(paths)}")
        try:
            image = read_image(path)
        except UnreadableImage:
            continue
        face = detector([image])[0][:1]
        if not len(face):
            continue
        points, present = look(align(image, face.keypoints, LOOK))
        if present[0] < 0.5:
            continue
        crop = align(image, face.keypoints, shape)
        pixels.append(crop.pixels[0])
        meshes.append(_in_crop(crop, points[0]))
    if not pixels:
        raise BadInput("no face was found to learn from")
    return SolidCrops(np.stack(pixels), np.stack(meshes), digest(paths))


def solid_68(mesh: Float[np.ndarray, "n 478 3"]) -> Float32[np.ndarray, "n 68 3"]:
    """The 68 points in space, as sets of three dimensions have them: the jaw lies on the head, also
    where the head itself hides it, not on the outline that a viewer sees.

    The jaw is the mesh's oval from ear to ear in 16 equal steps, eight a side; the others are
    where `core.markups` puts them, with the depth of the nearest vertices.
    """
    flat = np.ascontiguousarray(mesh[:, :, :2], np.float32)
    inner = mesh_to_68(flat)[:, 17:]
    depth = np.stack([depth_at(m, p) for m, p in zip(mesh, inner, strict=True)])
    right, left = (np.stack([_evenly(m[list(way)], 9) for m in mesh]) for way in _OVAL)
    rest = np.concatenate([inner, depth[:, :, None]], axis=2)
    return np.concatenate([right, left[:, 1:], rest], axis=1).astype(np.float32)


def depth_at(
    mesh: Float[np.ndarray, "v 3"], places: Float[np.ndarray, "p 2"]
) -> Float64[np.ndarray, " p"]:
    """Depth of places of a picture: that of the four nearest vertices, the nearer the more."""
    return _depth(mesh, _squared_distances(places, mesh[:, :2]))


def _depth(
    mesh: Float[np.ndarray, "v 3"], apart: Float64[np.ndarray, "p v"]
) -> Float64[np.ndarray, " p"]:
    near = np.argpartition(apart, _NEAR, axis=1)[:, :_NEAR]
    weight = 1 / (np.take_along_axis(apart, near, axis=1) + 1e-9)
    return (weight * mesh[near, 2]).sum(axis=1) / weight.sum(axis=1)


def turned(
    pixels: UInt8[np.ndarray, "b b 3"],
    mesh: Float[np.ndarray, "478 3"],
    rotation: Float[np.ndarray, "3 3"],
    grid: int = 40,
) -> tuple[UInt8[np.ndarray, "b b 3"], Float32[np.ndarray, "478 3"]]:
    """A face as it would look turned: its picture laid over its mesh as a sheet, which falls back
    beyond the outline, turned about the head's axis and seen from as far away.

    What was hidden before stays unknown: there the sheet is stretched.

    Source: X. Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016, section
    3.4 (face profiling); with a regular grid in place of anchors, and no perspective.

    Args:
        pixels: the crop.
        mesh: of the face.
        rotation: matrix, from the head as it is to the head as it is to be.
        grid: places along a side whose depth is computed; between them it is interpolated.

    Returns:
        Pixels, black where nothing is seen, and the mesh.
    """
    axis = np.asarray([*mesh[:, :2].mean(axis=0), mesh[:, 2].max() + _BACK])
    sheet = (_sheet(mesh, grid) - axis) @ rotation.T + axis
    side = len(pixels)
    fine = 3 * side
    x, y, depth = (_enlarged(plane, fine).ravel() for plane in sheet.transpose(2, 0, 1))
    column, row = (np.rint((value + 0.5) * side - 0.5).astype(int) for value in (x, y))
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    order = np.argsort(-depth[inside], kind="stable")  # what is nearer is painted later
    colours = np.repeat(np.repeat(pixels, 3, axis=0), 3, axis=1).reshape(-1, 3)[inside][order]
    painted = np.zeros_like(pixels)
    painted[row[inside][order], column[inside][order]] = colours
    return painted, ((mesh - axis) @ rotation.T + axis).astype(np.float32)


def _sheet(mesh: Float[np.ndarray, "478 3"], grid: int) -> Float64[np.ndarray, "g g 3"]:
    """Places of the whole crop with their depth."""
    line = np.linspace(-0.5, 0.5, grid)
    places = np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)
    apart = _squared_distances(places, mesh[:, :2])
    # Vertices of the cheeks lie that far apart.
    gap = np.maximum(np.sqrt(apart.min(axis=1)) - 1.5 / grid, 0)
    depth = _depth(mesh, apart) + _RECEDES * gap
    return np.concatenate([places, depth[:, None]], axis=1).reshape(grid, grid, 3)


def _squared_distances(
    a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "m 2"]
) -> Float64[np.ndarray, "n m"]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squared, 0)


def _enlarged(plane: Float[np.ndarray, "g g"], size: int) -> Float64[np.ndarray, "s s"]:
    """A plane of values at the corners and between, read at the middles of `size` cells a side."""
    at = (np.arange(size) + 0.5) / size * (len(plane) - 1)
    low = np.minimum(at.astype(int), len(plane) - 2)
    share = at - low
    rows = plane[low] * (1 - share[:, None]) + plane[low + 1] * share[:, None]
    return rows[:, low] * (1 - share) + rows[:, low + 1] * share


def _in_crop(crop: Crops, points: Float32[np.ndarray, "478 3"]) -> Float32[np.ndarray, "478 3"]:
    side = crop.pixels.shape[1]
    shares = in_crop(crop, np.ascontiguousarray(points[:, :2]))
    scale = float(np.hypot(*crop.transforms[0, 0, :2])) / side
    return np.concatenate([shares, points[:, 2:] * scale], axis=1).astype(np.float32)


def _evenly(curve: Float[np.ndarray, "v 3"], count: int) -> Float64[np.ndarray, "count 3"]:
    """Points at equal steps along a curve in space, its ends included."""
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    along = np.concatenate([[0], steps.cumsum()])
    wanted = np.linspace(0, along[-1], count)
    return np.stack([np.interp(wanted, along, axis) for axis in curve.T], axis=1)
