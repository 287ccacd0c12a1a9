"""Cleaning of folders: clusters against scikit-learn's, folders against angles worked by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from lineament.core.errors import BadInput
from lineament.core.verdict import Calibration
from lineament.learn.data import cleaning
from lineament.learn.data.cleaning import (
    GONE,
    Limits,
    calibrated_limits,
    clean,
    dbscan,
    dominant,
    limits_of,
    originals,
    united,
)

NONE = Limits(near=0.9, same=2.0, doubtful=2.0, copied=2.0)


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in a plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cosine(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


def people(count: int, each: int, dimension: int, noise: float, seed: int) -> np.ndarray:
    """Unit vectors around a direction for each person, person by person."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, dimension)) / dimension**0.5
    vectors = np.repeat(centres, each, axis=0)
    vectors = vectors + noise * rng.normal(size=vectors.shape) / dimension**0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("crowd", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_those_of_dbscan(crowd, seed):
    """Cores and faces in no cluster are settled by the definition; a face between two clusters may
    go with either, and goes with the nearer."""
    vectors = people(6, 8, 4, 0.6, seed)
    cosines = vectors @ vectors.T
    near = 0.9
    found = dbscan(cosines, near, crowd)
    distances = np.clip(1 - cosines.astype(np.float64), 0, None)
    theirs = DBSCAN(eps=1 - near, min_samples=crowd, metric="precomputed").fit(distances)
    cores = theirs.core_sample_indices_
    assert len(set(found[cores].tolist())) == len(set(theirs.labels_[cores].tolist()))
    pairs = set(zip(found[cores].tolist(), theirs.labels_[cores].tolist(), strict=True))
    assert len(pairs) == len(set(found[cores].tolist())), "one of ours for each of theirs"
    np.testing.assert_array_equal(found < 0, theirs.labels_ < 0)
    for face in np.setdiff1d(np.flatnonzero(found >= 0), cores):
        nearest = cores[cosines[face, cores].argmax()]
        assert cosines[face, nearest] >= near
        assert found[face] == found[nearest]
    if crowd == 3:
        assert (found >= 0).any()
        assert (found < 0).any()


def test_the_largest_cluster_of_a_folder_stays():
    vectors = at(0, 5, 10, 90, 95, 200)
    stay = dominant(vectors, np.zeros(6, int), replace(NONE, near=cosine(6)))
    assert stay.tolist() == [True, True, True, False, False, False]


def test_of_equal_clusters_the_tighter_stays():
    vectors = at(0, 5, 90, 91)
    stay = dominant(vectors, np.zeros(4, int), replace(NONE, near=cosine(6)))
    assert stay.tolist() == [False, False, True, True]


def test_folders_do_not_see_each_other_within():
    vectors = at(0, 120, 1, 121)
    stay = dominant(vectors, np.asarray([0, 0, 1, 1]), replace(NONE, near=cosine(6)))
    assert not stay.any(), "nobody in them is like anybody in them"
    stay = dominant(vectors, np.asarray([3, 7, 3, 7]), replace(NONE, near=cosine(6)))
    assert stay.all()


def test_folders_that_are_close_become_one_and_doubtful_ones_go():
    """Centres at 0 (three faces), 20 (two), 38 (two), 70 (two) and 104 degrees (one)."""
    vectors = at(-1, 0, 1, 19, 21, 37, 39, 69, 71, 104)
    folders = np.asarray([4, 4, 4, 1, 1, 2, 2, 3, 3, 0])
    limits = replace(NONE, same=cosine(25), doubtful=cosine(40))
    found = united(vectors, folders, limits)
    # 0, 20 and 38 are linked. Their centre is at (0 * 3 + 20 * 2 + 38 * 2) / 7 = 17 degrees or
    # close to it, 53 from folder 3, which therefore stays; and that takes out folder 0, 34 away.
    assert found.tolist() == [4, 4, 4, 4, 4, 4, 4, 3, 3, GONE]


def test_a_folder_that_is_out_takes_out_no_other():
    vectors = at(0, 0, 0, 30, 30, 60)
    folders = np.asarray([0, 0, 0, 1, 1, 2])
    found = united(vectors, folders, replace(NONE, same=cosine(5), doubtful=cosine(40)))
    assert found.tolist() == [0, 0, 0, GONE, GONE, 2]


def test_copies_of_copies_stay_where_the_middle_one_goes():
    vectors = at(0, 4, 8, 90, 0)
    same = np.asarray([0, 0, 0, 0, 1])
    assert originals(vectors, same, cosine(5)).tolist() == [True, False, True, True, True]
    assert originals(vectors, same, 2.0).all()


def test_all_steps_together_find_what_was_put_in():
    vectors = people(40, 6, 64, 0.5, 0)
    truth = np.repeat(np.arange(40), 6)
    folders = truth.copy()
    folders[::12] = (truth[::12] + 7) % 40  # strangers
    folders[(truth == 3) & (np.arange(240) % 2 == 1)] = 40  # the other half of number 3
    vectors = np.concatenate([vectors, vectors[100:101]])
    truth, folders = np.append(truth, truth[100]), np.append(folders, folders[100])
    foreign = (folders != truth) & (folders != 40)
    found = clean(vectors, folders, Limits(near=0.5, same=0.8, doubtful=0.6, copied=0.999))
    expected = np.where(foreign, GONE, truth)
    expected[240] = GONE
    # Three faces of number 3 that are left in each half; the number of the larger, or the first.
    np.testing.assert_array_equal(found, expected)
    order = np.random.default_rng(1).permutation(240)
    shuffled = clean(vectors[order], folders[order], Limits(near=0.5, same=0.8, doubtful=0.6))
    np.testing.assert_array_equal(shuffled, expected[order])


def test_folders_are_compared_in_parts_of_any_size(monkeypatch):
    vectors, folders = people(30, 2, 3, 0.2, 4), np.repeat(np.arange(30), 2)
    limits = replace(NONE, same=0.95, doubtful=0.8)
    whole = united(vectors, folders, limits)
    monkeypatch.setattr(cleaning, "_BLOCK", 7)
    np.testing.assert_array_equal(united(vectors, folders, limits), whole)
    assert 1 < len(np.unique(whole)) < 31


def test_faces_are_near_from_where_folders_stand_out_most():
    """Held to a search over all cosines; strangers in folders do not move it."""
    vectors, folders = people(60, 5, 16, 0.8, 5), np.repeat(np.arange(60), 5)
    first, second = np.triu_indices(300, 1)
    cosines = (vectors @ vectors.T)[first, second]
    one = folders[first] == folders[second]
    within, apart = cosines[one], cosines[~one]
    ahead = [(within >= t).mean() - (apart >= t).mean() for t in within]
    assert limits_of(vectors, folders).near == pytest.approx(within[np.argmax(ahead)])
    moved = folders.copy()
    moved[::5] = np.roll(folders[::5], 1)
    assert limits_of(vectors, moved).near == pytest.approx(within[np.argmax(ahead)], abs=0.05)


def test_few_faces_are_enough_to_measure_limits_on(monkeypatch):
    vectors, folders = people(200, 5, 16, 0.5, 6), np.repeat(np.arange(200), 5)
    whole = limits_of(vectors, folders)
    monkeypatch.setattr(cleaning, "_SAMPLE", 150)
    some = limits_of(vectors, folders)
    assert some.near == pytest.approx(whole.near, abs=0.08)
    assert some.same == pytest.approx(whole.same, abs=0.08)


def test_folders_are_one_from_where_strangers_hardly_are():
    vectors, folders = people(60, 5, 16, 0.8, 5), np.repeat(np.arange(60), 5)
    limits = limits_of(vectors, folders, same=0.5, doubtful=2.0)
    centres = vectors.reshape(60, 5, 16).sum(axis=1)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    between = (centres @ centres.T)[~np.eye(60, dtype=bool)].reshape(60, 59)
    assert (between >= limits.same).sum(axis=1).mean() == pytest.approx(0.5, abs=0.05)
    assert (between >= limits.doubtful).sum(axis=1).mean() == pytest.approx(2.0, abs=0.05)


def test_nothing_of_it_needs_torch():
    code = "import sys, lineament.learn.data.cleaning; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_cannot_be_cleaned_is_refused():
    with pytest.raises(BadInput, match="doubtful"):
        Limits(near=0.5, same=0.4, doubtful=0.5)
    with pytest.raises(BadInput, match="length 1"):
        clean(2 * at(0, 1), np.zeros(2, int), NONE)
    with pytest.raises(BadInput, match="numbered from 0"):
        clean(at(0, 1), np.asarray([0, -1]), NONE)
    with pytest.raises(BadInput, match="at least one"):
        clean(np.zeros((0, 2), np.float32), np.zeros(0, int), NONE)
    with pytest.raises(BadInput, match="two folders"):
        limits_of(at(0, 1), np.zeros(2, int))
    with pytest.raises(BadInput, match="two faces"):
        limits_of(at(0, 1), np.arange(2))


LADDER = Calibration("x@1", "strangers", 10**6, (1e-1, 1e-2, 1e-3, 1e-4), (0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize(("count", "same", "doubtful"), [(3, 0.3, 0.3), (21, 0.4, 0.3)])
def test_more_folders_make_calibrated_limits_stricter(count, same, doubtful):
    """Of 2 other folders 0.005 a hundredth is expected, more than the rate itself; of 20, 0.0005,
    whose rung is the next one down. Folders at right angles move nothing."""
    vectors = np.repeat(np.eye(count, dtype=np.float32), 2, axis=0)
    found = calibrated_limits(vectors, np.repeat(np.arange(count), 2), LADDER)
    assert (found.near, found.same, found.doubtful) == (0.3, same, doubtful)


def test_folders_that_are_much_alike_here_raise_calibrated_limits():
    vectors, folders = at(0, 0, 30, 30, 60, 60, 90, 90), np.repeat(np.arange(4), 2)
    found = calibrated_limits(vectors, folders, LADDER)
    measured = limits_of(vectors, folders)
    assert measured.same > 0.8  # half the folders have a neighbour at 30 degrees
    assert (found.same, found.doubtful) == (measured.same, measured.doubtful)


def test_one_folder_has_calibrated_limits_as_well():
    found = calibrated_limits(at(0, 10, 90), np.zeros(3, np.int64), LADDER)
    assert (found.near, found.same) == (0.3, 0.3)
    with pytest.raises(BadInput, match="outside"):
        calibrated_limits(at(0, 10), np.zeros(2, np.int64), LADDER, 1e-9)
