"""How well people are followed through videos, and named: ours beside motion alone and looks alone.

The videos are staged (`bench.staged`): faces of photos move before a background, are encoded as a
real file, and read back from it. So the truth is known without anybody's labels; the figures
compare trackers, and promise nothing about recordings. Each scene is played with several seeds, and
all trackers are given the same faces of the same frames:

- ours: motion, looks where they decide something, cuts;
- ours without looks: the same without an embedder;
- SORT: motion and overlap from frame to frame;
- looks alone: every face of every frame is embedded, and the person whom it is most like takes it.

Every other person has one photo in a gallery, another than those on the stage, and is to be named
from it; the others are strangers to it.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.analyze import Analyzer
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.staged import Play, Truth, film
from lineament.bench.staged_cast import Cast, album_cast, lfw_cast
from lineament.bench.staged_scenes import plays
from lineament.bench.tracking_baselines import Looks, Sort
from lineament.bench.tracking_results import (
    CORRECTED,
    LOOKS,
    OURS,
    PLAIN,
    RATE,
    SORT,
    WITHOUT,
    Followed,
    Naming,
    outcome,
)
from lineament.core.crops import Crops, align
from lineament.core.embeddings import Embeddings
from lineament.core.errors import MissingFile
from lineament.core.geometry import box_iou
from lineament.core.protocols import Embedder
from lineament.know.calibration import calibration_of
from lineament.know.named_people import NamedPeople
from lineament.know.track import Sightings, Tracker
from lineament.measure.tracking import Labelled, TrackingScore, tracking_score, without_ignored
from lineament.watch import Moment, Moments, WatchConfig, track_config

SEEDS = (0, 1, 2)
_HERE = 0.5
"""Overlap from which a box lies on a face."""


def run(context: Context) -> Outcome:
    """Every scene with every seed: the album's people, and some of LFW's where they are at hand."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    analyzer = Analyzer.of(threads=1)
    casts = [album_cast(context.album, analyzer)]
    if context.data and (context.data / "lfw").is_dir():
        casts.append(lfw_cast(context.data / "lfw", analyzer))
    else:
        context.say("left out: LFW's faces, which are not here")
    found = Outcome([], [])
    for cast in casts:
        galleries = {CORRECTED: gallery(cast, RATE), PLAIN: gallery(cast, None)}
        videos = []
        for seed in SEEDS:
            context.say(f"tracking: {cast.data}, seed {seed}")
            for scene, play in plays(cast.portraits, seed).items():
                videos.append(follow(scene, seed, play, analyzer, galleries))
        found += outcome(videos, cast.data, cast.digest, len(SEEDS))
    return found


def gallery(cast: Cast, rate: float | None) -> NamedPeople:
    """Every other person of a cast, by the photo that is kept.

    Args:
        cast: of whom.
        rate: share of strangers who may be given any name; None holds each single comparison to
            `RATE`, however many there are.
    """
    people = np.arange(0, len(cast.portraits), 2)
    return NamedPeople(
        cast.kept[people],
        people,
        {person: f"person {person}" for person in people.tolist()},
        calibration_of(cast.kept.space),
        rate or RATE * len(people),
    )


def follow(
    scene: str, seed: int, play: Play, analyzer: Analyzer, galleries: Mapping[str, NamedPeople]
) -> Followed:
    """Encode a play and watch it; all trackers follow the faces that are found in it."""
    assert analyzer.embedder is not None
    counted = Counted(analyzer.embedder)
    config = track_config(analyzer)
    alone, sort, looks = Tracker(config), Sort(), Looks(config.same)
    answers: defaultdict[str, list[Labelled]] = defaultdict(list)
    faces = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "staged.mp4"
        truths = film(play, path)
        moments = Moments(path, Analyzer(analyzer.detector, counted), config=WatchConfig(threads=1))
        for moment in moments:
            at, boxes = moment.frame.seconds, moment.faces.boxes
            seen = Sightings(boxes, lambda rows: np.ones(len(rows), np.float32))
            numbers = {
                OURS: moment.tracks,
                WITHOUT: alone.step(at, seen, cut=moment.cut),
                SORT: sort.step(at, boxes),
                LOOKS: looks.step(_embedded(moment, analyzer.embedder)),
            }
            for name, ids in numbers.items():
                answers[name].append(Labelled(ids[ids > 0], boxes[ids > 0]))
            faces += len(boxes)
    owners = owners_of([truth.asked for truth in truths], answers[OURS])
    named = {
        way: {track: who.person for track, who in people.tracks(moments.tracks).items()}
        for way, people in galleries.items()
    }
    return Followed(
        scene,
        seed,
        {name: scored(truths, answer) for name, answer in answers.items()},
        faces,
        counted.faces,
        {way: naming(owners, named[way], set(people.names)) for way, people in galleries.items()},
    )


class Counted:
    """An embedder that counts the faces that it was given."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.template, self.space = embedder.template, embedder.space
        self.dimension = embedder.dimension
        self.faces = 0

    def __call__(self, crops: Crops) -> Embeddings:
        self.faces += len(crops)
        return self._embedder(crops)

    @property
    def seconds(self) -> float:
        return self._embedder.seconds


def _embedded(moment: Moment, embedder: Embedder) -> Float32[np.ndarray, "n d"]:
    """Every face of a frame."""
    if not len(moment.faces):
        return np.empty((0, embedder.dimension), np.float32)
    return embedder(align(moment.frame.image, moment.faces.keypoints, embedder.template)).vectors


def scored(truths: Sequence[Truth], answer: Sequence[Labelled]) -> TrackingScore:
    """An answer against what was asked for; faces that are mostly covered count neither way."""
    asked = [truth.asked for truth in truths]
    return tracking_score(
        asked, without_ignored(asked, answer, [truth.ignored for truth in truths])
    )


def owners_of(truth: Sequence[Labelled], answer: Sequence[Labelled]) -> dict[int, int]:
    """The person on whom each track lies in most frames; tracks that lie on nobody are left out."""
    votes: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for frame, reply in zip(truth, answer, strict=True):
        for row, column in np.argwhere(box_iou(frame.boxes, reply.boxes) >= _HERE).tolist():
            votes[int(reply.ids[column])][int(frame.ids[row])] += 1
    return {track: people.most_common(1)[0][0] for track, people in votes.items()}


def naming(owners: Mapping[int, int], named: Mapping[int, int], known: set[int]) -> Naming:
    """What was made of the tracks of people who are in a gallery, and of those who are not.

    Args:
        owners: the person of each track.
        named: the person as whom a track was named, where it was.
        known: people of the gallery.
    """
    ours = [track for track, person in owners.items() if person in known]
    strangers = [track for track in owners if track not in ours]
    right = sum(named.get(track) == owners[track] for track in ours)
    wrong = sum(track in named for track in ours) - right
    mistaken = sum(track in named for track in strangers)
    return Naming(len(ours), right, wrong, len(strangers), mistaken)


PROTOCOL = Protocol("tracking", "people followed and named through staged videos", run)
"""`lineament bench tracking`."""
