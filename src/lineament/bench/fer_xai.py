"""Where an expression model looks on FER-2013, against the regions that move in each expression.

Ten faces of each expression that the landmarker found, the first of PrivateTest in order of name.
Their maps for the class that they are labelled as are averaged, and so are the masks of the regions
that move in it. The control is the same map against the masks of the other expressions: a model
that looks at the middle of every face overlaps with all of them alike. Intervals draw faces.

Source: F. X. Gaya-Morey et al., arXiv:2401.11835.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.described import said_by
from lineament.bench.fer2013 import halves
from lineament.bench.probes import placed_crops, placed_points
from lineament.core.cards import method
from lineament.core.geometry import transform_points
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.sets.fer2013 import EXPRESSIONS, read_fer2013
from lineament.see.attributes.facex import EXPRESSIONS as CLASSES
from lineament.see.attributes.facex import Facex
from lineament.see.attributes.fer_xai import MOVING, correlation, occlusion, overlap, region_mask

LANDMARKER, METHOD = "face-landmarker", "fer-xai"
FACES = 10
"""Of each expression."""
SHRUNK = 4
"""Pixels of a crop to a cell of the maps that are compared."""
Maps = Float32[np.ndarray, "n h w"]


def run(context: Context) -> Outcome:
    """Map facex over every expression that moves something."""
    faces = read_fer2013(context.set_folder("fer2013"))
    label = faces.labels["expression"]
    seen = placed_points(faces.paths).found & ~halves(faces)
    rows = np.concatenate(
        [np.flatnonzero(seen & (label == EXPRESSIONS.index(name)))[:FACES] for name in MOVING]
    )
    paths = tuple(faces.paths[row] for row in rows)
    shown = np.asarray([list(MOVING).index(EXPRESSIONS[label[row]]) for row in rows])
    context.say(f"{METHOD}: {len(paths)} faces")
    model = Facex(threads=1)
    crops = placed_crops(paths, model.template).crops
    points = said_by(LANDMARKER, paths).fields["landmarks"].points
    heats, masks = [], []
    for crop, transform, row, kind in zip(
        crops.pixels, crops.transforms, points, shown.tolist(), strict=True
    ):
        maps = occlusion(lambda pixels: model.answers(pixels)[0], crop)
        heats.append(shrink(maps[CLASSES.index(list(MOVING)[kind])]))
        there = (transform_points(transform, row) + 0.5) / SHRUNK - 0.5
        side = len(crop) // SHRUNK
        masks.append([region_mask(there, moving, side) for moving in MOVING.values()])
    return report(context, np.stack(heats), np.asarray(masks), shown, faces.digest())


def shrink(heat: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "a b"]:
    """The mean of each cell."""
    height, width = (side // SHRUNK for side in heat.shape)
    return heat.reshape(height, SHRUNK, width, SHRUNK).mean(axis=(1, 3))


def scores(
    heats: Maps, masks: Bool[np.ndarray, "n e h w"], shown: Int[np.ndarray, " n"]
) -> Float32[np.ndarray, "e e 2"]:
    """IoU and correlation of each expression's mean map (rows) with each expression's mean mask.

    A mean mask holds what most of the expression's faces have there. Expressions that no face shows
    are not a number.
    """
    found = np.full((masks.shape[1], masks.shape[1], 2), np.nan, np.float32)
    for one in np.unique(shown).tolist():
        heat, share = heats[shown == one].mean(axis=0), masks[shown == one].mean(axis=0)
        for other in range(masks.shape[1]):
            mask = share[other]
            found[one, other] = overlap(heat, mask > 0.5), correlation(heat, mask)
    return found


def own_and_others(found: Float32[np.ndarray, "e e 2"]) -> Float32[np.ndarray, "2 2"]:
    """Mean IoU and correlation with the own mask, then with those of the other expressions."""
    own = np.eye(len(found), dtype=bool)
    return np.stack([np.nanmean(found[own], axis=0), np.nanmean(found[~own], axis=0)])


def report(
    context: Context,
    heats: Maps,
    masks: Bool[np.ndarray, "n e h w"],
    shown: Int[np.ndarray, " n"],
    digest: str,
) -> Outcome:
    """The figures of each expression and their means."""
    found = scores(heats, masks, shown)
    means = own_and_others(found)
    data = f"facex on FER-2013, {len(shown)} faces of {len(MOVING)} expressions"
    others = [np.nanmean(np.delete(found[k], k, axis=0), axis=0) for k in range(len(found))]
    rows = [
        (name, ", ".join(MOVING[name]), *(f"{v:.3f}" for v in (*found[k, k], *others[k])))
        for k, name in enumerate(MOVING)
    ]
    rows.append(("mean", "", *(f"{value:.3f}" for value in means.ravel())))
    headings = ("expression", "regions", "IoU#", "correlation#", "IoU, others#", "correlation#")
    results = [
        Result(
            method=METHOD,
            protocol="fer-xai",
            data=data,
            data_hash=digest,
            metric=metric,
            ours=float(means[0, column]),
            interval=bootstrap(
                lambda r, c=column: float(
                    own_and_others(scores(heats[r], masks[r], shown[r]))[0, c]
                ),
                np.arange(len(shown)),
                rounds=100,
                seed=context.seed,
            ).pair,
            baseline="the masks of the other expressions",
            baseline_value=float(means[1, column]),
            paper={m: v for _, m, v in method(METHOD).card.published}.get(metric),
            seed=context.seed,
            note="the paper's figure is the mean of twelve other networks, by LIME, on other sets",
        )
        for column, metric in enumerate(("mean IoU", "mean correlation"))
    ]
    return Outcome([Table(data, headings, rows)], results)


PROTOCOL = Protocol("fer-xai", "where an expression model looks", run, ("fer2013",))
"""`lineament bench fer-xai`."""
