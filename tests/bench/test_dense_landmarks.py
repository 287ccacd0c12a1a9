"""Dense points found beside dense points annotated, on points made here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.bench.context import Context
from lineament.bench.dense_figures import MEAN_FACE, RIVAL, Trial, even_out, figures, offsets
from lineament.bench.dense_landmarks import describe, describers, lengths, subset
from lineament.bench.landmarks import FoundFaces
from lineament.core.landmarks import Landmarks
from lineament.measure.sets.nouns import PointedFaces
from lineament.see.landmarks.dlib_68 import CARD


def annotated(count, seed=0, scheme="68"):
    """Faces about 100 pixels wide, their eyes level."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (1, int(scheme), 2)) + rng.uniform(0, 1, (count, int(scheme), 2))
    if scheme == "68":
        points[:, 36:42], points[:, 42:48] = (30, 40), (70, 40)
    return points.astype(np.float32)


def trial(truth, found=None, **points):
    everyone = np.ones(len(truth), bool) if found is None else found
    return Trial(
        data="made here",
        scheme="68",
        truth=truth,
        found=everyone,
        lengths=lengths(truth),
        points={name.replace("_", " "): at.astype(np.float64) for name, at in points.items()},
        notes={"other": ("478", "5.0"), RIVAL: ("68", "1.0")},
    )


def test_offsets_are_shares_of_a_length_in_the_frame_of_the_eyes():
    truth = annotated(3)
    found = truth + np.asarray([3, -4])
    off = offsets(found.astype(np.float64), truth, np.asarray([10.0, 20, 40]))
    assert np.allclose(off, np.asarray([[0.3 - 0.4j], [0.15 - 0.2j], [0.075 - 0.1j]]), atol=1e-6)
    turn = np.asarray([[0.6, -0.8], [0.8, 0.6]])
    turned = (truth @ turn.T).astype(np.float32)
    again = offsets(found @ turn.T, turned, np.asarray([10.0, 20, 40]))
    assert np.allclose(again, off, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_mean_offsets_come_off_by_the_other_half_alone(seed):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=7) + 1j * rng.normal(size=7)
    off = np.repeat(mean[None], 8, axis=0)
    assert np.allclose(even_out(off), 0)
    off[2] += 1  # of the even half: it moves the odd half alone, and itself
    left = even_out(off)
    assert np.allclose(left[[0, 4, 6]], 0)
    assert np.allclose(left[2], 1)
    assert np.allclose(left[1::2], -0.25)


def test_figures_are_those_worked_by_hand():
    truth = annotated(4)
    moved, near = truth.copy(), truth.copy()
    moved[:, :17] += (0, 8)  # the jaw alone, by a fifth of the pupils' distance of 40
    near += (0, 1)
    found = np.asarray([True, True, False, True, True])
    outcome = figures("made", "", trial(truth, found, mean_face=moved, other=near), 0)
    rows = {row[0]: row for row in outcome.tables[0].rows}
    assert rows[MEAN_FACE][2:5] == ("5.00", "0.00", "20.00")
    assert rows["other"][1:5] == ("478", "2.50", "2.50", "2.50")
    assert (rows[MEAN_FACE][-2], rows["other"][-2]) == ("20.0", "20.0")  # the one not found
    got = {result.metric: result for result in outcome.results}
    assert {result.method for result in outcome.results} == {"other"}
    nme = got["NME of 68 points over inter-pupil distance"]
    assert np.isclose(nme.ours, 1 / 40)
    assert np.isclose(nme.baseline_value or 0, 0.2 * 17 / 68)
    assert nme.note == "Converted from 478 points. 1 of 5 faces not found."
    inner = got["NME of 51 inner points over inter-pupil distance"]
    assert inner.baseline_value == 0
    box = got["NME of 68 points over square root of the points' box"]
    assert np.isclose(box.ours, np.mean(1 / lengths(truth)["square root of the points' box"]))
    assert got["failure rate of 68 points at 0.1"].ours == pytest.approx(0.2)
    assert not any("offset" in metric for metric in got)  # four faces are too few


def test_a_method_off_by_a_constant_is_as_good_as_the_rival_once_evened_out():
    rng = np.random.default_rng(0)
    truth = annotated(120)
    rival = truth + rng.normal(0, 1, truth.shape)
    other = rival + rng.normal(0, 4, (1, 68, 2))
    outcome = figures(
        "made", "", trial(truth, mean_face=truth, **{RIVAL: rival, "other": other}), 0
    )
    plain, evened = (table for table in outcome.tables if "less that of" in table.title)
    assert plain.rows[0][1].startswith("+")
    assert float(evened.rows[0][1].split()[0]) == 0
    got = {(r.method, r.metric): r for r in outcome.results}
    name = "NME of 68 points over inter-pupil distance, each point's mean offset taken off"
    assert np.isclose(got["other", name].ours, got[RIVAL, name].ours)
    assert got["other", name].baseline == f"{RIVAL} on the same faces"
    assert got[RIVAL, name].baseline == f"{MEAN_FACE} on the same faces"


class Corner:
    """Gives each face the keypoint that it came with, 68 times."""

    card = CARD
    seconds = 0.0

    def __call__(self, images, found):
        assert len(images) == len(found)
        points = [np.repeat(faces.keypoints.points[:, :1], 68, axis=1) for faces in found]
        return [{"landmarks": Landmarks(each, "68")} for each in points]


def test_faces_that_were_found_are_described_in_order(tmp_path):
    count = 40
    path = tmp_path / "a.png"
    Pillow.new("RGB", (8, 8)).save(path)
    found = np.arange(count) % 3 > 0
    kept = np.flatnonzero(found).astype(np.float32)
    points = np.broadcast_to(kept[:, None, None], (len(kept), 5, 2)).copy()
    here = FoundFaces(found, points, np.zeros((len(kept), 4), np.float32))
    faces = PointedFaces((path,) * count, annotated(count), "68", {"number": np.arange(count)})
    answer = describe(Corner(), faces, here)
    assert answer.landmarks.points[:, 7, 0].tolist() == kept.tolist()
    assert answer.milliseconds >= 0
    half, of_half = subset(faces, here, slice(None, None, 2))
    assert half.labels["number"].tolist() == list(range(0, count, 2))
    assert of_half.found.tolist() == found[::2].tolist()
    assert of_half.points[:, 0, 0].tolist() == [k for k in kept.tolist() if k % 2 == 0]


def test_describers_are_all_or_those_asked_for():
    slugs = {card.slug for card in describers(Context())}
    assert {"face-landmarker", "dlib-68", "landmarks-106"} <= slugs
    assert [card.slug for card in describers(Context(methods=("dlib-68", "yunet")))] == ["dlib-68"]
