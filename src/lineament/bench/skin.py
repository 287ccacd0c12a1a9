"""Whose face a colour rule for skin finds: the region beside a detector's box, by group of people.

A face counts as found where region and box overlap by at least a half of their union. UTKFace
names a group for each picture, as its makers guessed it; it is used to see who is left out, and
nothing is said with it of anybody. Intervals are Wilson's: each picture is of another person.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from lineament.analyze import main_face
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.lfw import Figure, percent
from lineament.bench.plots import Bars
from lineament.core.cards import method
from lineament.core.geometry import box_iou
from lineament.core.media import read_image
from lineament.measure.evidence import Result
from lineament.measure.interval import proportion
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.utkface import read_utkface
from lineament.see.skin import face_region

LABEL = "group"
OVERLAP = 0.5
WORST, BEST = "worst group", "best group"


def run(context: Context) -> Outcome:
    """Measure by group, and the worst group beside the best."""
    pictures = read_utkface(context.set_folder("utkface"))
    seen, found = regions(pictures)
    groups = pictures.labels[LABEL]
    figures = by_group(found[seen], groups[seen], pictures.classes[LABEL])
    data = f"UTKFace, {int(seen.sum()):,} pictures in which the detector finds a face"
    title = f"Faces found by the colour of skin: {data}"
    table = Table(
        title, ("group", "found %#"), [(name, percent(figure)) for name, figure in figures.items()]
    )
    bars = Bars(
        title,
        "share of faces found",
        list(figures),
        {"by skin colour": [figure.value for figure in figures.values()]},
        {"by skin colour": [figure.interval for figure in figures.values()]},
        note="Groups are as the set's makers guessed them.",
    )
    worst, best = (pick(figures, key=lambda n: figures[n].value) for pick in (min, max))
    result = Result(
        method="dwt-face",
        protocol="skin",
        data=data,
        data_hash=pictures.digest(),
        metric=f"share of faces found by the colour of skin, {WORST}",
        ours=figures[worst].value,
        interval=figures[worst].interval,
        baseline=BEST,
        baseline_value=figures[best].value,
        note=f"Worst {worst}, best {best}, as the set's makers guessed groups; overlap of at least "
        f"{OVERLAP:g} with the default detector's box.",
    )
    return Outcome([table], [result], [bars])


def regions(pictures: LabeledPictures) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Of each picture: whether the detector finds a face, and whether the colour rule does too."""
    detector = method("yunet", "detect").load()()
    seen, found = [], []
    for path in pictures.paths:
        image = read_image(path)
        faces = detector([image])[0]
        region = face_region(image)
        seen.append(len(faces) > 0)
        if region is None or not len(faces):
            found.append(False)
            continue
        overlap = box_iou(region[None], main_face(faces).box[None])[0, 0]
        found.append(float(overlap) >= OVERLAP)
    return np.asarray(seen), np.asarray(found)


def by_group(
    found: Bool[np.ndarray, " n"], groups: Int64[np.ndarray, " n"], names: tuple[str, ...]
) -> dict[str, Figure]:
    """The share found of each group that has a picture, with its interval."""
    figures = {}
    for number, name in enumerate(names):
        hits = found[groups == number]
        if len(hits):
            interval = proportion(int((~hits).sum()), len(hits))
            figures[name] = Figure(float(hits.mean()), (1 - interval.high, 1 - interval.low))
    return figures


PROTOCOL = Protocol("skin", "whose face the colour of skin finds, by group", run, ("utkface",))
"""`lineament bench skin`."""
