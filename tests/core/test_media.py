"""Reading pictures: every kind of pixel and every orientation against values worked by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from core import hostile
from core.pictures import encoded, flat, soft_noise
from lineament.core.media import decode, encode_jpeg, read_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
HIGH, WIDE = 32, 48

# Which quarter of the upright picture (red green / blue white, by first letter) a file stores
# where: top left, top right, bottom left, bottom right. From Exif's table: orientation 6, for
# one, has its first row at the right of the picture and its first column at the top.
STORED = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "GWRB", 7: "WGBR", 8: "BRWG"}


def quarters(letters: str, height: int, width: int) -> np.ndarray:
    """Four rectangles of one colour each."""
    colours = {"R": RED, "G": GREEN, "B": BLUE, "W": WHITE}
    cells = np.array([colours[letter] for letter in letters], np.uint8).reshape(2, 2, 3)
    return cells.repeat(height // 2, axis=0).repeat(width // 2, axis=1)


UPRIGHT = quarters("RGBW", HIGH, WIDE)


def exif(orientation: int, order: str = "<", kind: str = "H") -> bytes:
    """A bare Exif block of one tag."""
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    entry = struct.pack(order + "HHI", 274, {"H": 3, "I": 4}[kind], 1) + value
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", 1) + entry + bytes(4)


# -------------------------------------------------------------------------------- orientation

WRITERS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "TIFF, compressed": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_orientation_of_every_format_is_read_upright(writer: str, orientation: int) -> None:
    """HEIC stands here with Exif alone, as copied along from a JPEG; AVIF turns by container."""
    turned = orientation >= 5
    stored = quarters(STORED[orientation], WIDE if turned else HIGH, HIGH if turned else WIDE)
    tag = PIL.Image.Exif()
    tag[274] = orientation
    data = encoded(stored, writer.split(",")[0], exif=tag, **WRITERS[writer])
    pixels = decode(data).pixels
    assert pixels.shape == UPRIGHT.shape
    # The lossy ones blur where the quarters meet, so they are judged in the middle of each.
    spots = np.s_[4::8, 4::8]
    assert np.abs(pixels[spots].astype(int) - UPRIGHT[spots]).max() <= 12


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_of_jpeg_agrees_with_opencv(orientation: int) -> None:
    rng = np.random.default_rng(orientation)
    tag = PIL.Image.Exif()
    tag[274] = orientation
    data = encoded(rng.integers(0, 255, (40, 56, 3), dtype=np.uint8), "JPEG", exif=tag)
    oracle = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(decode(data).pixels, oracle)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", "HI")
def test_exif_of_both_byte_orders_and_both_widths(order: str, kind: str) -> None:
    data = encoded(quarters(STORED[8], WIDE, HIGH), "PNG", exif=exif(8, order, kind))
    np.testing.assert_array_equal(decode(data).pixels, UPRIGHT)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(value: int) -> None:
    data = encoded(UPRIGHT, "PNG", exif=exif(value))
    np.testing.assert_array_equal(decode(data).pixels, UPRIGHT)


@pytest.mark.parametrize("cut", range(0, 22, 5))
def test_a_cut_exif_block_is_upright(cut: int) -> None:
    data = encoded(UPRIGHT, "PNG", exif=exif(6)[:cut])
    np.testing.assert_array_equal(decode(data).pixels, UPRIGHT)


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    data = encoded(quarters(STORED[3], HIGH, WIDE), "PNG")
    end = data.index(b"IEND") - 4
    data = data[:end] + hostile.chunk(b"eXIf", exif(3)) + data[end:]
    np.testing.assert_array_equal(decode(data).pixels, UPRIGHT)


def test_heic_is_turned_by_its_container_before_exif() -> None:
    """Exif that contradicts the container is void (ISO/IEC 23008-12), and nothing turns twice."""
    stored = quarters(STORED[8], WIDE, HIGH)
    data = encoded(stored, "HEIF", quality=95, chroma=444, exif=b"Exif\0\0" + exif(8))
    assert b"irot" in data
    assert exif(8) in data
    for contradiction in (1, 3, 8):
        pixels = decode(data.replace(exif(8), exif(contradiction))).pixels
        assert pixels.shape == UPRIGHT.shape
        assert np.abs(pixels[4::8, 4::8].astype(int) - UPRIGHT[4::8, 4::8]).max() <= 12


# -------------------------------------------------------------------------------- pixel kinds


def png(bits: int, colour: int, samples: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of one pixel, written by hand: Pillow writes neither 16-bit colour nor odd keys."""
    head = hostile.chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, bits, colour, 0, 0, 0))
    more = b"".join(hostile.chunk(kind, body) for kind, body in extra)
    body = hostile.chunk(b"IDAT", zlib.compress(b"\0" + samples))
    return b"\x89PNG\r\n\x1a\n" + head + more + body + hostile.chunk(b"IEND", b"")


def palette(transparency: int | bytes) -> bytes:
    picture = flat("P", 1)
    picture.putpalette([9, 9, 9, 200, 100, 0])
    return encoded(picture, "PNG", transparency=transparency)


def wide_tiff(big_endian: bool, value: int) -> bytes:
    """One row of 16-bit RGB."""
    order = ">" if big_endian else "<"
    bits = 8 + 2 + 9 * 12 + 4
    tags = {256: 1, 257: 1, 259: 1, 262: 2, 273: bits + 6, 277: 3, 278: 1, 279: 6}
    entries = [(tag, 4, 1, value) for tag, value in tags.items()] + [(258, 3, 3, bits)]
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "I", 8)
    body = b"".join(struct.pack(order + "HHII", *entry) for entry in sorted(entries))
    tail = struct.pack(order + "I3H3H", 0, 16, 16, 16, value, 0, value)
    return head + struct.pack(order + "H", len(entries)) + body + tail


def half(colour: int, alpha: int) -> int:
    """Laid on white."""
    return round((colour * alpha + 255 * (255 - alpha)) / 255)


KINDS: dict[str, tuple[Callable[[], bytes], tuple[int, int, int]]] = {
    "grey": (lambda: encoded(flat("L", 77), "PNG"), (77, 77, 77)),
    "1 bit, white": (lambda: encoded(flat("1", 1), "PNG"), WHITE),
    "1 bit, black": (lambda: encoded(flat("1", 0), "TIFF", compression="group4"), (0, 0, 0)),
    "16-bit grey PNG": (lambda: png(16, 0, b"\xab\xcd"), (0xAB, 0xAB, 0xAB)),
    "16-bit RGB PNG": (lambda: png(16, 2, b"\x10\xff\x80\0\xff\0"), (0x10, 0x80, 0xFF)),
    "16-bit RGBA PNG": (lambda: png(16, 6, b"\x10\0\x80\0\xff\0\xff\xff"), (0x10, 0x80, 0xFF)),
    "16-bit RGB TIFF": (lambda: wide_tiff(False, 0xABCD), (0xAB, 0, 0xAB)),
    "16-bit RGB TIFF, Motorola": (lambda: wide_tiff(True, 0xABCD), (0xAB, 0, 0xAB)),
    "16-bit grey TIFF": (lambda: encoded(np.full((8, 8), 0xABCD, "<u2"), "TIFF"), (171, 171, 171)),
    "BigTIFF": (lambda: encoded(flat("RGB", (1, 2, 3)), "TIFF", big_tiff=True), (1, 2, 3)),
    "palette": (lambda: palette(0), (200, 100, 0)),
    "palette, transparent": (lambda: palette(1), WHITE),
    "palette, half": (lambda: palette(b"\0\x80"), (half(200, 128), half(100, 128), 127)),
    "grey, alpha": (lambda: encoded(flat("LA", (100, 128)), "PNG"), (177, 177, 177)),
    "RGBA": (lambda: encoded(flat("RGBA", (200, 0, 255, 128)), "PNG"), (half(200, 128), 127, 255)),
    "RGBA, clear": (lambda: encoded(flat("RGBA", (9, 9, 9, 0)), "WEBP", lossless=True), WHITE),
    "RGBA TIFF": (lambda: encoded(flat("RGBA", (0, 255, 0, 128)), "TIFF"), (127, 255, 127)),
    "key colour": (lambda: png(8, 2, b"\1\2\3", (b"tRNS", b"\0\1\0\2\0\3")), WHITE),
    "not the key colour": (lambda: png(8, 2, b"\1\2\3", (b"tRNS", b"\0\1\0\2\0\4")), (1, 2, 3)),
    "CMYK, cyan": (lambda: encoded(flat("CMYK", (255, 0, 0, 0)), "TIFF"), (0, 255, 255)),
    "CMYK, black": (lambda: encoded(flat("CMYK", (0, 0, 0, 155)), "TIFF"), (100, 100, 100)),
    "CMYK of Adobe": (lambda: encoded(flat("CMYK", (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
    "CIELAB, white": (lambda: encoded(flat("LAB", (255, 128, 128)), "TIFF"), WHITE),
    "GIF": (lambda: encoded(flat("RGB", (200, 100, 50)), "GIF"), (200, 100, 50)),
    "BMP": (lambda: encoded(flat("RGB", (200, 100, 50)), "BMP"), (200, 100, 50)),
    "BMP, runs": (lambda: hostile.bmp_runs(8, 8, b"\x08\x64\0\0" * 8), (50, 155, 100)),
    "BMP, upside down": (lambda: hostile.bmp_runs(8, -8, b"\x64" * 64, 0), (50, 155, 100)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_what_was_worked_by_hand(kind: str) -> None:
    make, colour = KINDS[kind]
    pixels = decode(make()).pixels
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - colour).max() <= 1


def test_cmyk_of_adobe_agrees_with_opencv() -> None:
    rng = np.random.default_rng(0)
    ink = PIL.Image.fromarray(rng.integers(0, 255, (6, 9, 4), dtype=np.uint8))
    cmyk = PIL.Image.merge("CMYK", ink.resize((72, 48), PIL.Image.Resampling.BICUBIC).split())
    data = encoded(cmyk, "JPEG", quality=95)
    assert b"Adobe" in data
    oracle = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(decode(data).pixels.astype(int) - oracle).max() <= 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 51.0, 255.0], [0, 51, 255]),
        ([0.0, 25700.0, 65535.0], [0, 100, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 100_000.0, 200_000.0], [0, 128, 255]),
        ([np.nan, np.inf, 1.0], [0, 0, 255]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
        ([-5.0, -5.0, -5.0], [0, 0, 0]),
    ],
)
def test_floating_point_is_scaled_as_documented(values: list[float], expected: list[int]) -> None:
    data = encoded(np.array([values], np.float32), "TIFF")
    np.testing.assert_array_equal(decode(data).pixels, np.repeat([expected], 3).reshape(1, 3, 3))


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 1, 255], [0, 1, 255]), ([0, 25700, 65535], [0, 100, 255])]
)
def test_32_bit_numbers_are_scaled_as_documented(values: list[int], expected: list[int]) -> None:
    data = encoded(np.array([values], np.int32), "TIFF")
    np.testing.assert_array_equal(decode(data).pixels, np.repeat([expected], 3).reshape(1, 3, 3))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_of_several_pictures_the_first_is_read(kind: str) -> None:
    frames = {"save_all": True, "append_images": [flat("RGB", (0, 0, 255))]}
    data = encoded(flat("RGB", (255, 0, 0)), kind, **frames)
    assert np.abs(decode(data).pixels.astype(int) - RED).max() <= 2


def test_a_picture_of_many_bands_is_put_together() -> None:
    """More pixels than one band, so that bands meet; rows that no band divides evenly."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 255, (523, 1001, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encoded(pixels, "PNG")).pixels, pixels)
    data = encoded(pixels, "PNG", exif=exif(6))
    np.testing.assert_array_equal(decode(data).pixels, np.rot90(pixels, -1))
    grey = encoded(pixels[..., 0], "PNG")
    np.testing.assert_array_equal(decode(grey).pixels, pixels[..., :1].repeat(3, axis=2))


def test_pixels_lie_together_and_are_not_written_to() -> None:
    """Whoever could write to them would leave Pillow's copy of the picture as it was."""
    pixels = decode(encoded(UPRIGHT, "JPEG")).pixels
    assert pixels.flags.c_contiguous
    assert not pixels.flags.writeable


def test_real_photos_agree_with_opencv(shared_data: Path) -> None:
    photos = sorted((shared_data / "lfw").rglob("*.jpg"))[:40]
    photos += sorted((shared_data / "facemask853").rglob("*.jp*g"))[:10]
    assert len(photos) == 50
    for path in photos:
        oracle = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        with PIL.Image.open(path) as picture:
            opaque = not picture.has_transparency_data or picture.getextrema()[-1] == (255, 255)
        if opaque:
            assert oracle is not None
            difference = np.abs(read_image(path).pixels.astype(int) - oracle)
            assert difference.max() <= 1, path


# ------------------------------------------------------------------------------------- writing


def test_a_written_jpeg_reads_back() -> None:
    pixels = soft_noise(60, 80, seed=3)
    fine, coarse = encode_jpeg(pixels, 95), encode_jpeg(pixels, 40)
    assert len(coarse) < len(fine)
    assert np.abs(decode(fine).pixels.astype(int) - pixels).mean() < 2
    turned = np.rot90(pixels)  # not contiguous
    assert decode(encode_jpeg(turned)).pixels.shape == (80, 60, 3)
