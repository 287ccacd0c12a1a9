"""Pictures for tests, and their files."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import pillow_heif
from PIL.Image import Image as PilImage

pillow_heif.register_heif_opener()  # for writing; the reader does not need it


def encoded(picture: PilImage | np.ndarray, kind: str, **options: object) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def flat(mode: str, colour: object) -> PilImage:
    return PIL.Image.new(mode, (8, 8), colour)  # pyright: ignore[reportArgumentType]


def soft_noise(height: int, width: int, seed: int) -> np.ndarray:
    """Details of some ten pixels: a shift by one shows, halving by another filter does not."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // 12 + 2, width // 12 + 2, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
