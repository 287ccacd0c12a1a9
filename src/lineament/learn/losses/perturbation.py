"""Random structure perturbation (RSP) of TopoFR: a share of the faces is changed, each in one way.

Source: J. Dan et al., "TopoFR: A Closer Look at Topology Alignment on Face Recognition", NeurIPS
2024 (arXiv:2410.10587); the amounts are those of the authors' code, whose lengths are
pixels of faces of 112.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image as Pillow
from PIL import ImageEnhance
from PIL.ImageFilter import GaussianBlur
from torch import Tensor

SHARE = 0.2
"""Of the faces that are perturbed: xi."""
_SIDE = 112

Face = UInt8[np.ndarray, "h w 3"]
Change = Callable[[Face, np.random.Generator], Face]


def perturbed(
    faces: Float32[Tensor, "n 3 h w"], rng: np.random.Generator, share: float = SHARE
) -> Float32[Tensor, "n 3 h w"]:
    """Faces in [-1, 1], of which each is changed with the probability `share`, in one of
    `CHANGES`. The others, and the faces given, stay as they are."""
    changed = faces.clone()
    for row in np.flatnonzero(rng.random(len(faces)) < share):
        change = CHANGES[int(rng.integers(len(CHANGES)))]
        planes = ((faces[row] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        pixels = change(planes.permute(1, 2, 0).numpy(), rng)
        changed[row] = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1
    return changed


def blur(face: Face, rng: np.random.Generator) -> Face:
    """A Gaussian of 0.1 to 5 pixels of a face of 112."""
    sigma = rng.uniform(0.1, 5) * face.shape[1] / _SIDE
    return np.asarray(Pillow.fromarray(face).filter(GaussianBlur(sigma)))


def grey(face: Face, rng: np.random.Generator) -> Face:
    """Without colour."""
    return np.asarray(Pillow.fromarray(face).convert("L").convert("RGB"))


def recolour(face: Face, rng: np.random.Generator) -> Face:
    """Darker and paler, of less contrast, of another hue."""
    picture = Pillow.fromarray(face)
    for kind, low, high in (
        (ImageEnhance.Brightness, 0.1, 0.5),
        (ImageEnhance.Contrast, 0.3, 0.6),
        (ImageEnhance.Color, 0.2, 0.5),
    ):
        picture = kind(picture).enhance(rng.uniform(low, high))
    turn = round(rng.uniform(-0.1, 0.3) * 256)
    hue, saturation, value = picture.convert("HSV").split()
    turned = hue.point([(old + turn) % 256 for old in range(256)])
    return np.asarray(Pillow.merge("HSV", (turned, saturation, value)).convert("RGB"))


def erase(face: Face, rng: np.random.Generator) -> Face:
    """A rectangle in mid grey, of 2 to 33 % of the face, 0.3 to 3.3 times as tall as wide."""
    height, width = face.shape[:2]
    area, ratio = rng.uniform(0.02, 1 / 3), np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    tall = min(height, round(np.sqrt(area * ratio) * height))
    wide = min(width, round(np.sqrt(area / ratio) * width))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    covered = face.copy()
    covered[top : top + tall, left : left + wide] = 128
    return covered


CHANGES: tuple[Change, ...] = (blur, grey, recolour, erase)
