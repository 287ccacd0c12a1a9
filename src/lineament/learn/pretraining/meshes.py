"""What MediaPipe's landmarker says of aligned faces: 478 points, 52 blendshapes, and from the
points, where brows, eyes, nose, mouth and skin are. Its terms allow any use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.learn.data.cache import kept
from lineament.learn.pretraining.crfr_p import LABELS

LABELLER = "face-landmarker"
_BATCH = 64
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (336, 296, 334, 293, 300, 276, 283, 282, 295, 285),
)
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
_NOSE = (168, 417, 429, 294, 460, 326, 2, 97, 240, 64, 209, 193)
_MOUTH = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)
_RINGS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("skin", _OVAL),
    ("nose", _NOSE),
    *(("brows", ring) for ring in _BROWS),
    *(("eyes", ring) for ring in _EYES),
    ("mouth", _MOUTH),
)
"""Rings of the mesh's vertices, drawn in this order."""


@dataclass(frozen=True, eq=False)
class Meshes:
    """Of n aligned faces.

    Attributes:
        points: pixels of the faces.
        blendshapes: strength of each expression, in [0, 1].
        names: of the expressions.
    """

    points: Float32[np.ndarray, "n 478 2"]
    blendshapes: Float32[np.ndarray, "n k"]
    names: tuple[str, ...]

    def __getitem__(self, rows: np.ndarray) -> Meshes:
        return Meshes(self.points[rows], self.blendshapes[rows], self.names)


def meshes(
    pixels: UInt8[np.ndarray, "n s s 3"],
    folder: Path,
    source: str,
    say: Callable[[str], None] = lambda line: None,
) -> Meshes:
    """The landmarker's answer for faces aligned to `ARCFACE_112` at any size, made once.

    One look at each face is enough: where it lies is known.

    Args:
        pixels: the faces.
        folder: to keep the answers in.
        source: hash of the faces.
        say: shows a line of progress.
    """

    def label() -> dict[str, np.ndarray]:
        labeller = method(LABELLER, "describe").load()(looks=1, threads=1)
        parts = []
        for start in range(0, len(pixels), _BATCH):
            if start % (16 * _BATCH) == 0:
                say(f"face {start} of {len(pixels)} by {LABELLER}")
            images = [Image(each, "an aligned face") for each in pixels[start : start + _BATCH]]
            parts += labeller(images, [_placed(pixels.shape[1])] * len(images))
        return {
            "points": np.concatenate([part["landmarks"].points for part in parts]),
            "blendshapes": np.concatenate([part["blendshapes"].values for part in parts]),
            "names": np.asarray(parts[0]["blendshapes"].names),
        }

    found = kept(folder, "meshes", (len(pixels), pixels.shape[1], source), label)
    return Meshes(found["points"], found["blendshapes"], tuple(map(str, found["names"])))


def region_labels(points: Float32[np.ndarray, "n 478 2"], size: int) -> UInt8[np.ndarray, "n s s"]:
    """Numbers of `LABELS` for each pixel of squares of this size."""
    from PIL import Image as Pillow
    from PIL.ImageDraw import Draw

    labels = np.empty((len(points), size, size), np.uint8)
    for row, mesh in enumerate(points):
        drawn = Pillow.new("L", (size, size), LABELS.index("outside"))
        for name, ring in _RINGS:
            corners: Sequence[tuple[float, float]] = [
                (float(x), float(y)) for x, y in mesh[[*ring]]
            ]
            Draw(drawn).polygon(corners, fill=LABELS.index(name))
        labels[row] = np.asarray(drawn)
    return labels


def _placed(size: int) -> Faces:
    """A face where alignment has put it."""
    points = (np.asarray(ARCFACE_112.points) + 0.5) * size / ARCFACE_112.size - 0.5
    box = np.asarray([[0, 0, size, size]], np.float32)
    return Faces(box, keypoints=Landmarks(points[None].astype(np.float32), "5"))
