"""Videos out: edited pictures at the source's own times, with the source's own sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.video_file import av_module, open_media, origin

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""What can be written, by suffix: containers that keep a time for every frame."""
_ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "21"},
    "libopenh264": {"rc_mode": "quality"},
    "mpeg4": {"qscale": "4"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "crf": "30", "b": "0"},
}
"""H.264 where the local FFmpeg can write it, else the next best that the container takes."""
_BT709 = 1
"""FFmpeg's number of the colour space, primaries and transfer function that are written."""
_CLOCK = Fraction(1, 60_000)
"""A tick: most rates are whole numbers of it, and MPEG-4 allows no denominator above 65,535."""


class VideoWriter:
    """Writes a video beside its final place, and moves it there when all of it is written.

    Use it in a ``with`` statement: where that ends in an error nothing is left behind.

    Args:
        path: of the video to write; its suffix names the container, see `FORMATS`.
        source: the video that the pictures are of; its sound is copied packet by packet, without
            being encoded again. None for a silent video.
        comment: what the file says of itself, where players and editors can read it.
        rate: mean frames a second, by which the encoder shares out its bits.
        threads: of the encoder; None lets it choose.

    Attributes:
        encoder: FFmpeg's name of what encodes the pictures; empty before the first.
        silent: why the sound, or some of it, could not be copied; empty where it was, and where
            there is none.

    Raises:
        BadInput: the suffix is none that can be written, or the source would be overwritten.
        ExtraMissing: PyAV is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        source: str | Path | None = None,
        comment: str = "",
        rate: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.encoder = ""
        self.silent = ""
        if self.path.suffix.lower() not in FORMATS:
            raise BadInput(f"videos are written as {', '.join(FORMATS)}", str(path))
        if source is not None and self.path.exists() and self.path.samefile(source):
            raise BadInput("this is the video itself; write the drawn one elsewhere", str(path))
        self._av = av_module(str(path))
        self._part = self.path.with_name(self.path.name + ".part")
        self._source = source
        self._comment = comment
        self._rate = rate
        self._threads = threads
        self._open = ExitStack()
        self._sound: Iterator[tuple[float, Packet]] = iter(())
        self._next_sound: tuple[float, Packet] | None = None
        self._out: OutputContainer | None = None
        self._pictures: VideoStream
        self._last = -1

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, image: Image, seconds: float) -> None:
        """Add a picture.

        Args:
            image: upright RGB. The first fixes the size; others are brought to it.
            seconds: when it is shown, from the start of the source, later than the one before.

        Raises:
            BadInput: it is not later, or the file cannot be written.
        """
        tick = round(seconds / _CLOCK)
        if tick <= self._last:
            raise BadInput(f"a frame at {seconds:.4f} s follows a later one", str(self.path))
        self._last = tick
        try:
            if self._out is None:
                self._out = self._begin(image)
            frame = self._av.VideoFrame.from_ndarray(_even(image.pixels), format="rgb24")
            stream = self._pictures
            frame = frame.reformat(stream.width, stream.height, "yuv420p", dst_colorspace=_BT709)
            frame.pts, frame.time_base = tick, _CLOCK
            self._copy_sound(seconds)
            self._out.mux(stream.encode(frame))
        except self._av.FFmpegError as error:
            raise BadInput(f"cannot be written: {error.strerror}", str(self.path)) from error

    def close(self) -> None:
        """Write what is still to be written, and move the video to its place.

        Raises:
            BadInput: not one picture was written, or the file cannot be.
        """
        if self._out is None:
            self.discard()
            raise BadInput("no video without a picture", str(self.path))
        try:
            self._out.mux(self._pictures.encode(None))
            self._copy_sound(float("inf"))
            self._open.close()
            os.replace(self._part, self.path)  # noqa: PTH105
        except (self._av.FFmpegError, OSError) as error:
            self.discard()
            raise BadInput(f"cannot be written: {error.strerror}", str(self.path)) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(self._av.FFmpegError):  # a file that is thrown away need not end well
            self._open.close()
        self._part.unlink(missing_ok=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _begin(self, image: Image) -> OutputContainer:
        out = self._open.enter_context(
            self._av.open(str(self._part), "w", format=FORMATS[self.path.suffix.lower()])
        )
        if self._comment:
            out.metadata["comment"] = self._comment
        height, width = _even(image.pixels).shape[:2]
        known = out.supported_codecs & self._av.codecs_available
        self.encoder = next((name for name in _ENCODERS if name in known), out.default_video_codec)
        rate = Fraction(self._rate or 25).limit_denominator(1001)
        stream = out.add_stream(
            self.encoder, rate=rate, options=dict(_ENCODERS.get(self.encoder, {}))
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = _CLOCK
        context.thread_count = self._threads or 0
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._pictures = stream
        if self._source is not None:
            self._sound = self._open_sound(out)
            self._next_sound = next(self._sound, None)
        return out

    def _open_sound(self, out: OutputContainer) -> Iterator[tuple[float, Packet]]:
        assert self._source is not None
        source = self._open.enter_context(open_media(self._source))
        pairs: dict[int, AudioStream] = {}
        mp4 = out.format.name == "mp4"
        for stream in source.streams.audio:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            # Uncompressed sound in MP4 is new; few players take it, and fewer writers' headers.
            if codec in out.supported_codecs and not (mp4 and codec.startswith("pcm_")):
                pairs[stream.index] = out.add_stream_from_template(stream)
            else:
                self.silent = f"{out.format.name} cannot hold its {codec} sound; .mkv can"
        return self._packets(source, pairs) if pairs else iter(())

    def _packets(
        self, source: InputContainer, pairs: dict[int, AudioStream]
    ) -> Iterator[tuple[float, Packet]]:
        """The sound's packets with their times, each sent to its new stream."""
        begin, seconds = origin(source), 0.0
        try:
            for packet in source.demux([source.streams[index] for index in pairs]):
                if packet.dts is None or not packet.size:
                    continue
                if shift := round(begin / packet.time_base):
                    packet.dts -= shift
                    packet.pts = None if packet.pts is None else packet.pts - shift
                seconds = float(packet.dts * packet.time_base)
                packet.stream = pairs[packet.stream_index]
                yield seconds, packet
        except self._av.FFmpegError:
            self.silent = f"the sound is damaged from {seconds:.2f} s on"

    def _copy_sound(self, until: float) -> None:
        """Sound goes where its pictures are, so that players need not jump about in the file."""
        assert self._out is not None
        while self._next_sound is not None and self._next_sound[0] <= until:
            self._out.mux_one(self._next_sound[1])
            self._next_sound = next(self._sound, None)


def _even(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Sides made even, as the encoders want them, by repeating the last row and column."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
