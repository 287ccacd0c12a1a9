"""MOS: faces, their five points and the pose of the head in one pass of a network trained here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card
from lineament.core.faces import Faces
from lineament.core.geometry import nms
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.learn.detection.decoding import decode
from lineament.see.detect.grid import Candidates, scale_of, to_picture
from lineament.see.detect.network import DetectorConfig, OnnxDetector

CARD = Card(
    slug="mos",
    title="MOS: A Low Latency and Lightweight Framework for Face Detection, Landmark Localization, "
    "and Head Pose Estimation",
    paper="arXiv:2110.10953",
    verb="train",
    task="Trains a small network that finds faces, their points and their poses in one pass.",
    entry="MOS",
    needs=("image",),
    gives=("boxes", "scores", "keypoints", "pose"),
    code="github.com/lyp-deeplearning/MOS-Multi-Task-Face-Detect (models, without training)",
    deviations=(
        "Trained here, from nothing and for minutes only, on scenes of faces with and without "
        "masks and on generated portraits, not on WIDER FACE; points and poses are other methods' "
        "answers, and known of a fifth of the scenes' faces.",
        "No weights are shipped: on this budget its poses were no better than the mean pose.",
        "A network of 0.4 million weights: inverted residuals as in MobileNetV2 but narrower, "
        "32 channels from the pyramid on, plain convolutions where the authors' are deformable, "
        "anchors of half the size for inputs of less than half.",
        "22 bins of 9 degrees an angle, in one head, where the authors' models have 66 of 3 in "
        "three.",
        "Of online feedback sampling the authors published a figure and no code: small faces are "
        "stitched in under the rule of Stitcher, from which the figure's pictures are, and else "
        "false detections are drawn in proportion to their number.",
        "Weights of the losses are those of Kendall et al., and learn ten times faster than the "
        "network, as runs are short.",
    ),
    risk=(
        "Learnt from few scenes and for minutes: its poses tell nothing, its points little. It "
        "misses many more faces than the other detectors, above all small, dark and turned ones, "
        "and takes things for faces that are none. Who is missed is not recognised, protected or "
        "erased either. Where a head points says nothing of what a person looks at or thinks."
    ),
    published=(
        ("wider-face easy, MOS-M", "AP", 0.9408),
        ("wider-face medium, MOS-M", "AP", 0.9321),
        ("wider-face hard, MOS-M", "AP", 0.8806),
    ),
)


@dataclass(frozen=True, kw_only=True)
class MOSConfig(DetectorConfig):
    """See `DetectorConfig`. It has learned faces of 6 to 165 pixels: of larger ones a smaller look
    is needed, as `see.upright.Search` takes it."""

    score: float = 0.7
    nms_iou: float = 0.4
    confident: float = 0.9
    largest: int = 192


@dataclass(frozen=True, eq=False)
class PosedCandidates(Candidates):
    """Candidates with the poses of their heads.

    Attributes:
        poses: pitch, yaw, roll, radians.
    """

    poses: Float32[np.ndarray, "k 3"]


class MOS(OnnxDetector):
    """MOS on ONNX Runtime. Its faces have the field ``pose`` too: pitch, yaw and roll, radians.

    Poses are those of the heads as the picture shows them.

    Source: arXiv:2110.10953, section 3; `learn.detection.mos` is the recipe.

    Args:
        file: a network that `lineament train mos` made.
        config: None means its defaults.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the file is absent or damaged.
    """

    card = CARD

    def __init__(
        self, file: Path, config: MOSConfig | None = None, *, threads: int | None = None
    ) -> None:
        self._file = file
        super().__init__(config or MOSConfig(), threads=threads)

    def _model(self) -> Path:
        """The file as it is: its axes are free already."""
        return self._file

    def _decode(self, outputs: Sequence[Float32[np.ndarray, ...]], width: int) -> PosedCandidates:
        found = decode(outputs, self.config.score)
        return PosedCandidates(found.boxes, found.scores, found.points, found.poses)

    def _choose(self, candidates: Candidates, view: Image, image: Image) -> Faces:
        """As every detector, with the poses."""
        assert isinstance(candidates, PosedCandidates)
        kept = nms(candidates.boxes, candidates.scores, self.config.nms_iou)
        scale = scale_of(view, image)
        boxes = to_picture(candidates.boxes[kept].reshape(-1, 2, 2), scale).reshape(-1, 4)
        points = to_picture(candidates.points[kept], scale)
        faces = Faces(
            boxes,
            scores=candidates.scores[kept],
            keypoints=Landmarks(points, "5"),
            pose=candidates.poses[kept],
        )
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
        return faces[sides >= self.config.min_size * image.scale]
