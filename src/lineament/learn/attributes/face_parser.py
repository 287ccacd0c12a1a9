"""A light face parser, learnt from a large one: what a head for age looks through.

It answers like its teacher on squares of a face, in twelve classes that a mirror does not change,
and shows what it knows on the way: fine features close to the pixels, the features that the classes
are read from, and the scores of the classes, all at a quarter of the square's side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import method
from lineament.core.crops import Template
from lineament.core.geometry import invert_transform, transform_points, umeyama
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.learn.attributes.aged_faces import AgedFaces, at
from lineament.learn.engine import seeded, train
from lineament.learn.landmarks.augment import Amounts, see, still
from lineament.learn.landmarks.mobile import InvertedResidual
from lineament.learn.settings import Settings

TEACHER = "bisenet"
"""The parser that is learnt from. Its weights are for research only."""
CLASSES: Mapping[str, tuple[str, ...]] = {
    "background": ("background",),
    "skin": ("skin",),
    "brows": ("left_brow", "right_brow"),
    "eyes": ("left_eye", "right_eye"),
    "nose": ("nose",),
    "mouth": ("mouth",),
    "upper lip": ("upper_lip",),
    "lower lip": ("lower_lip",),
    "ears": ("left_ear", "right_ear"),
    "hair": ("hair",),
    "neck": ("neck",),
    "worn": ("glasses", "earring", "necklace", "clothes", "hat"),
}
"""Our classes, and those of the teacher that each one gathers."""
_PLANES = 3
"""Channels of a picture, as many masks as are moved at once."""
_PLAIN = Amounts(light=0, grey=0, blurred=0, noise=0, covered=0)
"""How far a mask is changed: moved as its picture is, and no more."""


@dataclass(frozen=True)
class Seen:
    """What a parser makes of n squares, at a quarter of their side.

    Attributes:
        fine: features close to the pixels, n x a x h x w.
        high: those that the classes are read from, n x b x h x w.
        scores: of the classes, n x k x h x w.
    """

    fine: Tensor
    high: Tensor
    scores: Tensor


class LightParser(nn.Module):
    """Light blocks down to a sixteenth of the size and up again to a quarter.

    Args:
        widths: channels at a half, a quarter, an eighth and a sixteenth of the size.
        classes: to tell apart.
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (16, 32, 48, 64), classes: int = len(CLASSES)
    ) -> None:
        super().__init__()
        first, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU6()
        )
        self.down = nn.ModuleList(
            nn.Sequential(InvertedResidual(a, b, 2, 3), InvertedResidual(b, b, 1, 3))
            for a, b in ((first, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.across = nn.ModuleList(nn.Conv2d(inner, eighth, 1) for inner in widths[1:])
        self.up = nn.ModuleList(InvertedResidual(eighth, eighth, 1, 2) for _ in range(2))
        self.classes = nn.Conv2d(eighth, classes, 1)
        self.fine, self.high = quarter, eighth

    def see(self, x: Float32[Tensor, "n 3 s s"]) -> Seen:
        """All that it knows of squares, RGB from 0 to 255; their side is a multiple of 16."""
        x = self.stem(x / 127.5 - 1)
        maps = []
        for stage in self.down:
            x = stage(x)
            maps.append(x)
        fine, middle, coarse = (layer(each) for layer, each in zip(self.across, maps, strict=True))
        middle = self.up[0](middle + _double(coarse))
        high = self.up[1](fine + _double(middle))
        return Seen(maps[0], high, self.classes(high))

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n k h w"]:
        """Scores of the classes."""
        return self.see(x).scores


def teacher_labels(
    faces: AgedFaces, cut: Template, say: Callable[[str], None]
) -> UInt8[np.ndarray, "n b b"]:
    """Numbers of `CLASSES` of each pixel of wide crops, as the teacher says of the pictures that
    they are from.

    Raises:
        LicenceNotAccepted: the teacher's weights are for research only.
    """
    teacher = method(TEACHER, "describe").load()(threads=1)
    names = list(CLASSES)
    ours = {part: names.index(name) for name, parts in CLASSES.items() for part in parts}
    table = np.asarray([ours[name] for name in teacher.names], np.uint8)
    labels = np.empty((len(faces), cut.size, cut.size), np.uint8)
    for row, (path, points) in enumerate(zip(faces.pictures, faces.points, strict=True)):
        if row % 200 == 0:
            say(f"parsing face {row} of {len(faces)} by {TEACHER}")
        image, five = read_image(str(path)), Landmarks(points[None], "5")
        masks = teacher([image], [at(five)])[0]["parsing"]
        whole = table[masks.label_map(0, image.width, image.height)]
        labels[row] = _cut_labels(
            whole, umeyama(five.points, np.asarray(cut.points, np.float32))[0], cut.size
        )
    return labels


def _cut_labels(
    labels: UInt8[np.ndarray, "h w"], matrix: Float32[np.ndarray, "2 3"], size: int
) -> UInt8[np.ndarray, "b b"]:
    """A square of a label map: the nearest label of each pixel; beyond the map it is background."""
    down, across = np.indices((size, size))
    places = np.stack([across.ravel(), down.ravel()], axis=1)
    at_x, at_y = transform_points(invert_transform(matrix), places.astype(np.float64)).T
    column, row = at_x.round().astype(np.int64), at_y.round().astype(np.int64)
    height, width = labels.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = np.zeros(size * size, np.uint8)
    found[inside] = labels[row[inside], column[inside]]
    return found.reshape(size, size)


def moved(
    pixels: UInt8[np.ndarray, "n b b 3"],
    labels: UInt8[np.ndarray, "n b b"],
    size: int,
    rng: np.random.Generator,
    amounts: Amounts,
) -> tuple[Float32[Tensor, "n 3 s s"], Float32[Tensor, "n k q q"]]:
    """Squares as a network sees them, and the share of each class in each cell of its answer.

    Masks are moved as pictures are, three at a time, by the same draws.
    """
    nowhere = np.zeros((len(pixels), 0, 2), np.float32)
    draws = rng.bit_generator.state
    seen, _ = see(pixels, nowhere, size, rng, amounts)
    plain = replace(
        _PLAIN, turn=amounts.turn, zoom=amounts.zoom, shift=amounts.shift, mirrored=amounts.mirrored
    )
    masks = []
    for start in range(0, len(CLASSES), _PLANES):
        numbers = np.arange(start, start + _PLANES, dtype=np.uint8)
        planes = (labels[..., None] == numbers).astype(np.uint8) * np.uint8(255)
        again = np.random.default_rng()
        again.bit_generator.state = draws
        masks.append(see(planes, nowhere, size, again, plain)[0] / 255)
    shares = functional.avg_pool2d(torch.cat(masks, dim=1), 4)
    # Beyond the wide crop no class is: that is background.
    shares[:, 0] += 1 - shares.sum(dim=1)
    return seen, shares


def fit_parser(
    pixels: UInt8[np.ndarray, "n b b 3"],
    labels: UInt8[np.ndarray, "n b b"],
    settings: Settings,
    folder: Path,
    size: int,
    data: str,
    say: Callable[[str], None],
) -> LightParser:
    """Teach a parser what the teacher said, under the cross-entropy with the cells' shares."""

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        seen, shares = moved(pixels[rows], labels[rows], size, rng, Amounts())
        scores = model(seen.to(memory_format=torch.channels_last))
        return functional.cross_entropy(scores, shares)

    with seeded(settings.seed):
        parser = LightParser()
    parser.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    done = train(parser, of_rows, len(pixels), settings, folder, data=data, say=say)
    assert isinstance(done, LightParser)
    return done.requires_grad_(False)


@torch.no_grad()
def agreement(
    parser: LightParser,
    pixels: UInt8[np.ndarray, "n b b 3"],
    labels: UInt8[np.ndarray, "n b b"],
    size: int,
) -> Float64[np.ndarray, " k"]:
    """Intersection over union of each class between the parser and its teacher, cell by cell."""
    rng = np.random.default_rng(0)
    still_amounts = Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0)
    shares = moved(pixels, labels, size, rng, still_amounts)[1]
    truth = shares.argmax(dim=1).flatten().numpy()
    found = parser.eval()(still(pixels, size)).argmax(dim=1).flatten().numpy()
    table = np.bincount(truth * len(CLASSES) + found, minlength=len(CLASSES) ** 2)
    table = table.reshape(len(CLASSES), len(CLASSES))
    either = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    return np.diag(table) / np.maximum(either, 1)


def _double(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
