"""G-ACIL: a classifier of people that grows in closed form and keeps no picture of anybody.

A head on a frozen network is fitted by ridge regression of one-hot labels, W = R X'Y with
R = (X'X + gamma I)^-1. When more faces come, of known people (exposed classes) and of new ones
(unexposed classes), both matrices are brought up to date from these faces alone:

    R  <-  R - R X' (I + X R X')^-1 X R
    W  <-  [ W - R X'X W + R X'Ye  |  R X'Yu ]

with the new R on the right, and Ye, Yu the columns of the labels for exposed and unexposed classes.
The middle term is the gain of exposed class labels; without it old people only decay. The result is
that of one regression on all faces at once, whatever the order and the sizes of the parts.

Source: H. Zhuang et al., "G-ACIL: Analytic Learning for Exemplar-Free Generalized Class Incremental
Learning", arXiv:2403.15706, section 3 (theorem 1); the layer in front is the buffer of H. Zhuang et
al., "ACIL", NeurIPS 2022.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="g-acil",
    title="G-ACIL: Analytic Learning for Exemplar-Free Generalized Class Incremental Learning",
    paper="arXiv:2403.15706",
    verb="adapt",
    task="Learns new people, and more of known ones, in closed form and without old pictures.",
    entry="AnalyticHead",
    needs=("embeddings", "labels"),
    gives=("labels",),
    code="github.com/ZHUANGHP/Analytic-continual-learning",
    deviations=(
        "The backbone is a face embedder as it is; the paper trains a network on a first part of "
        "the classes, or takes a vision transformer.",
        "The buffer layer has 1,024 units by default, not 5,000: a face embedding has 128 numbers.",
        "A part of more than 512 faces is taken up in pieces of 512, which changes nothing but "
        "the memory needed.",
        "Rows of W of one class are never re-weighted for balance.",
    ),
    risk="It names somebody for every face, also for a stranger. No picture is kept, and yet the "
    "matrices hold sums over people's embeddings: after a first part of one face that face's "
    "embedding can be read from them, and nobody can be taken out without their own faces.",
)

HIDDEN = 1024
GAMMA = 100.0
"""Chosen, as HIDDEN was, on people of LFW with at most five pictures; the bench tests on others."""
_PIECE = 512


class AnalyticHead:
    """A linear classifier that is, at any moment, the ridge regression of all faces it was shown.

    Args:
        dimension: of the embeddings.
        hidden: units of the random layer with ReLU in front; 0 leaves it out.
        gamma: the ridge, above 0.
        seed: of the random layer.

    Attributes:
        classes: labels in the order in which they were first met; the columns of `weight`.
        weight: W, features x classes.
        correlation: R, the inverse of the features' regularised autocorrelation.

    Raises:
        BadInput: gamma is not above 0.
    """

    def __init__(
        self, dimension: int, *, hidden: int = HIDDEN, gamma: float = GAMMA, seed: int = 0
    ) -> None:
        if not gamma > 0:
            raise BadInput(f"the ridge of an analytic head must be above 0; got {gamma}")
        rng = np.random.default_rng(seed)
        self._buffer = rng.standard_normal((dimension, hidden)) if hidden else None
        features = hidden or dimension
        self.classes: list[int] = []
        self.weight: Float64[np.ndarray, "f c"] = np.zeros((features, 0))
        self.correlation: Float64[np.ndarray, "f f"] = np.eye(features) / gamma

    def learn(self, vectors: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> None:
        """Take up more faces; of known people, of new ones, or of both.

        Raises:
            BadInput: there are not as many labels as faces.
        """
        if len(vectors) != len(labels):
            raise BadInput(f"{len(vectors)} faces need as many labels; got {len(labels)}")
        for start in range(0, len(vectors), _PIECE):
            part = slice(start, start + _PIECE)
            self._learn(self.features(vectors[part]), labels[part])

    def _learn(self, x: Float64[np.ndarray, "n f"], labels: Int[np.ndarray, " n"]) -> None:
        exposed = len(self.classes)
        met = set(self.classes)
        self.classes += [label for label in dict.fromkeys(labels.tolist()) if label not in met]
        targets = self._one_hot(labels)
        shared = x @ self.correlation
        inner = np.eye(len(x)) + shared @ x.T
        self.correlation -= shared.T @ np.linalg.solve(inner, shared)
        # Rounding would let the two halves drift apart over many parts.
        self.correlation = (self.correlation + self.correlation.T) / 2
        pull = self.correlation @ x.T
        decayed = self.weight - pull @ (x @ self.weight)
        gained = decayed + self.gain(pull, targets[:, :exposed])
        self.weight = np.concatenate([gained, pull @ targets[:, exposed:]], axis=1)

    def gain(
        self, pull: Float64[np.ndarray, "f n"], targets: Float64[np.ndarray, "n e"]
    ) -> Float64[np.ndarray, "f e"]:
        """What exposed classes get from their new labels: R X'Ye."""
        return pull @ targets

    def features(self, vectors: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n f"]:
        """What the regression sees: the embeddings behind the random layer."""
        vectors = vectors.astype(np.float64)
        return vectors if self._buffer is None else np.maximum(vectors @ self._buffer, 0)

    def scores(self, vectors: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n c"]:
        """About 1 for the class of a face and 0 for others, a column for each of `classes`."""
        return self.features(vectors) @ self.weight

    def __call__(self, vectors: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
        """The label of each face.

        Raises:
            BadInput: nothing was learned yet.
        """
        if not self.classes:
            raise BadInput("this head was shown nobody yet")
        return np.asarray(self.classes, np.int64)[self.scores(vectors).argmax(axis=1)]

    def _one_hot(self, labels: Int[np.ndarray, " n"]) -> Float64[np.ndarray, "n c"]:
        column = {label: i for i, label in enumerate(self.classes)}
        targets = np.zeros((len(labels), len(self.classes)))
        targets[np.arange(len(labels)), [column[label] for label in labels.tolist()]] = 1
        return targets
