"""Several answers measured on the same faces, by hand-made answers."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench import fer2013
from lineament.bench.attributes import COMMONEST, ITSELF, Metric, compare
from lineament.bench.celeba40 import METRICS as CELEBA_METRICS
from lineament.bench.celeba40 import decide, draw, take
from lineament.bench.probes import BASELINE
from lineament.bench.utkface import (
    AGE_METRICS,
    SEX_METRICS,
    answer,
    measured,
    sex_numbers,
    subsets,
    worst,
)
from lineament.core.named_scores import NamedScores
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
    assert AGE_METRICS[1].of(found[:, 0], truth[:, 0]) == 1
    shuffled = answer(rng.normal(size=(150, 6)), truth, 0)
    assert SEX_METRICS[0].of(shuffled[:, 1], truth[:, 1]) < 0.65


def test_bands_hold_every_age_once_and_the_worst_group_is_named(tmp_path):
    ages, group = np.arange(0, 117), np.arange(117) % 5
    base = pictures(tmp_path, 117, age=ages, group=group)
    faces = LabeledPictures(base.paths, base.labels, {"group": GROUPS})
    parts = subsets(faces)
    bands = np.stack([rows for name, rows in parts.items() if name not in GROUPS])
    assert bands.sum(axis=0).tolist() == [1] * 117
    age, sex = ages.astype(float), (ages % 2).astype(float)
    older, swapped = age + 10 * (group == 3), np.where(group == 1, 1 - sex, sex)
    answers = {COMMONEST: age, BASELINE: age, "sface": older, "age-v1": older}
    (probed, itself) = worst(AGE_METRICS[0], answers, age, parts, "d", "h", 0, ["age-v1"])
    assert (probed.ours, probed.baseline_value, probed.interval) == (10, 0, (10, 10))
    assert probed.metric == f"{itself.metric} (linear probe)"
    assert "is Indian" in probed.note
    assert "private set" in itself.note, "what it learnt from stands beside its figure"
    answers = {COMMONEST: sex, BASELINE: sex, "sface": swapped}
    (result,) = worst(SEX_METRICS[0], answers, sex, parts, "d", "h", 0)
    assert (result.ours, result.interval) == (0, (0, 0))
    assert "is Black" in result.note


def test_methods_are_told_from_probes_and_held_against_their_papers():
    truth = np.asarray([10.0, 20.0, 30.0])
    answers = {
        COMMONEST: truth + 9,
        BASELINE: truth + 6,
        "sface": truth,
        "human-faceres": truth + 3,
    }
    found = compare(answers, truth, AGE_METRICS, np.arange(3), 0)
    results = found.results("utkface-age-sex", "d", "h", 0, "so", ["human-faceres"])
    by_name = {(r.method, r.metric): r for r in results}
    assert set(by_name) == {
        ("sface", "age MAE, years (linear probe)"),
        ("sface", "age CS@5 (linear probe)"),
        ("human-faceres", "age MAE, years"),
        ("human-faceres", "age CS@5"),
    }
    itself = by_name["human-faceres", "age MAE, years"]
    assert (itself.ours, itself.baseline_value, itself.paper) == (3, 6, 6.0)
    assert "VGGFace2" in itself.note
    assert by_name["sface", "age MAE, years (linear probe)"].paper is None
    beside = found.results("p", "d", "h", 0, "so", ["human-faceres"], "sface")
    assert {(r.method, r.baseline) for r in beside} == {("human-faceres", "linear probe on sface")}


def test_heads_of_a_method_that_is_also_probed_go_by_its_name():
    truth = np.asarray([1.0, 2.0])
    answers = {COMMONEST: truth, BASELINE: truth, "lnet-anet": truth, "lnet-anet" + ITSELF: truth}
    found = compare(answers, truth, AGE_METRICS[:1], np.arange(2), 0)
    results = found.results("p", "d", "h", 0, "so", {"lnet-anet" + ITSELF})
    assert [(r.method, r.metric) for r in results] == [
        ("lnet-anet", "age MAE, years (linear probe)"),
        ("lnet-anet", "age MAE, years"),
    ]


def test_what_choices_were_made_on_is_measured_by_nobody(tmp_path):
    base = pictures(tmp_path, 400, age=np.arange(400))
    ages = measured(LabeledPictures(base.paths, base.labels)).labels["age"]
    left_out = np.random.default_rng(2017).permutation(400)[:300]
    assert len(ages) == 100
    assert not set(ages.tolist()) & set(left_out.tolist())


def test_names_become_the_numbers_of_the_set():
    sex = NamedScores(np.asarray([[0.9, 0.1], [0.2, 0.8]], np.float32), ("female", "male"))
    assert sex_numbers(sex).tolist() == [1, 0]
    names = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    expression = NamedScores(np.eye(7, dtype=np.float32), names)
    assert fer2013.numbered(expression).tolist() == [0, 1, 2, 3, 6, 4, 5]


def test_fer_trains_on_public_pictures_or_on_every_other(tmp_path):
    base = pictures(tmp_path, 4, expression=np.zeros(4, int))
    assert fer2013.halves(base).tolist() == [True, False, True, False]
    split = LabeledPictures(base.paths, base.labels, split=np.asarray([0, 1, 2, 2]))
    assert fer2013.halves(split).tolist() == [True, True, False, False]
