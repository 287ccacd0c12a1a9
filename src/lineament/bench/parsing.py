"""FASSEG: each pixel of a face as background, skin, hair, eyes, nose or mouth.

Measures every method that gives ``parsing``, behind the default detector, and two classifiers that
need no network: the class that is the commonest at a place of the picture, and naive Bayes of place
and colour, both fitted on the training part. Version 2 holds frontal faces, version 3 faces at many
poses, of people not in its training part. Version 2 is measured again with its pictures turned.

Figures are F1 and IoU of each class over all pixels of all test pictures, and their means. A
network that does not know a class gets no figure for it, nor a mean over it: such are compared on
background, skin (with eyes, nose and mouth) and hair, which all can answer. A face that is not
found is background all over. Intervals are over pictures (version 2, which names no people) or
people (version 3).

Source: S. Benini et al., "FASSEG: a FAce semantic SEGmentation repository for face image analysis",
Data in Brief 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64, UInt8

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.parsers import Chain, chains
from lineament.core.media import read_image
from lineament.measure.degrade.turn import rotation
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
COMMON = ("background", "skin", "hair")
"""Classes that every parser knows."""
TURNS = (30, 60, 90)
"""Degrees that pictures are turned by."""
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


def confusions(
    classify: Classifier, faces: MaskedPictures, degrees: float = 0.0
) -> Int64[np.ndarray, "n c c"]:
    """Pixels by true and answered class, of each picture.

    Args:
        classify: is given each picture.
        faces: pictures and what is true of them.
        degrees: pictures are turned by, counter-clockwise, on a larger canvas whose corners do
            not count.
    """
    tables = []
    for path, mask in zip(faces.paths, faces.masks, strict=True):
        one = Confusion(faces.classes)
        pixels, truth = turned(read_image(path).pixels, read_mask(mask), degrees)
        one.add(classify(pixels), truth, truth >= 0)
        tables.append(one.pixels)
    return np.stack(tables)


def turned(
    pixels: UInt8[np.ndarray, "h w 3"], truth: Int64[np.ndarray, "h w"], degrees: float
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], Int64[np.ndarray, "h2 w2"]]:
    """Both turned counter-clockwise about their middle; -1 where there was no picture."""
    from PIL import Image as Pillow

    classes = Pillow.fromarray((truth + 1).astype(np.uint8))
    classes = classes.rotate(degrees, Pillow.Resampling.NEAREST, expand=True)
    return rotation(pixels[None], degrees, expand=True)[0], np.asarray(classes).astype(np.int64) - 1


def summed(
    tables: Int64[np.ndarray, "n c c"],
    rows: Int[np.ndarray, " m"] | slice = slice(None),
    classes: tuple[str, ...] = CLASSES,
) -> Confusion:
    """Some pictures together."""
    total = Confusion(classes)
    total.pixels = tables[rows].sum(axis=0)
    return total


def common(tables: Int64[np.ndarray, "n c c"]) -> Int64[np.ndarray, "n 3 3"]:
    """Eyes, nose and mouth counted as skin, in truth and answers: the classes that all know."""
    onto = np.zeros((len(CLASSES), len(COMMON)), np.int64)
    onto[np.arange(len(CLASSES)), [0, 1, 2, 1, 1, 1]] = 1
    return onto.T @ tables @ onto


def run(context: Context) -> Outcome:
    """Measure the classifiers and every parser asked for, on both versions."""
    folder = context.set_folder("fasseg")
    tables, results, parsers = [], [], chains(context)
    for version, named in DATA.items():
        context.say(f"fasseg: {version}")
        counts = count(train := read_fasseg(folder, version, "Train"))
        test = read_fasseg(folder, version, "Test")
        data = f"{named}: fitted on {len(train.paths)} pictures, measured on {len(test.paths)}"
        classifiers: dict[str, Classifier] = {PRIOR: counts.prior, BAYES: counts.bayes, **parsers}
        done = {name: confusions(one, test) for name, one in classifiers.items()}
        tables += class_tables(data, {k: v for k, v in done.items() if knows_all(k, parsers)})
        tables.append(common_table(data, done))
        people = test.labels.get("person", np.arange(len(test.paths)))
        board = Board(data, test.digest(), people, context.seed)
        for name in (BAYES, *parsers):
            baseline = PRIOR if name == BAYES else BAYES
            if knows_all(name, parsers):
                results += board.results(name, done[name], baseline, done[baseline], CLASSES)
            results += board.results(
                name, common(done[name]), baseline, common(done[baseline]), COMMON
            )
        if version == "V2":
            table, more = _turned(context, board, {BAYES: counts.bayes, **parsers}, test, done)
            tables.append(table)
            results += more
    return Outcome([*tables, *_times(parsers)], results)


def knows_all(name: str, parsers: Mapping[str, Chain]) -> bool:
    """Whether a classifier can answer each of the six classes."""
    return name not in parsers or parsers[name].classes == set(CLASSES)


def class_tables(data: str, done: Mapping[str, np.ndarray]) -> list[Table]:
    """F1 and IoU of each of the six classes, their means, and the share of right pixels."""
    tables = []
    for score in ("F1", "IoU"):
        rows = []
        for name, each in done.items():
            total = summed(each)
            scores, mean = _scores(total, score)
            figures = [*scores.values(), mean, total.pixel_accuracy()]
            rows.append((name, *(f"{100 * value:.1f}" for value in figures)))
        headings = (*(f"{name} %#" for name in CLASSES), f"mean {score} %#", "pixels %#")
        tables.append(Table(f"{data}: {score} of each class", ("classifier", *headings), rows))
    return tables


def common_table(data: str, done: Mapping[str, np.ndarray]) -> Table:
    """F1 and IoU of the three classes that all know."""
    rows = []
    for name, each in done.items():
        total = summed(common(each), classes=COMMON)
        figures = [v for score in ("F1", "IoU") for v in _flat(*_scores(total, score))]
        rows.append((name, *(f"{100 * value:.1f}" for value in figures)))
    headings = [f"{name} {s} %#" for s in ("F1", "IoU") for name in (*COMMON, "mean")]
    title = f"{data}: the classes that all know; skin holds eyes, nose and mouth"
    return Table(title, ("classifier", *headings), rows)


@dataclass(frozen=True, eq=False)
class Board:
    """Makes results of one set of pictures.

    Attributes:
        data: in words.
        digest: of the data.
        people: who each picture shows.
        seed: of the draws.
    """

    data: str
    digest: str
    people: Int64[np.ndarray, " n"]
    seed: int

    def results(
        self,
        name: str,
        ours: np.ndarray,
        baseline: str,
        theirs: np.ndarray,
        classes: tuple[str, ...],
        suffix: str = "",
    ) -> list[Result]:
        """Every figure of one classifier beside those of another."""
        many = "six classes" if len(classes) == len(CLASSES) else "background, skin and hair"
        figures: dict[str, Callable[[Confusion], float]] = {
            f"mean F1 of {many}": Confusion.mean_f1,
            f"mean IoU of {many}": Confusion.mean_iou,
        }
        if len(classes) == len(CLASSES) and not suffix:
            figures["pixel accuracy"] = Confusion.pixel_accuracy
            figures |= {f"F1 of {k}": lambda one, k=k: one.f1()[k] for k in classes}
            figures |= {f"IoU of {k}": lambda one, k=k: one.iou()[k] for k in classes}
        return [
            Result(
                method="parsing-naive-bayes" if name == BAYES else name,
                protocol="fasseg",
                data=self.data,
                data_hash=self.digest,
                metric=metric + suffix,
                ours=of(summed(ours, classes=classes)),
                interval=bootstrap(
                    lambda rows, of=of: of(summed(ours, rows, classes)),
                    self.people,
                    seed=self.seed,
                ).pair,
                baseline=baseline,
                baseline_value=of(summed(theirs, classes=classes)),
                seed=self.seed,
            )
            for metric, of in figures.items()
        ]


def _turned(
    context: Context,
    board: Board,
    classifiers: Mapping[str, Classifier],
    test: MaskedPictures,
    upright: Mapping[str, np.ndarray],
) -> tuple[Table, list[Result]]:
    """Mean F1 of the three classes with the pictures turned."""
    rows = {name: [upright[name]] for name in classifiers}
    results = []
    for degrees in TURNS:
        context.say(f"fasseg: V2 turned by {degrees} degrees")
        for name, classify in classifiers.items():
            rows[name].append(confusions(classify, test, degrees))
            if name != BAYES:
                ours, theirs = common(rows[name][-1]), common(rows[BAYES][-1])
                suffix = f", turned by {degrees} degrees"
                results += board.results(name, ours, BAYES, theirs, COMMON, suffix)[:1]
    cells = [
        (name, *(f"{100 * summed(common(t), classes=COMMON).mean_f1():.1f}" for t in each))
        for name, each in rows.items()
    ]
    headings = ("classifier", "upright %#", *(f"{degrees} degrees %#" for degrees in TURNS))
    title = f"{board.data}: mean F1 of background, skin and hair, pictures turned"
    return Table(title, headings, cells), results


def _times(parsers: Mapping[str, Chain]) -> list[Table]:
    if not parsers:
        return []
    rows = [
        (
            name,
            str(one.faces + one.missed),
            str(one.missed),
            f"{1000 * one.seconds / one.faces:.0f}",
        )
        for name, one in parsers.items()
        if one.faces
    ]
    headings = ("parser", "pictures#", "no face found#", "network ms a face#")
    return [Table("FASSEG: faces found, and time", headings, rows)]


def _scores(total: Confusion, score: str) -> tuple[dict[str, float], float]:
    return (total.f1(), total.mean_f1()) if score == "F1" else (total.iou(), total.mean_iou())


def _flat(scores: dict[str, float], mean: float) -> list[float]:
    return [*scores.values(), mean]


def _cells(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell of each row and of each column."""
    return np.arange(height) * PLACES // height, np.arange(width) * PLACES // width


def _levels(pixels: UInt8[np.ndarray, "h w 3"]) -> Int64[np.ndarray, "h w 3"]:
    return pixels.astype(np.int64) * LEVELS // 256


PROTOCOL = Protocol("fasseg", "faces cut into their parts, on FASSEG", run, ("fasseg",))
"""`lineament bench fasseg`."""
