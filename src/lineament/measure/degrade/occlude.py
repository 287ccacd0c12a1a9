"""Faces partly covered: sunglasses, a mask, a hand, drawn where the five points say.

A shape is a union of convex polygons in the frame of the template `ARCFACE_112`, each around a
centre of its own. How hard it covers is one number, the share of the template's 112 x 112 pixels:
all its polygons grow about their centres until they cover that much. Severities of all shapes are
so on one scale, and a milder one lies within a harder one.

Source: masks drawn by landmarks, their height and colour varied, are how M. Ngan et al., "Ongoing
Face Recognition Vendor Test (FRVT) Part 6A", NISTIR 8311, 2020, measured masks. The outlines and
flat colours here are ours; a drawn mask has no folds, shadows or straps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from lineament.core.crops import ARCFACE_112
from lineament.core.geometry import umeyama
from lineament.measure.degrade.pixels import Pixels, Points, require

Place = tuple[float, float]
Polygon = tuple[Place, ...]
Part = tuple[Place, Polygon]
"""A centre, and the corners of a convex polygon around it."""
Colours = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Shape:
    """Something that covers a face.

    Attributes:
        name: what it is.
        parts: (centre, corners) of convex polygons, in pixels of the template after `place` is
            taken off; corners in order around, the centre within.
        colours: RGB; one is drawn for each face.
        place: where the shape's origin lies in the template.
        wander: how far the origin is moved at most, in x and y, pixels of the template.
        turn: how far the shape is turned about its origin at most, degrees.
    """

    name: str
    parts: tuple[Part, ...]
    colours: Colours
    place: Place = (0.0, 0.0)
    wander: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0


def _box(x1: float, y1: float, x2: float, y2: float) -> Polygon:
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def _lens(x: float, y: float) -> Part:
    corners = (-12, -8), (12, -8), (15, -3), (12, 7), (6, 11), (-6, 11), (-12, 7), (-15, -3)
    return (x, y), tuple((x + dx, y + dy) for dx, dy in corners)


def _finger(degrees: float, length: float, half: float) -> Part:
    """A bar from a little behind the palm's middle outwards; 0 degrees points up."""
    a = np.radians(degrees)
    along, aside = np.asarray([np.sin(a), -np.cos(a)]), np.asarray([np.cos(a), np.sin(a)])
    ends = (
        along * length - aside * half,
        along * length + aside * half,
        -along * half + aside * half,
        -along * half - aside * half,
    )
    return (0.0, 0.0), tuple((float(x), float(y)) for x, y in ends)


SUNGLASSES = Shape(
    "sunglasses",
    (
        _lens(*ARCFACE_112.points[0]),
        _lens(*ARCFACE_112.points[1]),
        ((55.9, 48.0), _box(44.0, 46.0, 68.0, 50.0)),
    ),
    ((12, 12, 14), (30, 22, 16), (18, 24, 30), (44, 32, 20)),
)
"""Two dark lenses about the eyes and a bridge."""

MASK = Shape(
    "mask",
    (
        (
            (56.0, 88.0),
            (
                *((44, 64), (56, 60), (68, 64), (90, 72)),
                *((84, 102), (70, 118), (42, 118), (28, 102), (22, 72)),
            ),
        ),
    ),
    ((168, 200, 222), (236, 236, 232), (24, 24, 28), (186, 208, 190)),
)
"""A surgical mask over nose, mouth and chin."""

HAND = Shape(
    "hand",
    (
        (
            (0.0, 0.0),
            (
                *((-12, -18), (12, -18), (17, -6), (14, 14)),
                *((6, 20), (-6, 20), (-14, 14), (-17, -6)),
            ),
        ),
        _finger(-24, 42, 4.5),
        _finger(-8, 48, 4.5),
        _finger(8, 46, 4.5),
        _finger(24, 40, 4.0),
        _finger(75, 34, 5.0),
    ),
    (
        *((246, 237, 228), (243, 231, 219), (247, 234, 208), (234, 218, 186), (215, 189, 150)),
        *((160, 126, 86), (130, 92, 67), (96, 65, 52), (58, 49, 42), (41, 36, 32)),
    ),
    place=(56.0, 80.0),
    wander=(20.0, 16.0),
    turn=60.0,
)
"""A hand with its fingers spread, before the lower half of the face, turned and moved from face to
face. Colours: the ten tones of the Monk Skin Tone Scale (E. Monk, 2022)."""


def occlude(pixels: Pixels, points: Points, shape: Shape, share: float, seed: int = 0) -> Pixels:
    """Faces with a shape drawn over them, hard-edged and of one colour each.

    Args:
        pixels: n pictures.
        points: the five points of the face in each.
        shape: what covers it.
        share: of the template's square that is covered, 0 to 1; 0 changes nothing.
        seed: draws colours, and places where the shape has no fixed one. A face keeps its colour
            and place at every share.

    Raises:
        BadInput: the share lies outside.
    """
    covered = area(points, pixels.shape[1:3], shape, share, seed)
    picks = np.random.default_rng([seed, 1]).integers(0, len(shape.colours), len(pixels))
    colours = np.asarray(shape.colours, np.uint8)[picks]
    return np.where(covered[..., None], colours[:, None, None], pixels)


def area(
    points: Points, size: tuple[int, ...], shape: Shape, share: float, seed: int = 0
) -> Bool[np.ndarray, "n h w"]:
    """The pixels that `occlude` covers in pictures of `size`, height and width.

    On the template's own square they are the share asked for, or up to 1 % of the square more:
    pixels equally far out, such as a row along a straight edge, are covered together.
    """
    require(share, 0, 1, "the share covered")
    target = np.asarray(ARCFACE_112.points, np.float32)
    side = ARCFACE_112.size
    poses = _poses(shape, len(points), seed)
    upright = np.repeat(target[None], len(points), axis=0)
    on_template = _reach(_within(umeyama(upright, target), poses, side, side), shape)
    on_picture = _reach(_within(umeyama(points, target), poses, *size[:2]), shape)
    count = round(share * side * side)
    if count == 0:
        return np.zeros(on_picture.shape, bool)
    flat = on_template.reshape(len(points), side * side)
    limit = np.partition(flat, count - 1, axis=1)[:, count - 1]
    return on_picture <= limit[:, None, None]


def _poses(shape: Shape, count: int, seed: int) -> Float32[np.ndarray, "n 2 3"]:
    """From the template to the frame of the shape, one transform a face."""
    random = np.random.default_rng(seed)
    spread = random.uniform(-1, 1, (count, 3)) * (*shape.wander, np.radians(shape.turn))
    shift = np.asarray(shape.place) + spread[:, :2]
    cos, sin = np.cos(spread[:, 2]), np.sin(spread[:, 2])
    turn = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    back = -np.einsum("nij,nj->ni", turn, shift)
    return np.concatenate([turn, back[:, :, None]], axis=2).astype(np.float32)


def _within(
    to_template: Float32[np.ndarray, "n 2 3"],
    poses: Float32[np.ndarray, "n 2 3"],
    height: int,
    width: int,
) -> Float32[np.ndarray, "n 2 h w"]:
    """Where each pixel of each picture lies in the frame of its shape."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    plane = np.stack([x, y, np.ones_like(x)])
    chain = poses[:, :, :2] @ to_template
    chain[:, :, 2] += poses[:, :, 2]
    return np.einsum("nij,jhw->nihw", chain, plane, optimize=True)


def _reach(places: Float32[np.ndarray, "n 2 h w"], shape: Shape) -> Float32[np.ndarray, "n h w"]:
    """How many times its drawn size the shape must have to cover each pixel."""
    least: Float[np.ndarray, "n h w"] = np.full((len(places), *places.shape[2:]), np.inf, "f4")
    for centre, corners in shape.parts:
        needed = np.zeros_like(least)
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            # The edge's outward normal, as long as brings the edge to 1 as seen from the centre.
            normal = np.asarray([y2 - y1, x1 - x2])
            normal = (normal / (normal @ (x1 - centre[0], y1 - centre[1]))).astype(np.float32)
            ahead = normal[0] * (places[:, 0] - np.float32(centre[0]))
            ahead += normal[1] * (places[:, 1] - np.float32(centre[1]))
            np.maximum(needed, ahead, out=needed)
        np.minimum(least, needed, out=least)
    return least
