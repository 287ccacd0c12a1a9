"""A video's file: opened by FFmpeg, through PyAV, and held to limits before anything is decoded.

A file's bytes choose FFmpeg's demuxer, and some of these open other files and addresses that the
bytes name (playlists). Only demuxers of self-contained files are let near, and only local files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lineament.core.errors import (
    BrokenVideo,
    EmptyFile,
    ExtraMissing,
    ImageTooLarge,
    MissingFile,
    UnsupportedFormat,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,h264,hevc,ivf"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _DEMUXERS}


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """What a video may ask for.

    Attributes:
        max_pixels: of a frame; checked before anything is decoded (8K has 33 million).
        max_side: larger frames are given reduced to this long side; `Image.scale` says by how
            much. None gives full size.
        max_seconds: longest video; None for any.
        max_frames: most frames to give; None for any.
        patience: seconds of work without a single frame after which a file is given up.
    """

    max_pixels: int = 64_000_000
    max_side: int | None = None
    max_seconds: float | None = None
    max_frames: int | None = None
    patience: float = 20.0


_no_limits_given = VideoLimits()


@contextmanager
def opened(
    path: str | Path, limits: VideoLimits = _no_limits_given
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video file and its main stream of pictures, held to limits.

    Raises:
        UnreadableImage: see its subclasses.
    """
    with open_media(path, limits) as container:
        stream = _pictures(container, str(path))
        pixels = stream.codec_context.width * stream.codec_context.height
        if pixels > limits.max_pixels:
            raise ImageTooLarge(
                f"{pixels:,} pixels a frame; {limits.max_pixels:,} are allowed (max_pixels)",
                str(path),
            )
        seconds = length(container, stream)
        if limits.max_seconds is not None and (seconds or 0) > limits.max_seconds:
            raise ImageTooLarge(
                f"lasts {seconds:,.1f} s; {limits.max_seconds:g} are allowed (max_seconds)",
                str(path),
            )
        yield container, stream


@contextmanager
def open_media(
    path: str | Path, limits: VideoLimits = _no_limits_given
) -> Iterator[InputContainer]:
    """A file opened by FFmpeg, as a local file of a self-contained format and nothing else.

    Raises:
        UnreadableImage: see its subclasses.
    """
    av, name = av_module(str(path)), str(path)
    _check_file(path)
    options = {**_OPTIONS, "max_pixels": str(limits.max_pixels)}
    url = f"file:{os.path.abspath(path)}"  # noqa: PTH100  (a link is opened by its name)
    try:
        container = av.open(
            url, options=options, timeout=limits.patience, metadata_errors="replace"
        )
    except av.error.ExitError:
        raise BrokenVideo(f"took more than {limits.patience:g} s to open", name) from None
    except (av.FFmpegError, LookupError, ValueError, ArithmeticError) as error:
        raise UnsupportedFormat(
            f"damaged, cut off, or of no format that is read ({_reason(error)})", name
        ) from error
    with container:
        yield container


def length(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the pictures, where the file says; else those of the whole file."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def origin(container: InputContainer) -> float:
    """What the file's clock shows at the start, in seconds; `Frame.seconds` counts from there.

    Sound may start a little before 0, so that its decoder is warm at 0: that is no other origin.
    """
    return max(0.0, (container.start_time or 0) / 1e6)


def av_module(source: str | None = None) -> ModuleType:
    """PyAV.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        import av
        import av.logging
    except ImportError:
        raise ExtraMissing("videos need PyAV: pip install 'lineament[video]'", source) from None
    av.logging.set_level(None)  # damage is told by errors, not by lines on the terminal
    return av


def _check_file(path: str | Path) -> None:
    """A regular file with bytes in it: a pipe would be waited for."""
    try:
        if not Path(path).is_file():
            raise (
                UnsupportedFormat("a folder, a device or a pipe, not a video file", str(path))
                if Path(path).exists()
                else MissingFile("there is no such file", str(path))
            )
        with Path(path).open("rb") as stream:
            if not stream.read(1):
                raise EmptyFile("the file is empty", str(path))
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise MissingFile(f"cannot be read: {reason}", str(path)) from error


def _pictures(container: InputContainer, name: str) -> VideoStream:
    """The stream with most pixels; a cover picture is no video."""
    av = av_module()
    cover = av.stream.Disposition.attached_pic
    streams = [
        s
        for s in container.streams.video
        if s.codec_context is not None and not s.disposition & cover
    ]
    if not streams:
        what = "sound only" if container.streams.audio else "no pictures that can be decoded"
        raise UnsupportedFormat(f"no video in it: {what}", name)
    return max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
