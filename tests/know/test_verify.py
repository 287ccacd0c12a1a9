"""Verification: the verdict's rate is the share of strangers who pass."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput, LineamentError, SpaceMismatch
from lineament.core.verdict import Calibration
from lineament.know.calibration import calibration_of, read_calibration, write_calibration
from lineament.know.verify import verify


@pytest.fixture
def strangers() -> Embeddings:
    vectors = np.random.default_rng(0).standard_normal((1500, 64)).astype(np.float32)
    return Embeddings.normalised(vectors, "test@0")


@pytest.fixture
def calibration(strangers) -> Calibration:
    scores = (strangers.vectors @ strangers.vectors.T)[np.triu_indices(len(strangers), 1)]
    return Calibration.from_scores("test@0", "random directions", scores)


@pytest.mark.parametrize("rate", [0.1, 0.01, 1e-3, 1e-4])
def test_no_more_strangers_pass_than_said(strangers, calibration, rate):
    n = len(strangers)
    a, b = np.triu_indices(n, 1)
    verdicts = verify(
        strangers[a[:50_000]], strangers[b[:50_000]], false_match_rate=rate, calibration=calibration
    )
    passed = np.mean([verdict.same for verdict in verdicts])
    # 50,000 of the calibration's own pairs: the share differs from the rate by chance alone.
    assert passed <= rate + 4 * (rate / 50_000) ** 0.5
    assert verdicts[0].false_match_rate == rate
    assert verdicts[0].calibration == "random directions"


def test_the_same_face_is_the_same_person(strangers, calibration):
    verdict = verify(strangers[:1], strangers[:1], calibration=calibration)[0]
    assert verdict.same
    assert verdict.score == pytest.approx(1, abs=1e-6)
    assert verdict.score_false_match_rate == pytest.approx(calibration.rates[-1])


def test_what_cannot_be_answered_is_refused(strangers, calibration):
    other = Embeddings(strangers.vectors, "other@1")
    with pytest.raises(SpaceMismatch):
        verify(strangers[:1], other[:1], calibration=calibration)
    with pytest.raises(ValueError, match="2 faces against 1"):
        verify(strangers[:2], strangers[:1], calibration=calibration)
    with pytest.raises(BadInput, match="outside"):
        verify(strangers[:1], strangers[:1], false_match_rate=1e-9, calibration=calibration)
    with pytest.raises(LineamentError, match="no calibration"):
        verify(strangers[:1], strangers[:1])


def test_calibrations_are_written_and_read(tmp_path, calibration):
    path = write_calibration(calibration, tmp_path)
    assert read_calibration(path) == calibration
    path.write_text("{}")
    with pytest.raises(LineamentError, match="not a calibration"):
        read_calibration(path)


@pytest.mark.parametrize("slug", ["sface", "mobilefacenet-w600k", "edgeface-s", "dlib-resnet"])
def test_every_embedder_ships_its_calibration(slug):
    from lineament.core.cards import method

    weight = method(slug, "embed").card.weights[0]
    found = calibration_of(f"{slug}@{weight.sha256[:8]}")
    assert found.impostor_pairs > 1e7
    assert found.threshold(1e-3) < found.threshold(1e-4) < found.threshold(1e-5)
