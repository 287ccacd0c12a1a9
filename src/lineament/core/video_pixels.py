"""From a decoder's frame to the picture that a viewer would see: colours, size, orientation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from lineament.core.image import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_BT709, _UNSPECIFIED = 1, 2
"""FFmpeg's numbers of colour spaces."""
_PQ = 16
"""FFmpeg's number of the transfer function of SMPTE ST 2084."""
_HD = 720
"""Frames of this height are BT.709 where they do not say what they are, lower ones BT.601."""
_WHITE, _PEAK = 203.0, 1000.0
"""Candelas a square metre of a white page in HDR video (ITU-R BT.2408) and of what is shown as the
brightest white here."""
_STRANGEST = 4.0
"""Pixels more oblong than this are a mistake in the file."""


class Developer:
    """Makes pictures of decoded frames.

    Args:
        source: goes into each picture.
        aspect: width of a pixel over its height; 0 or None where the file does not say.
        max_side: long side to which larger frames are reduced; None for none.
    """

    def __init__(self, source: str, aspect: float | None, max_side: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        self._source = source
        self._aspect = aspect if aspect and 1 / _STRANGEST <= aspect <= _STRANGEST else 1.0
        self._max_side = max_side
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Image:
        """The frame as upright RGB with square pixels."""
        width, height = max(1, round(frame.width * self._aspect)), frame.height
        scale = min(1.0, self._max_side / max(width, height)) if self._max_side else 1.0
        unnamed = frame.colorspace == _UNSPECIFIED
        plain = self._reformatter.reformat(
            frame,
            width=max(1, round(width * scale)),
            height=max(1, round(height * scale)),
            format="rgb24",
            src_colorspace=_BT709 if unnamed and frame.height >= _HD else None,
            interpolation="AREA" if scale < 1 else "BILINEAR",
            threads=1,
        )
        pixels = np.asarray(plain.to_ndarray(), np.uint8)
        if frame.color_trc == _PQ:
            pixels = _pq_to_display()[pixels]
        return Image(np.ascontiguousarray(upright(pixels, frame)), self._source, scale)


def upright(pixels: UInt8[np.ndarray, "h w 3"], frame: VideoFrame) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Pixels as the frame's display matrix lays them, to the nearest quarter turn.

    The matrix takes the column x, y of the stored frame to x' = a x + c y, y' = b x + d y, and
    lies in the file row by row as 16.16 numbers a, b, u, c, d, v, ... (ISO/IEC 14496-12, 8.3.2).
    """
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].tolist()
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


@cache
def _pq_to_display() -> UInt8[np.ndarray, " 256"]:
    """8-bit values on the PQ scale as sRGB values of a usual display.

    Light by the EOTF of SMPTE ST 2084, relative to a white page, compressed by Reinhard's curve
    that takes the peak to 1 (E. Reinhard et al., "Photographic Tone Reproduction for Digital
    Images", 2002, equation 4). The wider primaries are taken for the usual ones.
    """
    signal = np.linspace(0, 1, 256) ** (1 / 78.84375)
    light = np.maximum(signal - 0.8359375, 0) / (18.8515625 - 18.6875 * signal)
    relative = 10_000 / _WHITE * light ** (1 / 0.1593017578125)
    shown = np.minimum(relative * (1 + relative / (_PEAK / _WHITE) ** 2) / (1 + relative), 1)
    srgb = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)
