"""Reading less than all, reading no more than allowed, and reading what was made to harm."""

from __future__ import annotations

import io
import struct
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import pytest

from core import hostile
from core.fuzzed import sound_files
from core.pictures import encoded, soft_noise
from lineament.core.errors import (
    EmptyFile,
    ImageTooLarge,
    TruncatedImage,
    UnreadableImage,
    UnsupportedFormat,
)
from lineament.core.headers import Limits
from lineament.core.media import decode, encode_jpeg

PICTURE = soft_noise(32, 48, seed=9)
ORIENTATIONS = range(1, 9)


# --------------------------------------------------------------------------- reduced decoding


@pytest.mark.parametrize(
    ("sides", "max_side", "reduction"),
    [
        ((800, 600), 800, 1),
        ((800, 600), 401, 1),
        ((800, 600), 400, 2),
        ((800, 600), 150, 4),
        ((800, 600), 100, 8),
        ((800, 600), 1, 8),
        ((600, 800), 100, 8),
        ((800, 5), 100, 4),
    ],
)
def test_max_side_reduces_as_far_as_it_may(
    sides: tuple[int, int], max_side: int, reduction: int
) -> None:
    data = encode_jpeg(soft_noise(*sides, seed=0))
    image = decode(data, limits=Limits(max_side=max_side))
    assert image.scale == 1 / reduction
    assert (image.height, image.width) == tuple(-(-side // reduction) for side in sides)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("sides", [(640, 800), (637, 803), (636, 803), (637, 804)])
def test_coordinates_divided_by_scale_are_those_of_the_file(
    sides: tuple[int, int], orientation: int
) -> None:
    """Each reduced pixel is the mean of the block of the full picture at the same place."""
    tag = PIL.Image.Exif()
    tag[274] = orientation
    data = encoded(soft_noise(*sides, seed=1), "JPEG", quality=98, subsampling=0, exif=tag)
    full = decode(data).pixels.astype(float)
    image = decode(data, limits=Limits(max_side=200))
    step = round(1 / image.scale)
    rows, columns = image.height, image.width
    if orientation == 1:
        assert step == 4
    whole = full[: full.shape[0] // step * step, : full.shape[1] // step * step]
    blocks = whole.reshape(-1, step, whole.shape[1] // step, step, 3).mean(axis=(1, 3))
    inner = image.pixels[: blocks.shape[0], : blocks.shape[1]]
    assert rows * step >= full.shape[0]
    assert columns * step >= full.shape[1]
    assert np.abs(inner - blocks).mean() < 2


def test_other_formats_are_decoded_in_full() -> None:
    image = decode(encoded(PICTURE, "PNG"), limits=Limits(max_side=8))
    assert (image.scale, image.pixels.shape) == (1.0, PICTURE.shape)


# -------------------------------------------------------------------------------------- limits


def test_each_limit_allows_its_own_value_and_no_more() -> None:
    data = encoded(PICTURE, "JPEG", progressive=True)
    scans = data.count(b"\xff\xda")
    assert scans > 5
    for name, exact in {
        "max_bytes": len(data),
        "max_pixels": 32 * 48,
        "max_scans": scans,
    }.items():
        assert decode(data, limits=Limits(**{name: exact})).pixels.shape == PICTURE.shape
        with pytest.raises(ImageTooLarge, match=f"photo: .*{name}"):
            decode(data, name="photo", limits=Limits(**{name: exact - 1}))


@pytest.mark.parametrize(("suffix", "data"), sound_files())
def test_pixels_are_limited_in_every_format(suffix: str, data: bytes) -> None:
    assert decode(data, limits=Limits(max_pixels=48 * 64)).pixels.size == 48 * 64 * 3
    with pytest.raises(ImageTooLarge, match="max_pixels"):
        decode(data, limits=Limits(max_pixels=48 * 64 - 1))


def test_a_reduced_jpeg_may_have_four_times_the_pixels() -> None:
    data = encode_jpeg(soft_noise(800, 800, seed=0))
    limits = Limits(max_pixels=160_000, max_side=100)
    assert decode(data, limits=limits).pixels.shape == (100, 100, 3)
    with pytest.raises(ImageTooLarge):
        decode(data, limits=Limits(max_pixels=159_999, max_side=100))
    with pytest.raises(ImageTooLarge):
        decode(data, limits=Limits(max_pixels=160_000, max_side=800))
    # All coefficients of a progressive one are held in memory, however little is decoded.
    progressive = encoded(soft_noise(800, 800, seed=0), "JPEG", progressive=True)
    with pytest.raises(ImageTooLarge):
        decode(progressive, limits=limits)


def test_the_limit_of_pillow_is_neither_used_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10_000)
    for kind in ("JPEG", "PNG", "GIF", "BMP", "AVIF", "HEIF"):
        decode(encoded(soft_noise(150, 100, seed=0), kind))
    assert PIL.Image.MAX_IMAGE_PIXELS == 10_000


# -------------------------------------------------------------------------------- hostile files

HARMLESS = {"jpeg-tags", "png-text", "png-international-text", "png-profile"}
TOO_LARGE = {
    "jpeg-scans", "jpeg-scans-behind-comment", "jpeg-sequential-scans", "jpeg-size",
    "jpeg-segments", "png-size", "png-size-sides", "png-chunks", "gif-canvas", "gif-frame",
    "gif-disposal", "tiff-size", "tiff-tiles", "tiff-strips", "tiff-strips-lie", "webp-canvas",
    "webp-lossy", "webp-lossless", "bmp-size", "bmp-size-upside-down", "bmp-runs",
    "bmp-short-runs", "heic-size", "avif-size",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in hostile.bombs() if "large" not in name])
def test_bombs_are_refused_at_once(name: str) -> None:
    """What would cost much is refused; where only metadata is hostile, the picture is read."""
    data = hostile.bombs()[name]
    start = time.perf_counter()
    if name in HARMLESS:
        assert decode(data).pixels.shape == (8, 8, 3)
    else:
        expected = ImageTooLarge if name in TOO_LARGE else UnreadableImage
        with pytest.raises(expected, match=f"^{name}: "):
            decode(data, name=name)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(("suffix", "data"), sound_files())
def test_a_third_of_a_file_is_an_error_that_names_it(suffix: str, data: bytes) -> None:
    with pytest.raises(TruncatedImage, match="^third: "):
        decode(data[: len(data) // 3], name="third")


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"GIF89",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        b"P6 1 1 255 abc",
        b"\0\0\1\0\1\0",
        b"<svg/>",
        b"%PDF-1.7",
        bytes(1000),
    ],
)
def test_other_formats_are_not_tried(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        decode(data)


def test_kinds_that_decoders_lack_are_told_apart_from_damage() -> None:
    with pytest.raises(UnsupportedFormat, match="unknown pixel mode"):
        decode(hostile.tiff({256: 8, 257: 8, 262: 32844}))
    twelve_bits = hostile.progressive_jpeg(8, 8, 1).replace(
        b"\xff\xc2\0\x0b\x08", b"\xff\xc2\0\x0b\x0c"
    )
    with pytest.raises(UnsupportedFormat, match="12 bits"):
        decode(twelve_bits)
    with pytest.raises(UnsupportedFormat, match="6 samples"):
        decode(hostile.bombs()["tiff-samples"])


def test_no_bytes_are_an_empty_file() -> None:
    with pytest.raises(EmptyFile):
        decode(b"")


# ------------------------------------------------------------------------------------ warnings


def repeated_tag() -> bytes:
    """A TIFF that Pillow reads with a warning: one tag has two values instead of one."""
    data = bytearray(hostile.tiff({256: 8, 257: 8, 266: (300, 2)}, tail=500))
    data[300:308] = struct.pack("<II", 1, 1)
    return bytes(data)


def test_warnings_of_pillow_stay_inside() -> None:
    with pytest.warns(UserWarning, match="Metadata"):
        PIL.Image.open(io.BytesIO(repeated_tag())).load()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decode(repeated_tag()).pixels.shape == (8, 8, 3)
        for _, data in sound_files():
            decode(data)
            with pytest.raises(UnreadableImage):
                decode(data[: len(data) // 3])
    assert [str(warning.message) for warning in caught] == []


def test_threads_leave_the_filters_as_they_were() -> None:
    before = list(warnings.filters)
    barrier = threading.Barrier(8)

    def read(_: int) -> int:
        barrier.wait()
        return sum(decode(repeated_tag()).height for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [160] * 8
    assert list(warnings.filters) == before
