"""Describers out of files that `lineament train` wrote: any network whose file says what it sees
and gives (`core.trained`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import method
from lineament.core.crops import Crops, align, warp
from lineament.core.errors import BadInput, WeightError
from lineament.core.faces import Faces
from lineament.core.geometry import umeyama
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.masks import Masks
from lineament.core.named_scores import NamedScores
from lineament.core.protocols import Describer
from lineament.core.sessions import Session
from lineament.core.trained import Output, Trained, View
from lineament.learn.landmarks.crops import template, to_pixels
from lineament.see.batch import split

_BATCH = 32


def open_trained(file: Path, *, threads: int | None = None) -> Describer:
    """The describer that a file holds.

    Args:
        file: ONNX, as `lineament train` writes it.
        threads: of the network; None lets ONNX Runtime choose.

    Raises:
        WeightError: the file is absent, damaged, or of another making.
        UnknownMethod: it is of a method that is not here.
        BadInput: it is an embedder's.
    """
    session = Session(file, threads=threads)
    about = Trained.of(session.metadata, str(file))
    if any(output.field == "embeddings" for output in about.outputs):
        raise BadInput("makes embeddings: give it to --embedder, not to --using", str(file))
    if about.view.kind == "method":
        return method(about.method).load()(file=file, threads=threads)
    return TrainedNetwork(session, about)


class TrainedNetwork:
    """A network that sees each face as a square, and gives fields.

    Args:
        session: the network.
        about: its note on itself.

    Raises:
        WeightError: the note names outputs that the network has not.
    """

    def __init__(self, session: Session, about: Trained) -> None:
        if missing := {o.name for o in about.outputs} - set(session.outputs):
            raise WeightError(f"{session.path} has no output {', '.join(sorted(missing))}")
        self._session, self._about = session, about
        self._places = [(session.outputs.index(o.name), o) for o in about.outputs]
        self.card = replace(
            method(about.method).card,
            verb="describe",
            needs=("keypoints",) if about.view.kind == "keypoints" else ("boxes",),
            gives=tuple(output.field for output in about.outputs),
        )

    @property
    def seconds(self) -> float:
        """Time spent inside the network so far."""
        return self._session.seconds

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        """The fields of all faces of all pictures.

        Raises:
            WeightError: an answer has not the shape that its field has.
        """
        if not images:
            return []
        view = self._about.view
        crops = Crops.join([_cut(*pair, view) for pair in zip(images, found, strict=True)])
        # A picture of no face still tells the shape of no answer.
        parts = [self._run(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)]
        if not parts:
            parts = [[each[:0] for each in self._run(_blank(view.size))]]
        answers = [np.concatenate(each) for each in zip(*parts, strict=True)]
        fields = {o.field: _field(o, answers[place], crops) for place, o in self._places}
        rows = {name: split(value, found) for name, value in fields.items()}
        return [{name: rows[name][i] for name in rows} for i in range(len(found))]

    def _run(self, crops: Crops) -> list[np.ndarray]:
        return self._session.run(planes(crops, self._about.view))


def planes(crops: Crops, view: View) -> Float32[np.ndarray, "n 3 s s"]:
    """Crops as a network sees them: its own scale of values, channels first."""
    mean, std = (np.asarray(each, np.float32) for each in (view.mean, view.std))
    scaled = crops.pixels.astype(np.float32) * (1 / (255 * std)) - mean / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def _cut(image: Image, faces: Faces, view: View) -> Crops:
    if view.kind == "keypoints":
        return align(image, faces.keypoints, template(view.size, view.wider))
    transforms = _box_transforms(faces.boxes, view)
    pixels = np.empty((len(faces), view.size, view.size, 3), np.uint8)
    for row, matrix in enumerate(transforms):
        pixels[row] = warp(image, matrix, view.size)
    return Crops(pixels, transforms, "box")


def _box_transforms(boxes: Float32[np.ndarray, "n 4"], view: View) -> Float32[np.ndarray, "n 2 3"]:
    """Upright squares around the boxes' middles, to the crop's corners."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1) / 2
    half = np.maximum(half, 0.5) * view.wider
    corners = np.asarray([(-1, -1), (1, -1), (1, 1)], np.float32)
    squares = middle[:, None] + half[:, None, None] * corners
    return umeyama(squares.astype(np.float32), (corners + 1) / 2 * view.size - 0.5)


def _blank(size: int) -> Crops:
    pixels = np.zeros((1, size, size, 3), np.uint8)
    return Crops(pixels, np.eye(2, 3, dtype=np.float32)[None], "blank")


def _field(output: Output, answer: np.ndarray, crops: Crops) -> Any:
    """An answer as the field that it becomes."""
    answer = answer.astype(np.float32)
    size, n = crops.pixels.shape[1], len(crops)
    try:
        match output.field:
            case "landmarks":
                points = to_pixels(answer.reshape(n, answer.shape[1], 2), size)
                return Landmarks(crops.to_picture(points), output.scheme)
            case "parsing":
                return _masks(output, answer, crops)
            case "age":
                return answer.reshape(n)
            case "pose":
                return answer.reshape(n, 3)
            case _:
                return NamedScores(answer.reshape(n, len(output.names)), output.names)
    except (ValueError, IndexError) as error:
        shape = " x ".join(map(str, answer.shape))
        raise WeightError(f"the answer {output.name!r} ({shape}) is no {output.field}") from error


def _masks(output: Output, scores: Float32[np.ndarray, "n k h w"], crops: Crops) -> Masks:
    """The likeliest class of each pixel; maps may be coarser than the crops."""
    n, classes, side, _ = scores.shape
    if classes != len(output.names):
        raise ValueError(f"{classes} classes, {len(output.names)} names")
    gain = side / crops.pixels.shape[1]
    transforms = crops.transforms * np.float32(gain)
    # The first pixel's centre is (0, 0) in either: corners, not centres, lie on each other.
    transforms[:, :, 2] += np.float32((gain - 1) / 2)
    return Masks(
        scores.argmax(axis=1).astype(np.uint8).reshape(n, side, side), transforms, output.names
    )
