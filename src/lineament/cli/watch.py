"""``watch``: who is seen in a video, from when to when; nothing kept."""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lineament.analyze import Analyzer
from lineament.cli.attention import Watcher, write_attention
from lineament.cli.output import numbers, print_json, print_table, progress
from lineament.core.errors import BadInput
from lineament.core.video import video_info
from lineament.core.video_file import VideoLimits
from lineament.know.tracks import Shot, Track
from lineament.watch import Moment, WatchConfig, Watched
from lineament.watch import watch as go_through

COLUMNS = ("seconds", "track", "x1", "y1", "x2", "y2", "found")
"""Of the CSV: a row for each face of each frame. ``found`` is 0 where the face was not looked for
in that frame, but moved along."""


def watch(options: Namespace) -> int:
    """Follow the faces of a video. One that breaks off is told as far as it goes."""
    if options.every is not None and options.every <= 0:
        raise BadInput("--every takes seconds, more than 0")
    if options.max_side is not None and options.max_side < 1:
        raise BadInput("--max-side takes pixels, from 1")
    if options.detect_every < 1:
        raise BadInput("--detect-every takes a number of frames, from 1")
    analyzer = Analyzer.of(
        options.detector,
        options.embedder,
        small_faces=options.small_faces,
        flip=options.flip,
        threads=options.threads,
    )
    config = WatchConfig(
        every=options.every, detect_every=options.detect_every, threads=options.threads
    )
    limits = VideoLimits(max_side=options.max_side)
    watcher = Watcher(options.threads) if options.attention else None
    with ExitStack() as stack:
        write_row = stack.enter_context(_table(options.csv)) if options.csv else None
        bars = stack.enter_context(progress(not options.json))
        task = bars.add_task("seconds", total=video_info(options.video).seconds)

        def show(moment: Moment) -> None:
            bars.update(task, completed=moment.frame.seconds)
            if write_row:
                write_row(moment)
            if watcher:
                watcher.note(moment)

        watched = go_through(
            options.video,
            analyzer,
            draw=options.draw,
            config=config,
            limits=limits,
            describe=watcher.describe if watcher else None,
            on_moment=show,
        )
    if watcher:
        write_attention(options.attention, options.video, watched.tracks, watcher)
    if options.json:
        print_json(_row(options.video, watched))
    else:
        _print(options, watched)
    if watched.broken:
        print(f"lineament: {watched.broken}", file=sys.stderr)
    return 0


@contextmanager
def _table(path: Path) -> Iterator[Callable[[Moment], None]]:
    """Writes the rows of each moment as they come."""
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(path)) from error
    with file:
        table = csv.writer(file)
        table.writerow(COLUMNS)

        def write(moment: Moment) -> None:
            boxes = numbers(moment.faces.boxes / moment.frame.image.scale)
            for track, box in zip(moment.tracks.tolist(), boxes, strict=True):
                if track:
                    at = f"{moment.frame.seconds:.3f}"
                    table.writerow([at, track, *box, int(moment.found)])

        yield write


def _row(path: Path, watched: Watched) -> dict[str, Any]:
    info = watched.info
    return {
        "video": str(path),
        "width": info.width,
        "height": info.height,
        "seconds": round(watched.seconds, 3),
        "frames": watched.frames,
        "codec": info.codec,
        "sound": list(info.sound),
        "damage": watched.broken.reason if watched.broken else None,
        "encoder": watched.encoder or None,
        "silent": watched.silent or None,
        "tracks": [_track_row(track) for track in watched.tracks],
        "wall_seconds": round(watched.wall_seconds, 3),
        "network_seconds": round(watched.network_seconds, 3),
    }


def _track_row(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        "first": round(track.first, 3),
        "last": round(track.last, 3),
        "frames": track.frames,
        "best": [_shot_row(shot) for shot in track.best],
    }


def _shot_row(shot: Shot) -> dict[str, Any]:
    return {
        "seconds": round(shot.seconds, 3),
        "box": numbers(shot.box),
        "keypoints": numbers(shot.keypoints),
        "score": round(shot.score, 4),
        "quality": round(shot.quality, 3),
    }


def _print(options: Namespace, watched: Watched) -> None:
    print_table(
        ("track#", "from#", "to#", "frames#", "best at#", "quality#"),
        [
            (
                track.id,
                _clock(track.first),
                _clock(track.last),
                track.frames,
                _clock(track.best[0].seconds) if track.best else "",
                f"{track.best[0].quality:.2f}" if track.best else "",
            )
            for track in watched.tracks
        ],
    )
    print(
        f"{len(watched.tracks)} faces followed through {watched.frames} frames, "
        f"{_clock(watched.seconds)} of video, in {watched.wall_seconds:.1f} s."
    )
    if options.draw:
        sound = f"; without sound: {watched.silent}" if watched.silent else ""
        print(f"drawn: {options.draw} ({watched.encoder}{sound})")
    if options.csv:
        print(f"table: {options.csv}")
    if options.attention:
        print(f"attention: {options.attention} and {options.attention.with_suffix('.csv')}")


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
