"""Recognizability: how far a face lies from those that the same network cannot tell apart.

Source: J. C. L. Chai, T.-S. Ng, C.-Y. Low, J. Park, A. B. J. Teoh, "Recognizability Embedding
Enhancement for Very Low-Resolution Face Recognition and Quality Estimation", CVPR 2023
(arXiv:2304.10066). Their index grows with the distance to the centre of the unrecognisable faces
and to the nearest other class, and falls with the distance to the own class. Class centres exist
in training only; what remains for a face of a stranger is the first distance, which S. Deng et
al., WACV 2023 (arXiv:2106.04112), use alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card
from lineament.core.embeddings import Embeddings
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.know.unrecognisable import UnrecognisableCentre, centre_of

CARD = Card(
    slug="recognizability",
    title="Recognizability Embedding Enhancement for Very Low-Resolution Face Recognition and "
    "Quality Estimation",
    paper="arXiv:2304.10066",
    verb="describe",
    task="Scores in [0, 1] how far a face's embedding lies from where its network puts faces that "
    "cannot be recognised; for any embedder whose centre of such faces is known.",
    entry="Recognizability",
    needs=("embeddings",),
    gives=("recognizability",),
    deviations=(
        "Shipped networks are not trained for it: the angle to the centre of unrecognisable faces "
        "is the score. `lineament train recognizability` trains a head that predicts the index.",
        "The index also compares the distances to the own and to the nearest other class centre. "
        "Strangers have none, so both are left out.",
        "The diversion and the attention are in learn/losses/index_diversion.py, whose head lists "
        "what we had to decide; a tiny network, 300 steps, faces of 64 pixels.",
        "The unrecognisable faces are generated faces of nobody, spoilt by the severest rung of "
        "six suites (resolution, two blurs, two noises, JPEG); which ones the authors took we do "
        "not know.",
        "The angle becomes a score by a log-logistic curve of our own: 0.1 at the middle spoilt "
        "face and 0.9 at the middle clean one, so that scores of two spaces compare.",
    ),
    risk="It says how sure a network can be of a face, not whose it is. A network that knows some "
    "groups of people worse may call their faces less recognizable: do not refuse people by it "
    "without measuring that.",
)

_AT_SPOILT = 0.1
"""Score of the middle unrecognisable face; that of the middle clean one is 1 minus this."""


def recognizability(
    embeddings: Embeddings, centre: UnrecognisableCentre | None = None
) -> Float32[np.ndarray, " n"]:
    """How recognizable n faces are, in [0, 1].

    With the angle a to the centre it is ``1 / (1 + (m / a) ** k)``: 0 at the centre, rising with
    the angle, and never quite 1. m and k are those with which it is 0.1 and 0.9 at the medians of
    the faces that the centre was made from, spoilt and clean. Within a space it orders faces as
    the angle does.

    Args:
        embeddings: n faces of one space.
        centre: of that space's unrecognisable faces; None takes the one that ships with us.

    Raises:
        BadInput: no centre of this space is known.
        SpaceMismatch: the centre is of another space.
    """
    centre = centre or centre_of(embeddings.space)
    spoilt, clean = centre.spoilt[1], centre.clean[1]
    middle = sqrt(spoilt * clean)
    steepness = 2 * log(1 / _AT_SPOILT - 1) / log(clean / spoilt)
    # Written without a division by the angle, which may be 0.
    power = (centre.angles(embeddings) / middle) ** steepness
    return (power / (1 + power)).astype(np.float32)


class Recognizability:
    """The field ``recognizability`` of faces that have embeddings. It runs no network.

    Args:
        centre: of the unrecognisable faces; None takes the one that ships with us for the space
            of the embeddings.
        threads: not used; every describer takes it.
    """

    card = CARD
    seconds = 0.0

    def __init__(
        self, *, centre: UnrecognisableCentre | None = None, threads: int | None = None
    ) -> None:
        self._centre = centre

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        """The recognizability of the faces of each picture.

        Raises:
            BadInput: no centre is known of the embeddings' space.
            SpaceMismatch: the centre given is of another space.
        """
        return [
            {"recognizability": recognizability(faces.embeddings, self._centre)} for faces in found
        ]
