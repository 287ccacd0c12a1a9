"""From packets to frames: which are decoded, when they are shown, and what was wrong with them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import floor
from typing import TYPE_CHECKING

from lineament.core.errors import BrokenVideo, ImageTooLarge
from lineament.core.image import Image
from lineament.core.video_file import VideoLimits, av_module, length, origin
from lineament.core.video_pixels import Developer

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LEAST_STEP = 1e-3
"""Seconds from one frame to the next where the file says that there are none."""
_JUMP_BACK = 0.5
"""Seconds by which times must fall to mean that the clock was set anew."""
_ROUNDING = 1e-6
"""Seconds that a time may be off because it is no whole number of the file's ticks."""
_MOST_HELD = 1000
"""Packets looked ahead, at most, for the next keyframe."""
_SHORT, _SHORT_OF_SOUND = 0.5, 2.0
"""Seconds by which a video may end before the length that its file names; more where that may be
the length of its sound."""


def decoded(
    source: str,
    container: InputContainer,
    stream: VideoStream,
    every: float | None,
    limits: VideoLimits,
    threads: int | None,
) -> Iterator[tuple[Image, float]]:
    """Pictures of an open video with their times; see `video.read_video`."""
    decoder = _Decoder(source, container, stream, limits, threads)
    develop = Developer(
        source, float(stream.codec_context.sample_aspect_ratio or 0), limits.max_side
    )
    index = 0
    for frame, seconds in decoder.all() if every is None else decoder.sampled(every):
        if limits.max_frames is not None and index >= limits.max_frames:
            raise ImageTooLarge(
                f"more than {limits.max_frames:,} frames, at {seconds:.2f} s (max_frames)", source
            )
        if limits.max_seconds is not None and seconds > limits.max_seconds:
            raise ImageTooLarge(f"lasts more than {limits.max_seconds:g} s (max_seconds)", source)
        image = decoder.guarded(develop, frame)
        if image is not None:
            yield image, seconds
            index += 1
        decoder.resume()
    decoder.settle()


class _Decoder:
    """Runs the decoder of one stream, keeps its clock, and notes what goes wrong."""

    def __init__(
        self,
        source: str,
        container: InputContainer,
        stream: VideoStream,
        limits: VideoLimits,
        threads: int | None,
    ) -> None:
        # Beside its own errors PyAV lets these through where a file contradicts itself.
        self._errors = (av_module().FFmpegError, LookupError, ValueError, ArithmeticError)
        self._source = source
        self._container = container
        self._stream = stream
        self._context = stream.codec_context
        self._context.thread_count = threads or 0
        self._context.thread_type = "AUTO" if threads != 1 else "NONE"
        self._context.options = {"max_pixels": str(limits.max_pixels)}
        self._limits = limits
        self._clock = _Clock(stream, origin(container))
        self._last: float | None = None
        self._end = 0.0
        self._early: str | None = None
        self._damage: list[tuple[float, str]] = []
        self._since = time.perf_counter()

    def guarded(self, develop: Developer, frame: VideoFrame) -> Image | None:
        """The picture of a frame; None, and noted, where it is of a kind that cannot be shown."""
        try:
            return develop(frame)
        except self._errors as error:
            self._note(_reason(error))
            return None
        except MemoryError:
            raise ImageTooLarge("there is not enough memory for a frame", self._source) from None

    def resume(self) -> None:
        """The caller's own work does not count as time without a frame."""
        self._since = time.perf_counter()

    def all(self) -> Iterator[tuple[VideoFrame, float]]:
        """Every frame with its time."""
        for packet in self._packets():
            yield from self._decode(packet)
        yield from self._decode(None)

    def sampled(self, every: float) -> Iterator[tuple[VideoFrame, float]]:
        """The first frame of each `every` seconds.

        A group of pictures, from one keyframe to the next, is decoded only where one of its frames
        is due, and of what lies before that frame only the pictures that others refer to.
        """
        due, after, cold = float("-inf"), float("-inf"), False

        def chosen(packet: Packet | None) -> Iterator[tuple[VideoFrame, float]]:
            nonlocal due
            for frame, seconds in self._decode(packet):
                if seconds >= max(due, after) - _ROUNDING:
                    due = (floor((seconds + _ROUNDING) / every) + 1) * every
                    yield frame, seconds

        for group, following in _groups(self._packets()):
            end = None if following is None else self._seconds(following)
            for packet in group:
                if end is not None and due >= end:
                    if not cold:
                        yield from chosen(None)
                        self._context.flush_buffers()
                        cold = True
                    self.resume()
                    break
                at = self._seconds(packet)
                if cold:
                    # Pictures that are shown before their keyframe refer to the group left out.
                    cold, after = False, after if at is None else at
                early = packet.pts is not None and at is not None and at < due
                self._context.skip_frame = "NONREF" if early else "DEFAULT"
                yield from chosen(packet)
        if not cold:
            yield from chosen(None)

    def settle(self) -> None:
        """Say once what went wrong, where something did.

        Raises:
            BrokenVideo: frames were lost, or there were none.
        """
        if self._last is None:
            why = f": {self._early}" if self._early else ""
            raise BrokenVideo(f"not one frame can be decoded{why}", self._source, 0.0)
        if self._damage:
            at, why = self._damage[0]
            more = f" and in {len(self._damage) - 1} more places" if len(self._damage) > 1 else ""
            raise BrokenVideo(f"damaged at {at:.2f} s{more} ({why})", self._source, at)
        whole = length(self._container, self._stream)
        own = self._stream.duration or not self._container.streams.audio
        if whole is not None and whole - self._end > (_SHORT if own else _SHORT_OF_SOUND):
            raise BrokenVideo(
                f"ends at {self._end:.2f} s of {whole:.2f} s", self._source, self._end
            )

    def _seconds(self, packet: Packet) -> float | None:
        """When a packet's picture is shown, or decoded where the file says only that."""
        ticks = packet.dts if packet.pts is None else packet.pts
        return None if ticks is None else self._clock.seconds(ticks)

    def _packets(self) -> Iterator[Packet]:
        """The stream's packets, as far as they can be read."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._errors as error:
                self._note(_reason(error))
                return
            self._check_patience()
            if packet.size:  # the last one is empty and only says that it is
                self._end = max(self._end, self._seconds(packet) or 0.0)
                yield packet

    def _decode(self, packet: Packet | None) -> Iterator[tuple[VideoFrame, float]]:
        try:
            frames = self._context.decode(packet)
        except self._errors as error:
            self._note(_reason(error))
            return
        if packet is not None and packet.is_corrupt:
            self._note("incomplete")
        for frame in frames:
            self.resume()
            if frame.is_corrupt:
                self._note("corrupt pictures")
                continue
            self._last = self._clock(frame)
            yield frame, self._last

    def _note(self, why: str) -> None:
        """Recordings of broadcasts begin anywhere: what is lost before the first frame is no
        damage, unless there is no frame at all."""
        if self._last is None:
            self._early = why
        else:
            self._damage.append((self._last, why))

    def _check_patience(self) -> None:
        waited = time.perf_counter() - self._since
        if waited > self._limits.patience:
            raise BrokenVideo(
                f"no frame in {waited:.0f} s of work after {self._last or 0:.2f} s",
                self._source,
                self._last,
            )


class _Clock:
    """Presentation times that rise, from the start of the video.

    A frame without a time, or with that of its predecessor, comes a moment after it; one whose time
    lies far back means that the clock was set anew, and the video goes on from where it was.
    """

    def __init__(self, stream: VideoStream, origin: float) -> None:
        self._origin = origin
        self._shift = 0.0
        rate = stream.average_rate or stream.guessed_rate
        self._period = 1 / float(rate) if rate else 0.04
        self._tick = float(stream.time_base or 0)
        self._last: float | None = None

    def seconds(self, ticks: int) -> float:
        """The time that a count of the stream's ticks stands for."""
        return ticks * self._tick - self._origin + self._shift

    def __call__(self, frame: VideoFrame) -> float:
        """When the frame is shown."""
        self._last = self._next(frame.pts, self._last)
        return self._last

    def _next(self, ticks: int | None, last: float | None) -> float:
        if ticks is None:
            return 0.0 if last is None else last + self._period
        seconds = self.seconds(ticks)
        if last is None or seconds > last:
            return seconds
        if seconds > last - _JUMP_BACK:
            return last + _LEAST_STEP
        self._shift += last + self._period - seconds
        return last + self._period


def _groups(packets: Iterator[Packet]) -> Iterator[tuple[list[Packet], Packet | None]]:
    """Runs of packets from one keyframe to the next, and that next one. A run that is too long to
    be held is given in parts, each with nothing said of what follows."""
    group: list[Packet] = []
    for packet in packets:
        if group and packet.is_keyframe:
            yield group, packet
            group = []
        elif len(group) == _MOST_HELD:
            yield group, None
            group = []
        group.append(packet)
    if group:
        yield group, None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "the file contradicts itself"
