"""What a network sees of an aligned face in training: moved, mirrored, lit, worsened, covered.

The field's usual changes, each with its own share of the faces. Everything random comes from the
generator, so that a step's batch follows from its seed; a change whose amount is 0 draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

Faces = UInt8[np.ndarray, "n h w 3"]


@dataclass(frozen=True)
class Amounts:
    """How much is changed. Shares are of the faces, each drawn for itself.

    Attributes:
        shift: largest shift along each axis, shares of the side; black comes in.
        mirrored: share of faces that are.
        light: standard deviation of brightness and contrast, as factors.
        colour: standard deviation of each channel's own brightness, as a factor.
        grey: share of faces without colour.
        cropped: share of faces of which a part, of 60 % of the side or more, is drawn at full size.
        coarse: share of faces brought to 20 to 100 % of their size and back.
        blurred: share of faces under a Gaussian of up to 3 % of the side.
        jpeg: share of faces saved as JPEG of quality 10 to 90 on the way.
        erased: share of faces with a rectangle of noise over 2 to 25 % of them.
    """

    shift: float = 0.05
    mirrored: float = 0.5
    light: float = 0.15
    colour: float = 0.05
    grey: float = 0.05
    cropped: float = 0.0
    coarse: float = 0.0
    blurred: float = 0.0
    jpeg: float = 0.0
    erased: float = 0.0


STILL = Amounts(0, 0, 0, 0, 0)
"""Nothing is changed."""
LOW_QUALITY = Amounts(cropped=0.2, coarse=0.2, blurred=0.1, jpeg=0.2, erased=0.1)
"""Pictures as cameras far away give them; AdaFace (arXiv:2204.00964, section 4.1) crops, coarsens
and relights a fifth of the faces each."""


def still(pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[Tensor, "n 3 h w"]:
    """Faces as networks take them: RGB from 0 to 255 brought to [-1, 1]."""
    return _scaled(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())


def augmented(
    pixels: UInt8[np.ndarray, "n h w 3"], rng: np.random.Generator, amounts: Amounts | None = None
) -> Float32[Tensor, "n 3 h w"]:
    """Faces as `still` gives them, each changed in its own way.

    Args:
        pixels: aligned faces.
        rng: for what is random.
        amounts: of change; None takes the usual ones.
    """
    amounts = amounts or Amounts()
    shifted = _shifted(pixels, rng, amounts.shift)
    mirrored = rng.random(len(pixels)) < amounts.mirrored
    shifted[mirrored] = shifted[mirrored, :, ::-1]
    worse = _worsened(shifted, rng, amounts)
    planes = torch.from_numpy(worse).permute(0, 3, 1, 2).float()
    planes = _lit(planes, rng, amounts).clamp(0, 255)
    if amounts.erased:
        planes = _erased(planes, rng, amounts.erased)
    return _scaled(planes)


def _scaled(planes: Tensor) -> Float32[Tensor, "n 3 h w"]:
    return (planes.sub_(127.5).div_(127.5)).contiguous(memory_format=torch.channels_last)


def _shifted(pixels: Faces, rng: np.random.Generator, share: float) -> Faces:
    """Whole pixels of shift, drawn for each face."""
    height, width = pixels.shape[1:3]
    reach = round(share * max(height, width))
    down, across = rng.integers(0, 2 * reach + 1, (2, len(pixels)))
    framed = np.pad(pixels, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows = down[:, None] + np.arange(height)
    columns = across[:, None] + np.arange(width)
    return framed[np.arange(len(pixels))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _worsened(faces: Faces, rng: np.random.Generator, amounts: Amounts) -> Faces:
    """Less of a face, fewer pixels, less sharp, and what JPEG makes of it."""
    steps: tuple[tuple[float, Callable[[np.ndarray, np.random.Generator], np.ndarray]], ...] = (
        (amounts.cropped, _crop),
        (amounts.coarse, _coarsen),
        (amounts.blurred, _blur),
        (amounts.jpeg, _compress),
    )
    for share, change in steps:
        if share:
            for row in np.flatnonzero(rng.random(len(faces)) < share):
                faces[row] = change(faces[row], rng)
    return faces


def _crop(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square part at full size."""
    from PIL import Image as Pillow

    height, width = face.shape[:2]
    share = rng.uniform(0.6, 1)
    left, top = rng.uniform(0, 1 - share, 2) * (width, height)
    box = (left, top, left + share * width, top + share * height)
    whole = Pillow.fromarray(face)
    return np.asarray(whole.resize((width, height), Pillow.Resampling.BILINEAR, box))


def _coarsen(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smaller and large again, each way by one of the usual filters."""
    from PIL import Image as Pillow

    height, width = face.shape[:2]
    share = rng.uniform(0.2, 1)
    filters = (Pillow.Resampling.BOX, Pillow.Resampling.BILINEAR, Pillow.Resampling.BICUBIC)
    down, up = (filters[int(k)] for k in rng.integers(0, len(filters), 2))
    small = (max(1, round(share * width)), max(1, round(share * height)))
    return np.asarray(Pillow.fromarray(face).resize(small, down).resize((width, height), up))


def _blur(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image as Pillow
    from PIL.ImageFilter import GaussianBlur

    sigma = rng.uniform(0, 0.03) * face.shape[1]
    return np.asarray(Pillow.fromarray(face).filter(GaussianBlur(sigma)))


def _compress(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image as Pillow

    file = BytesIO()
    Pillow.fromarray(face).save(file, "JPEG", quality=int(rng.integers(10, 91)))
    return np.asarray(Pillow.open(file))


def _lit(planes: Tensor, rng: np.random.Generator, amounts: Amounts) -> Tensor:
    """Contrast about each face's mean, brightness, colour cast, and some faces without colour."""
    count = len(planes)

    def factors(channels: int, spread: float) -> Tensor:
        drawn = np.exp(rng.normal(0, 1, (count, channels, 1, 1)) * spread)
        return torch.from_numpy(drawn.astype(np.float32))

    grey = torch.from_numpy(rng.random(count) < amounts.grey)[:, None, None, None]
    planes = torch.where(grey, planes.mean(dim=1, keepdim=True), planes)
    mean = planes.mean(dim=(1, 2, 3), keepdim=True)
    contrast, brightness = factors(1, amounts.light), factors(1, amounts.light)
    return (mean + (planes - mean) * contrast) * brightness * factors(3, amounts.colour)


def _erased(planes: Tensor, rng: np.random.Generator, share: float) -> Tensor:
    """Z. Zhong et al., "Random Erasing Data Augmentation", AAAI 2020: noise in a rectangle."""
    count, _, height, width = planes.shape
    noise = torch.from_numpy(rng.uniform(0, 255, planes.shape).astype(np.float32))
    covered = _rectangles(count, height, width, rng) & (rng.random(count) < share)[:, None, None]
    return torch.where(torch.from_numpy(covered)[:, None], noise, planes)


def _rectangles(
    count: int, height: int, width: int, rng: np.random.Generator
) -> Bool[np.ndarray, "n h w"]:
    """One a face, wholly inside it, of 2 to 25 % of its area, and 0.5 to 2 times as tall as wide
    in shares of its sides."""
    area, ratio = rng.uniform(0.02, 0.25, count), np.exp(rng.uniform(-1, 1, count) * np.log(2))
    tall, wide = np.sqrt(area * ratio), np.sqrt(area / ratio)
    top, left = rng.random(count) * (1 - tall), rng.random(count) * (1 - wide)
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    down = (y >= top[:, None]) & (y < (top + tall)[:, None])
    across = (x >= left[:, None]) & (x < (left + wide)[:, None])
    return down[:, :, None] & across[:, None, :]
