"""FSFM's losses put together by hand, and what each branch sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lineament.learn.pretraining.fsfm import FSFM, REGION, SAME, MaskedArm, _turned, unlike
from lineament.learn.pretraining.masked import over, patch_errors


def small() -> FSFM:
    torch.manual_seed(0)
    return FSFM(10, 16, 4, 8, 16)


def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Faces, hidden, covered."""
    rng = np.random.default_rng(1)
    hidden = rng.random((3, 16)).argsort(axis=1) < 12
    covered = hidden & (rng.random((3, 16)) < 0.4)
    return torch.rand(3, 3, 16, 16), torch.from_numpy(hidden), torch.from_numpy(covered)


def test_the_loss_is_three_losses():
    model, (faces, hidden, covered) = small(), case()
    words = model.encoder.words(faces, hidden)
    errors = patch_errors(model.draw(words, hidden)[:, 1:], faces, 4)
    branch = model.online.branch
    told = model.predict(branch.project(branch.complete(words, hidden).mean(dim=1)))
    copy: Any = model.slow.network.branch
    known = copy.project(copy.complete(copy.encoder.words(faces), None).mean(dim=1))
    cosine = torch.nn.functional.cosine_similarity(told, known)
    wanted = over(errors, hidden) + 0.007 * over(errors, covered) - 0.1 * cosine.mean() / 2
    torch.testing.assert_close(model.loss(faces, hidden, covered), wanted)
    assert (REGION, SAME) == (0.007, 0.1)


def test_without_the_slow_copy_it_is_not_asked_and_does_not_follow():
    model, (faces, hidden, covered) = small(), case()
    full = model.loss(faces, hidden, covered)
    assert int(model.slow.steps_done) == 1
    alone = model.loss(faces, hidden, covered, discriminate=False)
    assert int(model.slow.steps_done) == 1
    assert alone != full
    alone.backward()
    assert model.online.branch.project[0].weight.grad is None
    assert model.predict[0].weight.grad is None
    assert model.encoder.patches.weight.grad is not None


def test_without_a_covered_region_it_is_a_masked_autoencoder():
    model, (faces, hidden, _) = small(), case()
    words = model.encoder.words(faces, hidden)
    wanted = over(patch_errors(model.draw(words, hidden)[:, 1:], faces, 4), hidden)
    none = torch.zeros_like(hidden)
    torch.testing.assert_close(model.loss(faces, hidden, none, discriminate=False), wanted)


def test_the_slow_copy_sees_the_whole_face():
    model, (faces, hidden, _) = small(), case()
    changed = faces.clone()
    at = int(hidden[0].nonzero()[0])
    row, column = divmod(at, 4)
    changed[0, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 3
    assert torch.equal(model.encoder.words(changed, hidden), model.encoder.words(faces, hidden))
    assert not torch.allclose(model.slow(changed)[0], model.slow(faces)[0])


def test_only_the_online_branch_learns():
    model, (faces, hidden, covered) = small(), case()
    model.loss(faces, hidden, covered).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("slow"), name


def test_unlike_is_half_the_cosine_turned():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 3))
    cosine = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = float(unlike(torch.tensor(a), torch.tensor(b)))
    assert found == pytest.approx(-cosine.mean() / 2)


def test_features_are_of_the_whole_face():
    model, (faces, *_) = small(), case()
    words = model.encoder.words(faces)
    assert words.shape == (3, 17, 96)
    torch.testing.assert_close(model(faces), words[:, 1:].mean(dim=1))


def test_faces_and_regions_are_mirrored_together():
    squares = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    found = _turned(squares, np.asarray([True, False]))
    assert np.array_equal(found[0], squares[0, :, ::-1])
    assert np.array_equal(found[1], squares[1])


def test_random_masks_hide_as_many_and_cover_none():
    arm = MaskedArm("random", small)
    rows, faces = np.arange(3), torch.rand(3, 3, 16, 16)
    drawn = arm._masks(rows, np.zeros(3, bool), faces, 4, np.random.default_rng(0))
    assert (drawn.hidden.sum(axis=1) == 12).all()
    assert not drawn.covered.any()
    labels = np.ones((3, 16, 16), np.uint8)
    labels[:, :4, :4] = 3
    regions = MaskedArm("regions", small, labels=labels)
    drawn = regions._masks(rows, np.zeros(3, bool), faces, 4, np.random.default_rng(0))
    assert (drawn.hidden.sum(axis=1) == 12).all()
