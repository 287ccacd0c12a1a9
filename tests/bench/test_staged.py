"""Staged videos show what their truth says: places, covers, cameras, times, and what each scene is
for."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.staged import (
    ASKED,
    SIZE,
    Actor,
    Place,
    Play,
    Portrait,
    Shot,
    film,
    frames,
    glide,
    portrait,
)
from lineament.bench.staged_scenes import PERIOD, SCENES, SECONDS, plays
from lineament.core.image import Image
from lineament.core.video import read_video

WHITE, BLACK = 255, 0


def marked(shade: int = WHITE) -> Portrait:
    """Black, with the face as a plain patch: half as high as the portrait, not in its middle."""
    pixels = np.full((96, 96, 3), BLACK, np.uint8)
    pixels[24:72, 36:72] = shade
    return Portrait(pixels, np.asarray([36, 24, 72, 72]) / 96)


def one(course, **more) -> Play:
    return Play([Shot(0.0, [Actor(3, [marked()], course)], 0, **more)], [0.0])


def only(play: Play):
    ((pixels, truth),) = frames(play)
    return pixels, truth


def test_a_face_is_where_the_truth_says():
    pixels, truth = only(one(glide((0, Place(300, 150, 80)), (1, Place(400, 150, 80)))))
    assert truth.asked.ids.tolist() == [3]
    assert len(truth.ignored) == 0
    x1, y1, x2, y2 = truth.asked.boxes[0]
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((300, 150), abs=0.5)
    assert (x2 - x1, y2 - y1) == pytest.approx((60, 80), abs=0.5)
    left, top, right, bottom = np.rint(truth.asked.boxes[0]).astype(int)
    assert pixels[top + 3 : bottom - 3, left + 3 : right - 3].min() > 250
    assert pixels[top - 4, left:right].max() < 10, "black above the face"
    assert pixels[top:bottom, right + 3].max() < 10, "and beside it"


@pytest.mark.parametrize(("shift", "seen"), [(60, 1.0), (45, 0.75), (30, 0.5), (0, 0.0)])
def test_who_is_covered_for_the_most_part_is_not_asked_for(shift, seen):
    """Two faces 60 pixels wide, the one in front `shift` further right."""
    actors = [
        Actor(who, [marked()], lambda s, x=x: Place(x, 180, 80))
        for who, x in ((1, 300), (2, 300 + shift))
    ]
    _, truth = only(Play([Shot(0.0, actors, 0)], [0.0]))
    assert truth.asked.ids.tolist() == ([1, 2] if seen >= ASKED else [2])
    assert len(truth.ignored) == (0 < seen < ASKED)


def test_posts_and_the_edge_cover_too():
    behind = one(lambda s: Place(300, 180, 80), posts=[(290, 400)])  # a third is to be seen
    _, truth = only(behind)
    assert (len(truth.asked.ids), len(truth.ignored)) == (0, 1)
    half_out = one(lambda s: Place(SIZE[0], 180, 80))
    _, truth = only(half_out)
    assert (len(truth.asked.ids), len(truth.ignored)) == (0, 1)
    _, truth = only(one(lambda s: Place(SIZE[0] + 90, 180, 80)))
    assert (len(truth.asked.ids), len(truth.ignored)) == (0, 0)


def test_the_camera_moves_everything_alike():
    def course(seconds):
        return Place(300, 150, 80)

    still, truth = only(one(course))
    moved, shifted = only(one(course, camera=lambda s: (40, -20)))
    assert shifted.asked.boxes - truth.asked.boxes == pytest.approx(np.tile([[40, -20]], 2))
    assert np.array_equal(moved[: -20 or None, 40:], still[20:, :-40])


def test_looks_turn_from_photo_to_photo():
    actor = Actor(0, [marked(200), marked(100)], lambda s: Place(320, 180, 80))
    shades = [
        int(pixels[180, 320, 0])
        for pixels, _ in frames(Play([Shot(0, [actor], 0)], [0.0, 0.8, 1.6, 2.4, 3.2]))
    ]
    assert shades == [200, 150, 100, 150, 200]


def test_blur_is_of_its_moment():
    play = one(lambda s: Place(300, 150, 80), blur=lambda s: 6.0 if s > 1 else 0.0)
    (sharp, _), (soft, _) = frames(Play(play.shots, [0.0, 2.0]))
    edges = [np.abs(np.diff(p[150].astype(int), axis=0)).max() for p in (sharp, soft)]
    assert edges[1] < edges[0] / 3


def test_a_course_is_straight_between_its_marks_and_away_outside():
    course = glide((1, Place(0, 0, 10)), (3, Place(100, 50, 30)), (4, Place(0, 50, 30)))
    assert course(2) == Place(50, 25, 20)
    assert course(3.5) == Place(50, 50, 30)
    assert course(0.9) is course(4.1) is None


def test_a_portrait_holds_its_face_where_the_box_says():
    pixels = np.full((300, 300, 3), BLACK, np.uint8)
    pixels[100:180, 40:100] = WHITE
    made = portrait(Image(pixels), np.asarray([40, 100, 100, 180], np.float32))
    side = made.pixels.shape[0]
    x1, y1, x2, y2 = np.rint(made.box * side).astype(int)
    assert made.pixels[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].min() > 250
    assert made.pixels[y1 - 4, x1:x2].max() < 10
    assert made.box[3] - made.box[1] == pytest.approx(1 / 1.5)


def test_the_file_has_the_frames_at_their_times(tmp_path):
    play = one(lambda s: Place(300, 150, 80))
    times = [0.0, 0.02, 0.21, 0.5]
    truths = film(Play(play.shots, times), tmp_path / "v.mp4")
    read = list(read_video(tmp_path / "v.mp4"))
    assert [frame.seconds for frame in read] == pytest.approx(times, abs=1e-3)
    assert (read[0].image.width, read[0].image.height) == SIZE
    assert len(truths) == 4


@pytest.mark.parametrize("seed", [0, 1])
def test_scenes_are_what_they_are_called(seed):
    made = plays([[marked()]] * 6, seed)
    shown = ("crossing", "turning back", "near and far", "coming back")
    truths = {name: [truth for _, truth in frames(made[name])] for name in shown}
    assert set(made) == set(SCENES)
    for play in made.values():
        assert np.diff(play.times).min() > 0
        assert play.times[-1] < SECONDS
    assert np.diff(made["crossing"].times) == pytest.approx(PERIOD)
    assert np.ptp(np.diff(made["uneven frame rate"].times)) > 0.1
    assert (np.diff(made["dropped frames"].times) > 0.4).sum() >= 3
    assert len(made["cuts"].shots) == 3
    assert min(len(t.asked.ids) for t in truths["turning back"]) <= 2, "one hides the other"
    home, back = truths["turning back"][0], truths["turning back"][-1]
    assert places(home).keys() == places(back).keys()
    moved = [abs(places(home)[who] - places(back)[who]) for who in places(home)]
    assert max(moved) < 60, "each is back where they came from"
    heights = [box[3] - box[1] for t in truths["near and far"] for box in t.asked.boxes]
    assert max(heights) > 3 * min(heights)
    first, *_, last = (sorted(t.asked.ids.tolist()) for t in truths["coming back"])
    gone = [who for who in first if any(who not in t.asked.ids for t in truths["coming back"])]
    assert len(gone) == 1
    assert gone[0] in last
    assert [made["out of focus"].shots[0].blur(s) > 2 for s in (0.0, 1.25, 2.5)] == [0, 1, 0]
    shifts = [made["shaken camera"].shots[0].camera(s) for s in made["shaken camera"].times]
    assert np.abs(np.diff(np.asarray(shifts), axis=0)).max() > 20
    assert any(len(t.ignored) for t in truths["crossing"])


def places(truth) -> dict[int, float]:
    boxes = truth.asked.boxes
    return dict(
        zip(truth.asked.ids.tolist(), ((boxes[:, 0] + boxes[:, 2]) / 2).tolist(), strict=True)
    )


def test_a_seed_gives_one_play():
    cast = [[marked()]] * 6
    a, b, other = (plays(cast, seed)["cuts"] for seed in (1, 1, 2))
    pictures = [next(iter(frames(play)))[0] for play in (a, b, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
