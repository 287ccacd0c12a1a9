"""AdaNPC: a classifier that is a memory, and that grows into a new domain as it is used.

The memory holds features with their labels, at first those that were enrolled. A face is named by
the vote of the k features most like it, each weighted by the softmax of its cosine over a
temperature; a face whose vote is clear enough enters the memory under the name it was given. So the
memory moves from the domain of enrolment to the one that is met, and nothing is trained.

Source: Y.-F. Zhang et al., "AdaNPC: Exploring Non-Parametric Classifier for Test-Time Adaptation",
ICML 2023, arXiv:2304.12566, section 3 and algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="adanpc",
    title="AdaNPC: Exploring Non-Parametric Classifier for Test-Time Adaptation",
    paper="arXiv:2304.12566",
    verb="adapt",
    task="Names faces by the vote of a memory that takes up what it has named with confidence.",
    entry="Memory",
    needs=("embeddings", "labels"),
    gives=("labels",),
    code="github.com/yfzhang114/AdaNPC",
    deviations=(
        "The embedder is taken as it is; the paper trains its own with the same vote as a loss.",
        "The threshold is on the share of the vote itself. The authors' code sends the shares "
        "through a second softmax first, so that its thresholds have another scale.",
        "Faces come one at a time and enter at once; the paper's come in batches.",
        "Of the variants only the one without batch statistics is here: nothing else adapts.",
    ),
    risk="A face that was named wrongly and with confidence enters under the wrong name and then "
    "votes for it, and strangers enter as whoever they look most like: identities drift together, "
    "unseen. Never let this memory be the record of who is who.",
)

K, TEMPERATURE, MARGIN = 5, 0.1, 0.75
_ROUNDING = 1e-9
"""Shares that are all of the vote add up to 1 but for this."""


@dataclass(frozen=True, eq=False)
class Vote:
    """What a memory says of a face.

    Attributes:
        label: with the largest share.
        share: of the vote that it got, in (0, 1].
        entered: whether the face is now in the memory under this label.
    """

    label: int
    share: float
    entered: bool


class Memory:
    """Features with labels, which vote.

    Args:
        vectors: unit embeddings that are enrolled.
        labels: of these.
        k: voters; all that there are where the memory holds fewer.
        temperature: of the softmax over the voters' cosines, above 0.
        margin: least share of the vote with which a face enters; above 1 nobody does, and the
            classifier is the plain weighted nearest neighbours.

    Raises:
        BadInput: nobody is enrolled, labels do not fit, or k or the temperature is not above 0.
    """

    def __init__(
        self,
        vectors: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        *,
        k: int = K,
        temperature: float = TEMPERATURE,
        margin: float = MARGIN,
    ) -> None:
        if not len(vectors) or len(vectors) != len(labels):
            raise BadInput(f"a memory needs faces, and a label each; got {len(vectors)}")
        if k < 1 or not temperature > 0:
            raise BadInput(f"k and temperature must be above 0; got {k} and {temperature}")
        self.k, self.temperature, self.margin = k, temperature, margin
        self.enrolled = len(vectors)
        self._size = len(vectors)
        self._vectors = vectors.astype(np.float32)
        self._labels = labels.astype(np.int64)

    def __len__(self) -> int:
        return self._size

    @property
    def vectors(self) -> Float32[np.ndarray, "n d"]:
        """The features, those that were enrolled first."""
        return self._vectors[: self._size]

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """Of the features; after the first `enrolled` they are guesses."""
        return self._labels[: self._size]

    def shares(self, vector: Float[np.ndarray, " d"]) -> dict[int, float]:
        """The share of the vote of each label that got any; they add up to 1."""
        cosines = self.vectors @ vector.astype(np.float32)
        k = min(self.k, self._size)
        # A stable order, so that of equals the earliest votes.
        voters = np.argsort(-cosines, kind="stable")[:k]
        return self._shares(cosines[voters].astype(np.float64), self.labels[voters])

    def _shares(
        self, cosines: Float64[np.ndarray, " k"], labels: Int64[np.ndarray, " k"]
    ) -> dict[int, float]:
        weights = np.exp((cosines - cosines.max()) / self.temperature)
        weights /= weights.sum()
        shares: dict[int, float] = {}
        for label, weight in zip(labels.tolist(), weights.tolist(), strict=True):
            shares[label] = shares.get(label, 0.0) + weight
        return shares

    def vote(self, vector: Float[np.ndarray, " d"]) -> Vote:
        """Name a face, and remember it where the vote is clear."""
        shares = self.shares(vector)
        label = max(shares, key=lambda each: shares[each])
        entered = shares[label] >= self.margin - _ROUNDING
        if entered:
            self.enter(vector, label)
        return Vote(label, shares[label], entered)

    def __call__(
        self, vectors: Float[np.ndarray, "n d"]
    ) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """Name faces one after the other: labels, and which of them entered."""
        votes = [self.vote(vector) for vector in vectors]
        labels = np.asarray([vote.label for vote in votes], np.int64)
        return labels, np.asarray([vote.entered for vote in votes], bool)

    def enter(self, vector: Float[np.ndarray, " d"], label: int) -> None:
        """Remember a face under a label, whoever says so."""
        if self._size == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
            self._labels = np.concatenate([self._labels, np.zeros_like(self._labels)])
        self._vectors[self._size] = vector
        self._labels[self._size] = label
        self._size += 1
