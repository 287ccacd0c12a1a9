"""Shares by group, worked by hand; the protocol's parts on real pictures."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.skin import by_group, regions
from lineament.measure.interval import proportion
from lineament.measure.sets.nouns import LabeledPictures


def test_shares_by_group():
    found = np.array([True, False, True, True, False])
    groups = np.array([0, 0, 2, 2, 2])
    figures = by_group(found, groups, ("a", "b", "c"))
    assert list(figures) == ["a", "c"]  # nobody is of b
    assert figures["a"].value == 0.5
    assert figures["c"].value == pytest.approx(2 / 3)
    hits = proportion(2, 3)
    assert figures["c"].interval == pytest.approx(hits.pair)


def test_regions_of_real_pictures(shared_data):
    paths = tuple(sorted((shared_data / "lfw" / "images").glob("*.jpg"))[:300:10])
    seen, found = regions(LabeledPictures(paths))
    assert seen.mean() > 0.9
    assert found.mean() > 0.6
    assert not np.any(found & ~seen)
