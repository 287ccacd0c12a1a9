"""The protocol of cephalometric indexes: who is asked what, and who may learn from whom."""

from __future__ import annotations

import numpy as np

from lineament.bench.cephalometric import commonest, judged, network, questions, report
from lineament.bench.context import Context
from lineament.measure.sets.nouns import LabeledPictures


def test_thresholds_are_asked_of_the_ages_of_the_paper(tmp_path):
    ages = np.asarray([4, 5, 14, 15, 18, 19, 22, 23, 60])
    labels = {"age": ages, "sex": ages % 2}
    asked = questions(LabeledPictures(tuple(tmp_path / str(a) for a in ages), labels))
    rows, truth = asked["older than 14"]
    assert ages[rows].tolist() == [5, 14, 15, 18, 19, 22]
    assert truth[rows].tolist() == [0, 0, 1, 1, 1, 1]
    rows, truth = asked["older than 18"]
    assert truth[rows].tolist() == [0, 0, 0, 0, 1, 1]
    rows, truth = asked["sex over 14"]
    assert ages[rows].tolist() == [15, 18, 19, 22, 23, 60]
    assert truth[rows].tolist() == [1, 0, 1, 0, 1, 0]


def test_nobody_is_judged_by_what_has_seen_them():
    labels = np.arange(20) % 2
    features = np.arange(20.0)[:, None]
    seen: list[bool] = []

    def judge(train, known, test, seed):
        assert (known == train[:, 0] % 2).all()
        seen.append(bool(np.isin(test, train).any()))
        return np.full(len(test), seed)

    found = judged(features, labels, judge, Context(seed=7))
    assert found.tolist() == [[7, 8, 9]] * 20
    assert len(seen) == 15
    assert not any(seen)


def test_the_network_learns_what_no_line_divides(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(800, 2))
    labels = (np.hypot(*features.T) > 1.2).astype(np.int64)
    found = network(features[:600], labels[:600], features[600:], 0)
    assert (found == labels[600:]).mean() > 0.85
    assert (
        commonest(features, labels, features[:3], 0).tolist() == [np.bincount(labels).argmax()] * 3
    )


def test_a_figure_is_the_mean_over_seeds_beside_the_paper(tmp_path):
    truth = np.repeat([0, 1], 20)
    half = np.stack([truth, 0 * truth], axis=1)  # one seed all right, one says 0 always
    names: list[str] = ["always the commonest", "linear probe on dlib-resnet", "cephalometric"]
    answers = dict.fromkeys(names, half)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")
    faces = LabeledPictures((path,) * 40)
    outcome = report(Context(), faces, "older than 14", answers, truth)
    f1, right = outcome.results
    assert f1.ours == (1 + 1 / 3) / 2  # F1 of class 0 is 2/3 and of class 1 is 0 where all say 0
    assert right.ours == 0.75
    assert (f1.paper, right.paper) == (0.93, None)
