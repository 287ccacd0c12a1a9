"""Named scores keep their names and their rows together."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.named_scores import NamedScores

SCORES = NamedScores(np.asarray([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], np.float32), ("sad", "happy"))


def test_scores_go_by_name():
    assert SCORES.of("happy").tolist() == pytest.approx([0.8, 0.5, 0.1])
    assert SCORES.best() == ["happy", "sad", "sad"]
    with pytest.raises(KeyError, match="no score 'glad'; there are sad, happy"):
        SCORES.of("glad")


def test_rows_are_taken_with_their_names():
    assert len(SCORES) == 3
    assert SCORES[1:].values.tolist() == SCORES.values[1:].tolist()
    assert SCORES[np.asarray([True, False, False])].best() == ["happy"]
    assert NamedScores(np.empty((0, 2), np.float32), ("sad", "happy")).best() == []


def test_names_and_columns_must_fit():
    with pytest.raises(ValueError, match="3 names do not fit"):
        NamedScores(SCORES.values, ("a", "b", "c"))
    with pytest.raises(ValueError, match="same name"):
        NamedScores(SCORES.values, ("a", "a"))
