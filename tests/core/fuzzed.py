"""Picture files that are broken or hostile, made from a seed; and a reader that gives account.

From the folder of the tests, ``python -m core.fuzzed FOLDER COUNT SEED`` writes such a folder, and
``python -m core.fuzzed --read FOLDER`` reads it back, one line of JSON a file and a last one
with the peak of memory, for a parent process that survives what the reader might not.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from core import hostile

SHARES = {
    "truncated": 500,
    "flipped": 600,
    "header": 300,
    "suffix": 200,
    "spliced": 250,
    "noise": 50,
    "bomb": 100,
}
"""How many of 2,000 files are of each kind. "header" has flips in its first 64 bytes only,
"suffix" is sound but has the suffix of another format, "noise" is no picture at all."""


def make_fuzzed(folder: Path, count: int, seed: int) -> list[Path]:
    """Writes ``count`` files into ``folder``, always the same for the same seed.

    The kind of each stands in its name, behind its number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    kinds = list(SHARES)
    chances = np.array(list(SHARES.values())) / sum(SHARES.values())
    # Exact shares, in an order that mixes them.
    numbers = np.floor(chances * count).astype(int)
    numbers[0] += count - numbers.sum()
    order = rng.permutation(np.repeat(np.arange(len(kinds)), numbers))
    bombs = itertools.cycle(hostile.bombs().items())
    paths = []
    for index, kind in enumerate(kinds[i] for i in order):
        if kind == "bomb":
            name, data = next(bombs)
            kind, suffix = f"bomb-{name}", hostile.SUFFIX[name.split("-")[0]]
        else:
            suffix, data = _MAKE[kind](rng)
        path = folder / f"{index:05d}-{kind}{suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths


@functools.cache
def sound_files() -> list[tuple[str, bytes]]:
    """Small sound files, suffix and bytes, of every format and most of its kinds."""
    y, x = np.mgrid[:48, :64]
    colours = np.stack([4 * x, 5 * y, 255 - 2 * (x + y), 40 + 3 * x], axis=2).astype(np.uint8)
    rgba = Image.fromarray(colours)
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    palette = rgb.quantize(16)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    real = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    turned = Image.Exif()
    turned[274] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a text " * 40, zip=True)

    def one(picture: Image.Image, kind: str, **options: object) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    import pillow_heif

    pillow_heif.register_heif_opener()
    frames = {"save_all": True, "append_images": [rgb.transpose(Image.Transpose.ROTATE_180)]}
    return [
        (".jpg", one(rgb, "JPEG")),
        (".jpg", one(rgb, "JPEG", progressive=True, exif=turned, comment=b"hello")),
        (".jpg", one(grey, "JPEG", icc_profile=b"\1" * 3000)),
        (".jpg", one(rgb.convert("CMYK"), "JPEG")),
        (".mpo", one(rgb, "MPO", **frames)),
        (".png", one(rgb, "PNG", exif=turned, icc_profile=b"\1" * 3000)),
        (".png", one(rgba, "PNG", pnginfo=text)),
        (".png", one(palette, "PNG", transparency=3)),
        (".png", one(deep, "PNG")),
        (".png", one(grey.convert("1"), "PNG")),
        (".png", one(rgb, "PNG", **frames)),
        (".webp", one(rgb, "WEBP", exif=turned)),
        (".webp", one(rgba, "WEBP", lossless=True)),
        (".webp", one(rgb, "WEBP", **frames)),
        (".gif", one(palette, "GIF", transparency=2, comment=b"hello")),
        (".gif", one(rgb, "GIF", **frames)),
        (".tif", one(rgb, "TIFF")),
        (".tif", one(rgb, "TIFF", compression="tiff_lzw", exif=turned)),
        (".tif", one(rgb, "TIFF", compression="jpeg")),
        (".tif", one(rgba, "TIFF", compression="tiff_adobe_deflate")),
        (".tif", one(rgb.convert("CMYK"), "TIFF", compression="packbits")),
        (".tif", one(grey.convert("1"), "TIFF", compression="group4")),
        (".tif", one(deep, "TIFF", big_tiff=True)),
        (".tif", one(real, "TIFF", save_all=True, append_images=[real])),
        (".tif", one(palette, "TIFF")),
        (".bmp", one(rgb, "BMP")),
        (".bmp", one(palette, "BMP")),
        (".bmp", hostile.bmp_runs(64, 48, b"\x40\x07\0\0" * 48 + b"\0\1")),
        (".heic", one(rgb, "HEIF", quality=50)),
        (".heic", one(rgba, "HEIF", quality=50, exif=turned)),
        (".avif", one(rgb, "AVIF", quality=50, exif=turned)),
        (".avif", one(rgba, "AVIF", quality=50)),
    ]


def _sound(rng: np.random.Generator) -> tuple[str, bytes]:
    files = sound_files()
    return files[rng.integers(len(files))]


def _truncated(rng: np.random.Generator) -> tuple[str, bytes]:
    suffix, data = _sound(rng)
    return suffix, data[: rng.integers(len(data))]


def _flipped(rng: np.random.Generator, first: int | None = None) -> tuple[str, bytes]:
    suffix, data = _sound(rng)
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    places = rng.integers(8 * min(first or len(data), len(data)), size=rng.integers(1, 20))
    bits[places] ^= 1
    return suffix, np.packbits(bits).tobytes()


def _header(rng: np.random.Generator) -> tuple[str, bytes]:
    return _flipped(rng, first=64)


def _suffix(rng: np.random.Generator) -> tuple[str, bytes]:
    suffix, data = _sound(rng)
    others = sorted({other for other, _ in sound_files()} - {suffix})
    return others[rng.integers(len(others))], data


def _spliced(rng: np.random.Generator) -> tuple[str, bytes]:
    (suffix, head), (_, tail) = _sound(rng), _sound(rng)
    return suffix, head[: rng.integers(1, len(head))] + tail[rng.integers(len(tail)) :]


def _noise(rng: np.random.Generator) -> tuple[str, bytes]:
    suffix, data = _sound(rng)
    # Half of it behind the first bytes of a real file, so that it is taken for one.
    return suffix, data[: rng.choice([0, 16])] + rng.bytes(rng.choice([0, 1, 100, 5000]))


_MAKE: dict[str, Callable[[np.random.Generator], tuple[str, bytes]]] = {
    "truncated": _truncated,
    "flipped": _flipped,
    "header": _header,
    "suffix": _suffix,
    "spliced": _spliced,
    "noise": _noise,
}


# --------------------------------------------------------------------------------- the account


def memory(field: str) -> int:
    """Bytes of this process: "VmRSS" now, "VmHWM" at its peak. Linux only."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def account(folder: Path) -> None:
    """Reads every file of a folder and prints what came of it."""
    import resource

    from lineament.core.errors import UnreadableImage
    from lineament.core.media import read_image

    # Beyond this an allocation fails, so that a runaway ends here and not with the machine.
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
    for _, data in sound_files():
        read_image(data)
    before = memory("VmRSS")
    for path in sorted(folder.iterdir()):
        print(json.dumps({"file": path.name, "outcome": "started"}), flush=True)
        start = time.perf_counter()
        try:
            outcome, message = "decoded", str(read_image(path).pixels.shape)
        except UnreadableImage as error:
            outcome, message = type(error).__name__, str(error)
        seconds = time.perf_counter() - start
        line = {"file": path.name, "outcome": outcome, "message": message, "seconds": seconds}
        print(json.dumps(line), flush=True)
    print(json.dumps({"growth": memory("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        account(Path(sys.argv[2]))
    else:
        make_fuzzed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
