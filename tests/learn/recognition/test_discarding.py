"""Error versus discard over seeds: qualities that know, that say nothing, and their gap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import discarding
from lineament.learn.recognition.discarding import Judged, compare_qualities, judged, mean_error
from lineament.learn.recognition.material import Material, People, every_pair

RNG = np.random.default_rng(5)


def faces(people: int = 20, each: int = 4) -> People:
    labels = np.repeat(np.arange(people), each)
    pixels = np.zeros((len(labels), 4, 4, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(len(labels))
    return People(pixels, labels, "")


def test_the_mean_error_by_hand():
    """Ten pairs, of which the two of lowest score fail at the start."""
    scores = np.arange(10, dtype=np.float32)
    knows = np.stack([scores, scores + 1], axis=1)
    # Shares 0, 0.1, 0.2 and on leave 2 of 10, 1 of 9 and 0 failing.
    assert mean_error(scores, knows) == pytest.approx((0.1 * 0.2 + 0.1 * (1 / 9)) / 0.5)
    # Nothing is discarded where all qualities are equal.
    assert mean_error(scores, np.ones((10, 2))) == pytest.approx(0.2)
    wrong = [2 / 10, 2 / 9, 2 / 8, 2 / 7, 2 / 6]
    assert mean_error(scores, -knows) == pytest.approx(0.1 * sum(wrong) / 0.5)


def test_both_faces_of_a_pair_of_one_person_are_asked():
    test = every_pair("t", faces(3, 2))
    worse = replace(test, probes=test.probes.copy() + 100)
    scores = RNG.normal(size=len(test.pairs)).astype(np.float32)
    seen = judged(worse, scores, {"first byte": lambda x: x[:, 0, 0, 0].astype(float)})
    np.testing.assert_array_equal(seen.scores, scores[test.same])
    pairs = test.pairs[test.same]
    np.testing.assert_array_equal(seen.qualities["first byte"], pairs + [0, 100])


def test_a_quality_that_knows_helps(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(discarding, "ROUNDS", 40)
    test = every_pair("t", faces())
    count = int(test.same.sum())
    seeds = []
    for _ in range(3):
        scores = RNG.normal(size=count).astype(np.float32)
        knows = np.stack([scores, scores], axis=1)
        chance = RNG.normal(size=(count, 2))
        seeds.append(Judged(scores, {"knows": knows, "knows too": knows, "chance": chance}))
    known = recipe("recognizability").recipe
    job = Job(recipe=known, settings=known.settings, seeds=(0, 1, 2), out=tmp_path)
    material = Material(faces(), faces(), (test,))
    rows, results = compare_qualities(job, material, test, seeds)
    assert [name for name, _ in rows[3:]] == [
        "t, by knows less by knows too", "t, by knows less by chance",
    ]  # fmt: skip
    assert rows[3][1] == "+0.0 (+0.0 to +0.0) no effect seen"
    assert rows[4][1].endswith("helps")
    even, better = results
    assert even.baseline_value == even.ours < 0.06
    assert better.baseline_value == pytest.approx(discarding.START, abs=0.05)
    assert not better.higher_is_better
    assert better.interval is not None
    assert better.interval[0] <= better.ours <= better.interval[1]
