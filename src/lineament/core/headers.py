"""What a picture file says before any pixel is decoded, and the bytes that its decoder needs.

Decoders trust more of a file than its pixels ask for: they unpack colour profiles and comments,
read camera notes, follow directories. Each of those can be made to cost minutes or gigabytes. So a
file is read here first, with a bound on every loop, its size is held to the limits, its orientation
is noted, and it is rewritten without whatever does not draw the picture.

Sources: JPEG ITU-T T.81; PNG W3C third edition; GIF89a; TIFF 6.0 and BigTIFF; Exif CIPA DC-008;
WebP RFC 9649; BMP as in the Windows GDI documentation; HEIF ISO/IEC 23008-12; AVIF AOM 1.1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from lineament.core.errors import ImageTooLarge, TruncatedImage, UnsupportedFormat
from lineament.core.exif import ORIENTATION, Directory, exif_orientation

_MOST_PARTS = 100_000
"""Segments, chunks, blocks or strips that one file may have. Decoders spend microseconds on each,
so that this bounds their time to a second; real files have at most some thousands."""


@dataclass(frozen=True)
class Limits:
    """How much one file may ask for.

    While it is decoded a picture needs up to 16 bytes of memory a pixel (WebP does; most formats
    need half), beside twice the bytes of its file. ``tests/core/test_media_fuzz.py`` measures it.

    Attributes:
        max_bytes: size of the file.
        max_pixels: pixels decoded. A file decoded reduced may have four times as many.
        max_scans: passes over the picture in a progressive JPEG. Encoders make about 10; a file
            of 1 kB can ask for thousands, each of which visits every pixel.
        max_side: pixels that the longer side is needed at, or None for all there are. Only JPEG
            can be decoded reduced (to 1/2, 1/4, 1/8), and stays at or above this; other formats
            are decoded in full.
    """

    max_bytes: int = 256 * 2**20
    max_pixels: int = 100_000_000
    max_scans: int = 100
    max_side: int | None = None


@dataclass(frozen=True)
class Header:
    """A file's format, and what is handed to its decoder.

    Attributes:
        format: "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF" or "AVIF".
        data: the file without what does not draw the picture.
        size: width and height as stored, or None where only the decoder can tell.
        orientation: Exif's number from 1 to 8, or None where the decoder has to be asked.
        reduction: a JPEG is to be decoded at 1/reduction of its size.
    """

    format: str
    data: bytes
    size: tuple[int, int] | None = None
    orientation: int | None = None
    reduction: int = 1


def read_header(data: bytes, limits: Limits) -> Header:
    """Reads and checks the header of a picture file.

    Raises:
        UnsupportedFormat: the content is of no known format.
        ImageTooLarge: it asks for more than ``limits`` allow.
        TruncatedImage: it ends within its header, or the header contradicts itself.
    """
    read = next((read for pattern, read in _READERS if pattern.match(data)), None)
    if read is None:
        raise UnsupportedFormat(
            "its content is no JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC or AVIF picture"
        )
    try:
        header = read(data, limits)
    except (struct.error, IndexError):
        raise TruncatedImage("the file ends within its header, or is damaged") from None
    if header.size:
        check_size(*header.size, limits, header.reduction)
    return header


def check_size(width: int, height: int, limits: Limits, reduction: int = 1) -> None:
    """Holds a picture of this many pixels to ``limits``.

    Raises:
        ImageTooLarge: it has more.
    """
    # Even a reduced decode reads every pixel's code, which takes time if not memory.
    allowed = limits.max_pixels * min(reduction**2, 4)
    if width * height > allowed:
        raise ImageTooLarge(
            f"{width} x {height} pixels are more than the {allowed:,} allowed (max_pixels)"
        )


def _too_many(what: str) -> ImageTooLarge:
    return ImageTooLarge(f"more than {_MOST_PARTS:,} {what}; no real picture has so many")


# ---------------------------------------------------------------------------------------- JPEG

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_DRAWS_JPEG = _SOF | {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE}  # tables; JFIF and Adobe tell the colours
_BARE = {0x01, 0xD8}  # markers without a length


def _jpeg(data: bytes, limits: Limits) -> Header:
    kept, exif = [data[:2]], b""
    frame, width, height, components, at = 0, 0, 0, 0, 2
    for _ in range(_MOST_PARTS):
        at, marker, length = _next_segment(data, at)
        if marker in (0xD9, 0xDA):
            break
        body = at + 4
        if marker in _SOF:
            frame = marker
            precision, height, width, components = struct.unpack_from(">BHHB", data, body)
            if precision != 8:
                raise UnsupportedFormat(f"JPEG of {precision} bits a sample is not decoded")
        if marker in _DRAWS_JPEG:
            kept.append(data[at : body - 2 + length])
        elif marker == 0xE1 and not exif and data.startswith(b"Exif\0\0", body):
            exif = data[body : body - 2 + length]
        at = body - 2 + length if length else at + 2
    else:
        raise _too_many("segments")
    if marker == 0xD9 or not width or not height:
        raise TruncatedImage("the JPEG has no picture in it")
    if frame in _PROGRESSIVE or data[at + 4] != components:
        _check_scans(data, at, limits)
    kept.append(data[at:])
    orientation = exif_orientation(exif)
    reduction = _reduction(width, height, orientation, limits.max_side)
    if frame in _PROGRESSIVE and reduction > 1:
        check_size(width, height, limits)  # all of its coefficients are held, whatever is decoded
    return Header("JPEG", b"".join(kept), (width, height), orientation, reduction)


def _next_segment(data: bytes, at: int) -> tuple[int, int, int]:
    """Where the next segment starts, its marker, and its length less the marker (0: it is bare)."""
    found = _MARKER.search(data, at)
    if not found:
        raise TruncatedImage("the JPEG ends before its picture does")
    at = found.start()
    marker = data[at + 1]
    if marker in _BARE or marker == 0xD9:
        return at, marker, 0
    return at, marker, max(2, struct.unpack_from(">H", data, at + 2)[0])


def _check_scans(data: bytes, at: int, limits: Limits) -> None:
    """Counts the passes that follow; `_MARKER` leaps over the coded data between them."""
    scans = 0
    for _ in range(_MOST_PARTS):
        try:
            at, marker, length = _next_segment(data, at)
        except (TruncatedImage, struct.error):
            return  # the decoder will say so
        scans += marker == 0xDA
        if scans > limits.max_scans:
            raise ImageTooLarge(f"more than {limits.max_scans} scans (max_scans)")
        if marker == 0xD9:
            return
        at += 2 + length
    raise _too_many("segments")


def _reduction(width: int, height: int, orientation: int, max_side: int | None) -> int:
    """The greatest of 8, 4, 2, 1 that leaves the longer side at ``max_side`` pixels or more."""
    if max_side is None:
        return 1
    # A last column or row that is not full comes first once it is mirrored, and would shift all
    # coordinates by a fraction: mirrored sides are therefore only divided without remainder.
    mirrored_x, mirrored_y = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    for reduction in (8, 4, 2):
        enough = max(width, height) >= max_side * reduction and min(width, height) >= reduction
        whole = not (mirrored_x and width % reduction) and not (mirrored_y and height % reduction)
        if enough and whole:
            return reduction
    return 1


# ------------------------------------------------------------------------- PNG, GIF, WebP, BMP

_DRAWS_PNG = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _png(data: bytes, limits: Limits) -> Header:
    kept, exif, at = [data[:8]], b"", 8
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            break  # no IEND: whether that matters is the decoder's to say
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _DRAWS_PNG:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = data[at + 8 : end - 4]
        if kind == b"IEND":
            break
        at = end
    else:
        raise _too_many("chunks")
    size = struct.unpack_from(">II", data, 16)
    return Header("PNG", b"".join(kept), size, exif_orientation(exif))


def _gif(data: bytes, limits: Limits) -> Header:
    # Comments come before the picture, each skipped in Python: not more than 4 MiB of them.
    head = data[: 4 * 2**20]
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    screen, control = head[:at], b""
    while head[at] != 0x2C:  # the first frame
        if head[at] == 0x3B:
            raise TruncatedImage("the GIF has no picture in it")
        if head[at : at + 2] == b"\x21\xf9":  # its transparent colour; its disposal is no matter
            control = b"\x21\xf9\x04" + bytes([head[at + 3] & 1]) + head[at + 4 : at + 8]
        at = _after_blocks(head, at + 2) if head[at] == 0x21 else at + 1
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", head, at + 1)
    width, height = max(width, left + frame_width), max(height, top + frame_height)
    if max(width, height) > 0xFFFF:
        raise TruncatedImage("the GIF's frame lies outside its picture")
    screen = screen[:6] + struct.pack("<HH", width, height) + screen[10:]
    return Header("GIF", screen + control + data[at:], (width, height), 1)


def _after_blocks(head: bytes, at: int) -> int:
    """Skips a GIF's chain of blocks: a length, so many bytes, and again until the length is 0."""
    while length := head[at]:
        at += 1 + length
    return at + 1


def _webp(data: bytes, limits: Limits) -> Header:
    kind = data[12:16]
    if kind == b"VP8X":
        low = struct.unpack_from("<HBHB", data, 24)
        size = low[0] + (low[1] << 16) + 1, low[2] + (low[3] << 16) + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        sides = struct.unpack_from("<HH", data, 26)
        size = sides[0] & 0x3FFF, sides[1] & 0x3FFF
    return Header("WEBP", data, size)


def _bmp(data: bytes, limits: Limits) -> Header:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes < 40:
        return Header("BMP", data, struct.unpack_from("<HH", data, 18), 1)
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    size = abs(width), abs(height)
    # Pillow undoes run lengths in Python, a microsecond a run.
    if compression in (1, 2) and max(len(data), size[0] * size[1]) > 2**21:
        raise ImageTooLarge("a run-length coded BMP of this size is not decoded; save it as PNG")
    return Header("BMP", data, size, 1)


# --------------------------------------------------------------------------------------- TIFF

_WIDTH, _HEIGHT, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 322, 323
_SIZE_AND_SAMPLES = [*range(254, 260), 262, 266, 277, 284, 317, 320, 338, 339]
_STRIPS_AND_TILES = [273, 278, 279, *range(322, 326)]
_COMPRESSION_TABLES = [292, 293, 332, 347, *range(512, 522), *range(529, 533)]
_DRAWS_TIFF = frozenset([*_SIZE_AND_SAMPLES, *_STRIPS_AND_TILES, *_COMPRESSION_TABLES])


def _tiff(data: bytes, limits: Limits) -> Header:
    directory = Directory(data)
    size = directory.number(_WIDTH) or 0, directory.number(_HEIGHT) or 0
    if 0 in size:
        raise TruncatedImage("the TIFF does not tell its size")
    if (directory.number(_SAMPLES) or 1) > 6:
        raise UnsupportedFormat("a TIFF of more than 6 samples a pixel")
    tile = directory.number(_TILE_WIDTH) or 0, directory.number(_TILE_HEIGHT) or 0
    check_size(*tile, limits)
    for tag in _DRAWS_TIFF:
        if directory.kind_and_count(tag)[1] > 3 * 2**16:  # the greatest palette's; strips are fewer
            raise _too_many("strips or tiles")
    orientation = directory.number(ORIENTATION)
    # The directory is written anew behind the file, where it moves nothing that it points to.
    start = len(data) + len(data) % 2
    first = struct.pack(directory.order + ("Q" if directory.big else "I"), start)
    at = 8 if directory.big else 4
    body = data[at + len(first) :].ljust(start - at - len(first), b"\0")
    whole = b"".join([data[:at], first, body, directory.packed(_DRAWS_TIFF)])
    valid = orientation is not None and 1 <= orientation <= 8
    return Header("TIFF", whole, size, orientation if valid else 1)


# --------------------------------------------------------------------------------- HEIF, AVIF

# An Exif item's entry in the list of items: its version, flags, number and protection, its type.
_TURNED = re.compile(rb"\0\0\0\x09(irot|imir)")
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


def _isobmff(data: bytes, limits: Limits) -> Header:
    (length,) = struct.unpack_from(">I", data)
    brands = [data[at : at + 4] for at in range(8, min(length, 4096), 4)]
    if b"avif" in brands or b"avis" in brands:
        # Its Exif is hidden from the decoder; how it is turned stands outside (irot, imir).
        return Header("AVIF", _EXIF_ITEM.sub(rb"\1skip", data))
    if any(brand[:3] in (b"hei", b"hev") or brand in (b"mif1", b"msf1") for brand in brands):
        # What the container turns, libheif turns, and Exif has no say (ISO/IEC 23008-12). Where it
        # turns nothing, an Exif that does was most likely copied along from a JPEG.
        return Header("HEIF", data, orientation=1 if _TURNED.search(data) else None)
    raise UnsupportedFormat("a film or another kind of container, not HEIC, HEIF or AVIF")


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes, Limits], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL), _webp),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _tiff),
    (re.compile(rb".{4}ftyp", re.DOTALL), _isobmff),
    (re.compile(rb"BM"), _bmp),
)
