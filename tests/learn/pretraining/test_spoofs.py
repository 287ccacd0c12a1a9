"""Replayed faces as a task: each source is judged by the others, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.learn.pretraining.spoofs import Replays, told


def task(sides: tuple[int, ...]) -> Replays:
    """Real faces are bright where a source's side is 1, dark where it is -1."""
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(len(sides)), 20)
    real = np.arange(len(source)) % 2 == 0
    light = 128 + 60 * np.asarray(sides)[source] * np.where(real, 1, -1)
    noise = rng.integers(-20, 20, (len(source), 4, 4, 3))
    pixels = np.clip(light[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    return Replays(pixels, real, source.astype(np.int64), "")


def mean_of(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), -1).mean(axis=1, keepdims=True).astype(np.float32)


def test_errors_of_both_kinds_count_alike():
    passed = np.asarray([True, True, True, False, True, False])
    real = np.asarray([True, True, True, True, False, False])
    assert told(passed, real) == pytest.approx(1 - (1 / 4 + 1 / 2) / 2)


def test_what_all_sources_share_carries_over():
    assert task((1, 1, 1, 1)).credits(mean_of, 1.0).tolist() == [1.0] * 4


def test_a_source_that_is_the_other_way_round_is_told_wrongly():
    found = task((1, 1, 1, -1)).credits(mean_of, 1.0)
    assert found[3] == 0  # it taught nothing about itself
    assert (found[:3] == 1).all()


def test_few_labels_are_drawn_and_repeatable():
    easy = task((1, 1, 1, 1))
    found = easy.credits(mean_of, 0.1, seed=3)
    assert np.array_equal(found, easy.credits(mean_of, 0.1, seed=3))
    assert (found > 0.9).all()


def test_rows_are_sources_and_none_of_them_choose():
    replays = task((1, 1, 1))
    assert replays.people().tolist() == [0, 1, 2]
    assert replays.data.startswith("60 real and replayed faces of 3 sources")
    with pytest.raises(BadInput, match="no rows to choose"):
        replays.credits(mean_of, 1.0, part="choose")
