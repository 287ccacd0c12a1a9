"""Labels that are there and labels that are not: how they are kept, moved along and learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lineament.bench.celeba40 import draw
from lineament.bench.probes import out_of_fold
from lineament.bench.utkface import measured
from lineament.core.errors import BadInput
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.rotations import rotations
from lineament.learn.generalists import losses
from lineament.learn.generalists.augment import COVERED, STILL, Amounts, see
from lineament.learn.generalists.faceptor import Faceptor
from lineament.learn.generalists.faceptor import loss as faceptor_loss
from lineament.learn.generalists.facexformer import FaceXFormer
from lineament.learn.generalists.facexformer import loss as facexformer_loss
from lineament.learn.generalists.material import (
    FACE,
    KEPT,
    UNKNOWN,
    WIDER,
    Labelled,
    Material,
    load,
    save,
    square,
)
from lineament.learn.generalists.sets import measured_people, utkface_parts
from lineament.measure.pose import geodesic_errors
from lineament.measure.sets.nouns import LabeledPictures

RNG = np.random.default_rng(7)
MEAN = torch.from_numpy(RNG.uniform(-0.3, 0.3, (68, 2)).astype(np.float32))


def pixels(count: int, side: int = KEPT) -> np.ndarray:
    return RNG.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def points(count: int) -> np.ndarray:
    return RNG.uniform(-0.25, 0.25, (count, 68, 2)).astype(np.float32)


def ages(count: int) -> np.ndarray:
    return RNG.uniform(1, 90, count).astype(np.float32)


def test_what_nobody_labelled_is_known_of_no_row():
    pointed = Labelled.of(pixels(2), points=points(2))
    aged = Labelled.of(pixels(3), age=ages(3))
    both = Labelled.join([pointed, aged])
    assert both.knows("landmarks").tolist() == [True, True, False, False, False]
    assert both.knows("visibility").tolist() == both.knows("landmarks").tolist()
    assert both.knows("age").tolist() == [False, False, True, True, True]
    for task in ("parsing", "pose", "attributes", "sex"):
        assert not both.knows(task).any()
    assert len(set(both.people)) == 5


def material(train: Labelled, shares: np.ndarray) -> Material:
    return Material(
        train=train,
        shares=shares,
        choose={"a": train},
        test={"a": train[np.asarray([1])], "b": train},
        specialists={"age": ("age-v1", np.asarray([3.0]))},
        attributes=("x", "y"),
        source="nowhere",
        hash="00",
        notes={"a": "of a"},
    )


def test_rows_come_as_often_as_their_set_s_share_and_only_where_a_task_is_known():
    train = Labelled.join(
        [Labelled.of(pixels(2), points=points(2)), Labelled.of(pixels(1), age=ages(1))]
    )
    made = material(train, np.asarray([3, 3, 2]))
    assert made.rows_for(["age"]).tolist() == [2, 2]
    assert made.rows_for(["landmarks"]).tolist() == [0, 0, 0, 1, 1, 1]
    assert made.rows_for(["landmarks", "age"]).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    np.testing.assert_allclose(made.mean_face, train.points[:2].mean(axis=0) * WIDER)


def test_faces_are_kept_in_a_file_and_come_back(tmp_path):
    made = material(Labelled.of(pixels(2), age=ages(2)), np.asarray([1, 2]))
    save(tmp_path / "faces.npz", made)
    again = load(tmp_path / "faces.npz")
    for name, value in made.train.arrays().items():
        np.testing.assert_array_equal(again.train.arrays()[name], value)
    assert {name: len(faces) for name, faces in again.test.items()} == {"a": 1, "b": 2}
    assert (again.source, again.hash, again.notes) == ("nowhere", "00", {"a": "of a"})
    assert again.attributes == ("x", "y")
    assert again.specialists["age"][0] == "age-v1"
    np.savez(tmp_path / "other.npz", something=np.zeros(1))
    with pytest.raises(BadInput, match="not a file"):
        load(tmp_path / "other.npz")


def test_the_square_around_a_box():
    """A box of 20 x 40 in the middle of (50, 60): at twice its longer side, from 10 to 90."""
    box = np.asarray([[40, 40, 60, 80]], np.float32)
    matrix = square(box, 80, 2.0)[0]
    for place, expected in (((10, 20), -0.5), ((50, 60), 39.5), ((90, 100), 79.5)):
        np.testing.assert_allclose(matrix[:, :2] @ place + matrix[:, 2], [expected] * 2, atol=1e-4)


def test_test_rows_are_those_of_the_protocols():
    """UTKFace's first fold, and CelebA's measured people with every picture of theirs."""
    paths = tuple(Path(str(k)) for k in range(900))
    parts = utkface_parts(900)
    rows = measured(LabeledPictures(paths, {"age": np.arange(900)})).labels["age"]
    train, test = next(iter(out_of_fold(len(rows), 5, 0)))
    np.testing.assert_array_equal(parts["test"], rows[test])
    np.testing.assert_array_equal(parts["train"], rows[train])
    assert not set(parts["choose"]) & set(rows)
    paths = tuple(Path(str(k)) for k in range(2500))
    people = RNG.integers(0, 400, 2500)
    drawn, training = draw(LabeledPictures(paths, {"n": np.arange(2500)}, people=people), 0)
    theirs = drawn.labels["n"][~training]
    apart = measured_people(people)
    assert apart[theirs].all()
    assert set(people[apart]) == set(people[theirs])


def spot(centres: np.ndarray) -> np.ndarray:
    axis = np.arange(KEPT)
    down = (axis[:, None] - centres[:, None, None, 1]) ** 2
    across = (axis - centres[:, None, None, 0]) ** 2
    light = 255 * np.exp(-(down + across) / (2 * 3.0**2))
    return np.repeat(light[..., None], 3, axis=3).astype(np.uint8)


@pytest.mark.parametrize("mirrored", [0.0, 1.0])
def test_points_and_masks_move_with_the_pixels(mirrored):
    """The centre of a bright spot, and of its mask, is where its point was moved."""
    centres = RNG.uniform(45, 67, (5, 2))
    light = spot(centres)
    placed = np.repeat(((centres + 0.5) / KEPT - 0.5)[:, None], 68, axis=1).astype(np.float32)
    mask = (light[..., 0] > 100).astype(np.uint8)
    faces = Labelled.of(light, points=placed, masks=mask)
    batch = see(faces, np.random.default_rng(2), Amounts(0.3, 0.1, 0.02, mirrored, 0, 0, 0, 0))
    size = batch.seen.shape[3]
    axis = (torch.arange(size) + 0.5) / size - 0.5
    for weight in (batch.seen[:, 0], (batch.masks == 1).float()):
        share = weight / weight.sum(dim=(1, 2), keepdim=True)
        found = torch.stack([(share.sum(1) * axis).sum(1), (share.sum(2) * axis).sum(1)], dim=1)
        torch.testing.assert_close(found, batch.points[:, 0], atol=0.012, rtol=0)


def test_a_head_rolls_as_its_picture_turns():
    """Points of a solid face, seen from its pose, move as the pose says that they do."""
    solid = np.concatenate([RNG.uniform(-0.2, 0.2, (68, 3))])
    angles = np.asarray([[0.1, 0.3, -0.2], [0.0, -0.5, 0.4]], np.float32)
    seen = np.stack([(rotations(a[None])[0] @ solid.T)[:2].T for a in angles])
    faces = Labelled.of(pixels(2), points=(seen / WIDER).astype(np.float32), pose=angles)
    batch = see(faces, np.random.default_rng(3), Amounts(0.4, 0, 0, 0, 0, 0, 0, 0))
    after = np.stack([(rotations(p[None].numpy())[0] @ solid.T)[:2].T for p in batch.pose])
    np.testing.assert_allclose(batch.points.numpy(), after, atol=1e-5)
    assert (np.abs(batch.pose.numpy() - angles)[:, 2] > 0.01).all()


def test_a_mirrored_head_looks_the_other_way():
    pose = np.asarray([[0.1, 0.3, -0.2]], np.float32)
    faces = Labelled.of(pixels(1), points=points(1), pose=pose)
    batch = see(faces, np.random.default_rng(0), replace(STILL, mirrored=1.0))
    torch.testing.assert_close(batch.pose, torch.tensor([[0.1, -0.3, 0.2]]))
    plain = see(faces, np.random.default_rng(0))
    torch.testing.assert_close(batch.seen, plain.seen.flip(3))
    five = convert(Landmarks(plain.points.numpy(), "68"), "5").points
    other = convert(Landmarks(batch.points.numpy(), "68"), "5").points
    np.testing.assert_allclose(other, five[:, [1, 0, 2, 4, 3]] * (-1, 1), atol=1e-6)


def test_points_below_a_rectangle_are_not_seen():
    """Where a white face is covered by something darker, the picture tells itself."""
    white = np.full((6, KEPT, KEPT, 3), 255, np.uint8)
    batch = see(Labelled.of(white, points=points(6)), np.random.default_rng(5), COVERED)
    size = batch.seen.shape[3]
    places = ((batch.points + 0.5) * size).long().clamp(0, size - 1)
    covered = (batch.seen < 254).any(dim=1)
    found = covered[torch.arange(6)[:, None], places[..., 1], places[..., 0]]
    inside = (batch.points.abs() <= 0.5).all(dim=2)
    agreed = (batch.visible == (inside & ~found)).float().mean()
    assert agreed > 0.97  # a point within a pixel of the rectangle's edge may differ
    assert 0.02 < float(1 - batch.visible.mean()) < 0.6
    blank = see(Labelled.of(white), np.random.default_rng(5), COVERED)
    assert blank.visible.isnan().all()


def test_unknown_pixels_lie_beyond_what_is_kept():
    faces = Labelled.of(pixels(1), masks=np.full((1, KEPT, KEPT), 2, np.uint8))
    batch = see(faces, np.random.default_rng(0), Amounts(0, 0, 0.6, 0, 0, 0, 0, 0))
    assert set(batch.masks.unique().tolist()) == {2, UNKNOWN}
    assert set(see(faces, np.random.default_rng(0)).masks.unique().tolist()) == {2}


def test_the_loss_of_pixels_is_cross_entropy_with_faces_as_sums():
    """Four pixels by hand: a class, the same, some part of a face, and one that nobody knows."""
    scores = torch.from_numpy(RNG.normal(size=(1, 6, 2, 2)))
    masks = torch.tensor([[[2, 0], [FACE, UNKNOWN]]])
    p = scores.softmax(dim=1)[0]
    of_face = p[1, 1, 0] + p[3, 1, 0] + p[4, 1, 0] + p[5, 1, 0]  # skin, eyes, nose, mouth
    expected = -(p[2, 0, 0].log() + p[0, 0, 1].log() + of_face.log()) / 3
    torch.testing.assert_close(losses.pixel_loss(scores, masks), expected)


def test_the_dice_loss_by_hand():
    scores = torch.from_numpy(RNG.normal(size=(2, 6, 3, 3)))
    masks = torch.from_numpy(RNG.choice([1, 4, FACE, UNKNOWN], (2, 3, 3)))
    p, terms = scores.softmax(dim=1).numpy(), []
    counted = (masks < FACE).numpy()
    for k in (1, 4):
        t = (masks == k).numpy()
        terms.append(2 * p[:, k][t].sum() / (p[:, k][counted].sum() + t.sum()))
    assert float(losses.dice_loss(scores, masks)) == pytest.approx(1 - np.mean(terms))
    assert float(losses.dice_loss(scores, torch.full((2, 3, 3), FACE))) == 0


def test_the_loss_of_poses_is_the_angle_between_them():
    found, truth = RNG.uniform(-1, 1, (2, 9, 3))
    a, b = torch.from_numpy(found), torch.from_numpy(truth)
    np.testing.assert_allclose(losses.rotation(a).numpy(), rotations(found))
    expected = geodesic_errors(found, truth).mean()
    assert float(losses.geodesic_loss(a, b)) == pytest.approx(expected, abs=1e-5)
    a.requires_grad_(True)
    losses.geodesic_loss(a, a.detach()).backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()


def test_losses_of_age_by_hand():
    middles = torch.tensor([10.0, 20.0, 30.0])
    chances = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    truth = torch.tensor([22.0, 4.0])
    expected = [0.2 * 10 + 0.5 * 20 + 0.3 * 30, 0.6 * 10 + 0.3 * 20 + 0.1 * 30]
    torch.testing.assert_close(losses.years(chances, middles), torch.tensor(expected))
    error = (abs(expected[0] - 22) + abs(expected[1] - 4)) / 2 / 10
    entropy = -(np.log(0.5) + np.log(0.6)) / 2
    found = float(losses.group_age_loss(chances, truth, middles))
    assert found == pytest.approx((entropy + error) / 2)
    target = np.exp(-((middles.numpy() - truth.numpy()[:, None]) ** 2) / (2 * 5.0**2))
    target /= target.sum(axis=1, keepdims=True)
    divergence = (target * (np.log(target) - np.log(chances.numpy()))).sum() / 2
    found = float(losses.distribution_age_loss(chances, truth, middles, spread=5.0))
    assert found == pytest.approx(divergence + error, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "loss"), [(FaceXFormer, facexformer_loss), (Faceptor, faceptor_loss)]
)
def test_a_row_without_a_label_gives_its_task_s_head_no_gradient(make, loss):
    """Of two faces one has points and one an age: no other head learns, and the head of ages learns
    exactly what it does from the second face alone."""
    torch.manual_seed(0)
    model = make(MEAN).eval()  # norms of a batch would let rows see each other
    pointed, aged = Labelled.of(pixels(1), points=points(1)), Labelled.of(pixels(1), age=ages(1))

    def heads(faces: Labelled) -> dict[str, list[torch.Tensor | None]]:
        model.zero_grad()
        loss(model, see(faces, np.random.default_rng(0))).backward()
        own = model.heads if make is FaceXFormer else model.queries
        return {
            task: [None if p.grad is None else p.grad.clone() for p in part.parameters()]
            if isinstance(part, torch.nn.Module)
            else [None if part.grad is None else part.grad.clone()]
            for task, part in own.items()
        }

    both, alone = heads(Labelled.join([pointed, aged])), heads(aged)
    for task in ("parsing", "pose", "attributes", "sex"):
        assert all(grad is None or not grad.any() for grad in both[task])
    assert all(grad is None or not grad.any() for grad in alone["landmarks"])
    assert any(grad is not None and grad.any() for grad in both["landmarks"])
    for one, other in zip(both["age"], alone["age"], strict=True):
        assert one is not None
        assert other is not None
        assert other.any()
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
