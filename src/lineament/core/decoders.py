"""From a checked header to upright RGB: the one place where other people's decoders run."""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped, UInt8

from lineament.core.errors import (
    ImageTooLarge,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
)
from lineament.core.exif import exif_orientation
from lineament.core.headers import Header, Limits, check_size
from lineament.core.image import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
_NOT_SUPPORTED = re.compile("not supported|unsupported|not installed|unknown pixel mode", re.I)
_BAND_PIXELS = 2**17  # a band of this size stays in the processor's cache between two copies

Pixels = Shaped[np.ndarray, "_ _"]
"""RGB with each pixel as one item of three bytes: NumPy then moves pixels, not channels."""


def decode_image(header: Header, limits: Limits, name: str | None) -> Image:
    """Decodes a picture, turns it upright and converts it to RGB.

    Args:
        header: of the file, with its bytes.
        limits: on what the decoder may make of it.
        name: of the file.

    Raises:
        ImageTooLarge: it is larger than the header told, or the decoder's own limits are lower.
        UnsupportedFormat: a kind of its format that the decoder does not know.
        TruncatedImage: its data is cut short or damaged.
    """
    # TIFF alone still warns: the metadata that the others warn about is no longer in the data.
    tiff = header.format == "TIFF"
    quiet: AbstractContextManager[None] = _no_warnings() if tiff else nullcontext()
    with quiet, _typed_errors(header.format):
        picture = _open(header)
        check_size(*picture.size, limits)
        picture.load()
    orientation, scale = header.orientation or _told_orientation(picture), 1 / header.reduction
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return Image.of_pillow(_upright(picture, orientation), name, scale)
    return Image(_upright_rgb(picture, orientation), name, scale)


@contextmanager
def _typed_errors(kind: str | None) -> Iterator[None]:
    """Decoders raise OSError, ValueError, SyntaxError, EOFError, struct.error, KeyError, TypeError,
    RuntimeError and more, depending on the byte that is wrong: only their calls stand within."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        raise _typed(error, kind) from error


def _typed(error: Exception, kind: str | None) -> UnreadableImage:
    from PIL.Image import DecompressionBombError

    told = isinstance(error, OSError | SyntaxError | ValueError | RuntimeError | EOFError)
    reason = " ".join(str(error).split()) if told else "not what its header says"
    if isinstance(error, DecompressionBombError) or "limit exceeded" in reason:
        return ImageTooLarge(f"the decoder refuses its size: {reason}")
    if _NOT_SUPPORTED.search(reason):
        return UnsupportedFormat(f"a kind of {kind} that is not read: {reason}")
    return TruncatedImage(f"its {kind} data is cut short or damaged: {reason}")


_warnings_lock = threading.Lock()


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Python's filters belong to the whole process: one thread at a time may swap them."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(header: Header) -> PilImage:
    """The decoder, with its header read.

    It is called directly: `PIL.Image.open` would try other formats (some run programs), and has a
    limit on size that is one for the whole process.
    """
    module, decoder = _DECODERS[header.format]
    picture: PilImage = getattr(import_module(module), decoder)(io.BytesIO(header.data))
    if header.reduction > 1:
        width, height = (side // header.reduction for side in picture.size)
        picture.draft("RGB", (width, height))
    return picture


def _told_orientation(picture: PilImage) -> int:
    # pillow-heif sets Exif's orientation to 1 and keeps the original beside it.
    original = picture.info.get("original_orientation")
    if isinstance(original, int) and 1 <= original <= 8:
        return original
    return exif_orientation(picture.info.get("exif") or b"")


def _upright(picture: PilImage, orientation: int) -> PilImage:
    """As `as_stored` tells, for a whole picture of Pillow's."""
    from PIL.Image import Transpose

    turns = (
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    )
    return picture if orientation == 1 else picture.transpose(turns[orientation - 2])


def _upright_rgb(picture: PilImage, orientation: int) -> UInt8[np.ndarray, "h w 3"]:
    """Converts band by band straight into the upright array: no second copy of the picture."""
    width, height = picture.size
    turned = orientation in (5, 6, 7, 8)
    pixels = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    stored = as_stored(pixels.view("V3")[:, :, 0], orientation)
    to_rgb = _conversion(picture)
    for top, band in _bands(picture):
        stored[top : top + band.height] = to_rgb(band)
    return pixels


def as_stored(upright: Pixels, orientation: int) -> Pixels:
    """A view of an upright picture in the order in which a file of this orientation stores it.

    Source: Exif CIPA DC-008, Orientation, which tells where the stored first row and first column
    are to be seen: 1 top and left, 2 top right, 3 bottom right, 4 bottom left, 5 left top,
    6 right top, 7 right bottom, 8 left bottom.
    """
    from_bottom, from_right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    seen = upright[:: -1 if from_bottom else 1, :: -1 if from_right else 1]
    return seen.T if orientation >= 5 else seen


def _bands(picture: PilImage) -> Iterator[tuple[int, PilImage]]:
    """Horizontal bands of a picture, each with the row it starts at."""
    width, height = picture.size
    rows = max(1, _BAND_PIXELS // width)
    if rows >= height:
        yield 0, picture
        return
    for top in range(0, height, rows):
        yield top, picture.crop((0, top, width, min(height, top + rows)))


def _conversion(picture: PilImage) -> Callable[[PilImage], Pixels]:
    """How bands of this picture become RGB; the rule for deep grey is in `media.read_image`."""
    if picture.mode.startswith("I;16"):
        return lambda band: _from_grey(np.asarray(band) >> 8)
    if picture.mode not in ("I", "F"):
        return lambda band: _from_colours(band, picture.format)
    low, span = _full_scale(picture)
    return lambda band: _from_grey(np.rint((_finite(band) - low) * (255 / span)))


def _from_colours(band: PilImage, kind: str | None) -> Pixels:
    if band.mode != "RGB" or band.has_transparency_data:
        with _typed_errors(kind):
            band = _opaque(band)
    return np.frombuffer(band.tobytes(), "V3").reshape(band.height, band.width)


def _opaque(band: PilImage) -> PilImage:
    if not band.has_transparency_data:
        return band.convert("RGB")
    from PIL import Image as Pil

    colours = band.convert("RGBA")
    white = Pil.new("RGB", band.size, "white")
    white.paste(colours, mask=colours)
    return white


def _from_grey(values: np.ndarray) -> Pixels:
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2).view("V3")[:, :, 0]


def _finite(band: PilImage) -> np.ndarray:
    return np.nan_to_num(np.asarray(band).astype(np.float64), nan=0, posinf=0, neginf=0)


def _full_scale(picture: PilImage) -> tuple[float, float]:
    """The value that is black, and how far above it white is."""
    ends = [(values.min(), values.max()) for values in (_finite(b) for _, b in _bands(picture))]
    low, high = float(min(ends)[0]), float(max(high for _, high in ends))
    scales = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
    usual = next((scale for scale in scales if low >= 0 and high <= scale), None)
    return (0.0, float(usual)) if usual else (low, high - low or 1.0)
