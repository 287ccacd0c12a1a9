"""The protocol's parts by hand, and a small run."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from lineament.bench import discard
from lineament.bench.context import Context, protocol
from lineament.bench.discard_tables import Judged, best_faces, mean_fnmr
from lineament.bench.plots import Curve
from lineament.measure.degrade.suites import SUITES


def judged(**qualities: list[float]) -> Judged:
    """Ten people of two pictures; the first pair of the first two people fails.

    Each person has a plane of their own; a second picture lies at 10 degrees, or at 80.
    """
    vectors = np.zeros((20, 20), np.float32)
    for person in range(10):
        turn = radians(80 if person < 2 else 10)
        vectors[2 * person, 2 * person] = 1
        vectors[2 * person + 1, 2 * person : 2 * person + 2] = cos(turn), sin(turn)
    return Judged(
        slug="example",
        vectors=vectors,
        people=np.repeat(np.arange(10), 2),
        pairs=np.arange(20).reshape(10, 2),
        qualities={name: np.asarray(values, np.float64) for name, values in qualities.items()},
        threshold=0.5,
    )


KNOWS = [0.0, 0.9, 0.9, 0.1, *np.linspace(0.2, 0.8, 16)]
"""One picture of each failing pair is the worst or the second worst."""
BLIND = [*np.linspace(0.2, 0.8, 16), 0.0, 0.9, 0.9, 0.1]


def test_the_mean_error_by_hand():
    each = judged(knows=KNOWS, blind=BLIND)
    # 2 of 10 fail; by the quality that knows 1 of 9 is left after a tenth, none after two.
    assert each.curve("knows").at(0) == 0.2
    assert mean_fnmr(each.curve("knows")) == pytest.approx((2 / 10 + 1 / 9) / 2)
    assert mean_fnmr(each.curve("blind")) == pytest.approx((2 / 10 + 2 / 9) / 2)
    gain, interval = each.gain("knows", "blind")
    assert gain == pytest.approx((2 / 9 - 1 / 9) / 2)
    assert interval.low <= gain <= interval.high
    assert each.gain("knows", "knows")[1].pair == (0, 0)


def test_false_matches_of_strangers_by_hand():
    each = judged(knows=[0.0, 0.1, *np.linspace(0.2, 0.8, 18)])
    assert each.false_match_rate() == 0
    twins = np.array(each.vectors)
    twins[2] = twins[0]  # the first and second person's first pictures are one
    alike = Judged(each.slug, twins, each.people, each.pairs, each.qualities, 0.5)
    # 380 ordered pairs, less two for each of ten people; a match counts from both sides.
    assert alike.false_match_rate() == pytest.approx(2 / 360)
    assert alike.false_match_rate("knows") == 0  # four pictures go, of them all that matched


def test_the_best_face_by_hand():
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    each = Judged(
        slug="example",
        vectors=vectors,
        people=np.asarray([4, 4, 4, 7, 7]),
        pairs=np.asarray([[0, 1]]),
        qualities={"good": np.asarray([0.9, 0.5, 0.1, 0, 0]), "bad": np.arange(5.0)},
        threshold=0.5,
    )
    # Person 7 has too few. Of person 4 the first matches one of two others, the third none.
    assert best_faces(each, "good").shares.tolist() == [0.5]
    assert best_faces(each, "bad").shares.tolist() == [0.0]
    assert best_faces(each, "bad").people.tolist() == [4]


def test_pairs_are_rows_of_the_faces_found():
    found = np.asarray([True, False, True, True])
    pairs = np.asarray([[0, 2], [1, 2], [3, 0]])
    assert discard.rows_of(pairs, found).tolist() == [[0, 1], [2, 0]]


def test_harm_is_drawn_evenly_and_changes_what_it_says():
    harm = discard.draw(7200, seed=3)
    counts = np.zeros((len(SUITES), 6), int)
    np.add.at(counts, (harm.suite, harm.rung), 1)
    assert counts.shape == (12, 6)
    assert counts.min() > 60  # 100 expected, 10 its deviation
    assert counts.max() < 140
    clean = np.random.default_rng(0).integers(0, 256, (60, 144, 144, 3), np.uint8)
    few = discard.Harm(harm.suite[:60], harm.rung[:60])
    damaged = discard.damage(clean, few, seed=0)
    changed = (damaged != clean).any(axis=(1, 2, 3))
    assert np.array_equal(changed, few.rung > 0)


def test_lost_resolution_counts_as_a_smaller_face():
    assert SUITES[0].name == "resolution"
    harm = discard.Harm(np.asarray([0, 0, 0, 1]), np.asarray([0, 1, 5, 5]))
    assert harm.pixels_left.tolist() == [1, 56 / 112, 7 / 112, 1]


def test_a_small_run_is_evidence(shared_data, monkeypatch):
    """Fewer pairs and rounds, and people of two pictures count; the rest is as it stands."""
    monkeypatch.setattr(discard, "PAIRS_A_FOLD", 8)
    monkeypatch.setattr("lineament.bench.discard_tables.ROUNDS", 20)
    monkeypatch.setattr("lineament.bench.discard_tables.FEWEST", 2)
    outcome = protocol("discard").run(Context(data=shared_data, methods=("dlib-resnet",)))
    start, table, rungs = outcome.tables
    assert len(start.rows) == 1
    assert all(len(row) == len(table.headings) for row in table.rows)
    names = [row[1] for row in table.rows]
    assert len(set(names)) == len(names) == 9
    assert [row[1] for row in rungs.rows] == ["untouched", *(f"rung {k}" for k in range(1, 6))]
    (plot,) = outcome.plots
    assert isinstance(plot, Curve)
    assert list(plot.series) == names
    assert len({r.key for r in outcome.results}) == len(outcome.results) == 8 + 3
    beside = {r.baseline: r for r in outcome.results if r.metric.startswith("mean FNMR")}
    assert set(beside) == set(names) - {"recognizability"}
    for rival in ("sharpness", "box size", "random"):
        assert (beside[rival].baseline_value or 0) > beside[rival].ours
    assert {r.method for r in outcome.results} == {"recognizability"}
