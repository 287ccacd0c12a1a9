"""Classes, splits and views of faces that parsers learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lineament.bench.parsers import _PARTS
from lineament.core.crops import align
from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.tanh_polar import RoiTanhPolar
from lineament.learn.landmarks.crops import FIVE, template, to_pixels
from lineament.learn.parsing.augment import Amounts, developed, moved
from lineament.learn.parsing.classes import LONG_TAIL, MIRRORED, NAMES, OUTSIDE, PARTS_OF_SIX, SIX
from lineament.learn.parsing.faces import ParsedFaces, _on_canvas, kept, shrink
from lineament.learn.parsing.material import PICTURES, joined, split_by_person
from lineament.learn.parsing.views import (
    Frames,
    Square,
    TanhPolar,
    by_box,
    by_points,
    eye_line,
    look,
    look_up,
)
from lineament.see.parse.bisenet import NAMES as LABELLERS

RNG = np.random.default_rng(6)


def smooth(side: int, count: int = 1, seed: int = 0) -> np.ndarray:
    """Pictures without detail, so that sampling twice does little to them."""
    rough = torch.rand(count, 3, 7, 7, generator=torch.Generator().manual_seed(seed))
    large = functional.interpolate(rough, size=(side, side), mode="bicubic").clamp(0, 1)
    return (255 * large).byte().permute(0, 2, 3, 1).numpy()


def faces(count: int, side: int = 64) -> ParsedFaces:
    """Made-up faces in the middle of smooth pictures."""
    middle, half = side / 2, side / 5
    box = np.asarray([middle - half, middle - half, middle + half, middle + half], np.float32)
    five = (np.asarray(FIVE) * side * 0.7 + middle).astype(np.float32)
    return ParsedFaces(
        smooth(side, count),
        RNG.integers(0, len(NAMES), (count, side, side), dtype=np.uint8),
        np.repeat(box[None], count, axis=0),
        np.repeat(five[None], count, axis=0),
        np.arange(count),
        np.arange(count),
        "made up",
    )


def test_classes_are_the_labeller_s_and_their_six_are_the_protocol_s():
    assert NAMES == LABELLERS
    assert [SIX[k] for k in PARTS_OF_SIX] == [_PARTS[name] for name in NAMES]
    assert set(LONG_TAIL) < set(NAMES)


def test_a_mirror_swaps_left_and_right_alone():
    pairs = {NAMES[k]: NAMES[MIRRORED[k]] for k in range(len(NAMES)) if MIRRORED[k] != k}
    parts = ("brow", "eye", "ear")
    expected = {f"left_{p}": f"right_{p}" for p in parts}
    assert pairs == expected | {right: left for left, right in expected.items()}
    assert MIRRORED[OUTSIDE] == OUTSIDE


def test_nobody_is_in_two_parts():
    people = RNG.integers(0, 1500, 4000)
    parts = split_by_person(people)
    seen = [set(people[rows].tolist()) for rows in parts.values()]
    assert sum(map(len, seen)) == len(set().union(*seen))
    for part, rows in parts.items():
        assert abs(len(rows) - PICTURES[part]) < 10
    again = split_by_person(people)
    assert all((again[part] == rows).all() for part, rows in parts.items())
    few = split_by_person(np.arange(50))
    assert [len(few[part]) for part in ("test", "choose", "train")] == [50, 0, 0]


def test_a_picture_on_its_canvas():
    wide = np.zeros((100, 256, 3), np.uint8)
    wide[:, 128:] = 200
    factor = shrink(256, 100)
    assert factor == 0.5
    canvas = _on_canvas(wide, factor)
    assert canvas.shape == (128, 128, 3)
    assert (canvas[:50, :63] == 0).all()
    assert (canvas[:50, 65:] == 200).all()
    assert (canvas[50:] == 0).all()
    labels = _on_canvas(np.full((30, 20), 7, np.uint8), shrink(20, 30))
    assert (labels[:30, :20] == 7).all()
    assert (labels == OUTSIDE).sum() == 128 * 128 - 600


def test_faces_are_made_once(tmp_path):
    made = []

    def make() -> ParsedFaces:
        made.append(1)
        return faces(3)

    kept(tmp_path, "key", make)
    here = kept(tmp_path, "key", make)
    assert made == [1]
    np.testing.assert_array_equal(here.pixels, faces(3).pixels)
    assert (len(here[np.asarray([2, 0])]), here.hash) == (2, "made up")
    assert len(joined(here, here)) == 6
    next(tmp_path.iterdir()).write_bytes(b"something else")
    with pytest.raises(BadInput, match="not a file of parsed faces"):
        kept(tmp_path, "key", lambda: faces(3))


def test_a_square_by_points_is_the_crop_that_inference_cuts():
    some, size, wider = faces(1, 200), 128, 1.2
    crop = align(Image(some.pixels[0]), Landmarks(some.points, "5"), template(size, wider))
    ours = look(some.pixels, by_points(some.points).places(Square(size, wider).grid()))
    difference = np.abs(ours[0].permute(1, 2, 0).numpy() - crop.pixels[0])
    assert difference.mean() < 1
    # The eyes are where the template has them.
    frames = by_points(some.points)
    eye = frames.points((some.points[0, :1] @ (1, 1j))[None])[0, 0, 0] / wider
    place = to_pixels(np.asarray([(np.real(eye), np.imag(eye))]), size)[0]
    np.testing.assert_allclose(place, template(size, wider).points[0], atol=1e-3)


def test_tanh_polar_space_is_the_transform_s():
    some, size = faces(1, 120), 32
    ours = look(some.pixels, by_box(some.boxes).places(TanhPolar(size).grid()))
    polar = RoiTanhPolar(tuple(some.boxes[0].tolist()), size, size)
    theirs = polar.warp(some.pixels[0]).astype(np.float32)
    inside = (np.abs(polar.grid() - 59.5) < 59).all(axis=-1)
    difference = np.abs(ours[0].permute(1, 2, 0).numpy() - theirs)[inside]
    assert difference.max() <= 0.51  # theirs is rounded
    values = torch.rand(1, 2, size, size)
    grid = np.arange(120)[None, :] + 1j * np.arange(120)[:, None]
    back = TanhPolar(size).restore(values, by_box(some.boxes).points(grid))
    expected = polar.restore(values[0].permute(1, 2, 0).numpy(), 120, 120)
    np.testing.assert_allclose(back[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("view", [Square(40, 1.7), TanhPolar(48)])
def test_what_comes_back_lies_where_it_was(view):
    """A smooth picture, seen in a moved and mirrored view and brought back, is as it was."""
    side = 64
    pixels = smooth(side, 2, seed=3)
    frames = by_box(np.asarray([(20, 18, 44, 48)] * 2, np.float32))
    frames = frames.moved(0.4, 1.1, 0.05 + 0.02j, np.asarray([False, True]))
    seen = look(pixels, frames.places(view.grid()))
    grid = np.arange(side)[None, :] + 1j * np.arange(side)[:, None]
    back = view.restore(seen, frames.points(grid)).permute(0, 2, 3, 1).numpy()
    near = slice(26, 40)
    assert np.abs(back - pixels)[:, near, near].mean() < 2.5


def test_a_turned_picture_is_a_shift_of_rows_in_tanh_polar_space():
    size, rows = 32, 8
    some = faces(1, 65)
    quarter = np.rot90(some.pixels, -1, axes=(1, 2)).copy()  # clockwise
    frames = by_box(np.asarray([(22, 22, 42, 42)], np.float32))
    seen = look(some.pixels, frames.places(TanhPolar(size).grid()))
    turned = look(quarter, frames.places(TanhPolar(size).grid()))
    torch.testing.assert_close(turned, seen.roll(rows, dims=2), atol=0.01, rtol=0)


def test_frames_turn_with_their_picture():
    """By hand: a face at (10, 0) from the middle; a quarter turn clockwise brings it below."""
    frames = Frames(np.asarray([60 + 50j]), np.asarray([4 + 0j]), np.asarray([False]))
    carried = frames.carried(np.pi / 2, 50 + 50j, 70 + 70j)
    np.testing.assert_allclose(carried.middle, [70 + 80j])
    np.testing.assert_allclose(carried.unit, [4j], atol=1e-12)
    np.testing.assert_allclose(carried.upright().unit, [4], atol=1e-12)
    points = np.asarray([[(0, 0), (1, 1), (0, 0), (0, 0), (0, 0)]], np.float32)
    np.testing.assert_allclose(eye_line(points), [np.pi / 4])


def test_labels_of_the_nearest_pixel_and_beyond():
    labels = np.asarray([[[2, 10], [17, 4]]], np.uint8)
    places = np.asarray([[[0.4 + 0.4j, 0.6 + 0.4j, -0.6 + 0j], [1.4 + 1.4j, 0 + 2j, 0.2 + 0.7j]]])
    assert look_up(labels, places).tolist() == [[[2, 10, OUTSIDE], [4, OUTSIDE, 17]]]
    mirrored = look_up(labels, places, np.asarray([True])).tolist()
    assert mirrored == [[[3, 10, OUTSIDE], [5, OUTSIDE, 17]]]


def test_changes_are_those_asked_for():
    frames = by_box(np.repeat([[10.0, 10.0, 50.0, 50.0]], 4000, axis=0).astype(np.float32))
    changed = moved(frames, np.random.default_rng(0), Amounts(0.2, 0.1, 0.05, 0.25))
    assert np.angle(changed.unit).std() == pytest.approx(0.2, rel=0.05)
    assert np.log(np.abs(changed.unit) / 40).std() == pytest.approx(0.1, rel=0.05)
    assert np.real(changed.middle - 30).std() == pytest.approx(2, rel=0.05)
    assert changed.mirrored.mean() == pytest.approx(0.25, abs=0.03)
    seen = torch.full((50, 3, 8, 8), 128.0)
    still = developed(seen, np.random.default_rng(0), Amounts(light=0, noise=0))
    torch.testing.assert_close(still, seen)
    lit = developed(seen, np.random.default_rng(0), Amounts(light=0.2, noise=0))
    assert float(lit.mean(dim=(1, 2, 3)).log().std()) == pytest.approx(0.2, rel=0.3)
