"""Scenes to learn detection from, and what a step sees of them: parts moved, mirrored, turned, and
stitched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from lineament.core.crops import warp
from lineament.core.geometry import invert_transform, transform_points
from lineament.core.image import Image

MIRRORED = (1, 0, 2, 4, 3)
"""Which of the five points each one is in a mirror."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with faces.

    Attributes:
        pixels: uint8 RGB.
        boxes: x1, y1, x2, y2 of each face, pixels.
        points: scheme "5" of each; NaN where they are not known.
        poses: pitch, yaw, roll of each, radians; NaN where they are not known.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    boxes: Float32[np.ndarray, "n 4"]
    points: Float32[np.ndarray, "n 5 2"]
    poses: Float32[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Amounts:
    """How much a part of a scene is changed.

    Attributes:
        nearest: least side of the part, pixels of the scene.
        farthest: greatest.
        turn: standard deviation of its rotation, radians.
        faces: share of parts that are laid around a face; the others lie anywhere.
    """

    nearest: float
    farthest: float
    turn: float
    faces: float


IN_SCENES = Amounts(100, 320, 0.05, 0.8)
IN_PORTRAITS = Amounts(150, 500, 0.3, 0.5)
"""Portraits are 256 pixels wide: parts reach beyond, so that faces are of all sizes."""


def part(scene: Scene, matrix: Float32[np.ndarray, "2 3"], size: int) -> Scene:
    """The square that a similarity, with a mirror or without, brings a scene to.

    Boxes stay upright and keep their size but for the scale; faces whose middle falls outside are
    left out.

    Args:
        scene: the scene.
        matrix: from scene to square.
        size: of the square, pixels.
    """
    mirrored = bool(np.linalg.det(matrix[:, :2]) < 0)
    side = -1.0 if mirrored else 1.0
    turn = np.arctan2(side * matrix[1, 0], side * matrix[0, 0])
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    corners = scene.boxes.reshape(-1, 2, 2)
    middles = transform_points(matrix, corners.mean(axis=1))
    halves = (corners[:, 1] - corners[:, 0]) * scale / 2
    points = transform_points(matrix, scene.points)
    poses = scene.poses * np.asarray([1, side, side]) + np.asarray([0, 0, turn])
    inside = ((middles >= 0) & (middles < size)).all(axis=1)
    boxes = np.concatenate([middles - halves, middles + halves], axis=1)
    points = points[:, list(MIRRORED)] if mirrored else points
    return Scene(
        warp(Image(scene.pixels), matrix, size),
        boxes[inside].astype(np.float32),
        points[inside].astype(np.float32),
        poses[inside].astype(np.float32),
    )


def choose_part(
    scene: Scene,
    size: int,
    rng: np.random.Generator,
    amounts: Amounts,
    around: Float[np.ndarray, " 2"] | None = None,
) -> Float32[np.ndarray, "2 3"]:
    """A random similarity from a scene to a square of `size` pixels.

    Args:
        scene: the scene.
        size: of the square.
        rng: draws.
        amounts: of change.
        around: a place of the scene that the square is to show, pixels; None lets chance choose.
    """
    height, width = scene.pixels.shape[:2]
    side = np.exp(rng.uniform(np.log(amounts.nearest), np.log(amounts.farthest)))
    aim = rng.uniform(0, 1, 2) * (width, height)
    if around is None and len(scene.boxes) and rng.random() < amounts.faces:
        around = scene.boxes.reshape(-1, 2, 2).mean(axis=1)[rng.integers(len(scene.boxes))]
    if around is not None:
        aim = around + rng.uniform(-0.4, 0.4, 2) * side
    angle, scale = rng.normal() * amounts.turn, size / side
    flip = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.asarray([[cos, -sin], [sin, cos]]) * (flip, 1)
    shift = (size - 1) / 2 - linear @ aim
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def stitch(parts: Sequence[Scene]) -> Scene:
    """Four squares of one size as one of twice the side, row by row.

    Source: Y. Chen et al., "Stitcher", arXiv:2004.12432, section 3.1.
    """
    size = len(parts[0].pixels)
    corners = np.asarray([(0, 0), (size, 0), (0, size), (size, size)], np.float32)
    rows = [np.concatenate([p.pixels for p in parts[k : k + 2]], axis=1) for k in (0, 2)]
    placed = list(zip(parts, corners, strict=True))
    return Scene(
        np.concatenate(rows),
        np.concatenate([p.boxes + np.tile(corner, 2) for p, corner in placed]),
        np.concatenate([p.points + corner for p, corner in placed]),
        np.concatenate([p.poses for p in parts]),
    )


def back(
    matrix: Float32[np.ndarray, "2 3"], point: Float[np.ndarray, " 2"]
) -> Float32[np.ndarray, " 2"]:
    """A point of the square in the pixels of the scene."""
    return transform_points(invert_transform(matrix), point)


def develop(
    pixels: UInt8[np.ndarray, "n s s 3"], rng: np.random.Generator
) -> Float32[np.ndarray, "n s s 3"]:
    """Light, contrast and colour changed at random: RGB from 0 to 255."""
    count = (len(pixels), 1, 1, 1)
    seen = pixels.astype(np.float32)
    grey = rng.random(count) < 0.1
    seen = np.where(grey, seen.mean(axis=3, keepdims=True), seen)
    tint = rng.normal(0, 0.05, (len(pixels), 1, 1, 3))
    mean = seen.mean(axis=(1, 2, 3), keepdims=True)
    contrast = np.exp(rng.normal(0, 0.25, count))
    light = np.exp(rng.normal(0, 0.25, count) + tint)
    changed = (mean + (seen - mean) * contrast) * light
    return changed.clip(0, 255).astype(np.float32)
