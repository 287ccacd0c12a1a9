"""Asking methods themselves, on a few real pictures."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.bench.context import Context
from lineament.bench.described import said_by, who_says
from lineament.bench.probes import BASELINE, feature_sets, placed_points
from lineament.core.named_scores import NamedScores


def test_methods_are_found_by_what_they_say():
    assert {"age-v1", "human-faceres"} <= set(who_says(Context(), "age"))
    assert who_says(Context(methods=("gender-v1", "sface")), "sex") == ["gender-v1"]
    assert who_says(Context(methods=("sface",)), "age") == []
    assert who_says(Context(), "gone") == []


def test_what_may_not_be_used_is_left_out_with_a_line(monkeypatch):
    monkeypatch.setattr("lineament.bench.described._open", _refuse)
    lines: list[str] = []
    assert who_says(Context(say=lines.append), "attributes") == []
    assert lines == ["left out: lnet-anet may not"]


def _refuse(slug: str):
    from lineament.core.errors import LicenceNotAccepted

    raise LicenceNotAccepted(f"{slug} may not")


def test_describers_are_asked_for_without_probing_anybody():
    assert set(feature_sets(Context(methods=("age-v1",)))) == {BASELINE}
    assert set(feature_sets(Context(methods=("lnet-anet",)))) == {BASELINE, "lnet-anet"}
    assert set(feature_sets(Context(methods=("age-v1", "sface")))) == {BASELINE, "sface"}


def test_every_picture_gets_a_row_in_order(shared_data):
    paths = tuple(sorted((shared_data / "utkface").glob("*.jpg"))[::300])
    said = said_by("age-v1", paths)
    again = said_by("age-v1", paths[::-1])
    assert said.fields["age"].shape == (len(paths),)
    np.testing.assert_allclose(said.fields["age"], again.fields["age"][::-1], atol=1e-3)
    assert said.milliseconds > 0
    sex = said_by("gender-v1", paths).fields["sex"]
    assert isinstance(sex, NamedScores)
    assert len(sex) == len(placed_points(paths).points) == len(paths)
    landmarks = said_by("face-landmarker", paths[:2]).fields["landmarks"]
    assert (landmarks.scheme, landmarks.points.shape) == ("478", (2, 478, 2))


@pytest.mark.parametrize("field", ["age", "blendshapes"])
def test_only_what_five_points_suffice_for_is_asked(field: str):
    from lineament.core.cards import methods

    for slug in who_says(Context(), field):
        assert methods()[slug].card.needs == ("keypoints",)
