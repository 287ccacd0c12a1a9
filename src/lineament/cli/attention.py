"""Where the people of a video turned their heads: a page with a chart, and a table beside it."""

from __future__ import annotations

import base64
import csv
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lineament.analyze import Analyzer
from lineament.core.errors import BadInput
from lineament.know.tracks import Track
from lineament.see.attention_pose import ABSENT, HEADINGS, ORIENTATIONS, Attention, attention
from lineament.watch import Describe, Moment

WIDTH, BAND, CURVE = 720, 28, 60
"""Pixels of the chart, of the band of orientations, and of the curve of the running score."""
_MOST_POINTS = 1000
_COLOURS = ("#009e73", "#0072b2", "#56b4e9", "#e69f00", "#cc79a7", "#bbbbbb")
"""Forward, left, right, up, down, absent; they stay apart for colour-blind eyes."""


class Watcher:
    """Notes where each followed head points, moment by moment.

    Args:
        threads: of the networks that find the pose.
    """

    def __init__(self, threads: int | None) -> None:
        self._analyzer = Analyzer.of(embedder=None, want={"pose"}, threads=threads)
        self._times: list[float] = []
        self._poses: defaultdict[int, dict[float, np.ndarray]] = defaultdict(dict)

    @property
    def describe(self) -> Describe:
        """What `watch` asks for the poses of a frame's faces."""
        return self._analyzer.describe

    def note(self, moment: Moment) -> None:
        """Take in a frame whose faces were looked for."""
        if not moment.found:
            return
        time = moment.frame.seconds
        self._times.append(time)
        for track, pose in zip(moment.tracks.tolist(), moment.faces.pose, strict=True):
            if track:
                self._poses[track][time] = pose

    def of(self, track: Track) -> Attention | None:
        """Of one face, from when its pose was first known to its last frame; None where it never
        was."""
        known = self._poses.get(track.id)
        if not known:
            return None
        times = [time for time in self._times if min(known) <= time <= track.last]
        nowhere = np.full(3, np.nan, np.float32)
        return attention(times, np.stack([known.get(time, nowhere) for time in times]))


def write_attention(page: Path, video: Path, tracks: list[Track], watcher: Watcher) -> Path:
    """Write the page, and the table beside it under the same name; returns the table's path.

    Raises:
        BadInput: one of them cannot be written.
    """
    known = {track.id: (track, seen) for track in tracks if (seen := watcher.of(track))}
    table = page.with_suffix(".csv")
    if table == page:
        raise BadInput("the page's name must not end in .csv: that is its table's", str(page))
    try:
        with table.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("track", *HEADINGS))
            for number, (_, seen) in known.items():
                rows.writerows((number, *row) for row in seen.rows())
        page.write_text(_render(video, known), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", str(error.filename)) from error
    return table


def _render(video: Path, known: dict[int, tuple[Track, Attention]]) -> str:
    from jinja2 import Environment

    template = (files("lineament.cli") / "attention.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    names = (*ORIENTATIONS, ABSENT)
    return environment.from_string(template).render(
        video=video.name,
        width=WIDTH,
        band=BAND,
        height=BAND + CURVE,
        legend=list(zip(names, _COLOURS, strict=True)),
        tracks=[_track(track, seen) for track, seen in known.values()],
    )


def _track(track: Track, seen: Attention) -> dict[str, Any]:
    start, end = float(seen.times[0]), float(seen.times[-1] + seen.lasted[-1])
    scale = WIDTH / (end - start)
    colours = dict(zip((*ORIENTATIONS, ABSENT), _COLOURS, strict=True))
    step = max(1, len(seen.times) // _MOST_POINTS)
    score = seen.running_score()[::step]
    at = (seen.times[::step] - start) * scale
    shares, longest = seen.shares, seen.longest
    return {
        "id": track.id,
        "crop": base64.b64encode(track.best[0].crop).decode() if track.best else "",
        "start": f"{start:.1f}",
        "end": f"{end:.1f}",
        "score": f"{seen.score:.0%}",
        "spans": [
            {
                "x": round((span.start - start) * scale, 2),
                "width": round(span.seconds * scale, 2),
                "colour": colours[span.orientation],
                "words": f"{span.orientation}, {span.start:.1f} to {span.end:.1f} s",
            }
            for span in seen.spans
        ],
        "curve": " ".join(
            f"{x:.1f},{BAND + CURVE * (1 - y):.1f}" for x, y in zip(at, score, strict=True)
        ),
        "rows": [
            (name, f"{shares[name]:.0%}", f"{longest[name]:.1f} s")
            for name in (*ORIENTATIONS, ABSENT)
            if shares[name]
        ],
    }
