"""Orientation over changed pictures: what stays, what a wrong answer costs, and the real set."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench import attention
from lineament.bench.attention import CHANGES, most_frequent, run, turned
from lineament.bench.context import Context
from lineament.core.image import Image


def test_the_most_frequent_class_is_that_of_the_others():
    classes = ["up", "left", "left", "up", "down"]
    assert [most_frequent(classes, row) for row in range(5)] == ["left", "up", "up", "left", "left"]


def test_points_turn_with_their_pictures():
    pixels = np.zeros((121, 161, 3), np.uint8)
    pixels[40:43, 100:103] = 255
    found = CHANGES["turned by 30 degrees"](pixels)[:, :, 0].astype(float)
    y, x = np.indices(found.shape)
    centre = [(x * found).sum() / found.sum(), (y * found).sum() / found.sum()]
    expected = turned(np.asarray([[[101.0, 41.0]]]), [Image(pixels)])[0, 0]
    assert centre == pytest.approx(expected.tolist(), abs=0.1)


def test_every_change_keeps_the_size_and_all_but_one_change_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    for name, change in CHANGES.items():
        assert change(pixels).shape == pixels.shape
        assert np.array_equal(change(pixels), pixels) == (name == "as it is")


def test_on_the_real_pictures_it_beats_the_most_frequent_class(shared_data, monkeypatch):
    kept = ("as it is", "turned by 30 degrees")
    monkeypatch.setattr(attention, "CHANGES", {name: CHANGES[name] for name in kept})
    outcome = run(Context(data=shared_data, methods=("whenet",)))
    assert [r.method for r in outcome.results] == ["attention-pose"] * 2
    for result, name in zip(outcome.results, kept, strict=True):
        assert result.metric.endswith(name)
        assert "whenet" in result.metric
        assert result.baseline_value == pytest.approx(6 / 16)
        assert result.ours > 0.6
        assert result.interval is not None
        assert result.interval[0] <= result.ours <= result.interval[1]
