"""Verification when the probe got worse: LFW's pairs, a ladder of severities for each damage.

The gallery stays clean: the first picture of a pair is enrolled as it is, and only the second one,
the probe, is damaged. A pair passes at the threshold that the space's calibration gives for a
false-match rate of 1e-3, found on clean pictures: what a user would see, who does not tune.

Most suites damage the aligned face, so that detection and alignment saw the clean picture. All
embedders see the same damaged pixels: a square of the scale of `ARCFACE_112` with a border around,
out of which each one's own crop is then cut. Two suites damage the whole picture, and the chain
has to find the face again; where it finds none, the probe is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

from lineament.analyze import main_face
from lineament.bench.context import Context, Outcome, Protocol
from lineament.bench.degraded_cells import (
    Cell,
    curves,
    described,
    judge,
    label,
    plots,
    results,
    summary,
)
from lineament.bench.degraded_ladders import ladder_results, ladders, side_by_side
from lineament.bench.faces import MainFaces, embedders, main_faces
from lineament.bench.lfw import BASELINE
from lineament.core.cards import method
from lineament.core.crops import ARCFACE_112, Crops, Template, align
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Detector, Embedder
from lineament.know.calibration import calibration_of
from lineament.measure.degrade.optics import resolution
from lineament.measure.degrade.suites import SUITES, Suite
from lineament.measure.degrade.turn import rotation
from lineament.measure.sets.lfw import LabeledFaces, read_lfw

FALSE_MATCH_RATE = 1e-3
PAIRS_A_FOLD = 20
CHAIN_PAIRS_A_FOLD = 10
BORDER = 16

CANVAS = Template(
    "arcface112+16",
    ARCFACE_112.size + 2 * BORDER,
    tuple((x + BORDER, y + BORDER) for x, y in ARCFACE_112.points),
)
"""Where faces are damaged: `ARCFACE_112` with room for the crops of every embedder."""

CHAIN = (
    Suite(
        "whole picture, resolution",
        "{} px",
        (75, 50, 37, 25, 19),
        None,
        lambda p, _, level, seed: resolution(p, min(1.0, level / max(p.shape[1:3]))),
    ),
    Suite(
        "whole picture, rotation",
        "{} degrees",
        (15, 30, 45, 90, 180),
        0,
        lambda p, _, level, seed: rotation(p, level, expand=True),
    ),
)
"""Suites for whole pictures; lengths are pixels of the picture's longer side."""


def run(context: Context) -> Outcome:
    """Measure every embedder asked for, and the baseline, in one run."""
    lfw = genuine_pairs(read_lfw(context.set_folder("lfw")), PAIRS_A_FOLD)
    few = genuine_pairs(lfw, CHAIN_PAIRS_A_FOLD)
    slugs = embedders(context.methods, context.say)
    slugs = [BASELINE, *(s for s in slugs if s != BASELINE)]
    networks: dict[str, Embedder] = {slug: method(slug, "embed").load()() for slug in slugs}
    probes = probes_of(lfw)
    damaged = ((s, lv, damaged_crops(probes, s, lv, context.seed)) for s, lv in points_of(SUITES))
    refound = ((s, lv, refound_faces(few, s, lv, context.seed)) for s, lv in points_of(CHAIN))
    aligned = list(measure(lfw, networks, damaged, context.say))
    whole = list(measure(few, networks, refound, context.say))
    cells = [*aligned, *whole]
    evidence = [
        *results(aligned, lfw, "aligned probe", context.seed),
        *results(whole, few, "whole probe", context.seed),
    ]
    together = []
    for cells_of, part, what in ((aligned, lfw, "aligned probe"), (whole, few, "whole probe")):
        climbed, people = ladders(cells_of), part.people[part.pairs[:, 0]]
        evidence += ladder_results(climbed, people, described(part, what), part.digest())
        together.append(side_by_side(climbed, people, described(part, what)))
    return Outcome([*together, summary(cells, slugs), curves(cells)], evidence, plots(cells))


def genuine_pairs(lfw: LabeledFaces, each: int) -> LabeledFaces:
    """A fixed part of LFW: of each fold `each` pairs of one person, evenly spaced as they stand in
    pairs.txt, and only the pictures in them.

    Pairs of two people are not taken over: every probe against every other person's gallery
    picture gives more of them.
    """
    rows = []
    for fold in np.unique(lfw.fold):
        there = np.flatnonzero((lfw.fold == fold) & lfw.same)
        rows.append(there[np.arange(each) * len(there) // each])
    chosen = np.concatenate(rows)
    pictures, numbers = np.unique(lfw.pairs[chosen], return_inverse=True)
    return LabeledFaces(
        tuple(lfw.paths[i] for i in pictures),
        lfw.people[pictures],
        numbers.reshape(-1, 2),
        lfw.same[chosen],
        lfw.fold[chosen],
    )


def points_of(suites: Iterable[Suite]) -> Iterator[tuple[Suite, float | None]]:
    """Clean, and then each level, of each suite; suites share the first one's clean point."""
    for number, suite in enumerate(suites):
        if not number:
            yield suite, None
        for level in suite.levels:
            yield suite, level


Cut = Callable[[Template], MainFaces]
"""The probes' faces, aligned to a template."""


def probes_of(lfw: LabeledFaces) -> MainFaces:
    """The probes' faces on the canvas, one row a pair in which a face was found."""
    faces = main_faces(lfw.paths, CANVAS)
    second = lfw.pairs[:, 1]
    found = faces.found[second]
    return MainFaces(found, faces.crops[(np.cumsum(faces.found) - 1)[second[found]]])


def damaged_crops(probes: MainFaces, suite: Suite, level: float | None, seed: int) -> Cut:
    """Aligned faces, damaged on the canvas and then cut for each template."""
    pixels = probes.crops.pixels
    if level is not None:
        points = np.asarray(CANVAS.points, np.float32)
        pixels = suite(pixels, np.repeat(points[None], len(pixels), axis=0), level, seed)
    return cache(lambda template: replace(probes, crops=cut(pixels, template)))


def cut(pixels: UInt8[np.ndarray, "n h w 3"], template: Template) -> Crops:
    """Crops of a template out of canvases, n x 144 x 144 x 3."""
    points = Landmarks(np.asarray([CANVAS.points], np.float32), "5")
    return _joined([align(Image(canvas), points, template) for canvas in pixels], template)


def _joined(crops: Sequence[Crops], template: Template) -> Crops:
    """Crops as one batch, which may be empty: at the worst severities no face is found."""
    side = template.size
    nobody = np.empty((0, side, side, 3), np.uint8), np.empty((0, 2, 3), np.float32)
    return Crops.join([Crops(*nobody, template.name), *crops])


def refound_faces(lfw: LabeledFaces, suite: Suite, level: float | None, seed: int) -> Cut:
    """Whole probes damaged, their main faces found again and aligned."""
    images = [read_image(lfw.paths[i]) for i in lfw.pairs[:, 1]]
    if level is not None:
        nowhere = np.zeros((1, 5, 2), np.float32)
        images = [Image(suite(i.pixels[None], nowhere, level, seed)[0]) for i in images]
    points = _points(images)
    found = np.asarray([p is not None for p in points])
    kept = [(image, p) for image, p in zip(images, points, strict=True) if p is not None]

    def aligned(template: Template) -> MainFaces:
        return MainFaces(found, _joined([align(i, p, template) for i, p in kept], template))

    return cache(aligned)


def _points(images: Sequence[Image]) -> list[Landmarks | None]:
    detector = _detector()
    found = [detector([image])[0] for image in images]
    return [Landmarks(main_face(f).points[None], "5") if len(f) else None for f in found]


@cache
def _detector() -> Detector:
    from lineament.see.upright import Search

    return Search(method("yunet", "detect").load()())


def measure(
    lfw: LabeledFaces,
    networks: dict[str, Embedder],
    damaged: Iterable[tuple[Suite, float | None, Cut]],
    say: Callable[[str], None],
) -> Iterator[Cell]:
    """The figures of each embedder at each severity."""
    people = lfw.people[lfw.pairs[:, 0]]
    gallery = {slug: _gallery(lfw, network) for slug, network in networks.items()}
    for suite, level, faces in damaged:
        say(f"degraded-lfw: {label(suite, level)}")
        for slug, network in networks.items():
            probes = faces(network.template)
            scores = np.full((len(people), len(people)), -1.0)
            scores[probes.found] = network(probes.crops).vectors @ gallery[slug].T
            limit = calibration_of(network.space).threshold(FALSE_MATCH_RATE)
            found = float(probes.found.mean())
            yield Cell(slug, suite, level, judge(scores, people, limit, found))


def _gallery(lfw: LabeledFaces, network: Embedder) -> Float[np.ndarray, "p d"]:
    """The clean first pictures' embeddings, cut by the network's own template; zeros, which are
    alike to nobody, where no face was found."""
    faces = main_faces(lfw.paths, network.template)
    every = np.zeros((len(lfw.paths), network.dimension), np.float32)
    every[faces.found] = network(faces.crops).vectors
    return every[lfw.pairs[:, 0]]


PROTOCOL = Protocol(
    "degraded-lfw", "verification on LFW with worse and worse probes", run, ("lfw",)
)
