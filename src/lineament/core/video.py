"""Videos in: a file's frames as upright RGB, one after the other, at their own times.

Whatever a file holds, reading gives the frames that can be decoded and then, if something was
wrong, raises one typed error that names the file. Memory stays level: a frame is kept by nobody
but the caller. Decoding is FFmpeg's, through PyAV, which the extra ``[video]`` brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.video_decoding import decoded
from lineament.core.video_file import VideoLimits, length, opened

VIDEO_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts"]
    + [".wmv", ".flv", ".ogv"]
)
"""Suffixes, in small letters, by which a file in a folder is taken for a video. Not ``.ts``: most
of these are programs, not recordings."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a video.

    Attributes:
        image: upright RGB with square pixels.
        seconds: when it is shown, from the start of the video; rises from frame to frame.
        index: its place among the frames that were given, from 0.
    """

    image: Image
    seconds: float
    index: int


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a video file says of itself.

    Attributes:
        width: of the upright picture with square pixels.
        height: of the same.
        seconds: length; None where the file does not say.
        rate: mean frames a second; None where the file does not say. Times are what counts.
        codec: FFmpeg's name of the pictures' codec, such as ``h264``.
        container: FFmpeg's name of the format, such as ``matroska,webm``.
        sound: codecs of the sound streams.
        comment: the file's comment, such as the writer's word on what was drawn into it.
    """

    width: int
    height: int
    seconds: float | None
    rate: float | None
    codec: str
    container: str
    sound: tuple[str, ...]
    comment: str


_no_limits_given = VideoLimits()


def read_video(
    path: str | Path,
    *,
    every: float | None = None,
    limits: VideoLimits = _no_limits_given,
    threads: int | None = None,
) -> Iterator[Frame]:
    """The frames of a video, in the order in which they are shown.

    Rotation and mirroring by the file's display matrix are applied, and pixels that are not square
    are made so. Frames of more than 8 bits are brought to 8; those on the PQ scale of HDR are
    brought to the usual one. Frames that the decoder calls corrupt are left out.

    Args:
        path: of the file.
        every: give the first frame of each so many seconds only. What none of them needs is not
            decoded.
        limits: on what the file may ask for.
        threads: of the decoder; None lets FFmpeg choose.

    Raises:
        UnreadableImage: before the first frame, where there is nothing to see: see its subclasses.
        BrokenVideo: after the last frame that could be decoded, where some were lost.
        ImageTooLarge: once a limit is reached.
        BadInput: `every` is not above 0.
    """
    if every is not None and not every > 0:
        raise BadInput(f"a frame each {every:g} s: that must be more than 0", str(path))
    with opened(path, limits) as (container, stream):
        pictures = decoded(str(path), container, stream, every, limits, threads)
        for index, (image, seconds) in enumerate(pictures):
            yield Frame(image, seconds, index)


def video_info(path: str | Path, *, limits: VideoLimits = _no_limits_given) -> VideoInfo:
    """What a video file says of itself. Its first frame is decoded, which shows that it can be.

    Raises:
        UnreadableImage: there is nothing to see; see its subclasses.
    """
    with opened(path, limits) as (container, stream):
        first, _ = next(decoded(str(path), container, stream, None, limits, 1))
        return VideoInfo(
            width=round(first.width / first.scale),
            height=round(first.height / first.scale),
            seconds=length(container, stream),
            rate=float(stream.average_rate) if stream.average_rate else None,
            codec=stream.codec_context.name,
            container=container.format.name,
            sound=tuple(s.codec_context.name for s in container.streams.audio if s.codec_context),
            comment=container.metadata.get("comment", container.metadata.get("COMMENT", "")),
        )
