"""Ratios of times by hand, and both embedders that anyone may use in turn."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench import embedder_speed
from lineament.bench.context import Context, protocol


def test_a_ratio_is_that_of_its_round():
    """A machine that slows down tenfold halfway: every round still says a quarter."""
    theirs = np.repeat([1.0, 10.0], 20)
    value, interval = embedder_speed.over(theirs / 4, theirs)
    assert (value, *interval) == pytest.approx((0.25, 0.25, 0.25))
    uneven = np.tile([1.0, 2.0, 3.0], 10)
    value, (low, high) = embedder_speed.over(uneven, np.full(30, 2.0))
    assert value == 1
    assert 0.5 <= low <= 1 <= high <= 1.5


def test_lineament_s_is_faster_than_sface_by_far(monkeypatch):
    """The protocol measures by how much; half leaves room for a busy machine."""
    monkeypatch.setattr(embedder_speed, "TIMED", 20)
    outcome = protocol("embedder-speed").run(Context(methods=("lineament-s",)))
    (table,) = outcome.tables
    assert [row[0] for row in table.rows] == ["sface", "lineament-s"]
    assert all(len(row) == len(table.headings) for row in table.rows)
    found = {r.metric: r for r in outcome.results}
    speed = found["time of a face over sface's"]
    assert speed.ours < 1 / 2
    assert speed.interval is not None
    assert speed.interval[0] <= speed.ours <= speed.interval[1]
    size = found["bytes of the weights over sface's"]
    assert size.ours == pytest.approx(4_333_369 / 38_696_353)
    assert size.note == "4,333,369 bytes."
