"""From wide squares to what a network sees, with every label moved along.

All of it runs on tensors, for a whole batch at once. What is random comes from a numpy generator
and from torch's own, so a step's batch follows from its seed. A rectangle that is laid over a face
tells which of its points are seen: the only true label of visibility that there is here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from lineament.learn.generalists.material import SIZE, UNKNOWN, WIDER, Labelled
from lineament.learn.landmarks.crops import MIRRORED


@dataclass(frozen=True)
class Amounts:
    """How much is changed.

    Attributes:
        turn: standard deviation of the rotation, radians.
        zoom: standard deviation of the scale's logarithm.
        shift: standard deviation along each axis, shares of the side.
        mirrored: share of faces that are.
        light: standard deviation of brightness and contrast, as factors.
        grey: share of faces without colour.
        noise: largest standard deviation of the noise, in grey levels.
        covered: share of faces with a rectangle of one colour on them.
    """

    turn: float = 0.12
    zoom: float = 0.07
    shift: float = 0.03
    mirrored: float = 0.5
    light: float = 0.2
    grey: float = 0.1
    noise: float = 6.0
    covered: float = 0.3


STILL = Amounts(0, 0, 0, 0, 0, 0, 0, 0)
"""Nothing is changed."""
COVERED = Amounts(0, 0, 0, 0, 0, 0, 0, 1)
"""Nothing but a rectangle on every face."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Faces as a network sees them, and their labels; NaN or `UNKNOWN` where there is none.

    Attributes:
        seen: RGB from 0 to 255.
        points: shares of the square's side from its middle.
        visible: whether each point can be seen, 0 or 1.
        masks: class of each pixel.
        pose: pitch, yaw, roll in radians.
        attributes: 0 or 1.
        age: years.
        sex: number of the label.
    """

    seen: Float32[Tensor, "n 3 s s"]
    points: Float32[Tensor, "n 68 2"]
    visible: Float32[Tensor, "n 68"]
    masks: Int64[Tensor, "n s s"]
    pose: Float32[Tensor, "n 3"]
    attributes: Float32[Tensor, "n 40"]
    age: Float32[Tensor, " n"]
    sex: Float32[Tensor, " n"]

    def __getitem__(self, rows: Bool[Tensor, " n"]) -> Batch:
        return Batch(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def knows(self, task: str) -> Bool[Tensor, " n"]:
        """Which rows have a label of a task. A loss that is computed on these alone gives the
        task's head no gradient from any other."""
        if task == "parsing":
            return (self.masks != UNKNOWN).flatten(1).any(dim=1)
        of = {"landmarks": "points", "visibility": "visible"}.get(task, task)
        values = getattr(self, of)
        return values.isfinite().reshape(len(values), -1).all(dim=1)


def see(
    faces: Labelled, rng: np.random.Generator, amounts: Amounts = STILL, size: int = SIZE
) -> Batch:
    """Squares as a network sees them, and their labels.

    Args:
        faces: some rows.
        rng: for what is random.
        amounts: of change.
        size: of the squares, pixels.
    """
    count = len(faces)
    turn = rng.normal(0, 1, count) * amounts.turn
    moves = _moves(turn, rng, amounts)
    flipped = torch.from_numpy(rng.random(count) < amounts.mirrored)
    seen = _look(torch.from_numpy(faces.pixels).permute(0, 3, 1, 2).float(), moves, size)
    masks = _look_nearest(torch.from_numpy(faces.masks), moves, size)
    points = _place(torch.from_numpy(faces.points), moves)
    pose = torch.from_numpy(faces.pose - turn[:, None].astype(np.float32) * (0, 0, 1)).float()
    points = torch.where(flipped[:, None, None], mirror_points(points), points)
    covers = _covers(count, rng, amounts.covered)
    return Batch(
        seen=_develop(_flip(seen, flipped), covers, rng, amounts),
        points=points,
        visible=_visible(points, covers),
        masks=_flip(masks, flipped),
        pose=torch.where(flipped[:, None], pose * torch.tensor([1.0, -1.0, -1.0]), pose),
        attributes=torch.from_numpy(faces.attributes),
        age=torch.from_numpy(faces.age),
        sex=torch.from_numpy(faces.sex),
    )


def mirror_points(points: Float[Tensor, "n 68 2"]) -> Float[Tensor, "n 68 2"]:
    """The points of the mirrored square."""
    return points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])


def _moves(turn: np.ndarray, rng: np.random.Generator, amounts: Amounts) -> Tensor:
    """Similarities from shares of the square to shares of the wide one, n x 2 x 3.

    The square turns clockwise by `turn`, so what it shows turns counter-clockwise.
    """
    count = len(turn)
    scale = np.exp(rng.normal(0, 1, count) * amounts.zoom) / WIDER
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    x, y = rng.normal(0, 1, (2, count)) * amounts.shift / WIDER
    rows = np.stack([cos, -sin, x, sin, cos, y], axis=1).reshape(-1, 2, 3)
    return torch.from_numpy(rows.astype(np.float32))


def _grid(moves: Tensor, size: int) -> Tensor:
    # Torch's grids run from -1 to 1 where shares run from -0.5 to 0.5.
    theta = moves * torch.tensor([1.0, 1.0, 2.0])
    return functional.affine_grid(theta, [len(moves), 1, size, size], align_corners=False)


def _look(planes: Tensor, moves: Tensor, size: int) -> Tensor:
    """The squares that the moves cut out; black beyond the wide square."""
    return functional.grid_sample(planes, _grid(moves, size), align_corners=False)


def _look_nearest(masks: Tensor, moves: Tensor, size: int) -> Tensor:
    """The same of masks, whose numbers are no quantities; unknown beyond the wide square."""
    shifted = masks[:, None].float() - UNKNOWN  # so that the zeros of beyond are `UNKNOWN`
    found = functional.grid_sample(shifted, _grid(moves, size), mode="nearest", align_corners=False)
    return (found[:, 0] + UNKNOWN).round().long()


def _place(points: Tensor, moves: Tensor) -> Tensor:
    """Points of the wide square in the squares."""
    linear, shift = moves[:, :, :2], moves[:, None, :, 2]
    return (points - shift) @ torch.linalg.inv(linear).transpose(1, 2)


def _flip(planes: Tensor, flipped: Bool[Tensor, " n"]) -> Tensor:
    chosen = flipped.view(-1, *[1] * (planes.ndim - 1))
    return torch.where(chosen, planes.flip(-1), planes)


def _covers(count: int, rng: np.random.Generator, share: float) -> Float32[Tensor, "n 2 2"]:
    """Centre and half sides of a rectangle a face, in shares; without sides where there is none."""
    centre = rng.uniform(-0.35, 0.35, (count, 2))
    half = rng.uniform(0.06, 0.22, (count, 2)) * (rng.random(count) < share)[:, None]
    return torch.from_numpy(np.stack([centre, half], axis=1).astype(np.float32))


def _visible(points: Tensor, covers: Tensor) -> Tensor:
    """1 where a point lies in the square and not below its rectangle; NaN where it is unknown."""
    centre, half = covers[:, None, 0], covers[:, None, 1]
    covered = ((points - centre).abs() < half).all(dim=2)
    inside = (points.abs() <= 0.5).all(dim=2)
    visible = (inside & ~covered).float()
    return torch.where(points.isfinite().all(dim=2), visible, torch.nan)


def _develop(seen: Tensor, covers: Tensor, rng: np.random.Generator, amounts: Amounts) -> Tensor:
    """Light, colour, noise, and what lies over faces."""
    count, _, size, _ = seen.shape

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(0, 1, (count, *shape)).astype(np.float32))

    if amounts.grey:
        grey = torch.from_numpy(rng.random(count) < amounts.grey)[:, None, None, None]
        seen = torch.where(grey, seen.mean(dim=1, keepdim=True), seen)
    if amounts.light:
        mean = seen.mean(dim=(1, 2, 3), keepdim=True)
        seen = mean + (seen - mean) * torch.exp(normal(1, 1, 1) * amounts.light)
        seen = seen * torch.exp(normal(1, 1, 1) * amounts.light)
        seen = seen * torch.exp(normal(3, 1, 1) * amounts.light / 4)
    if amounts.noise:
        strength = rng.uniform(0, amounts.noise, (count, 1, 1, 1)).astype(np.float32)
        seen = seen + torch.randn(seen.shape) * torch.from_numpy(strength)
    paint = torch.from_numpy(rng.uniform(0, 255, (count, 3, 1, 1)).astype(np.float32))
    return torch.where(_under(covers, size), paint, seen).clamp(0, 255)


def _under(covers: Tensor, size: int) -> Bool[Tensor, "n 1 s s"]:
    """Pixels below each face's rectangle."""
    axis = (torch.arange(size) + 0.5) / size - 0.5
    apart = (axis - covers[:, 0, :, None]).abs() < covers[:, 1, :, None]
    return (apart[:, 1, :, None] & apart[:, 0, None])[:, None]
