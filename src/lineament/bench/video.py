"""Videos: time against the networks' own time, and memory as a video gets longer.

Staged videos (`bench.staged`) of the album's people are gone through by `watch`, with networks and
a decoder of one thread. The limit is the sum of the sessions' own time; everything else (decoding,
aligning, judging quality, following, keeping the best pictures) is overhead. Beside it the same
frames are gone through as if each were a photo: all its faces are found and embedded.

Memory is the peak of a process that watches one minute against one that watches ten, at half the
size; a minute is the first scene played again and again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from lineament.analyze import Analyzer
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.indexing import peak_memory
from lineament.bench.staged import SIZE, film, frames
from lineament.bench.staged_cast import album_cast
from lineament.bench.staged_scenes import PERIOD, plays
from lineament.core.errors import MissingFile
from lineament.core.image import Image
from lineament.core.video import read_video
from lineament.core.video_writer import VideoWriter
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.watch import WatchConfig, watch

MINUTES = (1, 10)
LONG_SIZE = (SIZE[0] // 2, SIZE[1] // 2)
"""Width and height of the long videos, pixels."""
_SYNTHETIC = "synthetic: photos of faces move before a background, encoded as H.264"


def run(context: Context) -> Outcome:
    """Watch every scene, and one scene for a minute and for ten."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    analyzer = Analyzer.of(threads=1)
    scenes = plays(album_cast(context.album, analyzer).portraits, context.seed)
    short = []
    with tempfile.TemporaryDirectory() as folder:
        for name, play in scenes.items():
            context.say(f"video: {name}")
            path = Path(folder) / "scene.mp4"
            film(play, path)
            short.append(time_scene(path, analyzer))
        scene = [pixels for pixels, _ in frames(next(iter(scenes.values())))]
        long = []
        for minutes in MINUTES:
            context.say(f"video: {minutes} minutes")
            path = Path(folder) / f"{minutes}.mp4"
            write_long(scene, path, minutes)
            long.append(_watch_in_a_process(path))
    return _outcome(np.asarray(short), long, context.seed)


def time_scene(path: Path, analyzer: Analyzer) -> tuple[float, float, float, int]:
    """Seconds of watching, of these inside the networks, seconds photo by photo, and frames."""
    watched = watch(path, analyzer, config=WatchConfig(threads=1))
    started = time.perf_counter()
    for frame in read_video(path, threads=1):
        analyzer([frame.image])
    photos = time.perf_counter() - started
    return watched.wall_seconds, watched.network_seconds, photos, watched.frames


def write_long(scene: list[np.ndarray], path: Path, minutes: float) -> None:
    """A scene played again and again, reduced."""
    from PIL import Image as Pillow

    small = [Image.of_pillow(Pillow.fromarray(pixels).resize(LONG_SIZE)) for pixels in scene]
    with VideoWriter(path, threads=1) as writer:
        for number, image in enumerate(islice(cycle(small), round(60 * minutes / PERIOD))):
            writer.write(image, number * PERIOD)


def _watch_in_a_process(path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _outcome(short: np.ndarray, long: list[dict[str, float]], seed: int) -> Outcome:
    wall, inside, photos, count = short.T
    overhead = float(wall.sum() / inside.sum() - 1)
    minute, minutes = long
    rows = [
        (f"{len(short)} scenes, {SIZE[0]} x {SIZE[1]}", wall.sum(), inside.sum(), count.sum(), ""),
        *(
            (
                f"{length} min, {LONG_SIZE[0]} x {LONG_SIZE[1]}",
                each["seconds"],
                each["network_seconds"],
                each["frames"],
                f"{each['peak_mb']:.0f}",
            )
            for length, each in zip(MINUTES, long, strict=True)
        ),
    ]
    table = Table(
        f"Watching videos ({_SYNTHETIC}), networks of one thread",
        ("video", "frames#", "ms a frame#", "networks' ms#", "overhead %#", "peak MB#"),
        [
            (
                name,
                f"{number:,.0f}",
                f"{1000 * seconds / number:.1f}",
                f"{1000 * networks / number:.1f}",
                f"{100 * (seconds / networks - 1):.1f}",
                peak,
            )
            for name, seconds, networks, number, peak in rows
        ],
    )
    scenes = f"{len(short)} scenes staged with the sample album's faces (of nobody)"
    return Outcome(
        [table],
        [
            Result(
                method="watch",
                protocol="video",
                data=scenes,
                data_hash="",
                metric="time over the sum of the sessions' own time, less 1",
                ours=overhead,
                interval=bootstrap(
                    lambda i: float(wall[i].sum() / inside[i].sum() - 1),
                    np.arange(len(short)),
                    seed=seed,
                ).pair,
                baseline="every frame as a photo, over the same sum",
                baseline_value=float(photos.sum() / inside.sum() - 1),
                higher_is_better=False,
                seed=seed,
                note=f"{_SYNTHETIC}; {1000 * wall.sum() / count.sum():.1f} ms a frame of "
                f"{SIZE[0]} x {SIZE[1]} pixels, {1000 * photos.sum() / count.sum():.1f} as photos; "
                "the interval is drawn over scenes",
            ),
            Result(
                method="watch",
                protocol="video",
                data=f"one scene again and again, {LONG_SIZE[0]} x {LONG_SIZE[1]}",
                data_hash="",
                metric=f"growth of peak memory from {MINUTES[0]} to {MINUTES[1]} minutes",
                ours=minutes["peak_mb"] / minute["peak_mb"] - 1,
                baseline="memory of one minute",
                baseline_value=0.0,
                higher_is_better=False,
                seed=seed,
                note=f"{_SYNTHETIC}; peak of {minutes['peak_mb']:.0f} MB after "
                f"{minutes['frames']:,.0f} frames, {minutes['tracks']:.0f} tracks",
            ),
        ],
    )


def _main(path: str) -> None:
    watched = watch(path, Analyzer.of(threads=1), config=WatchConfig(threads=1))
    figures = {
        "frames": watched.frames,
        "tracks": len(watched.tracks),
        "seconds": watched.wall_seconds,
        "network_seconds": watched.network_seconds,
        "peak_mb": peak_memory(),
    }
    print(json.dumps(figures))


PROTOCOL = Protocol("video", "time and memory of `lineament watch`", run)
"""`lineament bench video`."""

if __name__ == "__main__":
    _main(*sys.argv[1:])
