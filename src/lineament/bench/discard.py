"""Error versus discard on damaged LFW: which quality knows what a recogniser fails on.

Both pictures of a pair of one person are damaged, each by a suite of its own and at a rung of its
own, drawn evenly from untouched to severest. Pairs are discarded by the lower quality of the two,
worst first, and the false non-match rate (FNMR) of the others is watched. A pair passes at the
score that the space's calibration gives for a false-match rate of 1e-3 on clean pictures, as in
`bench.degraded`. The figure is the mean FNMR while 0 to 20 % of the pairs are discarded: the area
of `measure.discard`, divided by its width. What a person's best face is good for is measured too:
how many of the person's other pictures it matches, if a quality chooses it.

Faces are found and aligned before they are damaged, and box and keypoints are of that picture;
where the resolution went, both are taken as if the small picture had been handed in. The detector's
score is of the damaged face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from lineament.analyze import main_face
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.degraded import CANVAS, cut, genuine_pairs
from lineament.bench.discard_tables import (
    DETECTOR,
    QUALITY,
    RECOGNIZABILITY,
    Judged,
    curves,
    evidence,
    quality_table,
    rung_table,
    start_table,
)
from lineament.bench.faces import embedders
from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops, align
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Embedder
from lineament.know.calibration import calibration_of
from lineament.know.recognizability import recognizability
from lineament.measure.degrade.suites import SUITES
from lineament.measure.sets.lfw import LabeledFaces, read_lfw
from lineament.see.detect.yunet import YuNet, YuNetConfig
from lineament.see.quality import light_ratio, middle_grey, quality, sharp_ratio

FALSE_MATCH_RATE = 1e-3
PAIRS_A_FOLD = 100
RUNGS = len(SUITES[0].levels)


def run(context: Context) -> Outcome:
    """Compare the qualities for every embedder asked for."""
    lfw = genuine_pairs(read_lfw(context.set_folder("lfw")), PAIRS_A_FOLD)
    context.say(f"discard: finding and damaging {len(lfw.paths)} faces")
    faces = find(lfw)
    harm = draw(len(faces.boxes), context.seed)
    canvases = damage(faces.canvases, harm, context.seed)
    seen = visible(faces, canvases, harm, context.seed)
    judged = []
    for slug in embedders(context.methods, context.say):
        context.say(f"discard: {slug}")
        network: Embedder = method(slug, "embed").load()()
        judged.append(judge(network, canvases, seen, lfw, faces.found, slug))
    return Outcome(
        [start_table(judged), quality_table(judged), rung_table(judged, harm.rung)],
        evidence(judged, lfw, context.seed),
        curves(judged),
    )


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """The main faces of pictures, undamaged.

    Attributes:
        found: whether a face was found, one a picture; the rest is of those only.
        canvases: aligned, with a border.
        boxes: x1, y1, x2, y2 in pixels of the picture.
        keypoints: scheme "5", the same pixels.
    """

    found: Bool[np.ndarray, " n"]
    canvases: UInt8[np.ndarray, "m h w 3"]
    boxes: Float[np.ndarray, "m 4"]
    keypoints: Landmarks


def find(lfw: LabeledFaces) -> FoundFaces:
    """The main face of each picture by the default detector."""
    detector = method("yunet", "detect").load()()
    found, canvases, boxes, points = [], [], [], []
    for path in lfw.paths:
        image = read_image(path)
        faces = detector([image])[0]
        found.append(bool(len(faces)))
        if len(faces):
            row = main_face(faces).row
            face = faces[row : row + 1]
            canvases.append(align(image, face.keypoints, CANVAS))
            boxes.append(face.boxes)
            points.append(face.keypoints.points)
    return FoundFaces(
        np.asarray(found),
        Crops.join(canvases).pixels,
        np.concatenate(boxes),
        Landmarks(np.concatenate(points), "5"),
    )


@dataclass(frozen=True, eq=False)
class Harm:
    """What is done to each face.

    Attributes:
        suite: number in `SUITES`.
        rung: of its ladder; 0 is untouched, 1 the mildest.
    """

    suite: Int64[np.ndarray, " n"]
    rung: Int64[np.ndarray, " n"]

    @property
    def pixels_left(self) -> Float[np.ndarray, " n"]:
        """Share of the pixels along a side that a loss of resolution left."""
        left = np.ones(len(self.rung))
        for number, suite in enumerate(SUITES):
            if suite.name == "resolution":
                levels = np.asarray((ARCFACE_112.size, *suite.levels)) / ARCFACE_112.size
                left = np.where(self.suite == number, levels[self.rung], left)
        return left


def draw(count: int, seed: int) -> Harm:
    """A suite and a rung for each face, evenly."""
    rng = np.random.default_rng(seed)
    return Harm(rng.integers(len(SUITES), size=count), rng.integers(RUNGS + 1, size=count))


def damage(
    canvases: UInt8[np.ndarray, "n h w 3"], harm: Harm, seed: int
) -> UInt8[np.ndarray, "n h w 3"]:
    """Faces damaged as `harm` says."""
    result = canvases.copy()
    for number, suite in enumerate(SUITES):
        for rung, level in enumerate(suite.levels, start=1):
            rows = np.flatnonzero((harm.suite == number) & (harm.rung == rung))
            if len(rows):
                points = np.repeat(np.asarray([CANVAS.points], np.float32), len(rows), axis=0)
                # The rung in the seed: else the k-th face of every rung got the same noise.
                result[rows] = suite(canvases[rows], points, level, seed + rung)
    return result


def visible(
    faces: FoundFaces, canvases: UInt8[np.ndarray, "n h w 3"], harm: Harm, seed: int
) -> dict[str, Float[np.ndarray, " n"]]:
    """Qualities that can be told without an embedder, by name."""
    crops = cut(canvases, ARCFACE_112)
    left = harm.pixels_left.astype(np.float32)
    keypoints = Landmarks(faces.keypoints.points * left[:, None, None], "5")
    grey = middle_grey(crops.pixels)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return {
        QUALITY: quality(crops, keypoints),
        "sharpness": sharp_ratio(grey),
        "light": light_ratio(grey),
        "box size": np.sqrt(sides.prod(axis=1)) * left,
        DETECTOR: detector_scores(canvases),
        "random": np.random.default_rng(seed).random(len(canvases)),
    }


def detector_scores(canvases: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
    """The detector's best score on each damaged face; 0 where it sees none at all."""
    detector = YuNet(YuNetConfig(score=0.02))
    found = detector([Image(canvas) for canvas in canvases])
    return np.asarray([float(faces.scores[0]) if len(faces) else 0.0 for faces in found])


def judge(
    network: Embedder,
    canvases: UInt8[np.ndarray, "m h w 3"],
    seen: Mapping[str, Float[np.ndarray, " m"]],
    lfw: LabeledFaces,
    found: Bool[np.ndarray, " n"],
    slug: str,
) -> Judged:
    """What one embedder makes of the pairs, and every quality of their pictures."""
    embeddings = network(cut(canvases, network.template))
    score = recognizability(embeddings)
    qualities = {
        RECOGNIZABILITY: score,
        f"{QUALITY} x {RECOGNIZABILITY}": seen[QUALITY] * score,
        f"{DETECTOR} x {RECOGNIZABILITY}": seen[DETECTOR] * score,
        **seen,
    }
    return Judged(
        slug=slug,
        vectors=embeddings.vectors,
        people=lfw.people[found],
        pairs=rows_of(lfw.pairs, found),
        qualities={name: values.astype(np.float64) for name, values in qualities.items()},
        threshold=calibration_of(network.space).threshold(FALSE_MATCH_RATE),
    )


def rows_of(
    pairs: Int64[np.ndarray, "p 2"], found: Bool[np.ndarray, " n"]
) -> Int64[np.ndarray, "q 2"]:
    """Pairs whose faces were both found, as rows among the faces found."""
    return (np.cumsum(found) - 1)[pairs[found[pairs].all(axis=1)]]


PROTOCOL = Protocol(
    "discard", "error versus discard by face qualities on damaged LFW", run, ("lfw",)
)
"""`lineament bench discard`."""
