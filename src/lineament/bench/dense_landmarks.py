"""What the protocols of dense points share: 68 or 106 points found, beside those annotated.

Every method that gives ``landmarks`` answers for the same faces, those that the default detector
found, and is brought into the markup of the set by `core.markups`; a method that has no way there
is left out. The mean face in the detector's boxes stands beside them, as `bench.landmarks` has it.
A set of 106 points is measured a second time in 68, which more methods can answer for.

Inner points compare best. The jaw is the outline of the face in most markups, spaced by each in its
own way; in AFLW2000-3D it is a line on the head, seen through it where the head is turned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from lineament.bench.context import Context, Outcome
from lineament.bench.dense_figures import MEAN_FACE, Trial, figures
from lineament.bench.landmarks import FoundFaces, both_ways, bounds
from lineament.core.cards import Card, method, methods
from lineament.core.errors import LicenceNotAccepted
from lineament.core.faces import Faces
from lineament.core.landmarks import Landmarks
from lineament.core.markups import WAYS, convert
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.measure.points import box_size, inter_ocular, inter_pupil
from lineament.measure.sets.nouns import PointedFaces

_BATCH = 16


@dataclass(frozen=True, eq=False)
class Answer:
    """One method's points of the faces that were found.

    Attributes:
        landmarks: in its own markup.
        milliseconds: a face, without reading the picture.
    """

    landmarks: Landmarks
    milliseconds: float


def compare_dense(
    protocol: str,
    data: str,
    faces: PointedFaces,
    here: FoundFaces,
    usual: str,
    context: Context,
) -> Outcome:
    """Measure every method of dense points that is asked for, in the set's markup and in 68.

    Args:
        protocol: its name.
        data: on what, in words.
        faces: with their points, one person each.
        here: which of them the detector found, and where.
        usual: the normaliser that goes first, of `lengths`.
        context: of the run.
    """
    answers: dict[str, Answer] = {}
    for card in describers(context):
        context.say(f"{protocol}: {card.slug}")
        try:
            answers[card.slug] = describe(method(card.slug).load()(), faces, here)
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
    outcome = Outcome([], [])
    for scheme in dict.fromkeys((faces.scheme, "68")) if answers else ():
        trial = _trial(f"{data}, {scheme} points", faces, here, usual, answers, scheme)
        outcome += figures(protocol, faces.digest(), trial, context.seed)
    return outcome


def subset(faces: PointedFaces, here: FoundFaces, rows: slice) -> tuple[PointedFaces, FoundFaces]:
    """Some of the faces, and what was found of these."""
    kept = np.zeros(len(here.found), bool)
    kept[rows] = True
    of_found = kept[here.found]
    labels = {name: label[kept] for name, label in faces.labels.items()}
    return (
        PointedFaces(faces.paths[rows], faces.points[kept], faces.scheme, labels),
        FoundFaces(here.found[kept], here.points[of_found], here.boxes[of_found]),
    )


def describers(context: Context) -> list[Card]:
    """Methods that need no more than a detector gives: those asked for, or all."""
    return [
        m.card
        for slug, m in methods().items()
        if m.card.verb == "describe"
        and m.card.entry
        and "landmarks" in m.card.gives
        and set(m.card.needs) <= {"boxes", "keypoints"}
        and (not context.methods or slug in context.methods)
    ]


def describe(describer: Describer, faces: PointedFaces, here: FoundFaces) -> Answer:
    """A method's points of the faces that were found, a few pictures at a time."""
    paths = [path for path, found in zip(faces.paths, here.found, strict=True) if found]
    parts: list[Landmarks] = []
    taken = 0.0
    for start in range(0, len(paths), _BATCH):
        rows = range(start, min(start + _BATCH, len(paths)))
        images = [read_image(paths[row]) for row in rows]
        found = [
            Faces(here.boxes[[row]], keypoints=Landmarks(here.points[[row]], "5")) for row in rows
        ]
        started = time.perf_counter()
        parts += [fields["landmarks"] for fields in describer(images, found)]
        taken += time.perf_counter() - started
    points = np.concatenate([part.points for part in parts])
    return Answer(Landmarks(points, parts[0].scheme), 1000 * taken / len(paths))


def lengths(points: Float32[np.ndarray, "n 68 2"]) -> dict[str, Float64[np.ndarray, " n"]]:
    """The usual normalisers of 68 points, by name."""
    return {
        "inter-pupil distance": inter_pupil(points),
        "inter-ocular distance": inter_ocular(points),
        "square root of the points' box": box_size(bounds(points)),
    }


def _trial(
    data: str,
    faces: PointedFaces,
    here: FoundFaces,
    usual: str,
    answers: Mapping[str, Answer],
    scheme: str,
) -> Trial:
    annotated = Landmarks(faces.points[here.found], faces.scheme)
    truth = convert(annotated, scheme).points
    normalisers = lengths(convert(annotated, "68").points)
    able = {
        slug: answer
        for slug, answer in answers.items()
        if answer.landmarks.scheme == scheme or (answer.landmarks.scheme, scheme) in WAYS
    }
    points = {
        slug: convert(answer.landmarks, scheme).points.astype(np.float64)
        for slug, answer in able.items()
    }
    return Trial(
        data=data,
        scheme=scheme,
        truth=truth,
        found=here.found,
        lengths={usual: normalisers[usual], **normalisers},
        points={MEAN_FACE: both_ways(here.boxes, truth), **points},
        notes={
            slug: (answer.landmarks.scheme, f"{answer.milliseconds:.1f}")
            for slug, answer in able.items()
        },
    )
