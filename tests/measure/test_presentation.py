"""Errors of presentation-attack detection against exhaustive search and worked values."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.measure.interval import proportion
from lineament.measure.presentation import (
    OPERATING_POINTS,
    Presentations,
    Threshold,
    apcer_threshold,
    bpcer_at,
    equal_error_threshold,
    presentation_errors,
)


def presentations(seed: int, name: str = "test") -> Presentations:
    """Overlapping scores with many ties; half of the sets in single precision."""
    rng = np.random.default_rng(seed)
    kind = np.float32 if seed % 2 else np.float64
    attacks = {
        species: np.round(rng.normal(mean, 1, count), 1).astype(kind)
        for species, mean, count in (("print", -1, 60), ("replay", 0, 40), ("mask", 0.5, 11))
    }
    return Presentations(name, np.round(rng.normal(1.5, 1, 80), 1).astype(kind), attacks)


@pytest.mark.parametrize("seed", range(100))
def test_rates_agree_with_counting(seed):
    test = presentations(seed)
    threshold = equal_error_threshold(presentations(seed + 1000, "dev"))
    t = threshold.value
    errors = presentation_errors(test, threshold)
    apcer = {
        name: sum(float(s) >= t for s in scores) / len(scores)
        for name, scores in test.attacks.items()
    }
    bpcer = sum(float(s) < t for s in test.bona_fide) / 80
    passed = sum(float(s) >= t for scores in test.attacks.values() for s in scores) / 111
    assert {k: r.value for k, r in errors.apcer_by_species.items()} == pytest.approx(
        apcer, abs=1e-12
    )
    assert errors.bpcer.value == pytest.approx(bpcer, abs=1e-12)
    assert errors.apcer == pytest.approx(max(apcer.values()), abs=1e-12)
    assert errors.acer == pytest.approx((max(apcer.values()) + bpcer) / 2, abs=1e-12)
    assert errors.hter == pytest.approx((passed + bpcer) / 2, abs=1e-12)


@pytest.mark.parametrize("seed", range(100))
def test_thresholds_are_the_best_there_are(seed):
    dev = presentations(seed, "dev")
    attacks = np.concatenate(list(dev.attacks.values())).astype(np.float64)
    real = dev.bona_fide.astype(np.float64)
    tried = np.concatenate([np.unique(np.concatenate([attacks, real])), [np.inf]])
    gaps = [abs(np.mean(attacks >= t) - np.mean(real < t)) for t in tried]
    chosen = equal_error_threshold(dev).value
    gap = abs(np.mean(attacks >= chosen) - np.mean(real < chosen))
    assert gap == pytest.approx(min(gaps), abs=1e-12)
    for rate in (*OPERATING_POINTS, 0.0, 1.0):

        def worst(t: float) -> float:
            return max(float(np.mean(s.astype(float) >= t)) for s in dev.attacks.values())

        steps = np.concatenate([tried, tried + 1e-9])
        expected = min(np.mean(real < t) for t in steps if worst(t) <= rate)
        assert bpcer_at(dev, rate) == pytest.approx(expected, abs=1e-12)
        assert worst(apcer_threshold(dev, rate).value) <= rate


def test_values_worked_by_hand():
    test = Presentations(
        "test",
        np.asarray([0.9, 0.8, 0.7, 0.2]),
        {"print": np.asarray([0.1, 0.1, 0.1, 0.6]), "mask": np.asarray([0.75, 0.3])},
    )
    errors = presentation_errors(test, Threshold(0.6, "the maker"))
    assert {k: r.value for k, r in errors.apcer_by_species.items()} == {"print": 0.25, "mask": 0.5}
    assert (errors.apcer, errors.bpcer.value, errors.acer) == (0.5, 0.25, 0.375)
    assert errors.hter == pytest.approx((2 / 6 + 1 / 4) / 2)
    assert errors.bpcer.interval == proportion(1, 4)
    # No mask may pass: the threshold lies above 0.75, and two of four real people are refused.
    assert bpcer_at(test, 0.1) == 0.5
    # One mask of two may: above 0.3 and, for prints, above 0.6 would be 0; a quarter may, so 0.3.
    assert bpcer_at(test, 0.5) == 0.25


def test_a_threshold_is_not_for_the_data_that_it_was_chosen_on():
    dev, test = presentations(1, "dev"), presentations(2)
    threshold = equal_error_threshold(dev)
    assert (threshold.origin, threshold.fingerprint) == ("dev", dev.fingerprint)
    assert presentation_errors(test, threshold).threshold is threshold
    shuffled = Presentations(
        "another name", dev.bona_fide[::-1], dict(reversed(list(dev.attacks.items())))
    )
    same_name = Presentations("dev", test.bona_fide, test.attacks)
    for data in (dev, shuffled, same_name):
        for chosen in (threshold, apcer_threshold(dev, 0.05)):
            with pytest.raises(BadInput, match="'dev' itself"):
                presentation_errors(data, chosen)


def test_a_score_that_changes_sides_is_other_data():
    one, two = np.asarray([0.1]), np.asarray([0.2, 0.3])
    a = Presentations("a", np.asarray([0.1, 0.2]), {"print": np.asarray([0.3])})
    assert a.fingerprint != Presentations("a", one, {"print": two}).fingerprint


def test_what_has_no_rate_is_refused():
    real, fake = np.asarray([0.9]), {"print": np.asarray([0.1])}
    for arguments, message in (
        (("", real, fake), "name"),
        (("a", real, {}), "attacks"),
        (("a", real[:0], fake), "bona_fide"),
        (("a", real, {"print": real[:0]}), "print"),
        (("a", real, {"print": real * np.nan}), "print must be finite"),
    ):
        with pytest.raises(BadInput, match=message):
            Presentations(*arguments)
    with pytest.raises(BadInput, match="NaN"):
        Threshold(float("nan"), "somewhere")
    with pytest.raises(BadInput, match="where it comes from"):
        Threshold(0.5, "")
    with pytest.raises(BadInput, match="apcer"):
        bpcer_at(Presentations("a", real, fake), 1.5)
