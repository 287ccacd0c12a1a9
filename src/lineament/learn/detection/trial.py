"""How a trained detector is exported and measured, and what is measured beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float, Float32

from lineament.core.cards import method
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.onnx_graph import free_axes
from lineament.learn.detection.fitting import SIZE, Learner
from lineament.learn.detection.labels import Teachers
from lineament.learn.detection.material import Material, Portrait
from lineament.learn.detection.measured import (
    AP,
    POINTS,
    POSE,
    TAUGHT,
    Figure,
    MeanError,
    nearest,
    precision,
    timed,
)
from lineament.learn.detection.scenes import Scene
from lineament.learn.export import export
from lineament.measure.points import inter_pupil
from lineament.measure.pose import angle_errors

LOW = 0.05
"""Least score of what is measured: a precision needs the unsure detections too."""
AROUND = 0.3
"""Overlap with the box around annotated points from which a face is found."""
FEWEST = 3
"""Faces that must have been found for a mean error to be told."""
Look = Callable[[Sequence[Image]], list[Faces]]


@dataclass(frozen=True, eq=False)
class Run:
    """What came of training once, or of a method as it is.

    Attributes:
        path: of the exported network; of none, the empty path.
        figures: by name.
        note: on how it went.
        milliseconds: of processor time for a scene; 0 where nobody looked.
    """

    path: Path
    figures: Mapping[str, Figure]
    note: str = ""
    milliseconds: float = 0.0


def ship(learner: Learner, path: Path) -> Path:
    """Write the network of a learner as ONNX, for pictures of any size (see `export`)."""
    example = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255
    export(learner.network, example, path, tolerance=1e-3)
    onnx.save(free_axes(onnx.load(str(path)), batch=False, spatial=True), str(path))
    return path


def measure(path: Path, material: Material, posed: bool = True) -> dict[str, Figure]:
    """All figures of an exported network; without points and pose where it has not learned them.

    Args:
        path: of the network.
        material: faces and scenes.
        posed: whether it learned points and pose.
    """
    detector = method("mos").load()(path, threads=1)
    detector.config = replace(detector.config, score=LOW)
    return figures(detector, material, posed)


def others(path: Path, material: Material) -> dict[str, Run]:
    """What there is besides: YuNet, the chain of three methods, and a mean face in every box of the
    longest trained network; and the network itself, for its time."""
    teachers = Teachers.usual()
    yunet = teachers.detector
    mine = method("mos").load()(path, threads=1)
    pictures = [Image(scene.pixels) for scene in material.test]
    times = {
        name: timed(look, pictures)
        for name, look in (("itself", mine), ("YuNet", yunet), ("chain", teachers.all))
    }
    for detector in (yunet, mine):
        detector.config = replace(detector.config, score=LOW)  # pyright: ignore
    return {
        "itself": Run(Path(), {}, milliseconds=times["itself"]),
        "YuNet": Run(Path(), figures(yunet, material, False, True), milliseconds=times["YuNet"]),
        "YuNet, face-landmarker, pnp-pose": Run(
            Path(), {POSE: _poses(teachers.all, material.turned)}, milliseconds=times["chain"]
        ),
        "a mean face in its boxes": Run(
            Path(), figures(_mean_face(mine, material), material, True)
        ),
    }


def figures(
    look: Look, material: Material, posed: bool, pointed: bool | None = None
) -> dict[str, Figure]:
    """All figures of something that finds faces.

    Args:
        look: finds them.
        material: faces and scenes.
        posed: whether they have a pose.
        pointed: whether they have points; None where they have these as they have a pose.
    """
    found = [look([Image(scene.pixels)])[0] for scene in material.test]
    errors: dict[str, MeanError] = {}
    if posed if pointed is None else pointed:
        errors[TAUGHT] = _taught(found, material.test)
        errors[POINTS] = _points(look, material.pointed)
    if posed:
        errors[POSE] = _poses(look, material.turned)
    enough = {name: error for name, error in errors.items() if error.found >= FEWEST}
    return {AP: precision(found, [scene.boxes for scene in material.test]), **enough}


def _taught(found: Sequence[Faces], scenes: Sequence[Scene]) -> MeanError:
    """Distance from the teacher's points, over the side of the square of the box's area; of faces
    whose box overlaps the annotated one by a half."""
    errors = []
    for faces, scene in zip(found, scenes, strict=True):
        sides = np.sqrt((scene.boxes[:, 2:] - scene.boxes[:, :2]).prod(axis=1))
        for row in np.flatnonzero(np.isfinite(scene.poses).all(axis=1)):
            best = nearest(faces, scene.boxes[row], 0.5)
            error = np.nan
            if best is not None:
                error = _apart(faces.keypoints.points[best], scene.points[row]) / sides[row]
            errors.append(error)
    return MeanError(np.asarray(errors, np.float64))


def _points(look: Look, portraits: Sequence[Portrait]) -> MeanError:
    errors = []
    for one in portraits:
        faces = look([one.picture])[0]
        best = nearest(faces, _bounds(one.points), AROUND)
        error = np.nan
        if best is not None:
            length = float(inter_pupil(one.points[None])[0])
            error = _apart(faces.keypoints.points[best], one.five) / length
        errors.append(error)
    return MeanError(np.asarray(errors, np.float64))


def _poses(look: Look, portraits: Sequence[Portrait]) -> MeanError:
    """Mean absolute error of the three angles of each face, degrees."""
    errors = []
    for one in portraits:
        assert one.pose is not None
        faces = look([one.picture])[0]
        best = nearest(faces, _bounds(one.points), AROUND)
        error = np.nan
        if best is not None:
            pose = np.asarray(faces.pose[best], np.float64)
            error = float(np.degrees(angle_errors(pose[None], one.pose[None])).mean())
        errors.append(error)
    return MeanError(np.asarray(errors, np.float64))


def _mean_face(look: Look, material: Material) -> Look:
    """The same boxes, each with the mean points and the mean pose of the portraits learned from."""
    boxes = np.concatenate([scene.boxes for scene in material.learnt])
    points = np.concatenate([scene.points for scene in material.learnt])
    pose = np.nanmean(np.concatenate([scene.poses for scene in material.learnt]), axis=0)
    low, sides = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]
    shares = np.nanmean((points - low) / sides, axis=0)

    def placed(images: Sequence[Image]) -> list[Faces]:
        return [_with_mean(faces, shares, pose) for faces in look(images)]

    return placed


def _with_mean(
    faces: Faces, shares: Float[np.ndarray, "5 2"], pose: Float[np.ndarray, " 3"]
) -> Faces:
    low, sides = faces.boxes[:, None, :2], faces.boxes[:, None, 2:] - faces.boxes[:, None, :2]
    points = Landmarks((low + shares * sides).astype(np.float32), "5")
    return faces.with_fields(
        keypoints=points, pose=np.tile(pose, (len(faces), 1)).astype(np.float32)
    )


def _bounds(points: Float32[np.ndarray, "k 2"]) -> Float32[np.ndarray, " 4"]:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _apart(a: Float32[np.ndarray, "k 2"], b: Float32[np.ndarray, "k 2"]) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())
