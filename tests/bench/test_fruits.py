"""The chains' protocol: its pairs, and its parts on real pictures."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.fruits import (
    PAIRS,
    chain_times,
    embed,
    find,
    is_commercial,
    pair_rows,
    winners,
)
from lineament.bench.lfw import Figure
from lineament.core.cards import method
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.measure.fruits import Chain
from lineament.measure.sets.lfw import read_lfw


@pytest.fixture(scope="module")
def lfw(shared_data):
    return read_lfw(shared_data / "lfw")


def test_pairs_are_of_the_first_fold_and_half_of_them_of_one_person(lfw):
    rows = pair_rows(lfw)
    assert len(rows) == len(set(rows.tolist())) == PAIRS
    assert (lfw.fold[rows] == 0).all()
    # Every tenth that the accuracy is taken over has as many of each.
    part = np.arange(PAIRS) // 2 % 10
    assert [lfw.same[rows][part == p].mean() for p in range(10)] == [0.5] * 10


def test_a_chain_takes_the_time_of_its_parts(lfw):
    images = [read_image(path) for path in lfw.paths[:4]]
    times = chain_times(["yunet"], ["sface"], images)
    assert set(times) == {"yunet + sface", "yunet + sface + mirrored"}
    assert 0 < times["yunet + sface"] < times["yunet + sface + mirrored"]


def test_faces_are_found_and_embedded_both_ways(lfw):
    blank = Image(np.full((80, 80, 3), 99, np.uint8))
    images = [read_image(lfw.paths[0]), blank, read_image(lfw.paths[1])]
    found = find(method("yunet", "detect").load()(), images)
    assert found.seen.tolist() == [True, False, True]
    vectors = embed(method("sface", "embed").load()(), found)
    expected = method("sface", "embed").load()(flip=True)(
        found.crops(method("sface", "embed").load()().template)
    )
    np.testing.assert_allclose(vectors[" + mirrored"], expected.vectors, atol=2e-3)
    assert vectors[""].shape == (2, 128)


def test_winners_worked_by_hand():
    quick, research, slow = (
        Chain("yunet + sface", 8, 0.90),
        Chain("yunet + edgeface-s + mirrored", 9, 0.95),
        Chain("centerface + dlib-resnet", 50, 0.93),
    )
    assert [is_commercial(c.name) for c in (quick, research, slow)] == [True, False, True]
    found = {(w.limit, w.commercial): w for w in winners([slow, quick, research])}
    best = {key: winner.chain for key, winner in found.items()}
    assert best == {
        (10, False): research,
        (30, False): research,
        (100, False): research,
        (10, True): quick,
        (30, True): quick,
        (100, True): slow,
    }
    figures = {
        quick.name: Figure(0.90, (0.85, 0.94)),
        research.name: Figure(0.95, (0.92, 0.97)),
        slow.name: Figure(0.93, (0.90, 0.96)),
    }
    assert found[100, False].alike(figures) == 2
    assert found[100, True].alike(figures) == 2
    assert found[10, True].alike(figures) == 1
