"""Squares, mirrors and motions of faces to learn from; losses against their equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lineament.core.crops import ARCFACE_112, warp
from lineament.core.geometry import transform_points, umeyama
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.landmarks import fan_alignment as fan
from lineament.learn.landmarks import landmark_kd as kd
from lineament.learn.landmarks.augment import Amounts, see, still
from lineament.learn.landmarks.crops import MIRRORED, template, to_pixels, to_shares
from lineament.learn.landmarks.faces import WIDER, split_by_file
from lineament.learn.landmarks.mobile import Mirrored, MobileLandmarker

RNG = np.random.default_rng(4)


def test_the_square_is_the_usual_template_made_smaller():
    for size, wider in ((64, 1.0), (160, 1.6)):
        ours = np.asarray(template(size, wider).points, np.float32)
        usual = np.asarray(ARCFACE_112.points, np.float32)
        matrix = umeyama(usual[None], ours)[0]
        assert np.abs(transform_points(matrix, usual) - ours).max() < 0.01 * size
        assert ours[1, 0] - ours[0, 0] == pytest.approx(0.3 * size / wider)


def test_shares_and_pixels():
    corners = to_pixels(np.asarray([[-0.5, 0.5], [0.0, 0.0]]), 10)
    np.testing.assert_allclose(corners, [[-0.5, 9.5], [4.5, 4.5]])
    points = RNG.random((3, 2)) * 50
    np.testing.assert_allclose(to_pixels(to_shares(points, 50), 50), points, atol=1e-5)


def test_a_mirror_shown_in_a_mirror_is_the_face():
    order = np.asarray(MIRRORED)
    np.testing.assert_array_equal(order[order], np.arange(68))
    points = RNG.random((1, 68, 2)).astype(np.float32)
    five = convert(Landmarks(points, "68"), "5").points
    flipped = convert(
        Landmarks(points[:, order] * np.asarray([-1, 1], np.float32), "68"), "5"
    ).points
    np.testing.assert_allclose(flipped, five[:, [1, 0, 2, 4, 3]] * (-1, 1), atol=1e-6)


def test_the_split_keeps_the_rows_apart_that_the_protocol_measures():
    parts = split_by_file(np.asarray([0, 1, 2, 4, 9, 10, 11, 13]))
    assert parts["test"].tolist() == [0, 2, 3, 5]
    assert parts["choose"].tolist() == [4]
    assert parts["train"].tolist() == [1, 6, 7]


def bump(size: int, points: np.ndarray) -> np.ndarray:
    """A picture that is bright around some points."""
    axis = np.arange(size)
    down = (axis[:, None] - points[:, None, None, 1]) ** 2
    across = (axis[None, :] - points[:, None, None, 0]) ** 2
    light = 255 * np.exp(-(down + across) / (2 * 2.5**2))
    return np.repeat(light[..., None], 3, axis=3).astype(np.uint8)


@pytest.mark.parametrize("mirrored", [0.0, 1.0])
def test_points_move_with_the_pixels(mirrored):
    """The centre of a bright spot, found in the moved picture, is where its point was moved."""
    wide, size = 128, 64
    centres = RNG.uniform(48, 80, (6, 1, 2))
    pixels = bump(wide, centres[:, 0])
    points = np.repeat(to_shares(centres, wide), 68, axis=1)
    amounts = Amounts(0.3, 0.1, 0.03, mirrored, 0, 0, 0, 0, 0)
    seen, placed = see(pixels, points, size, np.random.default_rng(1), amounts)
    light = seen[:, 0] / seen[:, 0].sum(dim=(1, 2), keepdim=True)
    axis = torch.arange(size, dtype=torch.float32)
    found = torch.stack([(light.sum(1) * axis).sum(1), (light.sum(2) * axis).sum(1)], dim=1)
    expected = to_pixels(placed[:, 0].numpy(), size)
    np.testing.assert_allclose(found.numpy(), expected, atol=0.15)


def test_an_unmoved_square_is_what_alignment_cuts():
    """Training and inference see the same square: the middle of the wide crop is the crop."""
    smooth = functional.interpolate(torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(
        0)), size=(200, 200), mode="bicubic").clamp(0, 1)  # fmt: skip
    image = Image((255 * smooth[0].permute(1, 2, 0)).to(torch.uint8).numpy())
    five = np.asarray([(80, 80), (120, 84), (99, 104), (82, 125), (116, 128)], np.float32)
    cut = {
        wider: warp(image, umeyama(five[None], np.asarray(template(s, wider).points))[0], s)
        for s, wider in ((64, 1.0), (128, WIDER))
    }
    ours = still(cut[WIDER][None].copy(), 64)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - cut[1.0]).max() < 4


def test_a_batch_follows_from_its_seed():
    pixels = RNG.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    points = np.zeros((3, 68, 2), np.float32)
    seen = []
    for number in (1, 1, 2):
        with seeded(number) as rng:
            seen.append(see(pixels, points, 32, rng, Amounts())[0])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def written_out(answer: float, truth: float, teacher: float, weights: tuple[float, float]) -> float:
    """ALoss of one coordinate as the paper words it: with the teacher on the student's side."""
    side = np.sign(answer - truth)
    teacher = truth + side * abs(teacher - truth)
    near = truth + side * 0.15 * abs(teacher - truth)
    if (answer - teacher) * side > 0:
        return weights[0] * abs(teacher - answer)
    if (teacher - answer) * side >= 0 and (answer - near) * side >= 0:
        return weights[1] * abs(teacher - answer)
    return 0.0


def test_kd_loss_is_its_equation():
    answer, truth, tough, tolerant = RNG.uniform(-0.5, 0.5, (4, 5, 68, 2))
    tough = truth + (tough - truth) * 0.5
    expected = 0.0
    for a, y, t, s in zip(*(v.ravel() for v in (answer, truth, tough, tolerant)), strict=True):
        error, limit = abs(a - y), abs(s - y)
        main = 3 * error if error <= limit else error**2 + 3 * limit - limit**2
        expected += 2 * main + written_out(a, y, t, (1.9, -0.45))
        expected += written_out(a, y, s, (1.8, -0.4))
    tensors = [torch.from_numpy(v) for v in (answer, truth, tough, tolerant)]
    assert float(kd.kd_loss(*tensors)) == pytest.approx(expected / answer.size)


def test_a_teacher_has_nothing_to_say_near_the_truth_and_pulls_harder_far_off():
    error = torch.tensor([[[0.001, 0.05], [0.09, 0.3]]], requires_grad=True)
    teacher = torch.full((1, 2, 2), 0.1)
    (4 * kd.assistive_loss(error, teacher, (1.9, -0.45))).backward()
    assert error.grad is not None
    torch.testing.assert_close(error.grad.flatten(), torch.tensor([0.0, 0.45, 0.45, 1.9]))


def test_the_main_loss_has_no_step_at_the_teacher_s_error():
    teacher = torch.full((1, 1, 2), 0.2)
    below, above = (float(kd.main_loss(teacher + e, teacher)) for e in (-1e-5, 1e-5))
    assert above - below == pytest.approx(0, abs=1e-4)


def test_soft_landmarks_keep_the_share_of_variance():
    """Faces that vary along three axes by 10, 3 and 1: nine tenths need only the first two."""
    axes = np.linalg.qr(RNG.normal(size=(12, 3)))[0].T
    places = RNG.uniform(-1.7, 1.7, (400, 3)) * (10, 3, 1)
    places -= places.mean(axis=0)
    faces = (5 + places @ axes).reshape(400, 6, 2).astype(np.float32)
    soft = kd.soft_landmarks(faces, 0.95)
    explained = 1 - ((soft - faces) ** 2).sum() / ((faces - faces.mean(axis=0)) ** 2).sum()
    assert 0.95 <= explained < 0.999
    np.testing.assert_allclose(kd.soft_landmarks(faces, 0.999999), faces, atol=1e-3)
    far = np.concatenate([faces, faces[:1] * 40])
    limit = 3 * np.sqrt(((far - far.mean(axis=0)).reshape(401, -1) ** 2).sum(axis=1).mean())
    assert np.linalg.norm(kd.soft_landmarks(far)[-1] - far.mean(axis=0)) <= limit


def test_heatmaps_give_back_the_points_that_they_were_made_of():
    points = torch.from_numpy(RNG.uniform(-0.4, 0.4, (4, 68, 2)).astype(np.float32))
    maps = fan.targets(points, 32)
    assert float(maps.max()) <= 1
    torch.testing.assert_close(fan.centres(maps), points, atol=5e-4, rtol=0)  # of a pixel, 1/60
    assert float(fan.heatmap_loss([maps], points)) == 0
    # Maps of nothing are off by the squares of a Gaussian, whose sum over cells is pi sigma^2.
    empty = float(fan.heatmap_loss([torch.zeros_like(maps)] * 2, points))
    assert empty == pytest.approx(2 * np.pi * fan.SPREAD**2, rel=1e-3)
    outside = torch.full((1, 68, 2), 0.6)
    assert float(fan.targets(outside, 32).abs().sum()) == 0


def test_a_point_in_the_middle_of_a_cell():
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 5] = 1
    torch.testing.assert_close(
        fan.centres(maps)[0, 0], torch.tensor([5.5, 2.5]) / 8 - 0.5, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda mean: MobileLandmarker(32, mean, (8, 8, 8, 8), depth=1),
        lambda mean: Mirrored(MobileLandmarker(32, mean, (8, 8, 8, 8), depth=1)),
        lambda mean: fan.Hourglasses(channels=8),
        lambda mean: fan.Hourglasses(fan.Bottleneck, channels=8, stacks=2),
    ],
)
def test_networks_run_as_onnx(tmp_path, make):
    mean = torch.from_numpy(RNG.uniform(-0.3, 0.3, (68, 2)).astype(np.float32))
    with seeded(0):
        model = make(mean)
        example = torch.rand(3, 3, 32, 32) * 255
    assert model.eval()(example).shape == (3, 68, 2)
    assert export(model, example, tmp_path / "model.onnx") < 1e-4


def test_a_network_begins_near_the_mean_face():
    mean = torch.from_numpy(RNG.uniform(-0.3, 0.3, (68, 2)).astype(np.float32))
    with seeded(0):
        answer = MobileLandmarker(64, mean).eval()(torch.rand(2, 3, 64, 64) * 255)
    assert float((answer - mean).detach().abs().max()) < 0.06


def test_a_network_with_a_mirror_answers_a_mirrored_square_with_mirrored_points():
    with seeded(0):
        model = Mirrored(MobileLandmarker(32, torch.zeros(68, 2), (8, 8, 8, 8), depth=1)).eval()
        square = torch.rand(2, 3, 32, 32) * 255
    mirrored = model(square.flip(3))[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(mirrored, model(square), atol=1e-5, rtol=0)
