"""Augmentations follow from the generator; each does what it says; batches are balanced."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from lineament.core.errors import BadInput
from lineament.learn.data.augment import LOW_QUALITY, STILL, Amounts, augmented, still
from lineament.learn.data.balanced import Balanced

FACES = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3)).astype(np.uint8)
CHANGES = {
    "shift": 0.1, "mirrored": 1.0, "light": 0.3, "colour": 0.3, "grey": 1.0, "cropped": 1.0,
    "coarse": 1.0, "blurred": 1.0, "jpeg": 1.0, "erased": 1.0,
}  # fmt: skip


def changed(seed: int = 0, /, **amounts: float) -> torch.Tensor:
    return augmented(FACES, np.random.default_rng(seed), replace(STILL, **amounts))


def test_every_amount_is_tested():
    assert CHANGES.keys() == {field.name for field in fields(Amounts)}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_random_comes_from_the_generator(name):
    amount = {name: CHANGES[name]}
    assert torch.equal(changed(1, **amount), changed(1, **amount))
    assert not torch.equal(changed(1, **amount), still(FACES))
    if name not in ("mirrored", "grey"):
        assert not torch.equal(changed(1, **amount), changed(2, **amount))


def test_nothing_changes_where_nothing_is_to():
    assert torch.equal(changed(), still(FACES))
    expected = (FACES[3, 5, 7].astype(np.float32) - 127.5) / 127.5
    np.testing.assert_allclose(still(FACES)[3, :, 5, 7].numpy(), expected, atol=1e-6)


def test_the_given_faces_are_left_as_they_are():
    before = FACES.copy()
    augmented(FACES, np.random.default_rng(0), LOW_QUALITY)
    np.testing.assert_array_equal(FACES, before)


def test_a_change_of_no_amount_draws_nothing():
    """Amounts that came later must not move what earlier ones draw."""
    few, rng = Amounts(), np.random.default_rng(3)
    augmented(FACES, rng, few)
    left = rng.random()
    rng = np.random.default_rng(3)
    rng.integers(0, 5, (2, 40))
    for _ in range(2):
        rng.random(40)
    rng.normal(0, 1, (5, 40))
    assert rng.random() == left


def test_mirrors_and_greys():
    assert torch.equal(changed(mirrored=1.0), still(FACES).flip(3))
    grey = changed(grey=1.0)
    torch.testing.assert_close(grey[:, 0], grey[:, 1])
    torch.testing.assert_close(grey[:, 0], still(FACES).mean(dim=1), atol=1e-5, rtol=0)


def test_shifts_bring_in_black_and_move_whole_pixels():
    moved, here = changed(shift=0.1), still(FACES)
    for old, new in zip(here, moved, strict=True):
        found = [
            torch.equal(
                new[:, max(0, -y) : 32 - max(0, y), max(0, -x) : 32 - max(0, x)],
                old[:, max(0, y) : 32 - max(0, -y), max(0, x) : 32 - max(0, -x)],
            )
            for y in range(-3, 4)
            for x in range(-3, 4)
        ]
        assert any(found)


@pytest.mark.parametrize("name", ["coarse", "blurred"])
def test_what_makes_faces_less_sharp_takes_away_detail(name):
    def detail(faces: torch.Tensor) -> float:
        return float(faces.diff(dim=3).abs().mean())

    worse = augmented(FACES, np.random.default_rng(0), replace(STILL, **{name: 1.0}))
    assert detail(worse) < 0.8 * detail(still(FACES))


def test_erased_rectangles_have_the_sizes_that_are_said():
    dark = np.zeros_like(FACES)
    erased = augmented(dark, np.random.default_rng(0), replace(STILL, erased=1.0))
    covered = (erased > -0.999).any(dim=1)
    area = covered.float().mean(dim=(1, 2))
    assert 0.005 < float(area.min()) < 0.06
    assert 0.2 < float(area.max()) < 0.3
    rows, columns = covered.any(dim=2).sum(dim=1), covered.any(dim=1).sum(dim=1)
    torch.testing.assert_close(rows * columns, covered.sum(dim=(1, 2)), atol=4, rtol=0)


def test_shares_are_shares():
    same = (changed(erased=0.3) == still(FACES)).flatten(1).all(dim=1)
    assert 0.5 < float(same.float().mean()) < 0.9


LABELS = np.repeat(np.arange(30), np.arange(30) % 6 + 1)


def test_batches_hold_some_people_with_some_faces_each():
    order = Balanced(LABELS, 32, 4, seed=2)
    for step in range(10):
        rows = order(step).reshape(8, 4)
        whose = LABELS[rows]
        assert (whose == whose[:, :1]).all()
        for person, mine in zip(whose[:, 0], rows, strict=True):
            assert len(set(mine)) == min(4, int((person == LABELS).sum()))


def test_balanced_batches_are_a_function_of_seed_and_step():
    once, again = Balanced(LABELS, 32, 4, seed=2), Balanced(LABELS, 32, 4, seed=2)
    for step in (5, 0, 5):
        np.testing.assert_array_equal(once(step), again(step))
    assert not np.array_equal(once(5), Balanced(LABELS, 32, 4, seed=3)(5))


def test_everybody_comes_once_before_anyone_comes_again():
    order = Balanced(LABELS, 20, 2, seed=0)
    met = np.concatenate([LABELS[order(step).reshape(-1, 2)[:, 0]] for step in range(6)])
    assert sorted(met[:30]) == sorted(met[30:60]) == list(range(30))


@pytest.mark.parametrize(("batch", "faces"), [(10, 4), (124, 4), (4, 0)])
def test_impossible_batches_are_refused(batch, faces):
    with pytest.raises(BadInput):
        Balanced(LABELS, batch, faces, seed=0)
