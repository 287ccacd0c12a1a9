"""Faces for training and for tests, brought alike to one square: found, aligned, made small.

Small pictures are enlarged and framed before the detector looks at them: it then finds the face in
pictures of 64 x 64 pixels as well. Faces are aligned to `ARCFACE_112` and then brought to the size
of training by averaging, so that what is damaged by `measure.degrade`, whose lengths are pixels of
that template, goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, UInt8

from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, align
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.protocols import Detector

LOOK = 192
"""Pictures are enlarged by a whole factor to about this length before faces are looked for."""


def default_detector() -> Detector:
    """What finds faces where nothing is said, on one thread."""
    return method("yunet", "detect").load()(threads=1)


def aligned(
    pictures: Iterable[Image],
    detector: Detector,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[UInt8[np.ndarray, "m 112 112 3"], Bool[np.ndarray, " n"]]:
    """The main face of each picture by the template `ARCFACE_112`.

    Args:
        pictures: n of them; each is held for no longer than it is needed.
        detector: finds the faces.
        say: shows a line of progress.

    Returns:
        The m faces that were found, and of each picture whether one was.
    """
    crops, found = [], []
    for number, picture in enumerate(pictures):
        if number % 2000 == 0:
            say(f"aligning faces, picture {number}")
        large = _enlarged(picture)
        faces = detector([large])[0]
        found.append(len(faces) > 0)
        if len(faces):
            row = _main(faces, large)
            crops.append(align(large, faces.keypoints[row : row + 1]).pixels)
    side = ARCFACE_112.size
    return np.concatenate([np.empty((0, side, side, 3), np.uint8), *crops]), np.asarray(found, bool)


def shrunk(pixels: UInt8[np.ndarray, "n a a 3"], size: int) -> UInt8[np.ndarray, "n b b 3"]:
    """Squares at another size, smoothed as far as that needs."""
    from PIL import Image as Pillow

    small = np.empty((len(pixels), size, size, 3), np.uint8)
    for row, each in enumerate(pixels):
        square = Pillow.fromarray(each).resize((size, size), Pillow.Resampling.BILINEAR)
        small[row] = np.asarray(square)
    return small


def _enlarged(picture: Image) -> Image:
    """Larger by a whole factor, with a black frame: detectors want room around a face."""
    from PIL import Image as Pillow

    longer = max(picture.width, picture.height)
    factor = max(1, round(LOOK / longer))
    pixels = picture.pixels
    if factor > 1:
        size = (factor * picture.width, factor * picture.height)
        pixels = np.asarray(picture.pillow.resize(size, Pillow.Resampling.BICUBIC))
    frame = factor * longer // 4
    return Image(np.pad(pixels, ((frame, frame), (frame, frame), (0, 0))), picture.source)


def _main(faces: Faces, picture: Image) -> int:
    """The face that the picture is of: large, and in the middle."""
    corners = faces.boxes.reshape(-1, 2, 2)
    sides = np.sqrt(np.prod(np.maximum(corners[:, 1] - corners[:, 0], 0), axis=1))
    middle = np.asarray([picture.width, picture.height], np.float32) / 2
    away = np.linalg.norm(corners.mean(axis=1) - middle, axis=1)
    return int(np.argmax(sides - away))
