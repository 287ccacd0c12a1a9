"""Sources left out in turn, on features made here."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.antispoof import carried, leave_out, score
from lineament.core.errors import BadInput

NAMES = ("a", "b", "c", "d")


def world(seed=0, shift=0.0, each=20):
    """Features in which real and replayed differ; the last source lies elsewhere by `shift`."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(4), 2 * each)
    real = np.tile(np.repeat([True, False], each), 4)
    features = rng.normal(0, 1, (len(source), 6))
    features[:, 0] += np.where(real, 2.5, -2.5)
    features[source == 3, 0] += shift
    return features, real, source


def test_alike_sources_are_judged_well():
    features, real, source = world()
    for left in range(4):
        assert leave_out(features, real, source, NAMES, left).errors.hter < 0.1


def test_a_source_that_lies_elsewhere_shows_in_its_errors():
    features, real, source = world(shift=8)
    here = leave_out(features, real, source, NAMES, 3)
    assert here.errors.apcer > 0.9  # all of it looks real by the threshold of the others
    assert here.errors.bpcer.value == 0
    assert here.bpcer10 < 0.1  # though its own two kinds lie well apart
    assert here.figures[0] == pytest.approx((here.errors.apcer + here.errors.bpcer.value) / 2)


def test_nothing_of_the_left_out_source_is_looked_at():
    features, real, source = world()
    before = leave_out(features, real, source, NAMES, 2).errors.threshold
    features[source == 2] = 99 * np.random.default_rng(9).normal(size=(40, 6))
    swapped = np.where(source == 2, ~real, real)
    assert leave_out(features, swapped, source, NAMES, 2).errors.threshold == before
    assert before.origin == "all but c"


def test_carried_scores_come_from_probes_that_had_not_seen_the_source():
    features, real, source = world()
    scores = carried(features, real, source)
    rest = source != 1
    expected = score(features[rest], real[rest], source[rest], features[~rest])
    assert np.array_equal(scores[~rest], expected)
    assert np.median(scores[real]) > 0.5 > np.median(scores[~real])


def test_fewer_than_four_sources_are_refused():
    features, real, source = world()
    few = source < 3
    with pytest.raises(BadInput, match="four sources"):
        leave_out(features[few], real[few], source[few], NAMES[:3], 0)
