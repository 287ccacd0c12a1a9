"""Forty attributes of a face: linear heads on what an identity network knows inside.

The paper's finding: a network that was taught who people are has learnt their attributes on the
way, and holds them better in its inner layers than in its last one, which forgets what varies
within a person. So the heads read a map inside SFace, averaged over three bands of rows: brow and
hair, eyes and nose, mouth and chin.

Source: Z. Liu, P. Luo, X. Wang, X. Tang, "Deep learning face attributes in the wild", ICCV 2015
(arXiv:1411.7766), sections 3.2 and 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight, weights
from lineament.core.crops import ARCFACE_112
from lineament.core.named_scores import NamedScores
from lineament.core.onnx_cut import cut
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes, plain_rectifiers
from lineament.core.sessions import Session
from lineament.core.weights import fetch, prepared
from lineament.see.attributes.network import CropDescriber

if TYPE_CHECKING:
    from onnx import ModelProto

CARD = Card(
    slug="lnet-anet",
    title="Deep Learning Face Attributes in the Wild",
    paper="arXiv:1411.7766",
    verb="describe",
    task="Gives each face a probability for each of CelebA's 40 attributes.",
    entry="LnetAnet",
    needs=("keypoints",),
    gives=("attributes",),
    code="",
    deviations=(
        "No LNet: our detector and alignment find the face.",
        "ANet is SFace's network up to its thirteenth block, without fine-tuning on attributes; "
        "the paper pre-trains its own on CelebFaces and fine-tunes it.",
        "Heads are ridge regressions, and a logistic curve on their leave-one-out answers makes "
        "probabilities of them; the paper fits support vector machines on several crops.",
    ),
    risk=(
        "The attributes are CelebA's: looks of celebrities as a few annotators saw them. Some of "
        "them judge people (Attractive, Big_Nose, Chubby), and Male is a label of looks, not a "
        "gender. Rare ones are found badly. Never decide about a person by them."
    ),
    weights=(
        Weight(
            name="lnet-anet-heads",
            file="lnet_anet_heads.onnx",
            sha256="0ee1b79d43e2820135e5b8735789e36d20555facec324ebcbfd413529ed1d6ee",
            size=246_659,
            licence="research only, as CelebA, on whose labels the heads were fitted",
            commercial=False,
            trained_on="CelebA: 4,203 pictures of 3,032 people whom the protocol celeba40 does "
            "not measure (tools/train_attribute_heads.py); below them SFace, see its card",
            preprocessing="features of SFace's thirteenth block over three bands of rows",
            sources=("shipped:see/attributes/data/lnet_anet_heads.onnx",),
        ),
    ),
)

ATTRIBUTES = tuple(
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie "
    "Young".split()
)
"""CelebA's names, in its order."""
LAYER, CHANNELS, SIDE = "conv_13_relu", 1024, 7
"""The map inside SFace's network that the heads read: channels x side x side."""
BANDS = ((0, 2), (2, 5), (5, 7))
"""First and last row, this one excluded, of the bands that the map is averaged over."""
WIDTH = CHANNELS * len(BANDS)


class IdentityFeatures(CropDescriber):
    """What SFace's network holds of a face before it forgets all but the identity.

    The field ``features`` is float32 n x 3072, as it comes: bands of a channel beside each other.
    """

    card = CARD
    template = ARCFACE_112
    widths = (WIDTH,)

    def network(self) -> Path:
        """SFace up to `LAYER`, averaged over the bands."""
        return prepared(weights()["sface"], "three-bands-plain", body)

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The features."""
        return {"features": answers[0]}


class LnetAnet(IdentityFeatures):
    """Linear heads on features of an identity network. Source: arXiv:1411.7766.

    Args:
        batch: faces a call of the network.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: a weight cannot be had, or its terms have not been accepted.
    """

    def __init__(self, *, batch: int = 16, threads: int | None = None) -> None:
        super().__init__(batch=batch, threads=threads)
        self._heads = Session(fetch(CARD.weights[0]), threads=threads)

    @property
    def seconds(self) -> float:
        """Time spent inside the networks so far."""
        return super().seconds + self._heads.seconds

    def read(self, *answers: Float32[np.ndarray, "n _"]) -> dict[str, Any]:
        """The field ``attributes``: a probability for each of `ATTRIBUTES`, by itself."""
        chances = self._heads.run(answers[0])[0]
        return {"attributes": NamedScores(chances, ATTRIBUTES)}


def body(model: ModelProto) -> ModelProto:
    """SFace's network up to `LAYER`, then the mean over each of `BANDS` and over all columns."""
    from onnx import TensorProto, helper, numpy_helper

    whole = plain_rectifiers(free_axes(drop_initialiser_inputs(model)))
    part = cut(whole, LAYER, ("batch", CHANNELS, SIDE, SIDE))
    shares = np.zeros((SIDE, len(BANDS)), np.float32)
    for band, (first, last) in enumerate(BANDS):
        shares[first:last, band] = 1 / (last - first)
    graph = part.graph
    graph.initializer.append(numpy_helper.from_array(shares, "bands"))
    graph.node.extend(
        [
            helper.make_node("ReduceMean", [LAYER], ["rows"], axes=[3], keepdims=0),
            helper.make_node("MatMul", ["rows", "bands"], ["by_band"]),
            helper.make_node("Flatten", ["by_band"], ["features"]),
        ]
    )
    del graph.output[:]
    shape = ["batch", WIDTH]
    graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, shape))
    return part
