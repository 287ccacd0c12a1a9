"""AFLW2000-3D, 16 of its pictures: five points at large poses, and the pose that they give.

Errors of points are over the side of the square of the area of the box around the 68 points, as the
set's figures are: the distance of the eyes vanishes in profile.

Pose comes first from each detector's five points alone: the scaled orthographic view of a mean face
in three dimensions that fits them best. The mean face is that of the other pictures, so no face
helps to measure itself; the baseline is the mean pose of the other pictures.

Then from every method that gives poses, with the five points of the same faces as baseline. Errors
of angles are those of the set's own pitch, yaw and roll, as papers report them; faces with an
annotated angle beyond 99 degrees are left out by custom, and counted. The error of the whole
rotation depends on no choice of angles.

Sixteen faces are few: the intervals say so.

Source: X. Zhu et al., "Face alignment across large poses: a 3D solution", CVPR 2016; D. F.
DeMenthon, L. S. Davis, "Model-based object pose in 25 lines of code", IJCV 1995 (scaled
orthographic pose from points).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.dense_landmarks import compare_dense
from lineament.bench.landmarks import DEFAULT, FoundFaces, bounds, compare
from lineament.bench.poses import DETECTOR, chain, estimate, estimators, own_errors
from lineament.core.markups import FIVE
from lineament.core.media import read_image
from lineament.core.pnp import scaled_orthographic
from lineament.core.rotations import euler_angles
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.points import box_size
from lineament.measure.pose import (
    AFLW2000_LIMIT,
    angle_errors,
    geodesic_errors,
    rotations,
    within,
)
from lineament.measure.sets.aflw2000 import read_aflw2000, solid_points
from lineament.measure.sets.nouns import PointedFaces

NAME = "aflw2000-16"


def run(context: Context) -> Outcome:
    """Measure every detector's points, and the poses that they give."""
    faces = read_aflw2000(context.set_folder("aflw2000_16"))
    data = f"AFLW2000-3D, {len(faces.paths)} of its pictures"
    length = box_size(bounds(faces.points))
    normaliser = "square root of the points' box"
    outcome, found = compare(NAME, data, faces, length, normaliser, context)
    outcome += compare_dense(NAME, data, faces, found[DEFAULT], normaliser, context)
    table, results = poses(faces, found, data, context.seed)
    by_methods, more = estimated(faces, data, context)
    return Outcome(
        [*outcome.tables, table, by_methods], [*outcome.results, *results, *more], outcome.plots
    )


def models(faces: PointedFaces) -> Float64[np.ndarray, "n 5 3"]:
    """For each face the mean five points of all others, facing the viewer, of size 1."""
    solid = solid_points(faces).astype(np.float64)
    five = np.stack([solid[:, list(p)].mean(axis=1) for p in FIVE["68"]], axis=1)
    five -= five.mean(axis=1, keepdims=True)
    facing = five @ rotations(faces.labels["pose"])  # rows times R are R transposed times columns
    facing /= np.linalg.norm(facing, axis=(1, 2), keepdims=True)
    return (facing.sum(axis=0) - facing) / (len(facing) - 1)


def fit_pose(
    points: Float[np.ndarray, "k 2"], model: Float64[np.ndarray, "k 3"]
) -> Float64[np.ndarray, " 3"]:
    """Pitch, yaw and roll of the scaled orthographic view of a model that fits points best.

    Args:
        points: at least four, pixels.
        model: the same points in three dimensions about any centre, not all in one plane.
    """
    view = scaled_orthographic(points[None], model)
    return euler_angles(view.rotations)[0]


def poses(
    faces: PointedFaces, found: dict[str, FoundFaces], data: str, seed: int
) -> tuple[Table, list[Result]]:
    """Errors of the poses from each detector's points, in degrees, on the faces it found."""
    mean_faces, truth = models(faces), faces.labels["pose"]
    others = (truth.sum(axis=0) - truth) / (len(truth) - 1)
    rows, results = [], []
    for name, here in found.items():
        slug, _, variant = name.partition(" ")
        pairs = zip(here.points, mean_faces[here.found], strict=True)
        fitted = np.stack([fit_pose(points, model) for points, model in pairs])
        ours = errors(fitted, truth[here.found])
        mean = errors(others[here.found], truth[here.found])
        rows += [(name, "five points", *_shown(ours)), (name, "mean pose", *_shown(mean))]
        results += [
            Result(
                method=slug,
                protocol=NAME,
                data=data,
                data_hash=faces.digest(),
                metric=metric + (f" ({variant})" if variant else ""),
                ours=float(of(ours)),
                interval=bootstrap(
                    lambda drawn, of=of, ours=ours: float(of(ours[drawn])),
                    np.arange(len(ours)),
                    seed=seed,
                ).pair,
                baseline="mean pose of the other pictures",
                baseline_value=float(of(mean)),
                higher_is_better=False,
                seed=seed,
                note=f"{len(ours)} faces found. Angles in the house's convention.",
            )
            for metric, of in (
                ("pose MAE from five points, degrees", lambda e: e[:, :3].mean()),
                ("geodesic pose error from five points, degrees", lambda e: e[:, 3].mean()),
            )
        ]
    headings = ("detector", "pose from", "pitch#", "yaw#", "roll#", "geodesic#")
    return Table(f"{data}: pose, mean absolute error in degrees", headings, rows), results


def errors(
    found: Float64[np.ndarray, "n 3"], truth: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 4"]:
    """Errors of pitch, yaw, roll and of the whole rotation, degrees."""
    whole = geodesic_errors(found, truth)[:, None]
    return np.degrees(np.concatenate([angle_errors(found, truth), whole], axis=1))


def _shown(errors: Float64[np.ndarray, "n 4"]) -> list[str]:
    return [f"{value:.1f}" for value in errors.mean(axis=0)]


FIGURES = {
    "pose MAE, degrees": lambda errors: errors[:, :3].mean(),
    "pitch MAE, degrees": lambda errors: errors[:, 0].mean(),
    "yaw MAE, degrees": lambda errors: errors[:, 1].mean(),
    "roll MAE, degrees": lambda errors: errors[:, 2].mean(),
    "geodesic pose error, degrees": lambda errors: errors[:, 3].mean(),
}


def estimated(faces: PointedFaces, data: str, context: Context) -> tuple[Table, list[Result]]:
    """Errors of every method that gives poses, in the set's own angles, on the faces found."""
    truth = faces.labels["pose"]
    within_custom = within(faces.labels["angles"], AFLW2000_LIMIT)
    images = [read_image(path) for path in faces.paths]
    points = faces.points.astype(np.float64)
    answers = {}
    for slug in estimators(context.methods):
        context.say(f"{NAME}: {slug}")
        answers[slug] = estimate(chain(slug), images, points)
    seen = next(iter(answers.values()))  # the same faces for all: the detector is the same
    counted = seen.found & within_custom
    five = np.full(truth.shape, np.nan)
    pairs = zip(seen.keypoints.points, models(faces)[seen.found], strict=True)
    five[seen.found] = [fit_pose(flat, model) for flat, model in pairs]
    others = (truth.sum(axis=0) - truth) / (len(truth) - 1)
    found = {slug: answer.poses for slug, answer in answers.items()}
    found |= {f"five points of {DETECTOR}": five, "mean pose of the others": others}
    off = {name: own_errors(p[counted], truth[counted]) for name, p in found.items()}
    rows = [(name, *(f"{of(e):.2f}" for of in FIGURES.values())) for name, e in off.items()]
    note = (
        f"{counted.sum()} of {len(truth)} faces: {(~seen.found).sum()} not found, "
        f"{(~within_custom).sum()} beyond 99 degrees. The set's own angles."
    )
    results = [
        Result(
            method=slug,
            protocol=NAME,
            data=data,
            data_hash=faces.digest(),
            metric=metric,
            ours=float(of(off[slug])),
            interval=bootstrap(
                lambda drawn, of=of, e=off[slug]: float(of(e[drawn])),
                np.arange(int(counted.sum())),
                seed=context.seed,
            ).pair,
            baseline=f"five points of {DETECTOR} on a mean face of the other pictures",
            baseline_value=float(of(off[f"five points of {DETECTOR}"])),
            higher_is_better=False,
            seed=context.seed,
            note=note,
        )
        for slug in answers
        for metric, of in FIGURES.items()
    ]
    headings = ("pose from", *(f"{metric.removesuffix(', degrees')}#" for metric in FIGURES))
    title = f"{data}: pose by method, degrees, {counted.sum()} faces"
    return Table(title, headings, rows), results


PROTOCOL = Protocol(NAME, "five points and pose at large poses", run, ("aflw2000_16",))
"""`lineament bench aflw2000-16`."""
