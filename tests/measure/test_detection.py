"""Average precision against values worked by hand and scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from lineament.measure.detection import average_precision, match


def squares(*corners: float) -> np.ndarray:
    return np.asarray([[c, 0, c + 10, 10] for c in corners], np.float64).reshape(-1, 4)


def test_a_box_found_twice_counts_once():
    right = match(squares(0, 1, 50), np.asarray([0.5, 0.9, 0.8]), squares(0, 100), 0.5)
    assert right.tolist() == [False, True, False]


def test_value_worked_by_hand():
    # Hits at ranks 1 and 3 of 3; two of the two true boxes: precision 1 up to recall 1/2, then 2/3.
    ap = average_precision(
        [squares(0, 200), squares(30)],
        [np.asarray([0.9, 0.8]), np.asarray([0.7])],
        [squares(0), squares(30)],
    )
    assert ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_nothing_found_is_zero_and_nothing_to_find_is_an_error():
    assert average_precision([squares()], [np.empty(0)], [squares(0)]) == 0
    with pytest.raises(ValueError, match="true box"):
        average_precision([squares(0)], [np.asarray([0.5])], [squares()])
    with pytest.raises(ValueError, match="finite"):
        average_precision([squares(0)], [np.asarray([np.nan])], [squares(0)])


@pytest.mark.parametrize("seed", range(100))
def test_agrees_with_the_interpolated_curve_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = squares(*(20.0 * np.arange(30)))
    hit = rng.random(40) < 0.6
    hit[30:] = False  # the last ten are always wrong: there is nothing where they are
    hit[0] = True
    boxes = squares(*np.where(hit, 20.0 * np.arange(40), 10_000 + 20.0 * np.arange(40)))
    scores = np.round(rng.random(40), 1)
    precision, recall, _ = precision_recall_curve(hit, scores)
    recall = recall * hit.sum() / len(truth)
    interpolated = np.maximum.accumulate(precision)
    expected = np.sum((recall[:-1] - recall[1:]) * interpolated[:-1])
    found = average_precision([boxes], [scores], [truth])
    assert found == pytest.approx(expected, abs=1e-9)
