"""What the protocols of facial points share: five points found, beside five points annotated.

The annotated points are reduced to the five of scheme "5": an eye is the mean of the points around
it, and the tip of the nose and the corners of the mouth are points themselves. Of the faces found
in a picture, the one counts whose box overlaps that of the annotated points best, by at least 0.3.

The baseline is a mean face placed by the same detector's box: where the points lie in the box on
average, over one half of the pictures (every other one, in order of name), measured on the other
half, both ways. So every picture is measured, and both answers are for the same faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lineament.bench.context import Context, Outcome, Table
from lineament.bench.facemask853 import chains
from lineament.bench.plots import Axis, Curve
from lineament.core.errors import BadInput, LicenceNotAccepted
from lineament.core.geometry import box_iou
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.core.protocols import Detector
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.points import cumulative_curve, failure_rate, mean_error, point_errors
from lineament.measure.sets.nouns import PointedFaces

DEFAULT = "yunet with upright search"
"""The chain that is on where nothing is said; it is always among `detectors`."""
OVERLAP = 0.3
STEPS = np.linspace(0, 0.2, 81)
"""Errors at which the cumulative curve is drawn."""
FAILED = 0.1
"""An error beyond this is a failure; a face not found is one as well."""


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """What a detector found of each annotated face.

    Attributes:
        found: which faces.
        points: the five of each of these.
        boxes: of each of these.
    """

    found: Bool[np.ndarray, " n"]
    points: Float32[np.ndarray, "m 5 2"]
    boxes: Float32[np.ndarray, "m 4"]


def five_points(faces: PointedFaces) -> Float32[np.ndarray, "n 5 2"]:
    """The annotated points reduced to scheme "5".

    Raises:
        BadInput: the reduction of the set's scheme is not known.
    """
    try:
        return convert(Landmarks(faces.points, faces.scheme), "5").points
    except ValueError as error:
        raise BadInput(f"the five points of scheme {faces.scheme!r} are not known") from error


def bounds(points: Float32[np.ndarray, "n k 2"]) -> Float32[np.ndarray, "n 4"]:
    """The upright boxes around points."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


def find(detector: Detector, faces: PointedFaces) -> FoundFaces:
    """Look for each annotated face."""
    found, points, boxes = [], [], []
    for path, around in zip(faces.paths, bounds(faces.points), strict=True):
        here = detector([read_image(path)])[0]
        overlap = box_iou(here.boxes, around[None])[:, 0]
        best = int(overlap.argmax()) if len(here) else -1
        found.append(best >= 0 and overlap[best] >= OVERLAP)
        if found[-1]:
            points.append(here.keypoints.points[best])
            boxes.append(here.boxes[best])
    if not any(found):
        raise BadInput("the detector found none of the annotated faces")
    return FoundFaces(np.asarray(found), np.stack(points), np.stack(boxes))


def mean_face(
    boxes: Float32[np.ndarray, "n 4"],
    truth: Float32[np.ndarray, "n k 2"],
    placed: Float32[np.ndarray, "m 4"],
) -> Float64[np.ndarray, "m k 2"]:
    """The mean place of the points in some boxes, put into other boxes."""
    sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
    shares = ((truth - boxes[:, None, :2]) / sides).mean(axis=0, dtype=np.float64)
    return placed[:, None, :2] + shares * (placed[:, 2:] - placed[:, :2])[:, None]


def both_ways(
    boxes: Float32[np.ndarray, "n 4"], truth: Float32[np.ndarray, "n k 2"]
) -> Float64[np.ndarray, "n k 2"]:
    """The mean face in each box, fitted on the half of the faces that it is not of."""
    even = np.arange(len(boxes)) % 2 == 0
    placed = np.empty(truth.shape)
    for half in (even, ~even):
        placed[half] = mean_face(boxes[~half], truth[~half], boxes[half])
    return placed


def detectors(context: Context) -> dict[str, Detector]:
    """Detectors to compare, plain, and the default one with the search around it."""
    usable: dict[str, Detector] = {}
    for name, make in chains(context.methods).items():
        if "small faces" in name:
            continue
        try:
            usable[name] = make()
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
    return usable


def compare(
    protocol: str,
    data: str,
    faces: PointedFaces,
    length: Float64[np.ndarray, " n"],
    normaliser: str,
    context: Context,
) -> tuple[Outcome, dict[str, FoundFaces]]:
    """Measure every detector's points beside the mean face in its own boxes.

    Args:
        protocol: its name.
        data: on what, in words.
        faces: with their points, one person each.
        length: of each face, pixels: what errors are divided by.
        normaliser: the same in words.
        context: of the run.
    """
    truth = five_points(faces)
    rows, results, everything, curves = [], [], {}, {}
    digest = faces.digest()
    for name, detector in detectors(context).items():
        context.say(f"{protocol}: {name}")
        here = everything[name] = find(detector, faces)
        errors = {
            "its own": errors_of(here, here.points.astype(np.float64), truth, length),
            "mean face": errors_of(here, both_ways(here.boxes, truth[here.found]), truth, length),
        }
        for answer, row in errors.items():
            curves[f"{name}, {answer}"] = (STEPS.tolist(), cumulative_curve(row, STEPS).tolist())
            seen = row[here.found]
            rows.append(
                (
                    name,
                    answer,
                    f"{100 * mean_error(seen):.2f}",
                    f"{100 * failure_rate(row, FAILED):.2f}",
                    str(int((~here.found).sum())),
                )
            )
        results += _results(protocol, data, digest, name, normaliser, errors, here.found, context)
    table = Table(
        f"{data}: five points, error over {normaliser}",
        ("detector", "points", "NME %#", f"failures at {FAILED} %#", "not found#"),
        rows,
    )
    curve = Curve(
        f"{data}: faces whose five points are within an error",
        Axis(f"error over {normaliser}"),
        Axis("share of faces"),
        curves,
        note="Higher is better. A face that was not found is within no error.",
    )
    return Outcome([table], results, [curve]), everything


def errors_of(
    here: FoundFaces,
    points: Float64[np.ndarray, "m k 2"],
    truth: Float32[np.ndarray, "n k 2"],
    length: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Normalised mean error of each face; infinite where it was not found."""
    errors = np.full(len(truth), np.inf)
    errors[here.found] = point_errors(points, truth[here.found], length[here.found])
    return errors


def _results(
    protocol: str,
    data: str,
    digest: str,
    name: str,
    normaliser: str,
    errors: dict[str, np.ndarray],
    found: Bool[np.ndarray, " n"],
    context: Context,
) -> list[Result]:
    slug, _, variant = name.partition(" ")
    ours, mean = errors["its own"], errors["mean face"]
    figures = {
        f"NME of five points over {normaliser}, faces found": (mean_error, found),
        f"failure rate of five points at {FAILED}": (
            lambda row: failure_rate(row, FAILED),
            np.ones(len(found), bool),
        ),
    }
    return [
        Result(
            method=slug,
            protocol=protocol,
            data=data,
            data_hash=digest,
            metric=metric + (f" ({variant})" if variant else ""),
            ours=of(ours[counted]),
            interval=bootstrap(
                lambda rows, of=of, row=ours[counted]: of(row[rows]),
                np.arange(int(counted.sum())),
                seed=context.seed,
            ).pair,
            baseline="mean face in the same boxes",
            baseline_value=of(mean[counted]),
            higher_is_better=False,
            seed=context.seed,
            note=f"{int((~found).sum())} of {len(found)} faces not found.",
        )
        for metric, (of, counted) in figures.items()
    ]
