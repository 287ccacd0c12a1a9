"""Baselines by hand-made boxes and vectors, counts by hand, and one staged video through all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lineament.analyze import Analyzer
from lineament.bench.staged import Actor, Place, Play, Shot, Truth
from lineament.bench.staged_cast import album_cast
from lineament.bench.tracking import RATE, follow, gallery, naming, owners_of, scored
from lineament.bench.tracking_baselines import Looks, Sort
from lineament.bench.tracking_results import (
    CORRECTED,
    LOOKS,
    OURS,
    PLAIN,
    SORT,
    TRACKERS,
    WITHOUT,
    Followed,
    Naming,
    outcome,
)
from lineament.know.calibration import calibration_of
from lineament.measure.tracking import Labelled, TrackingScore


def boxes(*lefts: float) -> np.ndarray:
    """Squares of 40 pixels."""
    return np.asarray([[x, 0, x + 40, 40] for x in lefts], np.float32).reshape(-1, 4)


def sort_ids(*frames: tuple[float, ...]) -> list[list[int]]:
    tracker = Sort()
    return [tracker.step(0.04 * n, boxes(*lefts)).tolist() for n, lefts in enumerate(frames)]


def test_sort_follows_by_place_and_numbers_from_the_third_sight():
    assert sort_ids((0, 200), (4, 198), (9, 196), (194, 14)) == [[0, 0], [0, 0], [1, 2], [2, 1]]


def test_sort_forgets_who_is_missed_for_two_frames():
    steady = [(100,)] * 4
    assert sort_ids(*steady, (), (100,))[-1] == [1]
    assert sort_ids(*steady, (), (), *steady)[6:] == [[0], [0], [2], [2]]
    assert sort_ids((), ()) == [[], []]


def test_sort_takes_whoever_is_where_somebody_was_expected():
    """Both jump to each other's place: the numbers stay with the places."""
    before, after = [(0, 200)] * 4, [(200, 0)] * 2
    assert sort_ids(*before, *after)[-1] == [2, 1]


def test_looks_alone_do_not_mind_where_somebody_is():
    tracker = Looks(0.5)
    a, b, c = np.eye(3)
    assert [tracker.step(np.stack([a, b])).tolist() for _ in range(3)][-1] == [1, 2]
    mixed = np.stack([0.6 * b + 0.8 * c, a])
    assert tracker.step(mixed).tolist() == [2, 1], "0.6 is like b, who has a number"
    assert tracker.step(np.stack([c])).tolist() == [0], "0.3 or so is somebody new"
    assert tracker.step(np.stack([a, a])).tolist().count(1) == 1, "nobody is two faces of a frame"
    assert tracker.step(np.empty((0, 3))).tolist() == []


def labelled(**where: float) -> Labelled:
    ids = np.asarray([int(name[1:]) for name in where], np.int64)
    return Labelled(ids, boxes(*where.values()).astype(float))


def test_a_track_is_the_person_on_whom_it_lies_most():
    truth = [labelled(_1=0, _2=100)] * 3
    answer = [labelled(_7=0, _8=100), labelled(_7=100, _8=0), labelled(_7=0, _9=300)]
    assert owners_of(truth, answer) == {7: 1, 8: 2}


def test_names_are_counted_for_those_who_are_known_and_for_strangers():
    """Of tracks 1 to 4, of people of the gallery, two have their name, one another's and one none;
    of three strangers one is given a name."""
    owners = {1: 0, 2: 2, 3: 4, 4: 4, 5: 1, 6: 3, 7: 5}
    named = {1: 0, 2: 2, 3: 0, 6: 4}
    assert naming(owners, named, {0, 2, 4}) == Naming(4, 2, 1, 3, 1)


def test_faces_that_are_mostly_covered_count_neither_way():
    truths = [Truth(labelled(_1=0), boxes(100).astype(float)) for _ in range(2)]
    score = scored(truths, [labelled(_5=0, _6=100), labelled(_5=0, _7=300)])
    assert (score.given, score.misses, score.false_finds) == (3, 0, 1)


def video(scene: str, seed: int, switches: int, right: int) -> Followed:
    """100 boxes; ours errs `switches` times, the others ten times more."""
    score = TrackingScore(100, 100, 0, 0, switches, 0, 100 - switches)
    worse = TrackingScore(100, 100, 0, 0, switches + 10, 0, 50)
    named = Naming(4, right, 0, 4, 0)
    return Followed(
        scene,
        seed,
        {tracker: score if tracker == OURS else worse for tracker in TRACKERS},
        200,
        20,
        {CORRECTED: named, PLAIN: Naming(4, 4, 0, 4, 2)},
    )


def test_totals_are_of_all_videos_and_the_gap_says_who_is_better():
    videos = [video(scene, seed, seed, 3) for scene in ("a", "b") for seed in (0, 1)]
    found = outcome(videos, "data", "digest", 2)
    rows = {result.metric: result for result in found.results}
    mota = rows[f"MOTA, beside {SORT}"]
    assert mota.ours == pytest.approx(1 - 2 / 400)
    assert mota.baseline_value == pytest.approx(1 - 42 / 400)
    assert "Each seed: 1.000, 0.990" in mota.note
    assert "+0.100 (+0.100 to +0.100): better" in mota.note
    switches = rows[f"identity switches a thousand boxes, beside {LOOKS}"]
    assert (switches.ours, switches.baseline_value) == (pytest.approx(5), pytest.approx(105))
    assert "better" in switches.note
    fragments = rows[f"fragments a thousand boxes, beside {WITHOUT}"]
    assert "no difference seen" in fragments.note
    assert all("Synthetic" in result.note for result in found.results)
    right = rows["share of tracks of the gallery's people that are given their name"]
    assert (right.ours, right.baseline_value) == (12 / 16, 1)
    wrong = rows["share of all tracks that are given a wrong name"]
    assert (wrong.ours, wrong.baseline_value) == (0, 8 / 32)
    # Wilson's upper end for none of n is z^2 / (n + z^2), and there are four videos.
    assert wrong.interval == pytest.approx((0, 1.96**2 / (4 + 1.96**2)), abs=1e-4)
    totals, scenes, names = found.tables
    assert totals.rows[0] == (OURS, "99.5", "99.5", "2", "0", "0", "0", "10")
    assert scenes.rows[0][:2] == ("a", "99.5 (1)")
    assert names.rows[0] == (CORRECTED, "16", "12", "0", "16", "0")


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.of(threads=1)


@pytest.fixture(scope="module")
def cast(album, tmp_path_factory, analyzer):
    """The first four people of the album."""
    folder = tmp_path_factory.mktemp("album")
    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    few = [r for r in rows if r["kind"] == "plain" and r["faces"][0]["person"] <= "p04"]
    for row in few:
        target = folder / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((album / row["file"]).read_bytes())
    (folder / "labels.json").write_text(json.dumps({"photos": few}), encoding="utf-8")
    return album_cast(folder, analyzer)


def test_the_album_is_a_cast_and_keeps_a_photo_of_each_for_the_gallery(cast):
    assert [len(looks) for looks in cast.portraits] == [3, 3, 3, 3]
    assert len(cast.kept) == 4
    held = gallery(cast, RATE)
    calibration = calibration_of(cast.kept.space)
    assert held.names == {0: "person 0", 2: "person 2"}
    assert held.threshold == calibration.threshold(RATE / 2)
    assert gallery(cast, None).threshold == calibration.threshold(RATE)


def test_a_staged_video_goes_through_the_whole_chain(cast, analyzer):
    """A cut after which two people have changed places: their looks tell, their places mislead."""
    at = [lambda s: Place(160, 180, 100), lambda s: Place(480, 180, 100)]
    shots = [
        Shot(start, [Actor(p, cast.portraits[p], at[place]) for p, place in who], seed)
        for start, seed, who in ((0.0, 1, [(0, 0), (1, 1)]), (0.8, 2, [(1, 0), (0, 1)]))
    ]
    play = Play(shots, np.arange(0, 1.6, 0.08).round(3).tolist())
    galleries = {CORRECTED: gallery(cast, RATE)}
    found = follow("places", 0, play, analyzer, galleries)
    assert found.faces == 40
    assert found.embedded < found.faces / 2
    assert found.scores[OURS].boxes == 40
    # Until the third frame a face has no number: two people, two frames.
    assert found.scores[OURS] == TrackingScore(40, 36, 4, 0, 0, 0, 36)
    assert found.scores[LOOKS].switches == 0
    assert found.scores[SORT].idf1 < 0.7
    assert found.scores[WITHOUT].idf1 < 0.7
    assert found.naming[CORRECTED] == Naming(1, 1, 0, 1, 0)
