"""FASSEG: each pixel of a face as background, skin, hair, eyes, nose or mouth.

Measures any classifier of pixels, and two that need no network: the class that is the commonest at
a place of the picture, and naive Bayes of place and colour, both fitted on the training part.
Version 2 holds frontal faces, version 3 faces at many poses, of people not in its training part.

Figures are F1 of each class over all pixels of all test pictures, and their mean. Intervals are
over pictures (version 2, which names no people) or people (version 3).

Source: S. Benini et al., "FASSEG: a FAce semantic SEGmentation repository for face image analysis",
Data in Brief 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64, UInt8

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.media import read_image
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.parsing import Confusion
from lineament.measure.sets.fasseg import CLASSES, read_fasseg, read_mask
from lineament.measure.sets.nouns import MaskedPictures

Classifier = Callable[[UInt8[np.ndarray, "h w 3"]], Int64[np.ndarray, "h w"]]
"""RGB to the number of each pixel's class."""

PLACES = 48
"""Cells along each side of a picture that places are told apart by."""
LEVELS = 16
"""Levels of red, green and blue that colours are told apart by."""
PRIOR, BAYES = "commonest class at the place", "naive Bayes of place and colour"
DATA = {"V2": "FASSEG version 2, frontal", "V3": "FASSEG version 3, many poses"}


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels of the training part, by class.

    Attributes:
        places: by cell of the picture.
        colours: by level of red, green and blue.
    """

    places: Int64[np.ndarray, "p p c"]
    colours: Int64[np.ndarray, "l l l c"]

    def prior(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Int64[np.ndarray, "h w"]:
        """The commonest class at each pixel's place."""
        return self._chances(pixels).argmax(axis=-1)

    def bayes(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Int64[np.ndarray, "h w"]:
        """The likeliest class, with place and colour independent given the class."""
        of_class = (self.colours + 1) / (self.colours + 1).sum(axis=(0, 1, 2))
        red, green, blue = np.moveaxis(_levels(pixels), 2, 0)
        return (self._chances(pixels) + np.log(of_class)[red, green, blue]).argmax(axis=-1)

    def _chances(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Float64[np.ndarray, "h w c"]:
        smoothed = self.places + 1
        rows, columns = _cells(*pixels.shape[:2])
        return np.log(smoothed / smoothed.sum(axis=-1, keepdims=True))[rows[:, None], columns]


def count(faces: MaskedPictures) -> Counts:
    """Go through the training part once."""
    many = len(faces.classes)
    places = np.zeros((PLACES, PLACES, many), np.int64)
    colours = np.zeros((LEVELS, LEVELS, LEVELS, many), np.int64)
    for path, mask in zip(faces.paths, faces.masks, strict=True):
        pixels, truth = read_image(path).pixels, read_mask(mask)
        rows, columns = _cells(*truth.shape)
        cell = (rows[:, None] * PLACES + columns) * many + truth
        places += np.bincount(cell.ravel(), minlength=places.size).reshape(places.shape)
        red, green, blue = np.moveaxis(_levels(pixels), 2, 0)
        shade = ((red * LEVELS + green) * LEVELS + blue) * many + truth
        colours += np.bincount(shade.ravel(), minlength=colours.size).reshape(colours.shape)
    return Counts(places, colours)


def confusions(classify: Classifier, faces: MaskedPictures) -> Int64[np.ndarray, "n c c"]:
    """Pixels by true and answered class, of each picture."""
    tables = []
    for path, mask in zip(faces.paths, faces.masks, strict=True):
        one = Confusion(faces.classes)
        one.add(classify(read_image(path).pixels), read_mask(mask))
        tables.append(one.pixels)
    return np.stack(tables)


def summed(
    tables: Int64[np.ndarray, "n c c"], rows: Int[np.ndarray, " m"] | slice = slice(None)
) -> Confusion:
    """Some pictures together."""
    total = Confusion(CLASSES)
    total.pixels = tables[rows].sum(axis=0)
    return total


def run(context: Context) -> Outcome:
    """Measure both classifiers on both versions."""
    folder = context.set_folder("fasseg")
    tables, results = [], []
    for version, named in DATA.items():
        context.say(f"fasseg: {version}")
        counts = count(train := read_fasseg(folder, version, "Train"))
        test = read_fasseg(folder, version, "Test")
        done = {PRIOR: confusions(counts.prior, test), BAYES: confusions(counts.bayes, test)}
        data = f"{named}: fitted on {len(train.paths)} pictures, measured on {len(test.paths)}"
        tables.append(class_table(data, done))
        people = test.labels.get("person", np.arange(len(test.paths)))
        results += _results(done, data, test.digest(), people, context.seed)
    return Outcome(tables, results)


def class_table(data: str, done: dict[str, np.ndarray]) -> Table:
    """F1 of each class, its mean, and the share of pixels that are right."""
    rows = []
    for name, tables in done.items():
        total = summed(tables)
        figures = [*total.f1().values(), total.mean_f1(), total.pixel_accuracy()]
        rows.append((name, *(f"{100 * value:.1f}" for value in figures)))
    headings = ("classifier", *(f"{name} %#" for name in CLASSES), "mean F1 %#", "pixels %#")
    return Table(f"{data}: F1 of each class", headings, rows)


def _results(
    done: dict[str, np.ndarray],
    data: str,
    digest: str,
    people: Int64[np.ndarray, " n"],
    seed: int,
) -> list[Result]:
    figures: dict[str, Callable[[Confusion], float]] = {
        "mean F1 of six classes": lambda total: total.mean_f1(),
        "pixel accuracy": lambda total: total.pixel_accuracy(),
    }
    figures |= {f"F1 of {name}": lambda total, name=name: total.f1()[name] for name in CLASSES}
    ours, prior = done[BAYES], done[PRIOR]
    return [
        Result(
            method="parsing-naive-bayes",
            protocol="fasseg",
            data=data,
            data_hash=digest,
            metric=metric,
            ours=of(summed(ours)),
            interval=bootstrap(lambda rows, of=of: of(summed(ours, rows)), people, seed=seed).pair,
            baseline=PRIOR,
            baseline_value=of(summed(prior)),
            seed=seed,
        )
        for metric, of in figures.items()
    ]


def _cells(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell of each row and of each column."""
    return np.arange(height) * PLACES // height, np.arange(width) * PLACES // width


def _levels(pixels: UInt8[np.ndarray, "h w 3"]) -> Int64[np.ndarray, "h w 3"]:
    return pixels.astype(np.int64) * LEVELS // 256


PROTOCOL = Protocol("fasseg", "faces cut into their parts, on FASSEG", run, ("fasseg",))
"""`lineament bench fasseg`."""
