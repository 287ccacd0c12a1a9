"""What every detecting network has in common: pictures in, faces out, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes
from lineament.core.sessions import Session
from lineament.core.weights import prepared
from lineament.see.detect.grid import Buffer, Candidates, calls, fit, scale_of, stack, to_picture


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """What a detector can be told.

    Attributes:
        score: least confidence of a face, in [0, 1].
        nms_iou: of two faces that overlap by more than this the weaker is dropped, in [0, 1].
        min_size: least length of a box's shorter side, pixels of the file (see `Image.scale`).
        max_side: the network looks at no side longer than this; larger pictures are scaled down
            to it, smaller ones are left as they are. Pixels. At 1280 a face of 100 pixels in a
            photo of 4000 keeps 32, which is enough for every detector here.
        confident: a score that upright faces in plain view mostly reach and turned ones mostly do
            not, in [0, 1].
        largest: pixels of a picture up to which one look finds even a face that fills it; larger
            ones are looked at in a smaller size too.
    """

    score: float = 0.5
    nms_iou: float = 0.3
    min_size: float = 0.0
    max_side: int = 1280
    confident: float = 0.8
    largest: int = 256


class OnnxDetector(ABC):
    """A detector that is one fully convolutional ONNX network.

    A method's class states its card, its configuration and how pixels are laid out, and reads the
    network's answer; this class does the rest. Networks are called on ``(pixels - offset) *
    gain``, float32, n x 3 x h x w, sides in multiples of 32.

    Boxes are not clipped: a face that the edge cuts off keeps its full extent.

    Args:
        config: of the method; None means its defaults.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card: Card
    bgr: bool = False
    offset: float = 0.0
    gain: float = 1.0

    def __init__(self, config: DetectorConfig, *, threads: int | None = None) -> None:
        self.config = config
        self._session = Session(self._model(), threads=threads)
        self._buffer = Buffer()

    def _model(self) -> Path:
        """The network, ready for any number of pictures of any size."""
        return prepared(
            self.card.weights[0],
            "any-size",
            lambda model: free_axes(drop_initialiser_inputs(model), spatial=True),
        )

    @property
    def max_side(self) -> int:
        """It looks at no side longer than this, pixels."""
        return self.config.max_side

    @property
    def nms_iou(self) -> float:
        """Two boxes that overlap by more than this are one face."""
        return self.config.nms_iou

    @property
    def largest(self) -> int:
        """Pixels of a picture up to which one look finds even a face that fills it."""
        return self.config.largest

    @property
    def confident(self) -> float:
        """A score that turned faces mostly do not reach."""
        return self.config.confident

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of each picture, best score first, in that picture's pixels."""
        views = [fit(image, self.config.max_side) for image in images]
        found = [Faces.none()] * len(images)
        for rows in calls([(view.height, view.width) for view in views]):
            planes = stack([views[row] for row in rows], self.bgr, self._buffer)
            if self.offset or self.gain != 1:
                planes -= self.offset
                planes *= self.gain
            outputs = self._session.run(planes)
            for place, row in enumerate(rows):
                candidates = self._decode([output[place] for output in outputs], planes.shape[3])
                found[row] = self._choose(candidates, views[row], images[row])
        return found

    @abstractmethod
    def _decode(self, outputs: Sequence[Float32[np.ndarray, ...]], width: int) -> Candidates:
        """What the network says about one picture, where it is sure enough.

        Args:
            outputs: the network's outputs for this picture, in the graph's order.
            width: of what the network saw, pixels.
        """

    def _choose(self, candidates: Candidates, view: Image, image: Image) -> Faces:
        """One candidate for each face, in pixels of the picture that the view was made of."""
        kept = nms(candidates.boxes, candidates.scores, self.config.nms_iou)
        scale = scale_of(view, image)
        boxes = to_picture(candidates.boxes[kept].reshape(-1, 2, 2), scale).reshape(-1, 4)
        points = to_picture(candidates.points[kept], scale)
        faces = Faces(boxes, scores=candidates.scores[kept], keypoints=Landmarks(points, "5"))
        if not self.config.min_size:
            return faces
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
        return faces[sides >= self.config.min_size * image.scale]
