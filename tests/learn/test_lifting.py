"""Faces in space, turned and lifted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.rotations import rotations
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.landmarks import lifting
from lineament.learn.landmarks.crops import to_pixels
from lineament.learn.landmarks.fan_alignment import targets
from lineament.learn.landmarks.lifting import Lifter, Perceptron
from lineament.learn.landmarks.solid import SolidCrops, depth_at, kept_solid, solid_68, turned
from lineament.learn.recipes import Job
from lineament.learn.settings import Settings
from lineament.measure.sets.aflw2000 import read_aflw2000

RNG = np.random.default_rng(8)


def egg() -> np.ndarray:
    """478 points on the near half of an ellipsoid, those of the mesh's jaw along its rim."""
    places = RNG.uniform(-0.25, 0.25, (3000, 2))
    places = places[(places**2).sum(axis=1) < 0.06][:478]
    depth = -0.2 * np.sqrt(1 - (places**2).sum(axis=1) / 0.0625)
    return np.concatenate([places, depth[:, None]], axis=1).astype(np.float32)


def yaw(degrees: float) -> np.ndarray:
    return rotations(np.radians([[0, degrees, 0]]))[0]


def test_depth_at_a_vertex_is_its_own():
    mesh = egg()
    np.testing.assert_allclose(depth_at(mesh, mesh[:20, :2]), mesh[:20, 2], atol=1e-4)
    slope = np.concatenate([mesh[:, :2], 2 * mesh[:, :1]], axis=1)  # a plane, z = 2 x
    places = RNG.uniform(-0.15, 0.15, (50, 2))
    assert np.abs(depth_at(slope, places) - 2 * places[:, 0]).max() < 0.05


def test_68_points_in_space():
    mesh = egg()
    jaw = [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152]
    line = np.linspace(0, 1, len(jaw))
    mesh[jaw] = np.stack([-0.2 + 0.2 * line, 0.3 * line, 0.4 - 0.4 * line], axis=1)  # straight
    solid = solid_68(mesh[None])[0]
    steps = np.linalg.norm(np.diff(solid[:9], axis=0), axis=1)
    np.testing.assert_allclose(steps, np.linalg.norm([0.2, 0.3, 0.4]) / 8, rtol=1e-4)
    np.testing.assert_allclose(solid[[0, 8]], mesh[[127, 152]], atol=1e-6)
    np.testing.assert_allclose(solid[16], mesh[356], atol=1e-6)
    flat = convert(Landmarks(np.ascontiguousarray(mesh[None, :, :2]), "478"), "68").points[0]
    np.testing.assert_allclose(solid[17:, :2], flat[17:], atol=1e-6)
    np.testing.assert_allclose(solid[36], mesh[33], atol=1e-4)


def spot(size: int, at: np.ndarray) -> np.ndarray:
    """A dark picture with one bright spot, at a place given in shares."""
    down, across = np.mgrid[:size, :size]
    x, y = to_pixels(at, size)
    light = 255 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 2.0**2))
    return np.repeat(light[..., None], 3, axis=2).astype(np.uint8)


def test_a_face_that_is_not_turned_stays():
    mesh = egg()
    pixels = np.repeat(RNG.integers(0, 256, (96, 96, 1), dtype=np.uint8), 3, axis=2)
    seen, still = turned(pixels, mesh, np.eye(3))
    np.testing.assert_allclose(still, mesh, atol=1e-6)
    np.testing.assert_array_equal(seen, pixels)


@pytest.mark.parametrize("degrees", [-30.0, 20.0, 35.0])
def test_pixels_turn_with_the_mesh(degrees):
    """A bright spot on a vertex is found where the vertex went; the nearest point goes to the
    picture's left for a positive yaw."""
    mesh, size = egg(), 128
    vertex = int(np.argmin(np.abs(mesh[:, :2]).sum(axis=1)))  # in the middle, which stays in sight
    seen, moved = turned(spot(size, mesh[vertex, :2]), mesh, yaw(degrees))
    light = seen[..., 0].astype(float)
    down, across = np.mgrid[:size, :size]
    found = np.asarray([(light * across).sum(), (light * down).sum()]) / light.sum()
    assert np.abs(found - to_pixels(moved[vertex, :2], size)).max() < 1.5
    assert np.sign(moved[vertex, 0] - mesh[vertex, 0]) == -np.sign(degrees)
    apart = np.linalg.norm(mesh[:, None] - mesh[None], axis=2)
    after = np.linalg.norm(moved[:, None] - moved[None], axis=2)
    np.testing.assert_allclose(after, apart, atol=1e-5)


def test_what_is_nearer_hides_what_is_farther():
    """Turned far to the picture's right, the cheek of that side is behind the middle."""
    mesh, size = egg(), 128
    cheek = int(np.argmax(mesh[:, 0]))
    pixels = np.full((size, size, 3), 40, np.uint8)
    bright = spot(size, mesh[cheek, :2])
    seen, _ = turned(np.maximum(pixels, bright), mesh, yaw(-85))
    before, _ = turned(np.maximum(pixels, bright), mesh, yaw(30))
    assert (before > 150).sum() > 4 * max(1, (seen > 150).sum())


def test_heatmaps_peak_at_the_points():
    points = torch.from_numpy(RNG.uniform(-0.45, 0.45, (3, 68, 2)).astype(np.float32))
    maps = targets(points, lifting.CELLS)
    best = maps.flatten(2).argmax(dim=2)
    cells = torch.floor((points + 0.5) * lifting.CELLS).long()
    torch.testing.assert_close(best, cells[..., 1] * lifting.CELLS + cells[..., 0])


def test_what_is_left_out_does_not_count():
    x, y = torch.rand(2, 2, 3, lifting.SIZE, lifting.SIZE) * 255
    p, q = torch.rand(2, 2, 68, 2) - 0.5
    with seeded(0):
        whole, no_picture, no_maps = Lifter(), Lifter(picture=False), Lifter(heatmaps=False)
    for model in (whole, no_picture, no_maps):
        model.eval()
    assert torch.equal(no_picture(x, p), no_picture(y, p))
    assert torch.equal(no_maps(x, p), no_maps(x, q))
    assert not torch.allclose(whole(x, p), whole(y, p))
    assert not torch.allclose(whole(x, p), whole(x, q))
    assert sum(w.numel() for w in whole.parameters()) == sum(
        w.numel() for w in no_maps.parameters()
    )


@pytest.mark.parametrize("make", [Lifter, Perceptron])
def test_lifters_run_as_onnx(tmp_path, make):
    with seeded(0):
        model = make()
    example = torch.rand(3, 3, lifting.SIZE, lifting.SIZE) * 255, torch.rand(3, 68, 2) - 0.5
    if make is Perceptron:
        assert model(*example).shape == (3, 68)
    else:
        assert export(model, example, tmp_path / "lifter.onnx") < 1e-4


def test_the_square_around_points():
    solid = RNG.uniform(20, 80, (68, 3))
    solid[0], solid[1] = (10, 50, 0), (90, 50, 30)
    pixels, placed = lifting.cut(Image(spot(100, np.asarray([0.2, 0.1]))), solid)
    assert pixels.shape == (lifting.SIZE, lifting.SIZE, 3)
    assert placed[1, 0] - placed[0, 0] == pytest.approx(1 / lifting.AROUND, rel=1e-5)
    assert placed[1, 2] - placed[0, 2] == pytest.approx(30 / (80 * lifting.AROUND), rel=1e-4)
    assert placed[:, 2].mean() == pytest.approx(0, abs=1e-6)
    middle = (placed[:, :2].min(axis=0) + placed[:, :2].max(axis=0)) / 2
    np.testing.assert_allclose(middle, 0, atol=1e-6)
    # The spot of the picture, of which 80 x 1.3 pixels are 64 now, about the middle of the box.
    centre = (solid[:, :2].min(axis=0) + solid[:, :2].max(axis=0)) / 2
    row, column = np.unravel_index(pixels[..., 0].argmax(), pixels.shape[:2])
    expected = (to_pixels(np.asarray([0.2, 0.1]), 100) - centre) * 64 / 104 + 31.5
    np.testing.assert_allclose((column, row), expected, atol=0.75)


def crops_of(points: np.ndarray) -> SolidCrops:
    pixels = RNG.integers(0, 256, (len(points), 64, 64, 3), dtype=np.uint8)
    return SolidCrops(pixels, points.astype(np.float32), "made up")


def test_the_error_of_depth_by_hand():
    points = np.zeros((1, 68, 3))
    points[0, :2, :2] = (-0.2, -0.1), (0.2, 0.3)  # a box of 0.4 x 0.4
    points[0, 0, 2] = 0.68  # mean 0.01
    error = lifting.errors(np.full((1, 68), 5.0), crops_of(points))
    expected = (abs(0.68 - 0.01) + 67 * 0.01) / 68 / 0.4
    np.testing.assert_allclose(error, expected, rtol=1e-5)


def test_a_turned_copy_of_a_face_gets_its_depth_back():
    solid = RNG.normal(size=(68, 3)) * 0.1
    seen = np.stack([solid @ yaw(angle).T for angle in (-40, 0, 25)]) * 1.7
    depth = lifting.posed(solid, seen[..., :2])
    np.testing.assert_allclose(lifting.centred(depth), lifting.centred(seen[..., 2]), atol=1e-6)


def test_mirrored_rows_are_mirrored_in_pixels_and_points():
    solid = RNG.uniform(-0.4, 0.4, (20, 68, 3))
    crops = crops_of(solid)
    plain, points, depth = lifting.batch(crops, np.arange(20))
    np.testing.assert_allclose(points.numpy(), solid[..., :2], atol=1e-6)
    np.testing.assert_allclose(depth.numpy(), solid[..., 2], atol=1e-6)
    _, placed, deep = lifting.batch(crops, np.arange(20), np.random.default_rng(0))
    points, depth, placed, deep = (each.numpy() for each in (points, depth, placed, deep))
    flipped = ~np.isclose(placed[:, 8, 0], points[:, 8, 0])
    assert 0 < flipped.sum() < 20
    # The chin stays the chin, the right ear becomes the left one; depth goes with the point.
    np.testing.assert_allclose(placed[flipped, 8, 0], -points[flipped, 8, 0], atol=1e-6)
    np.testing.assert_allclose(placed[flipped, 0, 1], points[flipped, 16, 1], atol=1e-6)
    np.testing.assert_allclose(deep[flipped, 0], depth[flipped, 16], atol=1e-6)
    assert plain.shape == (20, 3, 64, 64)


def test_a_run_learns_depth_and_can_be_taken_up(tmp_path):
    solid = RNG.uniform(-0.4, 0.4, (60, 68, 3))
    crops = crops_of(solid)
    settings = Settings(steps=30, batch=16, rate=0.003, save_every=30)
    model = lifting.fit(Perceptron, crops, settings, tmp_path)
    before = lifting.errors(np.zeros((60, 68)), crops).mean()
    assert lifting.errors(lifting.predict(model, crops), crops).mean() < before
    again = lifting.fit(Perceptron, crops, settings, tmp_path)
    np.testing.assert_array_equal(lifting.predict(model, crops), lifting.predict(again, crops))


def test_views_are_kept(tmp_path):
    crops = crops_of(RNG.random((2, 68, 3)))
    path = tmp_path / "views.npz"
    first, again = kept_solid(path, lambda: crops), kept_solid(path, lambda: pytest.fail("again"))
    np.testing.assert_array_equal(first.points, again.points)
    assert again.hash == "made up"
    path.write_bytes(b"not an archive")
    with pytest.raises(BadInput, match="not a file of crops"):
        kept_solid(path, lambda: crops)


def test_annotated_noses_stand_before_their_ears(shared_data):
    crops = lifting.annotated(read_aflw2000(shared_data / "aflw2000_16"))
    nose, ears = crops.points[:, 30, 2], crops.points[:, [0, 16], 2].mean(axis=1)
    assert (nose < ears).all()
    assert len(crops) == 16


def test_the_recipe_measures_every_arm(shared_data, album, tmp_path, monkeypatch):
    monkeypatch.setattr(lifting, "FACES", 7)
    settings = Settings(steps=1, batch=2, rate=0.001)
    job = Job(
        recipe=lifting.RECIPE,
        settings=settings,
        seeds=(0,),
        out=tmp_path,
        data=shared_data,
        faces=album,
    )
    monkeypatch.setattr(lifting, "WATCHED", 3)
    done = lifting.run(job)
    errors = {row[0]: float(row[1]) for row in done.rows}
    assert set(lifting.ARMS) < set(errors)
    # What needs no training is known: a mean face that is turned beats one that is not, by far.
    assert errors["mean face, turned to the points"] < 7 < errors["mean depth"] < 16
    assert errors["face-landmarker"] < 7
    views = lifting.gather(job)
    assert len(views) % (1 + lifting.TURNS) == 0
    assert (views.points[:, 30, 2] < views.points[:, [0, 16], 2].mean(axis=1)).all()
    assert [file.name for file in done.files] == ["lifter.onnx"]
