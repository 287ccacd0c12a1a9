"""Small files that ask a decoder for minutes or gigabytes, each built by hand from its format."""

from __future__ import annotations

import functools
import io
import struct
import zlib

from PIL import Image

SUFFIX = {
    "jpeg": ".jpg",
    "png": ".png",
    "gif": ".gif",
    "tiff": ".tif",
    "webp": ".webp",
    "bmp": ".bmp",
    "heic": ".heic",
    "avif": ".avif",
    "large": ".png",
}


@functools.cache
def bombs() -> dict[str, bytes]:
    """Files by name; the part before the first dash is the format.

    Those named "large" are sound and within the default limits, only large for their bytes.
    """
    flat = b"\x40\x07" * 20 + b"\0\0"
    return {
        "jpeg-scans": progressive_jpeg(6000, 6000, scans=5000),
        "jpeg-scans-behind-comment": progressive_jpeg(6000, 6000, 5000, b"\xff\xfe\0\4\xff\xd9"),
        "jpeg-sequential-scans": progressive_jpeg(6000, 6000, 5000, frame=0xC0),
        "jpeg-size": progressive_jpeg(65500, 65500, scans=1),
        "jpeg-segments": b"\xff\xd8" + b"\xff\xfe\0\2" * 300_000,
        "jpeg-padding": b"\xff\xd8" + b"\xff" * 4_000_000,
        "jpeg-junk": b"\xff\xd8\xff\xe0\0\2" + b"\0" * 4_000_000,
        "jpeg-tags": jpeg_with_exif(overlapping_tags(5000)),
        "png-size": png(50_000, 50_000),
        "png-size-sides": png(2**31 - 1, 1),
        "png-text": png(8, 8, chunk(b"zTXt", b"Comment\0\0" + zeros(16)) * 50),
        "png-international-text": png(8, 8, chunk(b"iTXt", b"C\0\1\0\0\0" + zeros(16)) * 50),
        "png-profile": png(8, 8, chunk(b"iCCP", b"icc\0\0" + zeros(16)) * 50),
        "png-chunks": png(8, 8, chunk(b"teSt", b"") * 300_000),
        "gif-canvas": gif(65535, 65535, (0, 0, 65535, 65535)),
        "gif-frame": gif(8, 8, (60_000, 60_000, 5000, 5000)),
        "gif-disposal": gif(8, 8, (0, 0, 60_000, 60_000), b"\x21\xf9\4\x0d\0\0\0\0"),
        "gif-comments": gif(8, 8, (0, 0, 8, 8), b"\x21\xfe" + b"\1x" * 2_200_000 + b"\0"),
        "gif-gaps": gif(8, 8, (0, 0, 8, 8), b"\0" * 4_400_000),
        "tiff-size": tiff({256: 2**31, 257: 2**31}),
        "tiff-tiles": tiff({256: 64, 257: 64, 322: 2**20, 323: 2**20, 324: 8, 325: 9, 259: 5}),
        "tiff-strips": tiff({256: 64, 257: 64, 273: (8, 10**6)}, tail=4_000_000),
        "tiff-strips-lie": tiff({256: 64, 257: 64, 273: (2**31, 2**31)}),
        "tiff-samples": tiff({256: 64, 257: 64, 277: 2**31}),
        "tiff-entries": overlapping_tags(60_000),
        "tiff-loop": tiff({256: 64, 257: 64}, following=8),
        "webp-canvas": riff(b"VP8X", b"\0" * 4 + b"\xff\x3f\0" * 2),
        "webp-lossy": riff(b"VP8 ", b"\0\0\0\x9d\1\x2a\xff\x3f\xff\x3f"),
        "webp-lossless": riff(b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF)),
        "bmp-size": bmp_runs(60_000, 60_000, b"", compression=0),
        "bmp-size-upside-down": bmp_runs(60_000, -60_000, b"", compression=0),
        "bmp-runs": bmp_runs(9999, 9999, b"\0\0" * 9999),
        "bmp-short-runs": bmp_runs(1000, 1000, b"\0\0" + b"\1\7" * 2_000_000),
        "heic-size": with_other_size("HEIF", 30_000, 30_000),
        "heic-size-over": with_other_size("HEIF", 2**31, 2**31),
        "avif-size": with_other_size("AVIF", 30_000, 8000),
        "avif-size-over": with_other_size("AVIF", 2**31, 2**31),
        "large-jpeg": progressive_jpeg(5000, 5000, scans=99),
        "large-png": flat_picture("PNG", "RGB"),
        "large-webp": flat_picture("WEBP", "RGB"),
        "large-tiff": flat_picture("TIFF", "RGBA", compression="tiff_lzw"),
        "large-avif": flat_picture("AVIF", "RGBA", speed=10),
        "large-gif": flat_picture("GIF", "P"),
        "large-bmp": bmp_runs(1000, 1000, flat * 1000),
    }


@functools.cache
def zeros(megabytes: int) -> bytes:
    """That many, deflated to a thousandth."""
    return zlib.compress(bytes(megabytes * 2**20), 9)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, extra: bytes = b"") -> bytes:
    """Grey; its pixels are only there for 8 x 8."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress((b"\0" + b"\x80" * 8) * 8)
    end = chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + end


def progressive_jpeg(
    width: int, height: int, scans: int, between: bytes = b"", frame: int = 0xC2
) -> bytes:
    """Grey: one scan of the means, `between`, and as many empty scans of the rest as asked for."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    progressive = frame == 0xC2
    components = 1 if progressive else 3  # a sequential frame has scans if its colours are apart
    sampling = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    one_code = b"\1" + bytes(15)
    first = segment(0xDA, b"\1\1\0\0\0\0" if progressive else b"\1\1\0\0\x3f\0")
    rest = segment(0xDA, b"\1\1\0\1\x3f\0" if progressive else b"\1\1\0\0\x3f\0")
    return (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + b"\1" * 64)
        + segment(frame, struct.pack(">BHHB", 8, height, width, components) + sampling)
        + segment(0xC4, b"\x00" + one_code + b"\0")
        + segment(0xC4, b"\x10" + one_code + (b"\xe0" if progressive else b"\0"))
        + first
        + between
        + rest * scans
        + b"\xff\xd9"
    )


def jpeg_with_exif(block: bytes) -> bytes:
    """A grey 8 x 8 JPEG with this Exif, which must be shorter than 64 kB."""
    body = b"Exif\0\0" + block
    plain = progressive_jpeg(8, 8, scans=1)
    return plain[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body + plain[2:]


def tiff(tags: dict[int, int | tuple[int, int]], following: int = 0, tail: int = 64) -> bytes:
    """Little-endian, uncompressed 8-bit grey unless ``tags`` say otherwise.

    A tag's value is a number, or where its values stand and how many there are.
    """
    entries = b""
    for tag, value in sorted(({258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 64} | tags).items()):
        at, count = value if isinstance(value, tuple) else (value, 1)
        entries += struct.pack("<HHII", tag, 4, count, at)
    directory = struct.pack("<H", len(entries) // 12) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(tail)


def overlapping_tags(count: int) -> bytes:
    """A TIFF directory whose tags each hold the whole of the file."""
    size = 8 + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 5000 + tag, 7, size - 16, 8) for tag in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4)


def gif(width: int, height: int, frame: tuple[int, int, int, int], before: bytes = b"") -> bytes:
    """Grey, with almost no pixels; ``frame`` is left, top, width, height."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)
    return screen + before + b"\x2c" + struct.pack("<HHHHB", *frame, 0) + b"\7\3\x80\0\0\0\x3b"


def riff(kind: bytes, body: bytes) -> bytes:
    """A WebP file of one chunk."""
    chunks = b"WEBP" + kind + struct.pack("<I", len(body)) + body + bytes(16)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def bmp_runs(width: int, height: int, runs: bytes, compression: int = 1) -> bytes:
    """A BMP of 256 colours in run lengths: number of pixels, colour, and 0 0 to end a row."""
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(runs), 1, 1, 256, 0
    )
    palette = b"".join(bytes([i, 255 - i, i // 2, 0]) for i in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


def with_other_size(kind: str, width: int, height: int) -> bytes:
    """A 64 x 64 picture in a container that claims another size."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, kind)
    told = b"ispe\0\0\0\0" + struct.pack(">II", 64, 64)
    return file.getvalue().replace(told, told[:8] + struct.pack(">II", width, height))


def flat_picture(kind: str, mode: str, **options: str | int) -> bytes:
    """25 million pixels of one colour."""
    file = io.BytesIO()
    Image.new(mode, (5000, 5000), 90).save(file, kind, **options)
    return file.getvalue()
