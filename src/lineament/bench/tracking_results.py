"""Tables and evidence of tracking: totals over videos, with intervals drawn over videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Int64

from lineament.bench.context import Outcome, Table
from lineament.bench.plots import Bars
from lineament.measure.evidence import Result
from lineament.measure.interval import Interval, bootstrap, proportion
from lineament.measure.tracking import TrackingScore

OURS = "ours"
WITHOUT = "ours without looks"
SORT = "SORT"
LOOKS = "looks alone"
TRACKERS = (OURS, WITHOUT, SORT, LOOKS)
CORRECTED, PLAIN = "for the whole gallery", "for each comparison"
RATE = 1e-3
"""Share of strangers who may be given a name of the gallery."""

METRICS: dict[str, tuple[Callable[[TrackingScore], float], bool]] = {
    "MOTA": (lambda score: score.mota, True),
    "IDF1": (lambda score: score.idf1, True),
    "identity switches a thousand boxes": (lambda s: 1000 * s.switches / s.boxes, False),
    "fragments a thousand boxes": (lambda s: 1000 * s.fragments / s.boxes, False),
}
"""Each figure of a score, and whether more of it is better."""
_STAGED = "staged videos, not recordings: photos of faces move before a background"


@dataclass(frozen=True)
class Naming:
    """What was made of the tracks of a video.

    Attributes:
        known: tracks of people who are in the gallery.
        right: of them, those that were given their name.
        wrong: of them, those that were given another's.
        strangers: tracks of other people.
        mistaken: of them, those that were given a name.
    """

    known: int
    right: int
    wrong: int
    strangers: int
    mistaken: int

    def __add__(self, other: Naming) -> Naming:
        return Naming(*map(sum, zip(astuple(self), astuple(other), strict=True)))


NAMING: dict[str, tuple[Callable[[Naming], float], bool]] = {
    "share of tracks of the gallery's people that are given their name": (
        lambda n: n.right / max(1, n.known),
        True,
    ),
    "share of all tracks that are given a wrong name": (
        lambda n: (n.wrong + n.mistaken) / max(1, n.known + n.strangers),
        False,
    ),
}
"""Each figure of naming, and whether more of it is better."""


@dataclass(frozen=True, eq=False)
class Followed:
    """What came of one video.

    Attributes:
        scene: what happens in it.
        seed: of who is in it, and where.
        scores: of each tracker.
        faces: found in all frames.
        embedded: of them, those that ours embedded.
        naming: by each way to hold the rate.
    """

    scene: str
    seed: int
    scores: dict[str, TrackingScore]
    faces: int
    embedded: int
    naming: dict[str, Naming]


def outcome(videos: Sequence[Followed], data: str, digest: str, seeds: int) -> Outcome:
    """Of all videos with one cast."""
    scenes = list(dict.fromkeys(video.scene for video in videos))
    said = f"{data}: {len(scenes)} scenes staged with {seeds} seeds each"
    return Outcome(
        [_totals(videos, said), _scenes(videos, scenes, data), _names(videos, said)],
        [*_tracking_results(videos, said, digest), *_naming_results(videos, said, digest)],
        [_plot(videos, scenes, data)],
    )


def _together(videos: Sequence[Followed], tracker: str) -> TrackingScore:
    return reduce(add, (video.scores[tracker] for video in videos))


def _totals(videos: Sequence[Followed], said: str) -> Table:
    faces = sum(video.faces for video in videos)
    embedded = {OURS: sum(video.embedded for video in videos), LOOKS: faces}
    rows = []
    for tracker in TRACKERS:
        score = _together(videos, tracker)
        rows.append(
            (
                tracker,
                f"{100 * score.mota:.1f}",
                f"{100 * score.idf1:.1f}",
                str(score.switches),
                str(score.fragments),
                str(score.misses),
                str(score.false_finds),
                f"{100 * embedded.get(tracker, 0) / faces:.0f}",
            )
        )
    boxes = _together(videos, OURS).boxes
    headings = ("tracker", "MOTA %#", "IDF1 %#", "switches#", "fragments#", "misses#")
    return Table(
        f"Following faces; {said}, {boxes:,} boxes ({_STAGED})",
        (*headings, "false finds#", "embedded %#"),
        rows,
    )


def _scenes(videos: Sequence[Followed], scenes: Sequence[str], data: str) -> Table:
    rows = []
    for scene in scenes:
        ours = [video for video in videos if video.scene == scene]
        scores = [_together(ours, tracker) for tracker in TRACKERS]
        rows.append((scene, *(f"{100 * s.idf1:.1f} ({s.switches})" for s in scores)))
    title = f"IDF1 % (identity switches) by scene: {data}"
    return Table(title, ("scene", *(f"{tracker}#" for tracker in TRACKERS)), rows)


def _plot(videos: Sequence[Followed], scenes: Sequence[str], data: str) -> Bars:
    return Bars(
        f"Following faces: {data}",
        "IDF1",
        scenes,
        {
            tracker: [
                _together([v for v in videos if v.scene == scene], tracker).idf1 for scene in scenes
            ]
            for tracker in TRACKERS
        },
        note=_STAGED.capitalize() + ".",
    )


def _tracking_results(videos: Sequence[Followed], said: str, digest: str) -> list[Result]:
    counts = {
        tracker: np.asarray([astuple(video.scores[tracker]) for video in videos])
        for tracker in TRACKERS
    }
    found = []
    for metric, (figure, more) in METRICS.items():

        def of(tracker: str, rows: Int64[np.ndarray, " m"], figure=figure) -> float:
            return figure(TrackingScore(*counts[tracker][rows].sum(axis=0).tolist()))

        everything = np.arange(len(videos))
        ours = of(OURS, everything)
        interval = _interval(lambda rows, of=of: of(OURS, rows), len(videos))
        seeds = np.asarray([video.seed for video in videos])
        by_seed = ", ".join(
            f"{of(OURS, np.flatnonzero(seeds == seed)):.3f}" for seed in np.unique(seeds)
        )
        for other in TRACKERS[1:]:
            theirs = of(other, everything)
            gap = _interval(
                lambda rows, of=of, other=other: of(OURS, rows) - of(other, rows), len(videos)
            )
            found.append(
                Result(
                    method="watch",
                    protocol="tracking",
                    data=said,
                    data_hash=digest,
                    metric=f"{metric}, beside {other}",
                    ours=ours,
                    interval=interval.pair,
                    baseline=other,
                    baseline_value=theirs,
                    higher_is_better=more,
                    seed=0,
                    note=f"Synthetic: {_STAGED}. Intervals are drawn over videos. Each seed: "
                    f"{by_seed}. Less the baseline {ours - theirs:+.3f} ({gap.low:+.3f} to "
                    f"{gap.high:+.3f}): {_word(gap, more)}.",
                )
            )
    return found


def _interval(statistic: Callable[[Int64[np.ndarray, " m"]], float], videos: int) -> Interval:
    return bootstrap(statistic, np.arange(videos), seed=0)


def _word(gap: Interval, more: bool) -> str:
    if gap.low <= 0 <= gap.high:
        return "no difference seen"
    return "better" if (gap.low > 0) == more else "worse"


def _names(videos: Sequence[Followed], said: str) -> Table:
    rows = []
    for way in (CORRECTED, PLAIN):
        total = reduce(add, (video.naming[way] for video in videos))
        rows.append(
            (
                way,
                *(str(n) for n in (total.known, total.right, total.wrong)),
                *(str(n) for n in (total.strangers, total.mistaken)),
            )
        )
    return Table(
        f"Naming tracks at a false-match rate of {RATE:g}; {said}",
        ("rate holds", "tracks of known#", "right#", "wrong#", "of strangers#", "named#"),
        rows,
    )


def _naming_results(videos: Sequence[Followed], said: str, digest: str) -> list[Result]:
    counts = {
        way: np.asarray([astuple(video.naming[way]) for video in videos])
        for way in (CORRECTED, PLAIN)
    }
    total = reduce(add, (video.naming[CORRECTED] for video in videos))
    found = []
    for metric, (share, more) in NAMING.items():

        def of(way: str, rows: Int64[np.ndarray, " m"], share=share) -> float:
            return share(Naming(*counts[way][rows].sum(axis=0).tolist()))

        everything = np.arange(len(videos))
        ours = of(CORRECTED, everything)
        interval = _interval(lambda rows, of=of: of(CORRECTED, rows), len(videos))
        if not ours:  # draws of nothing but zeros would claim to be certain
            interval = proportion(0, len(videos))
        found.append(
            Result(
                method="watch",
                protocol="tracking",
                data=said,
                data_hash=digest,
                metric=metric,
                ours=ours,
                interval=interval.pair,
                baseline=f"the rate held {PLAIN}, not for all of the gallery",
                baseline_value=of(PLAIN, everything),
                higher_is_better=more,
                seed=0,
                note=f"Synthetic: {_STAGED}. Half of the people have one photo each in the gallery "
                f"({total.known} tracks, {total.right} named right, {total.wrong} wrong), the "
                f"others none ({total.strangers} tracks, {total.mistaken} named), at a false-match "
                f"rate of {RATE:g}. Intervals are drawn over videos; of none at all, Wilson's of "
                "as many videos.",
            )
        )
    return found
