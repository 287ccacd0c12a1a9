"""Fit the heads of `lnet-anet` on CelebA, and print the record for its card.

All pictures train but those of the people whom `lineament bench celeba40` measures (seed 0), so
that its figure of the shipped heads is of people whom they have not seen.

Each head is a ridge regression on standardised features with targets of 1 and -1; its strength is
the one with the least leave-one-out error, which has a closed form. A logistic curve on the
leave-one-out answers (J. C. Platt, "Probabilistic outputs for support vector machines", 1999)
turns answers into probabilities. Scaling, head and curve are one matrix in the end.

Usage::

    python tools/train_attribute_heads.py FOLDER_OF_CELEBA
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32

from lineament.bench.celeba40 import draw, take
from lineament.bench.probes import placed_crops
from lineament.measure.sets.celeba import read_celeba
from lineament.see.attributes.lnet_anet import ATTRIBUTES, IdentityFeatures

STRENGTHS = tuple(10.0**k for k in range(2, 8))
TARGET = Path(__file__).parents[1] / "src/lineament/see/attributes/data/lnet_anet_heads.onnx"


@dataclass(frozen=True)
class Heads:
    """``features @ weights + offsets`` gives the logits of the attributes."""

    weights: Float32[np.ndarray, "d a"]
    offsets: Float32[np.ndarray, " a"]


def fit(features: Float[np.ndarray, "n d"], flags: Bool[np.ndarray, "n a"]) -> Heads:
    """Heads for features of n faces, fewer faces than features or not."""
    rows = features.astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    rows = (rows - mean) / deviation
    signs = np.where(flags, 1.0, -1.0)
    base = signs.mean(axis=0)
    coefficients, left_out = ridge(rows, signs - base)
    slopes, shifts = np.transpose(
        [curve(left_out[:, k] + base[k], flags[:, k]) for k in range(flags.shape[1])]
    )
    weights = rows.T @ coefficients * slopes / deviation[:, None]
    offsets = base * slopes + shifts - mean @ weights
    return Heads(weights.astype(np.float32), offsets.astype(np.float32))


def ridge(
    rows: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n a"]
) -> tuple[Float[np.ndarray, "n a"], Float[np.ndarray, "n a"]]:
    """Dual coefficients of each target at its best strength, and the leave-one-out answers.

    With the kernel K = Q diag(w) Q', the coefficients are c = (K + s)^-1 y, and the answer for a
    row that was left out is y - c / diag((K + s)^-1).
    """
    values, vectors = np.linalg.eigh(rows @ rows.T)
    turned = vectors.T @ targets
    best = np.full(targets.shape[1], np.inf)
    coefficients, left_out = np.empty_like(targets), np.empty_like(targets)
    for strength in STRENGTHS:
        shrunk = 1 / (values.clip(0) + strength)
        here = vectors @ (shrunk[:, None] * turned)
        error = here / (vectors**2 @ shrunk)[:, None]
        better = (error**2).mean(axis=0) < best
        best[better] = (error**2).mean(axis=0)[better]
        coefficients[:, better], left_out[:, better] = here[:, better], (targets - error)[:, better]
    return coefficients, left_out


def curve(answers: Float[np.ndarray, " n"], flags: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """Slope and shift of the logistic curve that fits answers to yes or no."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(answers[:, None], flags)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def to_onnx(heads: Heads) -> bytes:
    """The heads as an ONNX file; the matrix is kept in half precision."""
    from onnx import TensorProto, helper, numpy_helper

    width, count = heads.weights.shape
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["weights"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Gemm", ["features", "wide", "offsets"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["attributes"]),
        ],
        "lnet_anet_heads",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("attributes", TensorProto.FLOAT, ["batch", count])],
        [
            numpy_helper.from_array(heads.weights.astype(np.float16), "weights"),
            numpy_helper.from_array(heads.offsets, "offsets"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], producer_name="lineament")
    model.ir_version = 8
    helper.set_model_props(model, {"attributes": " ".join(ATTRIBUTES)})
    return model.SerializeToString()


def main() -> None:
    """Read CelebA, fit, write."""
    parser = argparse.ArgumentParser(description="Fit the heads of lnet-anet.")
    parser.add_argument("celeba", type=Path, help="folder of CelebA, as the bench reads it")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    faces = read_celeba(options.celeba)
    if tuple(faces.labels) != ATTRIBUTES:
        parser.error("the set names other attributes, or in another order")
    measured, training = draw(faces, 0)
    assert faces.people is not None
    assert measured.people is not None
    ours = np.flatnonzero(~np.isin(faces.people, measured.people[~training]))
    people, faces = faces.people[ours], take(faces, ours)
    features = IdentityFeatures().describe(placed_crops(faces.paths).crops)["features"]
    flags = np.stack(list(faces.labels.values()), axis=1).astype(bool)
    content = to_onnx(fit(features, flags))
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_bytes(content)
    print(f"{len(flags):,} pictures of {len(np.unique(people)):,} people -> {options.out}")
    print(f"sha256={hashlib.sha256(content).hexdigest()!r}, size={len(content):_}")


if __name__ == "__main__":
    main()
