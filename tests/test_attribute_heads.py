"""How the heads of `lnet-anet` are fitted, against scikit-learn and by leaving rows out."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
from sklearn.linear_model import Ridge


@pytest.fixture(scope="module")
def tool(root) -> ModuleType:
    """tools/train_attribute_heads.py, which is no part of the package."""
    spec = spec_from_file_location("heads", root / "tools" / "train_attribute_heads.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["heads"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def some(seed: int, rows: int = 60, width: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Features, more of them than rows, and two flags that they partly hold."""
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 2, (rows, width))
    noise = rng.normal(0, 2, (rows, 2))
    return features, features[:, :2] - 3 + noise > np.asarray([0, 2])


@pytest.mark.parametrize("seed", range(3))
def test_ridge_and_what_it_says_of_rows_left_out(tool: ModuleType, seed: int, monkeypatch):
    monkeypatch.setattr(tool, "STRENGTHS", (30.0,))
    features, flags = some(seed)
    targets = np.where(flags, 1.0, -1.0)
    coefficients, left_out = tool.ridge(features, targets)
    expected = Ridge(30.0, fit_intercept=False).fit(features, targets)
    np.testing.assert_allclose(features.T @ coefficients, expected.coef_.T, atol=1e-8)
    for row in (0, 17, 59):
        others = np.arange(len(features)) != row
        without = Ridge(30.0, fit_intercept=False).fit(features[others], targets[others])
        np.testing.assert_allclose(left_out[row], without.predict(features[[row]])[0], atol=1e-8)


def test_each_target_gets_the_strength_that_errs_least(tool: ModuleType, monkeypatch):
    features, flags = some(4)
    targets = np.where(flags, 1.0, -1.0)
    errors = []
    for strength in (1.0, 100.0, 10_000.0):
        monkeypatch.setattr(tool, "STRENGTHS", (strength,))
        errors.append(((tool.ridge(features, targets)[1] - targets) ** 2).mean(axis=0))
    monkeypatch.setattr(tool, "STRENGTHS", (1.0, 100.0, 10_000.0))
    chosen = ((tool.ridge(features, targets)[1] - targets) ** 2).mean(axis=0)
    np.testing.assert_allclose(chosen, np.min(errors, axis=0))


def test_the_file_holds_probabilities_that_come_true(tool: ModuleType):
    features, flags = some(5, rows=4000, width=20)
    heads = tool.fit(features[:2000], flags[:2000])
    session = onnxruntime.InferenceSession(tool.to_onnx(heads))
    given = features[2000:].astype(np.float32)
    chances = np.asarray(session.run(None, {"features": given})[0])
    logits = given @ heads.weights + heads.offsets
    np.testing.assert_allclose(chances, 1 / (1 + np.exp(-logits)), atol=5e-3)
    for k in range(2):
        sure = (chances[:, k] > 0.6) & (chances[:, k] < 0.8)
        assert flags[2000:, k][sure].mean() == pytest.approx(chances[:, k][sure].mean(), abs=0.08)
    assert ((chances > 0.5) == flags[2000:]).mean() > 0.75
