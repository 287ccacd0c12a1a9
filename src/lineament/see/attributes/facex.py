"""Seven expressions by a small network.

The network is a TFLite file in its package; `core.tflite` reads it, and what ONNX Runtime runs is
kept beside it.

Source: github.com/hfahrudin/facex. No paper describes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lineament.core.cards import Card, Weight
from lineament.core.chips import dlib_chip
from lineament.core.named_scores import NamedScores
from lineament.core.tflite import read_tflite, to_onnx
from lineament.core.weights import derived
from lineament.see.attributes.network import CropDescriber

CARD = Card(
    slug="facex",
    title="Facex: Lightweight, High-Performance Facial Expression Classifier",
    paper="github.com/hfahrudin/facex",
    verb="describe",
    task="Says which of seven expressions each face shows.",
    entry="Facex",
    needs=("keypoints",),
    gives=("expression",),
    code="github.com/hfahrudin/facex",
    deviations=(
        "Aligned on five points to dlib's chip with a border of 0.3; the package cuts the box of a "
        "cascade. The border was chosen on half of FER-2013's PublicTest, which no figure of this "
        "method uses.",
        "Whole-number weights are made float32 once; the activations are not rounded in between.",
    ),
    risk=(
        "An expression is what a face shows, not what a person feels; people show feelings in "
        "different ways and pose for cameras. More than half of the faces of a hard set are named "
        "wrongly. Unfit to judge mood, honesty, attention or health of anybody."
    ),
    weights=(
        Weight(
            name="facex",
            file="facex_model_optimized.tflite",
            sha256="181e9dc6b5b19b7a4a3ee661d8de9969249b72c317b2080d79ac12d2b7027da5",
            size=2_615_520,
            licence="MIT (its package)",
            commercial=True,
            trained_on="not stated; FER-2013's training part may be in it",
            preprocessing="dlib200 crops, grey in all three channels, 0 to 1",
            sources=("pypi:facex==1.1.0!facex/assets/model_optimized.tflite",),
        ),
    ),
)

DLIB_200 = dlib_chip("dlib200", 200, 0.3)
"""dlib's face chip of 200 pixels with a border of 0.3."""
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""In the network's own order."""
GREY = np.asarray([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in brightness (ITU-R BT.601)."""


class Facex(CropDescriber):
    """Facex on ONNX Runtime. Source: github.com/hfahrudin/facex."""

    card = CARD
    template = DLIB_200
    widths = (len(EXPRESSIONS),)

    def network(self) -> Path:
        """The TFLite file as an ONNX file."""
        return derived(CARD.weights[0], "converted", lambda path: convert(path.read_bytes()))

    def planes(self, pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n h w 3"]:
        """Pixels as the network takes them: brightness three times, channels last."""
        grey = pixels @ GREY / np.float32(255)
        return np.repeat(grey[..., None], 3, axis=3)

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The field ``expression``: probabilities of the seven classes, which sum to 1."""
        return {"expression": NamedScores(answers[0], EXPRESSIONS)}


def convert(file: bytes) -> bytes:
    """The TFLite file as an ONNX file.

    Raises:
        WeightError: it is no such file.
    """
    return to_onnx(read_tflite(file)).SerializeToString()
