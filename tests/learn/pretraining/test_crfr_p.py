"""CRFR-P masks: counts and proportions by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.learn.pretraining.crfr_p import (
    COVERED,
    LABELS,
    REGIONS,
    mask_of,
    masks,
    patches_of,
)


def regions_of(count: int, **patches: range | list[int]) -> np.ndarray:
    """Patches of each region; those that are not named have none."""
    regions = np.zeros((len(REGIONS), count), bool)
    for name, numbers in patches.items():
        regions[REGIONS.index(name), list(numbers)] = True
    return regions


def test_the_drawn_region_is_hidden_wholly_and_the_others_in_proportion():
    # 12 of 16: beyond the 2 of the mouth, 10 of 14 are due, which is 5 of each 7.
    regions = regions_of(16, mouth=range(2), skin=range(2, 9), outside=range(9, 16))
    for seed in range(20):
        hidden, covered = mask_of(regions, REGIONS.index("mouth"), np.random.default_rng(seed), 12)
        assert covered.tolist() == [True] * 2 + [False] * 14
        assert hidden[:2].all()
        assert hidden[2:9].sum() == 5
        assert hidden[9:].sum() == 5


def test_a_patch_of_two_regions_counts_for_the_first():
    # Eyes have 4 patches, of which 2 are brows' as well; skin is everything else and those too.
    regions = regions_of(16, brows=range(4), eyes=range(2, 6), skin=range(16))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        hidden, covered = mask_of(regions, REGIONS.index("brows"), rng, 10)
        # 6 of 12 are due: 1 of the eyes' other 2, 5 of the skin's other 10.
        assert covered.sum() == 4
        assert hidden[:4].all()
        assert hidden[4:6].sum() == 1
        assert hidden[6:].sum() == 5


def test_rounding_is_made_good_outside_what_is_covered():
    # 3 of 5 are due. One for each region of one patch rounds 0.6 up to 5: two are given back.
    names = ("eyes", "nose", "mouth", "skin", "outside")
    alone = regions_of(8, brows=range(3), **{name: [3 + k] for k, name in enumerate(names)})
    for seed in range(20):
        hidden, covered = mask_of(alone, 0, np.random.default_rng(seed), 6)
        assert hidden.sum() == 6
        assert hidden[:3].all()
        assert covered.sum() == 3
    # 2 of 5 are due: each rounds 0.4 down to 0, and two are added.
    for seed in range(20):
        hidden, _ = mask_of(alone, 0, np.random.default_rng(seed), 5)
        assert hidden.sum() == 5
        assert hidden[:3].all()


def test_a_region_larger_than_the_mask_gives_patches_up():
    regions = regions_of(16, boundary=range(14), outside=range(14, 16))
    hidden, covered = mask_of(regions, REGIONS.index("boundary"), np.random.default_rng(0), 12)
    assert hidden.sum() == 12
    assert not hidden[14:].any()
    assert np.array_equal(hidden, covered)


def test_patches_of_no_region_can_only_fill_up():
    regions = regions_of(16, nose=[0], skin=range(1, 4))
    hidden, _ = mask_of(regions, REGIONS.index("nose"), np.random.default_rng(0), 12)
    # 11 of 15 are due: round(3 x 11 / 15) = 2 of the skin, the rest from anywhere.
    assert hidden.sum() == 12
    assert hidden[0]
    assert hidden[1:4].sum() >= 2


def test_a_patch_belongs_to_all_whose_pixels_it_has():
    labels = np.full((1, 8, 8), LABELS.index("skin"), np.uint8)
    labels[0, 0, 0] = LABELS.index("outside")  # patch 0 has skin and outside: the boundary
    labels[0, :4, 4:] = LABELS.index("outside")  # patch 1 has nothing else
    labels[0, 7, 3] = LABELS.index("nose")  # patch 2
    found = dict(zip(REGIONS, patches_of(labels, 4)[0].tolist(), strict=True))
    yes, no = True, False
    assert found == {
        "brows": [no] * 4,
        "eyes": [no] * 4,
        "nose": [no, no, yes, no],
        "mouth": [no] * 4,
        "boundary": [yes, no, no, no],
        "skin": [yes, no, yes, yes],
        "outside": [yes, yes, no, no],
    }


@given(st.integers(0, 10_000))
def test_every_mask_hides_the_share_and_what_it_covers(seed: int):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, len(LABELS), (3, 8, 8)).astype(np.uint8)
    labels = coarse.repeat(4, axis=1).repeat(4, axis=2)
    found = masks(labels, 4, rng, 0.75)
    regions = patches_of(labels, 4)
    assert (found.hidden.sum(axis=1) == 48).all()
    assert (found.covered <= found.hidden).all()
    for covered, face in zip(found.covered, regions, strict=True):
        # One label a patch here: no boundary, so covering it covers nothing.
        assert any(np.array_equal(covered, face[REGIONS.index(name)]) for name in COVERED)


def test_each_region_is_drawn_as_often_and_skin_and_outside_never():
    labels = np.zeros((1, 8, 8), np.uint8)
    for patch, name in enumerate(("brows", "eyes", "nose", "mouth")):
        row, column = divmod(patch, 2)
        labels[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = LABELS.index(name)
    found = masks(labels.repeat(2500, axis=0), 4, np.random.default_rng(0), 0.5)
    assert (found.hidden.sum(axis=1) == 2).all()
    # A fifth of the draws goes to the boundary, of which there is none here.
    np.testing.assert_allclose(found.covered.mean(axis=0), 0.2, atol=0.03)
    assert (found.covered.sum(axis=1) == 0).mean() == pytest.approx(0.2, abs=0.03)
