"""Average precision against values worked by hand, scikit-learn's curve, and slow loops written
from the definitions of WIDER FACE and COCO."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from lineament.core.errors import BadInput
from lineament.measure.detection import (
    COCO_IOUS,
    EVERYWHERE,
    average_precision,
    coco_precision,
    match,
    wider_counts,
)


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
    with pytest.raises(BadInput, match="true box"):
        average_precision([squares(0)], [np.asarray([0.5])], [squares()])
    with pytest.raises(BadInput, match="finite"):
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


def scenes(seed: int) -> tuple[list[np.ndarray], ...]:
    """Pictures of crowded boxes, found roughly, with tied scores; some have none."""
    rng = np.random.default_rng(seed)
    boxes, scores, truth, flags, crowd = [], [], [], [], []
    for picture in range(6):
        count = 0 if picture == 5 else rng.integers(1, 7)
        low = rng.integers(0, 60, (count, 2)).astype(float)
        real = np.concatenate([low, low + rng.integers(8, 40, (count, 2))], 1)
        again = real[rng.integers(0, count, 9)] if count else np.empty((0, 4))
        noise = rng.integers(-3, 4, again.shape)
        stray = np.concatenate([rng.integers(0, 60, (2, 2)), rng.integers(61, 99, (2, 2))], 1)
        found = np.concatenate([again + noise, stray])
        boxes.append(found)
        scores.append(np.round(rng.random(len(found)), 1))
        truth.append(real)
        flags.append(rng.random(count) < 0.3)
        crowd.append(rng.random(count) < 0.15)
    flags[0][0] = crowd[0][0] = False
    return boxes, scores, truth, flags, crowd


def overlap(a: np.ndarray, b: np.ndarray, more: float = 0.0, of_a: bool = False) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + more
    height = min(a[3], b[3]) - max(a[1], b[1]) + more
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = ((x[2] - x[0] + more) * (x[3] - x[1] + more) for x in (a, b))
    return width * height / (area_a if of_a else area_a + area_b - width * height)


def wider_slowly(boxes, scores, truth, counted, iou):
    """The evaluation of WIDER FACE, one detection and one threshold at a time."""
    every = [s for one in scores for s in one]
    low, high = min(every), max(every)
    claimed, found = [0] * 1000, [0] * 1000
    for found_boxes, found_scores, real, counts in zip(boxes, scores, truth, counted, strict=True):
        if not len(real):
            continue
        ranked = sorted(range(len(found_boxes)), key=lambda i: -found_scores[i])
        states, taken = [], set()
        for i in ranked:
            overlaps = [overlap(found_boxes[i], box, more=1) for box in real]
            best = max(range(len(real)), key=lambda j: overlaps[j])
            if overlaps[best] < iou:
                state = "wrong"
            elif not counts[best]:
                state = "neither"
            else:
                state = "wrong" if best in taken else "right"
                taken.add(best)
            states.append(((found_scores[i] - low) / (high - low), state))
        for t in range(1000):
            passing = [state for score, state in states if score >= 1 - (t + 1) / 1000]
            claimed[t] += len(passing) - passing.count("neither")
            found[t] += passing.count("right")
    total = sum(int(counts.sum()) for counts in counted)
    points = [(f / total, f / c if c else 0.0) for f, c in zip(found, claimed, strict=True)]
    area, best = 0.0, 0.0
    for k in range(999, -1, -1):
        best = max(best, points[k][1])
        area += (points[k][0] - (points[k - 1][0] if k else 0.0)) * best
    return area


@pytest.mark.parametrize("seed", range(100))
def test_wider_agrees_with_a_slow_loop(seed):
    boxes, scores, truth, flags, _ = scenes(seed)
    scores = [7 * one - 3 for one in scores]
    counted = [~f for f in flags]
    iou = (0.3, 0.5, 0.7)[seed % 3]
    expected = wider_slowly(boxes, scores, truth, counted, iou)
    counts = wider_counts(boxes, scores, truth, counted, iou)
    assert counts.average_precision() == pytest.approx(expected, abs=1e-9)


def test_wider_values_worked_by_hand():
    # Two faces count, one does not. Found: the first, it again, the one that does not, the second.
    truth, counted = [squares(0, 100, 200)], [np.asarray([True, False, True])]
    boxes, scores = [squares(0, 1, 100, 200)], [np.asarray([1.0, 0.9, 0.8, 0.0])]
    # Right, wrong, neither, right: precision 1 to recall 1/2, then 2/3.
    counts = wider_counts(boxes, scores, truth, counted)
    assert counts.average_precision() == pytest.approx(0.5 + 0.5 * 2 / 3, abs=1e-12)
    assert counts.faces.tolist() == [2]
    assert counts.claimed[0, [0, 98, 99, 998, 999]].tolist() == [1, 1, 2, 2, 3]
    assert counts.found[0, [0, 998, 999]].tolist() == [1, 1, 2]


def test_wider_pictures_can_be_drawn_anew():
    boxes, scores, truth, flags, _ = scenes(3)
    counts = wider_counts(boxes, scores, truth, [~f for f in flags])
    drawn = np.asarray([0, 2, 2])
    claimed = np.concatenate([counts.claimed[i] for i in drawn]).reshape(3, -1).sum(0)
    found = np.concatenate([counts.found[i] for i in drawn]).reshape(3, -1).sum(0)
    total = counts.faces[0] + 2 * counts.faces[2]
    ends = np.append(np.flatnonzero(np.diff(found)), 999)
    best = [
        max(f / c for f, c in zip(found[k:], claimed[k:], strict=True) if c) for k in range(1000)
    ]
    expected = (
        sum(best[k] * (found[k] - found[k - 1] if k else found[0]) for k in range(1000)) / total
    )
    assert len(ends) > 2
    assert counts.average_precision(drawn) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(BadInput, match="counts"):
        counts.average_precision(np.asarray([5]))


def test_wider_edges():
    none = squares()
    found = wider_counts([squares(0)], [np.asarray([0.3])], [squares(0)], [np.asarray([True])])
    assert found.average_precision() == 1  # a single score is the highest there is
    nothing = wider_counts([none], [np.empty(0)], [squares(0)], [np.asarray([True])])
    assert nothing.average_precision() == 0
    with pytest.raises(BadInput, match="counted"):
        wider_counts([none], [np.empty(0)], [squares(0)], [np.asarray([True, True])])
    with pytest.raises(BadInput, match="finite"):
        wider_counts([squares(0)], [np.asarray([np.inf])], [squares(0)], [np.asarray([True])])
    with pytest.raises(BadInput, match="same pictures"):
        wider_counts([none], [], [squares(0)], [np.asarray([True])])


def coco_slowly(boxes, scores, truth, ignore, crowd, iou, most, area):
    """The evaluation of COCO at one overlap: faces that count first, then the others."""
    rows, total = [], 0
    for picture, real in enumerate(truth):
        size = [(b[2] - b[0]) * (b[3] - b[1]) for b in real]
        aside = [
            bool(ignore[picture][j] or crowd[picture][j] or not area[0] <= size[j] <= area[1])
            for j in range(len(real))
        ]
        total += aside.count(False)
        taken = set()
        found = scores[picture]
        for i in sorted(range(len(found)), key=lambda i: -found[i])[:most]:
            box = boxes[picture][i]
            best, kind = None, "wrong"
            for passed_over in (False, True):
                limit = iou
                for j in range(len(real)):
                    if aside[j] != passed_over or (j in taken and not crowd[picture][j]):
                        continue
                    value = overlap(box, real[j], of_a=crowd[picture][j])
                    if value >= limit:
                        best, limit = j, value
                if best is not None:
                    kind = "neither" if passed_over else "right"
                    taken.add(best)
                    break
            own = (box[2] - box[0]) * (box[3] - box[1])
            if kind == "wrong" and not area[0] <= own <= area[1]:
                kind = "neither"
            rows.append((found[i], kind))
    rows = sorted(rows, key=lambda row: -row[0])
    kinds = [kind for _, kind in rows if kind != "neither"]
    curve = [
        (kinds[:k].count("right") / total, kinds[:k].count("right") / k)
        for k in range(1, len(kinds) + 1)
    ]
    levels = np.linspace(0, 1, 101)
    return np.mean([max((p for r, p in curve if r >= level), default=0.0) for level in levels])


@pytest.mark.parametrize("seed", range(100))
def test_coco_agrees_with_a_slow_loop(seed):
    boxes, scores, truth, flags, crowd = scenes(seed)
    most = (100, 4)[seed % 2]
    area = (EVERYWHERE, (0.0, 700.0), (100.0, np.inf))[seed % 3]
    found = coco_precision(
        boxes, scores, truth, ignore=flags, crowd=crowd, max_detections=most, area=area
    )
    expected = [
        coco_slowly(boxes, scores, truth, flags, crowd, iou, most, area) for iou in COCO_IOUS[::3]
    ]
    assert found.values[::3] == pytest.approx(expected, abs=1e-9)
    assert found.mean == pytest.approx(sum(found.values) / 10, abs=1e-12)


def test_coco_values_worked_by_hand():
    # Right, wrong, right of two: precision 1 for recalls 0 to 0.5, then 2/3: 51 and 50 of 101.
    found = coco_precision(
        [squares(0, 500, 200)], [np.asarray([0.9, 0.8, 0.7])], [squares(0, 200)], ious=(0.5,)
    )
    assert found.mean == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)
    # Found 2 pixels aside: IoU 8 / 12, so right up to 0.65.
    aside = coco_precision([squares(2)], [np.asarray([0.9])], [squares(0)])
    assert aside.values == (1, 1, 1, 1, 0, 0, 0, 0, 0, 0)
    assert aside.mean == pytest.approx(0.4)


def test_coco_of_equal_overlaps_the_last_is_taken():
    # The first detection lies in the middle of two faces; the second is one of them exactly.
    boxes, scores = [squares(2, 0)], [np.asarray([0.9, 0.8])]
    assert coco_precision(boxes, scores, [squares(0, 4)], ious=(0.5,)).mean == 1
    assert coco_precision(boxes, scores, [squares(4, 0)], ious=(0.5,)).mean == 51 / 101


def test_coco_a_crowd_takes_many_and_punishes_none():
    truth = [np.asarray([[0.0, 0, 100, 10], [200, 0, 210, 10]])]
    boxes, scores = [squares(0, 20, 40, 200)], [np.asarray([0.9, 0.8, 0.7, 0.6])]
    crowd = [np.asarray([True, False])]
    assert coco_precision(boxes, scores, truth, crowd=crowd).mean == 1
    assert coco_precision(boxes, scores, truth, ious=(0.5,)).mean < 0.2


def test_coco_refuses_what_has_no_precision():
    one = [squares(0)], [np.asarray([0.5])], [squares(0)]
    with pytest.raises(BadInput, match="that counts"):
        coco_precision(*one, ignore=[np.asarray([True])])
    with pytest.raises(BadInput, match="finite"):
        coco_precision([squares(np.nan)], *one[1:])
    with pytest.raises(BadInput, match="one flag"):
        coco_precision(*one, crowd=[np.asarray([True, False])])
    with pytest.raises(BadInput, match="one score"):
        coco_precision(one[0], [np.asarray([0.5, 0.4])], one[2])
