"""Real encoded videos, written by PyAV for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

SOUND_RATE = 48_000
BLOCK = 1024


def write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    sound: str | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    muxer: dict[str, str] | None = None,
) -> Path:
    """A video file.

    Args:
        path: its suffix names the container.
        pictures: RGB, all of one even size.
        times: of each picture, milliseconds; 40 apart where none are given.
        codec: of the pictures.
        options: of that codec.
        pixel_format: in which they are kept.
        sound: codec of a tone that goes with them; None for silence.
        rotation: degrees counter-clockwise by which a player is told to turn them.
        aspect: width of a pixel over its height.
        muxer: options of the container.
    """
    import av

    if codec == "libx264":
        options = {"preset": "ultrafast", **(options or {})}
    with av.open(str(path), "w", options=muxer or {}) as out:
        stream: Any = out.add_stream(codec, rate=25, options=options or {})
        tone: Any = out.add_stream(sound, rate=SOUND_RATE) if sound else None
        # MPEG-2 knows a few rates, and no times between their frames.
        tick = Fraction(1, 25) if codec == "mpeg2video" else Fraction(1, 1000)
        stream.codec_context.time_base = tick
        stream.pix_fmt = pixel_format
        if rotation:
            stream.set_display_rotation(rotation)
        end = 0
        for number, pixels in enumerate(pictures):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
                if aspect:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            end = times[number] if times else 40 * number
            frame.pts, frame.time_base = round(end / 1000 / tick), tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for note in _tone(tone, end) if tone else ():
            out.mux(tone.encode(note))
        if tone:
            out.mux(tone.encode(None))
    return path


def _tone(stream: Any, milliseconds: int) -> Iterator[Any]:
    """A sine of 440 Hz, as long as the pictures."""
    import av

    kind = stream.codec_context.format.name
    gain, number = (0.2, np.float32) if kind.startswith("flt") else (6000, np.int16)
    for block in range(SOUND_RATE * milliseconds // 1000 // BLOCK + 1):
        time = np.arange(BLOCK * block, BLOCK * (block + 1)) / SOUND_RATE
        wave: Any = (gain * np.sin(2 * np.pi * 440 * time)).astype(number)
        note: Any = av.AudioFrame.from_ndarray(wave[None], format=kind, layout="mono")
        note.sample_rate, note.pts = SOUND_RATE, BLOCK * block
        note.time_base = Fraction(1, SOUND_RATE)
        yield note


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Time and bytes of every packet of sound in a file."""
    import av

    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(audio=0)
            if packet.size and packet.pts is not None and packet.time_base is not None
        ]


def shades(count: int, size: tuple[int, int] = (160, 96)) -> Iterator[np.ndarray]:
    """Grey pictures, each of another brightness, so that a frame tells its number (below 200)."""
    for number in range(count):
        yield np.full((size[1], size[0], 3), 40 + number % 200, np.uint8)


def shade(pixels: np.ndarray) -> int:
    """The number that `shades` gave a picture."""
    return round(float(pixels.mean())) - 40
