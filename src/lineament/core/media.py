"""Media in and out: picture files to upright RGB, folders to picture files, crops to JPEG.

Whatever a file holds, reading it ends in an `Image` or in one typed error that names the file,
within the time and memory that `Limits` allow. The format is told by content, never by suffix.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lineament.core.decoders import decode_image
from lineament.core.errors import (
    EmptyFile,
    ImageTooLarge,
    MissingFile,
    UnreadableImage,
    UnsupportedFormat,
)
from lineament.core.headers import Limits, read_header
from lineament.core.image import Image

SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff"]
    + [".bmp", ".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs"]
)
"""Suffixes, in small letters, by which `image_files` takes a file for a picture."""

_SYSTEM_FOLDERS = frozenset(
    ["@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"]
)
_CHUNK = 2**20

_no_limits_given = Limits()


@runtime_checkable
class Readable(Protocol):
    """An open binary file, an upload, an `io.BytesIO`."""

    def read(self, size: int, /) -> bytes | None:
        """Up to ``size`` bytes; none at the end."""
        ...


def read_image(
    source: str | Path | bytes | Readable,
    *,
    limits: Limits = _no_limits_given,
    name: str | None = None,
) -> Image:
    """One picture file as upright RGB.

    Of a file with several pictures the first is read (HEIC: the primary one). Transparent pixels
    are laid on white. Samples of more than 8 bits are brought to 8: 16-bit ones lose their low
    byte; floating-point and 32-bit ones are scaled by the smallest of 1 (floating-point only),
    255 and 65535 that holds their maximum, or from minimum to maximum where some are negative or
    none holds. Colour profiles are not applied.

    Args:
        source: path, the file's bytes, or a binary stream.
        limits: on what the file may ask for.
        name: stands for the file in messages and in ``Image.source``; the path by default.

    Raises:
        UnreadableImage: see its subclasses; the message starts with ``name``.
    """
    if isinstance(source, bytes):
        return decode(source, name=name, limits=limits)
    if isinstance(source, str | Path):
        return decode(read_bytes(source, limits), name=name or str(source), limits=limits)
    return decode(_read_stream(source, limits, name), name=name, limits=limits)


def read_bytes(path: str | Path, limits: Limits = _no_limits_given) -> bytes:
    """The bytes of a picture file, for `decode` and for hashing; no more than allowed.

    Raises:
        MissingFile: there is no such file, or it may not be read.
        UnsupportedFormat: it is a folder, a device or a pipe.
        EmptyFile: it has no bytes.
        ImageTooLarge: it has more than ``limits.max_bytes``.
    """
    with _opened(path) as (stream, size):
        if size > limits.max_bytes:
            raise _too_many_bytes(size, limits, str(path))
        data = stream.read(size + 1)
    if not data:
        raise EmptyFile("the file is empty", str(path))
    return data


def decode(data: bytes, *, name: str | None = None, limits: Limits = _no_limits_given) -> Image:
    """A picture file's bytes as upright RGB; see `read_image`.

    Raises:
        UnreadableImage: see its subclasses; the message starts with ``name``.
    """
    try:
        if not data:
            raise EmptyFile("there are no bytes")
        if len(data) > limits.max_bytes:
            raise _too_many_bytes(len(data), limits, None)
        header = read_header(data, limits)
        return decode_image(header, limits, name)
    except UnreadableImage as error:
        raise type(error)(error.reason, name) from error.__cause__
    except MemoryError:
        raise ImageTooLarge("there is not enough memory to decode it", name) from None


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal, in constant memory.

    Raises:
        MissingFile: there is no such file, or it may not be read.
        UnsupportedFormat: it is a folder, a device or a pipe.
    """
    with _opened(path) as (stream, _):
        return hashlib.file_digest(stream, "sha256").hexdigest()


def image_files(
    folder: str | Path,
    on_error: Callable[[MissingFile], None] | None = None,
    suffixes: Collection[str] = SUFFIXES,
) -> Iterator[Path]:
    """The picture files below a folder, by suffix, in order of their paths.

    Hidden files, those of the system (such as ``@eaDir``) and whatever is not a regular file are
    left out. Links to files are followed and links to folders are not, so that no photo is found
    twice by a loop.

    Args:
        folder: where to look; a single file is given back whatever its name.
        on_error: called for each folder below that may not be listed; without it that is raised.
        suffixes: of the files to give, in small letters.

    Raises:
        MissingFile: there is no such folder, or it may not be listed.
    """
    # os.path.isfile, unlike Path.is_file, raises nothing: not for loops of links either.
    if os.path.isfile(folder):  # noqa: PTH113
        yield Path(folder)
        return
    left = _listed(folder)[::-1]
    while left:
        entry = left.pop()
        if entry.is_dir(follow_symlinks=False):
            try:
                left += _listed(entry.path)[::-1]
            except MissingFile as error:
                if on_error is None:
                    raise
                on_error(error)
        elif Path(entry.name).suffix.lower() in suffixes and os.path.isfile(entry.path):  # noqa: PTH113
            yield Path(entry.path)


def encode_jpeg(pixels: UInt8[np.ndarray, "h w 3"], quality: int = 90) -> bytes:
    """A JPEG file.

    Args:
        pixels: RGB, height x width x 3, up to 65,500 a side.
        quality: 1 to 95.
    """
    from PIL import Image as Pil

    file = io.BytesIO()
    Pil.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    return file.getvalue()


# --------------------------------------------------------------------------------------- files


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[io.BufferedReader, int]]:
    """A regular file and its size. A pipe without a writer is refused instead of waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb") as stream:  # noqa: PTH123
            status = os.fstat(stream.fileno())
            if stat.S_ISREG(status.st_mode):
                yield stream, status.st_size
                return
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise UnsupportedFormat(f"{what}, not a picture file", str(path))
    except FileNotFoundError:
        raise MissingFile("there is no such file", str(path)) from None
    except IsADirectoryError:
        raise UnsupportedFormat("a folder, not a picture file", str(path)) from None
    except MemoryError:
        raise ImageTooLarge("there is not enough memory to read it", str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise MissingFile(f"cannot be read: {reason}", str(path)) from error


def _read_stream(stream: Readable, limits: Limits, name: str | None) -> bytes:
    chunks, size = [], 0
    try:
        while chunk := stream.read(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.max_bytes:
                raise _too_many_bytes(size, limits, name)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror or error}", name) from error
    return b"".join(chunks)


def _too_many_bytes(size: int, limits: Limits, name: str | None) -> ImageTooLarge:
    return ImageTooLarge(
        f"{size:,} bytes or more; {limits.max_bytes:,} are allowed (max_bytes)", name
    )


def _listed(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            shown = [
                entry
                for entry in entries
                if not entry.name.startswith(".") and entry.name not in _SYSTEM_FOLDERS
            ]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingFile(f"cannot be listed: {reason}", str(folder)) from error
    return sorted(shown, key=lambda entry: entry.name)
