"""RTNet: a face cut into its parts in tanh-polar space, where hair and context are seen too and a
turn of the picture is a shift of the rows. It runs a file that `lineament train roi-tanh-polar`
wrote; the transform is `core.tanh_polar`.

Source: Y. Lin, J. Shen, Y. Wang, M. Pantic, "RoI Tanh-polar Transformer Network for Face Parsing in
the Wild", Image and Vision Computing 2021 (arXiv:2102.02717).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lineament.core.cards import Card
from lineament.core.errors import WeightError
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.masks import Masks
from lineament.core.sessions import Session
from lineament.core.tanh_polar import RoiTanhPolar
from lineament.core.trained import Trained
from lineament.see.batch import split

CARD = Card(
    slug="roi-tanh-polar",
    title="RoI Tanh-polar Transformer Network for Face Parsing in the Wild",
    paper="arXiv:2102.02717",
    verb="train",
    task="Trains a parser that sees the whole picture in tanh-polar space about a face's box.",
    entry="RTNet",
    needs=("boxes", "masks"),
    gives=("a parser",),
    code="github.com/hhj1897/roi_tanh_warping, github.com/hhj1897/face_parsing",
    deviations=(
        "Eight blocks of 0.25 million weights that begin at random, on 64 x 64 pixels down to a "
        "quarter, and twice as wide between blocks as inside; not the 16 or 33 blocks of RTNet-50 "
        "and -101 on 512 x 512 down to an eighth, four times as wide.",
        "Boxes count as the square of their area, so that the way between tanh-polar and "
        "tanh-Cartesian space is the same for all faces.",
        "Whatever stays in tanh-polar space goes around in the angle; in the authors' code only a "
        "block's first path does, not stem, head and the second path of a stage's first block.",
        "The loss is cross-entropy and Dice, as segface's.",
        "Trained on CelebA pictures of 109 x 89 pixels with BiSeNet's answers for masks, and on "
        "FASSEG's own; not on Helen-LP with large poses.",
        "Coming back, what lies beyond the last column takes its value; the authors' code fades "
        "to black there.",
    ),
    risk="What the box misses is seen small: a wrong box gives a wrong view without a warning. It "
    "takes over the errors of the parser that labelled its pictures, on portraits of celebrities.",
)

REACH = 4.0
"""Side of the square that is answered for, in sides of the face's."""
SIDE = 256
"""Side of the label map, pixels."""


class RTNet:
    """A network in tanh-polar space.

    Args:
        file: ONNX, as `lineament train roi-tanh-polar` writes it.
        threads: of the network; None lets ONNX Runtime choose.

    Attributes:
        card: the method's, as that of a describer.
        names: of the classes, by number.

    Raises:
        WeightError: the file is absent, damaged, or of another making.
    """

    def __init__(self, file: Path, *, threads: int | None = None) -> None:
        self._session = Session(file, threads=threads)
        about = Trained.of(self._session.metadata, str(file))
        if about.method != CARD.slug or [o.field for o in about.outputs] != ["parsing"]:
            raise WeightError(f"{file} is a network of {about.method}, not of {CARD.slug}")
        self.card = replace(CARD, verb="describe", needs=("boxes",), gives=("parsing",))
        self.names = about.outputs[0].names
        self._view = about.view

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Masks]]:
        """``parsing`` of all faces of all pictures."""
        none = Masks.none(SIDE, self.names)
        labels, transforms = [none.labels], [none.transforms]
        for image, faces in zip(images, found, strict=True):
            for box in faces.boxes:
                middle, side = square(box)
                labels.append(self._label(image, middle, side)[None])
                transforms.append(_to_map(middle, side)[None])
        masks = Masks(np.concatenate(labels), np.concatenate(transforms), self.names)
        return [{"parsing": part} for part in split(masks, found)]

    def _label(
        self, image: Image, middle: Float64[np.ndarray, " 2"], side: float
    ) -> UInt8[np.ndarray, "s s"]:
        """The class of each pixel of the map of one face."""
        corners = (*(middle - side / 2).tolist(), *(middle + side / 2).tolist())
        polar = RoiTanhPolar(corners, self._view.size, self._view.size)
        mean, std = (np.asarray(v, np.float32) for v in (self._view.mean, self._view.std))
        seen = (polar.warp(image.pixels).astype(np.float32) / 255 - mean) / std
        scores = self._session.run(np.ascontiguousarray(seen.transpose(2, 0, 1)[None]))[0][0]
        if scores.shape != (len(self.names), *seen.shape[:2]):
            shape = " x ".join(map(str, scores.shape))
            raise WeightError(f"{self._session.path} gives {shape} scores")
        shares = _softmax(scores).transpose(1, 2, 0)
        axis = ((np.arange(SIDE) + 0.5) / SIDE - 0.5) * side * REACH
        points = middle + np.stack(np.meshgrid(axis, axis), axis=-1)
        return (
            polar.restore_at(np.ascontiguousarray(shares), points).argmax(axis=2).astype(np.uint8)
        )


def square(box: Float32[np.ndarray, " 4"]) -> tuple[Float64[np.ndarray, " 2"], float]:
    """The middle and the side of the square that has a box's area, at least a pixel."""
    corner, other = box[:2].astype(np.float64), box[2:].astype(np.float64)
    area = float(np.prod(np.maximum(other - corner, 0)))
    return (corner + other) / 2, max(area, 1.0) ** 0.5


def _to_map(middle: Float64[np.ndarray, " 2"], side: float) -> Float32[np.ndarray, "2 3"]:
    """From the picture to the label map of a face."""
    gain = SIDE / (side * REACH)
    shift = (SIDE - 1) / 2 - gain * middle
    return np.asarray([(gain, 0, shift[0]), (0, gain, shift[1])], np.float32)


def _softmax(scores: Float32[np.ndarray, "k h w"]) -> Float32[np.ndarray, "k h w"]:
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)
