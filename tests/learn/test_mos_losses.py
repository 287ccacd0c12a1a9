"""MOS: weights of tasks, losses and online feedback against their equations."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
import torch

from lineament.learn.detection import feedback, losses
from lineament.learn.detection.anchors import BINS, bin_middles, to_bins
from lineament.learn.detection.feedback import Feedback, draw
from lineament.learn.detection.losses import Uncertainty, class_loss, code_losses, pose_loss

RNG = np.random.default_rng(11)


def test_uncertainty_is_its_equation():
    """Kendall et al.: L / s^2 + log s of a classification, L / 2 s^2 + log s of a regression."""
    weigh = Uncertainty(("class", "box", "points", "pose"))
    sigmas = (0.5, 2.0, 3.0, 0.8)
    with torch.no_grad():
        logs = [2 * log(sigma) / losses.PACE for sigma in sigmas]
        weigh.paced.copy_(torch.tensor(logs))
    values = {"class": 0.7, "box": 1.9, "points": 4.0, "pose": 2.5}
    expected = (
        (0.7 / 0.5**2 + log(0.5))
        + (1.9 / (2 * 2.0**2) + log(2.0))
        + (4.0 / (2 * 3.0**2) + log(3.0))
        + (2.5 / 0.8**2 + log(0.8))
    )
    total = weigh({task: torch.tensor(value) for task, value in values.items()})
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)


def test_learned_variances_settle_where_the_equation_has_its_minimum():
    """By hand: d/ds of L / s^2 + log s is 0 at s^2 = 2 L; of L / 2 s^2 + log s, at s^2 = L."""
    weigh = Uncertainty(("class", "box"))
    values = {"class": torch.tensor(0.3), "box": torch.tensor(5.0)}
    descent = torch.optim.LBFGS(weigh.parameters(), lr=0.1, max_iter=200)

    def close() -> torch.Tensor:
        descent.zero_grad()
        total = weigh(values)
        total.backward()
        return total

    descent.step(close)
    np.testing.assert_allclose(weigh.log_variances.exp().tolist(), [0.6, 5.0], rtol=1e-2)


def test_equal_weights_are_a_plain_sum_and_other_tasks_are_left_out():
    weigh = Uncertainty(("class", "box"), learned=False)
    total = weigh({name: torch.tensor(v) for name, v in
                   (("class", 1.5), ("box", 2.0), ("points", 9.0))})  # fmt: skip
    assert float(total) == 3.5
    assert not any(p.requires_grad for p in weigh.parameters())


def test_class_loss_takes_all_faces_and_the_hardest_others():
    scores = torch.from_numpy(RNG.normal(0, 2, 40))
    faces = torch.zeros(40, dtype=torch.bool)
    faces[[3, 20]] = True
    counts = torch.ones(40, dtype=torch.bool)
    counts[:3] = False
    each = [log(1 + exp(-s)) if f else log(1 + exp(s))
            for s, f in zip(scores.tolist(), faces.tolist(), strict=True)]  # fmt: skip
    others = sorted((each[k] for k in range(3, 40) if k not in (3, 20)), reverse=True)
    expected = (each[3] + each[20] + sum(others[: 2 * losses.NEGATIVES])) / 2
    assert float(class_loss(scores, faces, counts)) == pytest.approx(expected)


def test_smooth_l1_of_a_row():
    codes = torch.tensor([[0.5, -3.0], [0.0, 1.0]])
    found = code_losses(codes, torch.zeros(2, 2))
    np.testing.assert_allclose(found.tolist(), [0.5 * 0.25 + 2.5, 0.5])


def test_pose_loss_is_entropy_and_the_error_of_the_mean():
    scores = RNG.normal(0, 1, (2, 3, BINS))
    angles = RNG.uniform(-1.2, 1.2, (2, 3))
    expected = 0.0
    for row, angle in zip(scores.reshape(-1, BINS), angles.ravel(), strict=True):
        shares = np.exp(row) / np.exp(row).sum()
        bin_of = int(np.argmin(np.abs(bin_middles() - angle)))
        off = np.degrees((shares * bin_middles()).sum() - angle)
        expected += -log(shares[bin_of]) + losses.ALPHA * off**2
    found = pose_loss(
        torch.from_numpy(scores).float(),
        torch.from_numpy(to_bins(angles)),
        torch.from_numpy(angles).float(),
    )
    assert float(found) == pytest.approx(expected / 6, rel=1e-4)


def test_without_faces_nothing_is_paid_for_poses():
    nothing = torch.zeros(0, 3)
    assert float(pose_loss(torch.zeros(0, 3, BINS), nothing.long(), nothing)) == 0


def test_draws_follow_the_number_of_false_detections():
    errors = np.asarray([0.0, 1.0, 0.0, 3.0, 6.0])
    rng = np.random.default_rng(5)
    rows = np.asarray([0, 2, 0, 2])
    drawn = np.stack([draw(rows, errors, rng) for _ in range(5000)])
    np.testing.assert_array_equal(drawn[:, 2:], np.tile([0, 2], (5000, 1)))
    counts = np.bincount(drawn[:, :2].ravel(), minlength=5)
    shares = errors / errors.sum()
    spread = np.sqrt(10_000 * shares * (1 - shares))
    assert counts[0] == counts[2] == 0
    assert np.all(np.abs(counts - 10_000 * shares) <= 4 * spread)


def test_without_false_detections_rows_stay():
    rows = np.asarray([4, 1, 2])
    np.testing.assert_array_equal(draw(rows, np.zeros(5), np.random.default_rng(0)), rows)


def test_small_faces_are_stitched_in_where_their_share_of_the_loss_is_below_the_threshold():
    state = Feedback(3)
    assert not state.wants_small
    for small, total, wanted in ((0.99, 10.0, True), (1.01, 10.0, False), (0.0, 0.0, False)):
        state.note_loss(torch.tensor(small), torch.tensor(total), wanted)
        assert state.wants_small is wanted
    assert state.stitched == pytest.approx(1 / 3)
    assert pytest.approx(sqrt(8 * 16)) == feedback.SMALL


def test_the_state_of_the_feedback_travels_with_a_checkpoint():
    state, other = Feedback(2), Feedback(2)
    state.note_loss(torch.tensor(0.2), torch.tensor(4.0), True)
    state.note_errors(1, 7, np.asarray([30.5, 12.0]))
    other.load_state_dict(state.state_dict())
    assert other.wants_small
    assert other.stitched == 1.0
    drawn = other.draw(np.zeros(4, np.int64), np.random.default_rng(0))
    assert [row for row, _ in drawn] == [1, 1, 0, 0]
    assert [None if place is None else place.tolist() for _, place in drawn] == [
        [30.5, 12.0], [30.5, 12.0], None, None
    ]  # fmt: skip
