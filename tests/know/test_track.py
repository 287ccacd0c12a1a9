"""Tracks hold on to people whose boxes and embeddings are known by construction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from lineament.know.track import Sightings, Tracker
from lineament.know.tracks import OpenTrack, Shot, Track, TrackConfig
from lineament.measure.tracking import Labelled, tracking_score

CONFIG = TrackConfig(same=0.5, apart=0.2)
STEP = 0.04


def unit(rng: np.random.Generator, center: np.ndarray, noise: float) -> np.ndarray:
    vector = center + noise * rng.standard_normal(len(center)) / np.sqrt(len(center))
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class Stage:
    """People with embeddings of their own, whose boxes a test puts where it likes.

    Two embeddings of one person have a cosine of about 1 / (1 + noise^2).
    """

    config: TrackConfig = CONFIG
    looks: bool = True
    noise: float = 0.6
    quality: float = 0.5

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.people = [unit(self.rng, np.zeros(64), 1.0) for _ in range(40)]
        self.tracker = Tracker(self.config)
        self.truth: list[Labelled] = []
        self.answer: list[Labelled] = []
        self.embedded = 0
        self.tracks: list[Track] = []

    def frame(
        self, seconds: float, where: dict[int, tuple[float, float]], *, cut=False
    ) -> list[int]:
        """A frame with people's faces, 60 x 80 pixels, at these centres; their tracks."""
        who = list(where)
        self.rng.shuffle(who)
        centres = np.asarray([where[p] for p in who], np.float32).reshape(-1, 2)
        boxes = np.concatenate([centres - (30, 40), centres + (30, 40)], axis=1).astype(np.float32)
        seen = boxes + self.rng.normal(0, 1, boxes.shape).astype(np.float32)

        def embed(rows: np.ndarray) -> np.ndarray:
            self.embedded += len(rows)
            return np.stack([unit(self.rng, self.people[who[r]], self.noise) for r in rows])

        def shoot(row: int) -> Shot:
            points = np.zeros((5, 2), np.float32)
            return Shot(seconds, seen[row], points, 0.9, float(self.quality), bytes([who[row]]))

        sightings = Sightings(
            seen,
            lambda rows: np.full(len(rows), self.quality, np.float32),
            embed if self.looks else None,
            shoot,
        )
        ids = self.tracker.step(seconds, sightings, cut=cut)
        self.tracks += self.tracker.closed()
        self.truth.append(Labelled(np.asarray(who, np.int64), boxes))
        self.answer.append(Labelled(ids[ids > 0], seen[ids > 0]))
        found = dict(zip(who, ids.tolist(), strict=True))
        return [found[p] for p in where]

    def play(self, paths, frames: int, start: float = 0.0, cut_at: int = -1) -> None:
        """Each of `paths` gives a person's centre for a frame's number, or None."""
        for n in range(frames):
            where = {p: at for p, path in paths.items() if (at := path(n)) is not None}
            self.frame(start + STEP * n, where, cut=n == cut_at)

    def finish(self) -> list[Track]:
        self.tracks += self.tracker.finish()
        return self.tracks

    @property
    def score(self):
        return tracking_score(self.truth, self.answer)


def turning_back():
    """They meet, person 1 is behind person 0 for 0.7 s, and each turns back: by motion alone they
    would pass each other."""
    return {
        0: lambda i: (50 + 6 * min(i, 96 - i), 100),
        1: lambda i: (650 - 6 * min(i, 96 - i), 100) if not 42 <= i < 60 else None,
    }


def behind_a_post():
    """Person 0 goes behind something for 2 s; person 1 then comes out where 0 went in."""
    return {
        0: lambda i: (100 + 4 * i, 100) if not 30 <= i < 80 else None,
        1: lambda i: (220, 110) if i >= 60 else None,
    }


def cut_that_changes_places():
    return {
        0: lambda i: (100, 100) if i < 50 else (400, 100),
        1: lambda i: (400, 100) if i < 50 else (100, 100),
    }


SCENES = {
    "turning back": (turning_back, -1),
    "behind a post": (behind_a_post, -1),
    "cut": (cut_that_changes_places, 50),
}


@pytest.mark.parametrize("name", SCENES)
def test_looks_keep_identities_where_motion_alone_loses_them(name):
    scene, cut = SCENES[name]
    results = {}
    for looks in (False, True):
        stage = Stage(looks=looks)
        stage.play(scene(), 110, cut_at=cut)
        results[looks] = stage.score
        people = {bytes_of(track) for track in stage.finish()}
        if looks:
            assert all(len(who) == 1 for who in people), "no track holds two people"
            assert len(stage.tracks) == 2
    assert results[True].switches == 0
    assert results[True].idf1 > 0.95
    assert results[True].idf1 > results[False].idf1 + 0.1


def bytes_of(track: Track) -> bytes:
    """Whose shots a track holds."""
    return bytes(sorted({shot.crop[0] for shot in track.best}))


def test_a_face_that_stays_is_embedded_now_and_then_only():
    stage = Stage()
    stage.play({0: lambda i: (100 + i, 100)}, 250)
    seconds = 250 * STEP
    assert stage.embedded <= CONFIG.confirm + seconds / CONFIG.refresh + 1
    assert [t.frames for t in stage.finish()] == [250]


def test_false_finds_get_no_number():
    stage = Stage()
    stage.play({0: lambda i: (100, 100), 1: lambda i: (400, 100) if i in (20, 21) else None}, 50)
    assert [bytes_of(t) for t in stage.finish()] == [b"\0"]
    assert stage.frame(9.0, {}) == []


def test_two_faces_of_a_frame_are_never_one_track():
    """Twins, whose embeddings are the same: at every moment they have two numbers."""
    stage = Stage()
    stage.people[1] = stage.people[0]
    rng = np.random.default_rng(1)
    place = rng.uniform(100, 500, (2, 2))
    for n in range(300):
        place = np.clip(place + rng.normal(0, 6, (2, 2)), 50, 550)
        where = {p: tuple(place[p]) for p in (0, 1) if rng.random() < 0.9}
        ids = [i for i in stage.frame(STEP * n, where, cut=rng.random() < 0.02) if i]
        assert len(set(ids)) == len(ids)
    spans = sorted((t.first, t.last) for t in stage.finish())
    assert len(spans) >= 2


def test_a_face_comes_back_within_the_time_that_it_is_remembered():
    for gap, tracks in ((5.0, 1), (CONFIG.recall + 5, 2)):
        stage = Stage()
        stage.play({0: lambda i: (100, 100)}, 20)
        stage.play({0: lambda i: (500, 300)}, 20, start=gap)
        assert len(stage.finish()) == tracks


def test_somebody_else_in_the_same_place_is_somebody_else():
    """From one frame to the next, without a cut being seen: the place says the same person, the
    looks that are asked for at the next look say another."""
    stage = Stage(noise=0.3)
    stage.play({0: lambda i: (100, 100)}, 60)
    stage.play({1: lambda i: (100, 100)}, 120, start=60 * STEP)
    tracks = stage.finish()
    assert len(tracks) == 2
    assert tracks[0].last - 60 * STEP < CONFIG.refresh + STEP


def test_who_is_thrown_where_another_was_expected_is_known_by_their_looks():
    """A jolt: one face jumps to where the other, just lost from sight, was expected alone."""
    stage = Stage(noise=0.3)
    ids = [stage.frame(STEP * n, {0: (100, 100), 1: (400, 100)}) for n in range(30)][-1]
    for n in range(30, 33):
        stage.frame(STEP * n, {0: (100, 100)})
    assert stage.frame(STEP * 33, {0: (400, 100)}) == [ids[0]]
    assert stage.frame(STEP * 34, {1: (100, 100), 0: (400, 100)}) == ids[::-1]


def test_two_pictures_of_one_person_do_not_take_turns():
    """Somebody comes back looking unlike themselves, as a new track; what they look like then lies
    between the two. They go on as one track, and that proves to be the first."""
    stage = Stage(noise=0.0)
    first, across = stage.people[:2]
    across = unit(stage.rng, across - (across @ first) * first, 0.0)
    other = unit(stage.rng, 0.45 * first + np.sqrt(1 - 0.45**2) * across, 0.0)
    stage.play({0: lambda i: (100, 100)}, 30)
    stage.people[0] = other
    stage.play({0: lambda i: (500, 300)}, 30, start=5)
    assert stage.frame(6.3, {0: (500, 300)}) == [2]
    seen = []
    for n, share in enumerate([0.6, 0.4] * 5):  # now like the one picture, now like the other
        stage.people[0] = unit(stage.rng, share * first + (1 - share) * other, 0.0)
        place = (150 + 350 * (n % 2), 150)
        stage.quality = 0.5 + n / 50
        seen += stage.frame(6.4 + STEP * n, {0: place})
    changes = sum(a != b for a, b in zip([2, *seen], seen, strict=False))
    assert changes <= 1
    assert seen[-1] == 1
    assert len(stage.finish()) == 1


def test_a_late_likeness_joins_what_was_two():
    """It comes back unrecognisable, and is recognised at a better moment: one track, and its
    number is the first one's."""
    stage = Stage(noise=0.3)
    stage.play({0: lambda i: (100, 100)}, 30)
    stage.noise, stage.quality = 8.0, 0.1
    stage.play({0: lambda i: (500, 300)}, 30, start=5)
    assert stage.frame(5 + 30 * STEP, {0: (500, 300)}) == [2]
    stage.noise, stage.quality = 0.1, 0.9
    stage.play({0: lambda i: (500, 300)}, 30, start=5 + 31 * STEP)
    track = only(stage.finish())
    assert (track.id, track.first, track.frames) == (1, 0.0, 91)
    assert np.all(np.diff(track.times) > 0)


def only(tracks: list[Track]) -> Track:
    assert len(tracks) == 1
    return tracks[0]


def test_what_is_kept_of_a_long_track_is_little_and_the_best():
    rng = np.random.default_rng(0)
    config = replace(CONFIG, path=64)
    stage = Stage(config=config)
    qualities = rng.uniform(0.1, 0.9, 700)
    for n, stage.quality in enumerate(qualities):
        stage.frame(STEP * n, {0: (300 + 100 * np.sin(n / 50), 100)})
    track = only(stage.finish())
    judged = [0, 1, 2, *range(7, 700, 5)]  # until it is confirmed, and then five times a second
    assert (track.first, track.last, track.frames) == (0.0, pytest.approx(27.96), 700)
    assert len(track.best) == CONFIG.shots
    assert track.best[0].quality == qualities[judged].max()
    assert [s.quality for s in track.best] == sorted((s.quality for s in track.best), reverse=True)
    times = sorted(shot.seconds for shot in track.best)
    assert min(np.diff(times)) >= CONFIG.spread
    assert len(track.boxes) == len(track.times) <= config.path + 1
    assert (track.times[0], track.times[-1]) == (track.first, track.last)
    assert track.embedding is not None
    assert float(track.embedding @ stage.people[0]) > 0.95, "the mean is better than one look"


def test_open_tracks_are_bounded_and_closed_ones_are_handed_over():
    config = TrackConfig(same=0.5, apart=0.2, most_lost=5, recall=1e9)
    stage = Stage(config=config)
    for person in range(30):
        stage.play({person: lambda i: (100 + 10 * i, 100)}, 5, start=3.0 * person)
        assert len(stage.tracker._lost) <= 5
    assert len(stage.finish()) == 30
    assert [t.id for t in stage.tracks] == list(range(1, 31))


@pytest.mark.parametrize("pause", [2.0, 8.0])
def test_faces_in_frames_far_apart_are_followed_by_their_looks(pause):
    """Each time they are elsewhere; within `coast` and beyond it, and with a cut each time."""
    for cut in (False, True):
        stage = Stage(config=replace(CONFIG, coast=5.0))
        for n in range(6):
            where = {p: tuple(stage.rng.uniform(100, 900, 2)) for p in (0, 1)}
            stage.frame(pause * n, where, cut=cut)
        assert [track.frames for track in stage.finish()] == [6, 6]


def test_expected_places_go_on_between_detections():
    stage = Stage(looks=False)
    stage.play({0: lambda i: (100 + 5 * i, 100), 1: lambda i: (300, 300)}, 40)
    boxes, ids = stage.tracker.expected(40 * STEP)
    assert sorted(ids.tolist()) == [1, 2]
    centres = sorted(((boxes[:, :2] + boxes[:, 2:]) / 2)[:, 0].tolist())
    assert centres == pytest.approx([300, 300], abs=3)
    stage.frame(40 * STEP, {1: (300, 300)})
    assert len(stage.tracker.expected(41 * STEP)[1]) == 1, "who is out of sight is not drawn"
    stage.frame(41 * STEP, {})
    assert len(stage.tracker.expected(42 * STEP)[1]) == 0


def test_shots_of_one_moment_are_rivals():
    track = OpenTrack(TrackConfig(shots=2, spread=1.0), 0.0)

    def offer(seconds: float, quality: float) -> None:
        if track.wants(quality, seconds):
            box, points = np.zeros(4, np.float32), np.zeros((5, 2), np.float32)
            track.keep(Shot(seconds, box, points, 1.0, quality, b""))

    for seconds, quality in [(0, 0.5), (0.5, 0.4), (0.6, 0.6), (3, 0.2), (9, 0.3), (9.5, 0.1)]:
        offer(seconds, quality)
    track.see(0.0, np.zeros(4, np.float32))
    assert [(s.seconds, s.quality) for s in track.done().best] == [(0.6, 0.6), (9, 0.3)]
