"""What protocols hand over, and what they are told where a set is missing."""

from __future__ import annotations

import math

import pytest

from lineament.bench.context import Context, Outcome, protocol, protocols
from lineament.bench.plots import Axis, Bars, Curve
from lineament.bench.published import from_baseline, from_paper, is_explained, unexplained
from lineament.bench.sets import SETS, MissingSet
from lineament.core.errors import BadInput
from lineament.measure.evidence import Result, read_all


def result(**changes) -> Result:
    facts = {"method": "m", "protocol": "p", "data": "d", "data_hash": "", "metric": "accuracy"}
    return Result(**{**facts, "ours": 0.99, **changes})


def test_a_missing_set_says_where_to_get_it(tmp_path):
    for context in (Context(), Context(data=tmp_path)):
        for name, terms in SETS.items():
            with pytest.raises(MissingSet) as caught:
                context.set_folder(name)
            assert terms.where in str(caught.value)
            assert "--data" in str(caught.value)
            assert caught.value.name == name
    (tmp_path / "lfw").mkdir()
    assert Context(data=tmp_path).set_folder("lfw") == tmp_path / "lfw"


def test_every_set_that_a_protocol_names_is_known():
    named = {name for each in protocols().values() for name in each.sets}
    assert named <= SETS.keys()


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="no protocol 'nope'.*lfw"):
        protocol("nope")


def test_an_outcome_needs_no_plots():
    assert Outcome([], []).plots == ()


@pytest.mark.parametrize(
    ("series", "intervals"),
    [
        ({"a": ([1.0], [1.0, 2.0])}, {}),
        ({"a": ([1.0], [math.nan])}, {}),
        ({"a": ([math.inf], [1.0])}, {}),
        ({"a": ([1.0], [1.0])}, {"b": [(0.0, 1.0)]}),
        ({"a": ([1.0], [1.0])}, {"a": []}),
        ({"a": ([1.0], [1.0])}, {"a": [(0.0, math.nan)]}),
    ],
)
def test_a_curve_refuses_what_cannot_be_drawn(series, intervals):
    with pytest.raises(BadInput, match="^ROC"):
        Curve("ROC", Axis("x"), Axis("y"), series, intervals)


@pytest.mark.parametrize(
    ("values", "intervals"),
    [
        ({"a": [1.0]}, {}),
        ({"a": [1.0, math.nan]}, {}),
        ({"a": [1.0, None]}, {"b": [None, None]}),
        ({"a": [1.0, None]}, {"a": [None]}),
        ({"a": [1.0, None]}, {"a": [(0.0, math.inf), None]}),
    ],
)
def test_bars_refuse_what_cannot_be_drawn(values, intervals):
    with pytest.raises(BadInput, match="^TAR"):
        Bars("TAR", "share", ["women", "men"], values, intervals)


@pytest.mark.parametrize(
    ("ours", "paper", "metric", "higher", "text", "better"),
    [
        (0.9947, 0.996, "accuracy", True, "-0.13 points", False),
        (0.0947, 0.096, "EER", False, "-0.13 points", True),
        (4.4, 4.0, "mean error, degrees", False, "+10.00 %", False),
        (0.4, 0.5, "ms a face", False, "-20.00 %", True),
        (2.0, 0.0, "files lost", False, "+2.00", False),
        (0.5, 0.5, "accuracy", True, "0", None),
    ],
)
def test_differences(ours, paper, metric, higher, text, better):
    made = result(ours=ours, paper=paper, metric=metric, higher_is_better=higher)
    found = from_paper(made)
    assert found is not None
    assert str(found) == text
    assert found.better is better
    assert from_baseline(made) is None
    beside = result(
        ours=ours, baseline="b", baseline_value=paper, metric=metric, higher_is_better=higher
    )
    assert from_baseline(beside) == found


def test_a_difference_above_half_a_point_needs_a_note():
    near, far = result(ours=0.991, paper=0.996), result(ours=0.99, paper=0.996)
    said = result(ours=0.99, paper=0.996, note="Other crops.")
    assert [is_explained(r) for r in (near, far, said, result())] == [True, False, True, True]
    assert unexplained([near, far, said]) == [far]


def test_the_evidence_leaves_no_difference_unexplained():
    rows = [r for results in read_all().values() for r in results]
    assert any(r.paper is not None for r in rows)
    assert [(r.method, *r.key) for r in unexplained(rows)] == []
