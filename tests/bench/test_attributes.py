"""Several answers measured on the same faces, by hand-made answers."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench import fer2013
from lineament.bench.attributes import COMMONEST, Metric, compare
from lineament.bench.celeba40 import METRICS as CELEBA_METRICS
from lineament.bench.celeba40 import decide, draw, take
from lineament.bench.probes import BASELINE
from lineament.bench.utkface import METRICS, answer, subsets, worst
from lineament.measure.attributes import accuracy
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import GROUPS


def pictures(tmp_path, count, **labels):
    paths = tuple(tmp_path / f"{k:04d}.jpg" for k in range(count))
    return LabeledPictures(paths, labels)


def test_figures_intervals_and_evidence():
    truth = np.asarray([0, 0, 1, 1, 2, 2])
    answers = {
        COMMONEST: np.zeros(6, int),
        BASELINE: np.asarray([0, 0, 0, 0, 2, 2]),
        "sface": truth,
    }
    people = np.asarray([1, 1, 2, 2, 3, 3])
    found = compare(answers, truth, (Metric("accuracy", accuracy),), people, 0)
    assert [row["accuracy"] for row in found.values.values()] == pytest.approx([1 / 3, 2 / 3, 1])
    # Three people drawn from three, each all right or all wrong.
    assert found.intervals[BASELINE]["accuracy"] == (0, 1)
    assert found.intervals["sface"]["accuracy"] == (1, 1)
    (result,) = found.results("p", "d", "h", 0, "so")
    assert (result.method, result.ours, result.baseline_value) == ("sface", 1, pytest.approx(2 / 3))
    assert result.metric == "accuracy (linear probe)"
    assert result.note == f"{COMMONEST}: 0.3333; so"
    assert [row[0] for row in found.table("t").rows] == [COMMONEST, BASELINE, "sface"]


@pytest.mark.parametrize("seed", range(20))
def test_celeba_is_split_by_people(tmp_path, seed, monkeypatch):
    monkeypatch.setattr("lineament.bench.celeba40.PICTURES", 60)
    people = np.random.default_rng(seed).integers(0, 50, 100)
    base = pictures(tmp_path, 100, number=np.arange(100))
    faces = LabeledPictures(base.paths, base.labels, people=people)
    drawn, training = draw(faces, seed)
    assert len(drawn.paths) == 60
    assert drawn.people is not None
    assert not set(drawn.people[training].tolist()) & set(drawn.people[~training].tolist())
    assert 0.35 < training.mean() < 0.85
    rows = drawn.labels["number"]
    assert [faces.paths[row] for row in rows] == list(drawn.paths)
    assert people[rows].tolist() == drawn.people.tolist()
    again, _ = draw(faces, seed)
    assert again.paths == drawn.paths
    assert draw(faces, seed + 1)[0].paths != drawn.paths


def test_a_rare_attribute_is_answered_where_answers_are_balanced():
    rng = np.random.default_rng(0)
    flags = np.stack([rng.random(600) < 0.5, rng.random(600) < 0.05], axis=1)
    features = flags @ np.asarray([[2.0, 0, 0], [0, 1.5, 0]]) + rng.normal(size=(600, 3))
    found = decide(features[:400], flags[:400], features[400:])
    truth = flags[400:]
    assert found[:, 0, 1].mean() < 0.03
    assert (found[:, 1, 1] & truth[:, 1]).sum() > 2 * (found[:, 0, 1] & truth[:, 1]).sum()
    assert (found[:, 0, 0] == found[:, 1, 0]).mean() > 0.9  # a common one: hardly a difference
    hits = found[:, 1] == truth
    by_class = [hits[truth[:, k] == kind, k].mean() for k in (0, 1) for kind in (False, True)]
    assert CELEBA_METRICS[0].of(found, truth) == pytest.approx((found[:, 0] == truth).mean())
    assert CELEBA_METRICS[1].of(found, truth) == pytest.approx(np.mean(by_class))


def test_taking_rows_keeps_all_that_is_known(tmp_path):
    base = pictures(tmp_path, 3, age=np.asarray([5, 6, 7]))
    kept = take(
        LabeledPictures(base.paths, base.labels, split=np.asarray([0, 1, 2])), np.asarray([2, 0])
    )
    assert kept.labels["age"].tolist() == [7, 5]
    assert kept.split is not None
    assert kept.split.tolist() == [2, 0]
    assert kept.people is None


def test_age_and_sex_are_read_from_features_that_hold_them():
    rng = np.random.default_rng(0)
    truth = np.stack([rng.integers(1, 90, 150), rng.integers(0, 2, 150)], axis=1).astype(float)
    features = truth @ rng.normal(size=(2, 6)) + rng.normal(0, 1e-3, (150, 6))
    found = answer(features, truth, 0)
    assert np.abs(found[:, 0] - truth[:, 0]).max() < 1
    assert METRICS[1].of(found, truth) == 1
    shuffled = answer(rng.normal(size=(150, 6)), truth, 0)
    assert METRICS[2].of(shuffled, truth) < 0.65


def test_bands_hold_every_age_once_and_the_worst_group_is_named(tmp_path):
    ages, group = np.arange(0, 117), np.arange(117) % 5
    base = pictures(tmp_path, 117, age=ages, group=group)
    faces = LabeledPictures(base.paths, base.labels, {"group": GROUPS})
    parts = subsets(faces)
    bands = np.stack([rows for name, rows in parts.items() if name not in GROUPS])
    assert bands.sum(axis=0).tolist() == [1] * 117
    truth = np.stack([ages, ages % 2], axis=1).astype(float)
    off = truth.copy()
    off[group == 3, 0] += 10
    off[group == 1, 1] = 1 - off[group == 1, 1]
    answers = {COMMONEST: truth, BASELINE: truth, "sface": off}
    age, sex = worst(answers, truth, parts, "d", "h", 0)
    assert (age.ours, age.baseline_value, sex.ours) == (10, 0, 0)
    assert (age.interval, sex.interval) == ((10, 10), (0, 0))
    assert "is Indian" in age.note
    assert "is Black" in sex.note


def test_fer_trains_on_public_pictures_or_on_every_other(tmp_path):
    base = pictures(tmp_path, 4, expression=np.zeros(4, int))
    assert fer2013.halves(base).tolist() == [True, False, True, False]
    split = LabeledPictures(base.paths, base.labels, split=np.asarray([0, 1, 2, 2]))
    assert fer2013.halves(split).tolist() == [True, True, False, False]
