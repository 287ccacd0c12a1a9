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
from lineament.cli.album import embedder_of, opened
from lineament.cli.attention import Watcher, write_attention
from lineament.cli.output import numbers, print_json, print_table, progress
from lineament.core.errors import BadInput
from lineament.core.video import video_info
from lineament.core.video_file import VideoLimits
from lineament.know.named_people import NamedPeople, Recognised
from lineament.know.tracks import Shot, Track
from lineament.watch import Moment, WatchConfig, Watched
from lineament.watch import watch as go_through

COLUMNS = ("seconds", "track", "x1", "y1", "x2", "y2", "found")
"""Of the CSV: a row for each face of each frame. ``found`` is 0 where the face was not looked for
in that frame, but moved along. With a gallery, ``name`` is whom it is taken for by then."""


def watch(options: Namespace) -> int:
    """Follow the faces of a video. One that breaks off is told as far as it goes."""
    if options.every is not None and options.every <= 0:
        raise BadInput("--every takes seconds, more than 0")
    if options.max_side is not None and options.max_side < 1:
        raise BadInput("--max-side takes pixels, from 1")
    if options.detect_every < 1:
        raise BadInput("--detect-every takes a number of frames, from 1")
    named = _named(options) if options.gallery else None
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
        table = _table(options.csv, names=named is not None) if options.csv else None
        write_row = stack.enter_context(table) if table else None
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
            named=named,
            on_moment=show,
        )
    if watcher:
        write_attention(options.attention, options.video, watched.tracks, watcher)
    if options.json:
        print_json(_row(options, watched, named))
    else:
        _print(options, watched, named)
    if watched.broken:
        print(f"lineament: {watched.broken}", file=sys.stderr)
    return 0


def _named(options: Namespace) -> NamedPeople:
    """The gallery's named people. The embedder must be the one that made the gallery."""
    with opened(options) as gallery:
        options.embedder = embedder_of(gallery.space)
        return NamedPeople.of(gallery, options.false_match_rate)


@contextmanager
def _table(path: Path, *, names: bool) -> Iterator[Callable[[Moment], None]]:
    """Writes the rows of each moment as they come."""
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(path)) from error
    with file:
        table = csv.writer(file)
        table.writerow((*COLUMNS, "name") if names else COLUMNS)

        def write(moment: Moment) -> None:
            boxes = numbers(moment.faces.boxes / moment.frame.image.scale)
            for row, (track, box) in enumerate(zip(moment.tracks.tolist(), boxes, strict=True)):
                if track:
                    at = f"{moment.frame.seconds:.3f}"
                    who = moment.names[row] if names else None
                    more = [who.name if who else ""] if names else []
                    table.writerow([at, track, *box, int(moment.found), *more])

        yield write


def _row(options: Namespace, watched: Watched, named: NamedPeople | None) -> dict[str, Any]:
    info = watched.info
    row = {
        "video": str(options.video),
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
    if named:
        row["gallery"] = {
            "file": str(options.gallery),
            "people": len(named.names),
            "faces": named.faces,
            "false_match_rate": named.false_match_rate,
            "threshold": round(named.threshold, 4),
            "calibration": named.calibration.data,
        }
        for each in row["tracks"]:
            each |= _name_row(watched.names.get(each["id"]))
    return row


def _name_row(who: Recognised | None) -> dict[str, Any]:
    return {
        "person": who.person if who else None,
        "name": who.name if who else None,
        "score": round(who.score, 4) if who else None,
        "score_false_match_rate": who.false_match_rate if who else None,
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


def _print(options: Namespace, watched: Watched, named: NamedPeople | None) -> None:
    who = ("who", "score#") if named else ()
    print_table(
        ("track#", *who, "from#", "to#", "frames#", "best at#", "quality#"),
        [
            (
                track.id,
                *(_who(track, watched.names.get(track.id)) if named else ()),
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
    if named:
        print(
            f"Compared with {named.faces} faces of {len(named.names)} named people; a score of "
            f"{named.threshold:.3f} gives a name. At most {named.false_match_rate:.2g} of all "
            f"strangers would be given one (measured on {named.calibration.data})."
        )
    if options.draw:
        sound = f"; without sound: {watched.silent}" if watched.silent else ""
        print(f"drawn: {options.draw} ({watched.encoder}{sound})")
    if options.csv:
        print(f"table: {options.csv}")
    if options.attention:
        print(f"attention: {options.attention} and {options.attention.with_suffix('.csv')}")


def _who(track: Track, who: Recognised | None) -> tuple[str, str]:
    return (who.name, f"{who.score:.3f}") if who else (f"person {track.id}", "")


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
