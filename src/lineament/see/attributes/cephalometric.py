"""Photo-anthropometric indexes: how far apart the cephalometric points of a face lie, in irises.

The iris hardly grows after early childhood and differs little between people, so its diameter is a
ruler that every close photo of a face brings along.

Source: L. F. Porto et al., "Estimating sex and age for forensic applications using machine learning
based on facial measurements from frontal cephalometric landmarks", arXiv:1908.02353; C. E. P.
Machado et al., "A new approach for the analysis of facial growth and age estimation: iris ratio",
PLOS ONE 2017, for the ruler.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.see.batch import Formula

CARD = Card(
    slug="cephalometric",
    title="Estimating sex and age for forensic applications using machine learning based on facial "
    "measurements from frontal cephalometric landmarks",
    paper="arXiv:1908.02353",
    verb="describe",
    task="Measures 378 distances between 28 cephalometric points of each face, in iris diameters.",
    entry="Cephalometric",
    needs=("landmarks",),
    gives=("facial_indexes",),
    deviations=(
        "The points are found by a landmark network; in the paper experts mark or check them.",
        "Which 28 points the authors marked we could not read; ours are the usual frontal ones of "
        "the field that a mesh of the face has.",
        "All distances between two points are given; which of them the authors use, and whether "
        "they use ratios of two, is not stated.",
        "No classifier ships: `lineament bench cephalometric` fits one, a small neural network as "
        "in the paper, on UTKFace in place of 18,000 marked Brazilian faces.",
    ),
    risk=(
        "Made for forensics, where a wrong age decides about liberty. A turned or smiling face "
        "changes the distances more than years do, and growth differs between peoples. No age and "
        "no sex of a person follows from these numbers; see the figures of the protocol."
    ),
    published=(
        ("cephalometric", "macro F1, sex over 14", 0.85),
        ("cephalometric", "macro F1, older than 14", 0.93),
        ("cephalometric", "macro F1, older than 18", 0.83),
    ),
)

POINTS: dict[str, tuple[int, ...]] = {
    "glabella": (9,),
    "nasion": (168,),
    "pronasale": (4,),
    "subnasale": (2,),
    "labiale superius": (0,),
    "stomion": (13, 14),
    "labiale inferius": (17,),
    "gnathion": (152,),
    "right ectocanthion": (33,),
    "left ectocanthion": (263,),
    "right endocanthion": (133,),
    "left endocanthion": (362,),
    "right pupil": (468,),
    "left pupil": (473,),
    "right iridion laterale": (471,),
    "left iridion laterale": (474,),
    "right iridion mediale": (469,),
    "left iridion mediale": (476,),
    "right alare": (129,),
    "left alare": (358,),
    "right cheilion": (61,),
    "left cheilion": (291,),
    "right crista philtri": (37,),
    "left crista philtri": (267,),
    "right zygion": (234,),
    "left zygion": (454,),
    "right gonion": (172,),
    "left gonion": (397,),
}
"""Vertices of the 478 whose mean is each point. Right and left are the person's own."""
_PAIRS = tuple(combinations(range(len(POINTS)), 2))
INDEXES = tuple(" to ".join(pair) for pair in combinations(POINTS, 2))
"""Names of the indexes, in order."""


def indexes(landmarks: Landmarks) -> Float32[np.ndarray, "n 378"]:
    """The distances of each face, in the order of `INDEXES`, in diameters of its iris.

    The diameter is the mean of both irises' horizontal ones. Turning the picture, moving it or
    making it larger changes nothing.

    Args:
        landmarks: scheme "478", pixels.

    Raises:
        BadInput: the landmarks are of another scheme, or an iris has no diameter.
    """
    if landmarks.scheme != "478":
        raise BadInput(f"indexes need landmarks of scheme '478', not {landmarks.scheme!r}")
    points = np.stack(
        [landmarks.points[:, list(vertices)].mean(axis=1) for vertices in POINTS.values()], axis=1
    )
    names = list(POINTS)

    def across(side: str) -> Float32[np.ndarray, " n"]:
        ends = (names.index(f"{side} iridion {end}") for end in ("laterale", "mediale"))
        lateral, medial = (points[:, end] for end in ends)
        return np.linalg.norm(lateral - medial, axis=1)

    iris = (across("right") + across("left")) / 2
    if not (iris > 0).all():
        raise BadInput("an iris has no diameter")
    first, second = np.transpose(_PAIRS)
    distances = np.linalg.norm(points[:, first] - points[:, second], axis=2)
    return (distances / iris[:, None]).astype(np.float32)


class Cephalometric(Formula):
    """The indexes as a describer. Source: arXiv:1908.02353."""

    card = CARD

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        """The field ``facial_indexes``: float32 n x 378, in iris diameters."""
        return [{"facial_indexes": indexes(faces.landmarks)} for faces in found]
