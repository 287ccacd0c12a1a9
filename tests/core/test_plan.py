"""The chain of steps is made from what they need and give, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core.errors import BadInput
from lineament.core.plan import plan


@dataclass(frozen=True)
class Toy:
    gives: tuple[str, ...]
    needs: tuple[str, ...] = ()


MESH = Toy(("landmarks", "blendshapes"), ("keypoints",))
POSE = Toy(("pose",), ("landmarks",))
GAZE = Toy(("gaze",), ("landmarks", "pose"))
BOTH = Toy(("age", "sex"), ("keypoints",))
SEX = Toy(("sex",), ("keypoints",))


def test_what_is_wanted_pulls_in_what_it_needs():
    steps = [GAZE, POSE, MESH, BOTH]
    assert plan({"gaze"}, {"keypoints"}, steps) == [
        (MESH, ("landmarks", "blendshapes")),
        (POSE, ("pose",)),
        (GAZE, ("gaze",)),
    ]


def test_what_is_there_is_not_computed():
    assert plan({"keypoints"}, {"keypoints"}, [MESH]) == []
    assert plan({"pose"}, {"landmarks"}, [MESH, POSE]) == [(POSE, ("pose",))]


def test_a_field_comes_from_the_first_that_gives_it():
    assert plan({"sex"}, {"keypoints"}, [SEX, BOTH]) == [(SEX, ("sex",))]
    assert plan({"sex"}, {"keypoints"}, [BOTH, SEX]) == [(BOTH, ("age", "sex"))]
    # Both run for age and sex, and sex is still taken from the first.
    assert plan({"age", "sex"}, {"keypoints"}, [SEX, BOTH]) == [(BOTH, ("age",)), (SEX, ("sex",))]


def test_what_nothing_gives_is_named_with_all_there_is():
    with pytest.raises(BadInput, match="nothing computes 'agee'; there are age, keypoints, sex"):
        plan({"agee"}, {"keypoints"}, [BOTH])
    with pytest.raises(BadInput, match="'landmarks', which 'pose' needs"):
        plan({"pose"}, {"keypoints"}, [POSE])


def test_steps_that_wait_for_each_other_are_found():
    with pytest.raises(BadInput, match="a -> b -> a"):
        plan({"a"}, set(), [Toy(("a",), ("b",)), Toy(("b",), ("a",))])


@given(st.lists(st.tuples(st.integers(0, 9), st.sets(st.integers(0, 9))), max_size=12))
def test_every_step_comes_once_and_after_its_needs(rows):
    # Fields are numbers that need smaller ones only, so no circle can be.
    steps = [Toy((str(f),), tuple(str(n) for n in needs if n < f)) for f, needs in rows]
    try:
        found = plan({step.gives[0] for step in steps}, set(), steps)
    except BadInput:
        return
    there: set[str] = set()
    for step, taken in found:
        assert there.issuperset(step.needs)
        assert not there.intersection(taken)
        there.update(taken)
    assert len({id(step) for step, _ in found}) == len(found)
    assert there == {step.gives[0] for step in steps}
