"""Is a head's orientation told rightly: forward, left, right, up, down, beside the annotated pose.

AFLW2000-3D's annotated pose gives each picture its class by the same rule as ours, so this measures
the poses and not the rule. The same pictures come again as a webcam would have them: faces further
away, turned in the picture's plane, dark, and out of focus. A turn in the plane changes neither yaw
nor pitch, so the class stays. A face that is not found is told wrongly.

The baseline is the most frequent class of the other pictures. Sixteen pictures are few, and their
heads are turned far more than those of people before a screen. The 90 % of the paper's abstract was
measured on its authors' own recordings, and are not held against this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.poses import chain, estimate, estimators
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.measure.degrade import light, optics, turn
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.aflw2000 import read_aflw2000
from lineament.see.attention_pose import orientations

NAME = "attention-pose"
TURN = 30.0

Change = Callable[[np.ndarray], np.ndarray]
"""Of one picture, uint8 height x width x 3."""


def smaller(factor: int) -> Change:
    """A picture reduced and enlarged again: a face further away, in the same place."""
    return lambda pixels: optics.resolution(pixels[None], 1 / factor)[0]


CHANGES: dict[str, Change] = {
    "as it is": lambda pixels: pixels,
    "a quarter of the pixels across": smaller(4),
    "an eighth of the pixels across": smaller(8),
    "gamma 5": lambda pixels: light.gamma(pixels[None], 5)[0],
    "blurred by 6 pixels": lambda pixels: optics.gaussian_blur(pixels[None], 6)[0],
    "turned by 30 degrees": lambda pixels: turn.rotation(pixels[None], TURN)[0],
}
"""What becomes of the pictures, which are 450 pixels wide with faces of about 200."""


def run(context: Context) -> Outcome:
    """Measure the orientations that every estimator of poses gives."""
    faces = read_aflw2000(context.set_folder("aflw2000_16"))
    data = f"AFLW2000-3D, {len(faces.paths)} of its pictures"
    truth = orientations(faces.labels["pose"])
    images = [read_image(path) for path in faces.paths]
    guess = np.asarray([most_frequent(truth, row) == own for row, own in enumerate(truth)])
    rows, results = [], []
    for slug in estimators(context.methods):
        context.say(f"{NAME}: {slug}")
        analyzer, right = chain(slug), {}
        for name, change in CHANGES.items():
            points = faces.points.astype(np.float64)
            if "turned" in name:
                points = turned(points, images)
            changed = [Image(change(image.pixels)) for image in images]
            told = orientations(estimate(analyzer, changed, points).poses)
            right[name] = np.asarray([a == b for a, b in zip(told, truth, strict=True)])
        rows.append((slug, *(f"{100 * of.mean():.0f}" for of in right.values())))
        results += [
            _result(slug, name, of, guess, data, faces.digest(), context.seed)
            for name, of in right.items()
        ]
    rows.append(("most frequent class", *[f"{100 * guess.mean():.0f}"] * len(CHANGES)))
    headings = ("pose from", *(f"{name}#" for name in CHANGES))
    title = f"{data}: orientation told rightly, % of {_counted(truth)}"
    return Outcome([Table(title, headings, rows)], results)


def most_frequent(classes: Sequence[str], without: int) -> str:
    """The class that most of the others have; of equals the first in alphabetical order."""
    counts = Counter(name for row, name in enumerate(classes) if row != without)
    return min(counts, key=lambda name: (-counts[name], name))


def turned(
    points: Float64[np.ndarray, "n k 2"], images: Sequence[Image]
) -> Float64[np.ndarray, "n k 2"]:
    """Where points of pictures lie once these are turned counter-clockwise about their middle."""
    middles = np.asarray([[(i.width - 1) / 2, (i.height - 1) / 2] for i in images])[:, None]
    c, s = np.cos(np.radians(TURN)), np.sin(np.radians(TURN))
    return middles + (points - middles) @ np.asarray([[c, -s], [s, c]])


def _counted(classes: Sequence[str]) -> str:
    counts = Counter(classes)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _result(
    slug: str,
    change: str,
    right: Bool[np.ndarray, " n"],
    guess: Bool[np.ndarray, " n"],
    data: str,
    digest: str,
    seed: int,
) -> Result:
    return Result(
        method=NAME,
        protocol=NAME,
        data=data,
        data_hash=digest,
        metric=f"orientation accuracy, poses of {slug}, pictures {change}",
        ours=float(right.mean()),
        interval=bootstrap(
            lambda drawn: float(right[drawn].mean()), np.arange(len(right)), seed=seed
        ).pair,
        baseline="most frequent class of the other pictures",
        baseline_value=float(guess.mean()),
        seed=seed,
        note="Five classes, limits of 15 degrees. Not the paper's recordings.",
    )


PROTOCOL = Protocol(NAME, "orientation of heads, five classes", run, ("aflw2000_16",))
"""`lineament bench attention-pose`."""
