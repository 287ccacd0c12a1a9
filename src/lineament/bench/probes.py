"""Linear probes: what a straight line reads from the features of a network made for something else.

A probe says what the features hold, not what a network trained for the task would reach. Anything
that turns pictures into rows of numbers can be probed (`Features`); the embedders can, and so can
the pixels themselves, which are the baseline.

Source: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes",
ICLR workshop 2017. Ridge regression chooses its strength by leave-one-out, which has a closed form
(G. H. Golub et al., "Generalized cross-validation", Technometrics 1979); logistic regression by
cross-validation inside the training part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lineament.bench.context import Context
from lineament.bench.faces import embedders, main_points
from lineament.core.cards import method, methods
from lineament.core.crops import ARCFACE_112, Crops, Template, align
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.media import read_image
from lineament.core.protocols import Embedder
from lineament.see.attributes.lnet_anet import IdentityFeatures

Features = Callable[[tuple[Path, ...]], np.ndarray]
"""Pictures of one face each to a matrix, one row a picture."""

BASELINE = "raw pixels"
INNER = "lnet-anet"
"""The method whose features are the inside of SFace."""
RAW_SIDE = 16
STRENGTHS = tuple(10.0**k for k in range(6))
"""Of ridge regression, to choose from."""
LOOSENESS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of logistic regression (its C), to choose from."""


@dataclass(frozen=True, eq=False)
class PlacedCrops:
    """The face of every picture, aligned.

    Attributes:
        crops: one a picture.
        found: whether the detector found a face; the others are cut where it lies on average.
    """

    crops: Crops
    found: Bool[np.ndarray, " n"]

    def say(self) -> str:
        """How many were not found, in a phrase for a note."""
        missed = int((~self.found).sum())
        return f"{missed} of {len(self.found)} faces not found and cut at the set's usual place"


@dataclass(frozen=True, eq=False)
class PlacedPoints:
    """The five points of one face of every picture.

    Attributes:
        points: one set a picture.
        found: whether the detector found them; the others lie where they do on average.
    """

    points: tuple[Landmarks, ...]
    found: Bool[np.ndarray, " n"]


@cache
def placed_points(paths: tuple[Path, ...]) -> PlacedPoints:
    """The points of each picture's face; where none is found, where the set's faces usually are.

    That place is the median of the points found, as shares of width and height: sets of crops show
    the face at one place. Where nobody is found at all, it is that of the `ARCFACE_112` template.
    """
    images = [read_image(path) for path in paths]
    points = main_points(paths)
    usual = _usual_points(images, points)
    placed = [
        found or Landmarks((usual * _size(image))[None].astype(np.float32), "5")
        for image, found in zip(images, points, strict=True)
    ]
    return PlacedPoints(tuple(placed), np.asarray([p is not None for p in points]))


@cache
def placed_crops(paths: tuple[Path, ...], template: Template = ARCFACE_112) -> PlacedCrops:
    """Each picture's face, aligned on `placed_points`."""
    placed = placed_points(paths)
    crops = [
        align(read_image(path), points, template)
        for path, points in zip(paths, placed.points, strict=True)
    ]
    return PlacedCrops(Crops.join(crops), placed.found)


@cache
def embedded(paths: tuple[Path, ...], slug: str) -> Float[np.ndarray, "n d"]:
    """Embeddings of each picture's face, not mirrored."""
    embedder: Embedder = method(slug, "embed").load()()
    return embedder(placed_crops(paths, embedder.template).crops).vectors


def raw_pixels(paths: tuple[Path, ...]) -> Float[np.ndarray, "n d"]:
    """Grey values of the aligned crops at 16 x 16, in [0, 1]."""
    pixels = placed_crops(paths).crops.pixels
    step = pixels.shape[1] // RAW_SIDE
    blocks = pixels.reshape(len(pixels), RAW_SIDE, step, RAW_SIDE, step, 3)
    return blocks.mean(axis=(2, 4, 5), dtype=np.float64).reshape(len(pixels), -1) / 255


@cache
def described(paths: tuple[Path, ...], slug: str) -> Float[np.ndarray, "n d"]:
    """What a method for pictures of any kind says of each aligned face."""
    return method(slug, "extract").load()()(placed_crops(paths).crops)


@cache
def inner_features(paths: tuple[Path, ...]) -> Float[np.ndarray, "n d"]:
    """What SFace holds of each face before it forgets all but the identity; see `lnet-anet`."""
    crops = placed_crops(paths).crops
    return IdentityFeatures(threads=1).describe(crops)["features"]


def feature_sets(context: Context) -> dict[str, Features]:
    """What is probed, by name: the baseline first, then every embedder asked for, then the inside
    of one of them.

    Methods that describe pictures of any kind are slow, and join where they are asked for by name.
    """
    general = {
        slug
        for slug, found in methods().items()
        if found.card.verb == "extract" and "features" in found.card.gives
    }
    describers = {slug for slug, found in methods().items() if found.card.verb == "describe"}
    named = [slug for slug in context.methods if slug in general]
    others = [slug for slug in context.methods if slug not in general | describers]
    slugs = embedders(others, context.say) if others or not context.methods else []
    return {
        BASELINE: raw_pixels,
        **{slug: partial(embedded, slug=slug) for slug in slugs},
        **{slug: partial(described, slug=slug) for slug in named},
        **({INNER: inner_features} if not context.methods or INNER in context.methods else {}),
    }


def regress(
    train: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, "n ..."],
    test: Float[np.ndarray, "m d"],
) -> Float64[np.ndarray, "m ..."]:
    """Ridge regression on standardised features; each target has its own strength."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ridge = RidgeCV(STRENGTHS, alpha_per_target=targets.ndim > 1)
    model = make_pipeline(StandardScaler(), ridge).fit(train, targets)
    return np.asarray(model.predict(test), np.float64)


def classify(
    train: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    groups: Int[np.ndarray, " n"] | None = None,
) -> Float64[np.ndarray, "m c"]:
    """Probabilities of the classes by logistic regression on standardised features.

    Args:
        train: features.
        labels: their classes, numbers from 0, each at least once.
        test: features to judge.
        groups: of the training rows; the strength is then chosen on groups that were left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model = Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression(max_iter=2000))])
    parts = StratifiedKFold(3) if groups is None else LeaveOneGroupOut()
    search = GridSearchCV(model, {"fit__C": LOOSENESS}, cv=parts, scoring="neg_log_loss")
    return search.fit(train, labels, groups=groups).predict_proba(test)


def out_of_fold(
    rows: int, folds: int, seed: int
) -> Iterable[tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]]]:
    """Rows to train on and rows to judge, such that each row is judged once."""
    order = np.random.default_rng(seed).permutation(rows)
    for part in range(folds):
        judged = np.sort(order[part::folds])
        yield np.setdiff1d(np.arange(rows), judged), judged


def _usual_points(
    images: list[Image], points: tuple[Landmarks | None, ...]
) -> Float[np.ndarray, "5 2"]:
    """The median of the points found, as shares of each picture's width and height."""
    shares = [
        found.points[0] / _size(image)
        for image, found in zip(images, points, strict=True)
        if found is not None
    ]
    if not shares:
        return np.asarray(ARCFACE_112.points) / ARCFACE_112.size
    return np.median(shares, axis=0)


def _size(image: Image) -> Float64[np.ndarray, " 2"]:
    return np.asarray([image.width, image.height], np.float64)
