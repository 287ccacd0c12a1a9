"""Five tasks that any representation of faces is judged by, with few labels and with all.

The representation stays as it is; a closed form is fitted on top, by a share of a task's labels:
ridge regression for what a face shows, whitening within people for whose it is. Figures come as
credits, one a row of the test, whose mean is the figure: so any two representations can be held
against each other row by row. No torch here: whatever turns faces into numbers can be judged.

Source: A. Bulat et al., "Pre-training strategies and datasets for facial representation learning",
ECCV 2022 (arXiv:2103.16554).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt8

from lineament.measure.linear_probes import few, ridge, whitening
from lineament.measure.points import inter_ocular
from lineament.measure.verification import best_threshold

SHARES = (0.01, 0.1, 1.0)
"""Of the labels, as in the paper."""
DRAWS = 5
"""Credits at a share below 1 are means over so many draws of the labels."""
LEAST = 10
"""Labels, however small the share."""
Features = Callable[[UInt8[np.ndarray, "n s s 3"]], Float32[np.ndarray, "n d"]]
"""A representation: aligned faces (RGB) to rows of numbers."""
Part = Literal["choose", "test"]


@dataclass(frozen=True)
class Measure:
    """How answers are judged.

    Attributes:
        name: of the figure, with its unit.
        credits: answers, truth and the mean of the targets that were learnt from, each with one
            column a target, to one number a row.
        higher_is_better: which way is good.
        percent: whether tables show it in per cent.
    """

    name: str
    credits: Callable[[np.ndarray, np.ndarray, np.ndarray], Float64[np.ndarray, " n"]]
    higher_is_better: bool = True
    percent: bool = True


@dataclass(frozen=True, eq=False)
class Labelled:
    """Aligned faces and what they show.

    Attributes:
        pixels: uint8 RGB.
        targets: one column each.
        people: whose they are; each its own where nobody says.
    """

    pixels: UInt8[np.ndarray, "n s s 3"]
    targets: Float32[np.ndarray, "n k"]
    people: Int64[np.ndarray, " n"]

    def __getitem__(self, rows: np.ndarray) -> Labelled:
        return Labelled(self.pixels[rows], self.targets[rows], self.people[rows])


@dataclass(frozen=True, eq=False)
class Probed:
    """A task of what a face shows, read by ridge regression.

    Attributes:
        name: of the task.
        data: what it is measured on, in words.
        hash: of that data.
        measure: how answers are judged.
        train: to fit on.
        choose: to choose by.
        test: to be measured on.
        kinds: of each training row, so that few labels hold some of each; None where there are
            none.
    """

    name: str
    data: str
    hash: str
    measure: Measure
    train: Labelled
    choose: Labelled
    test: Labelled
    kinds: Int64[np.ndarray, " n"] | None = None

    def people(self, part: Part = "test") -> Int64[np.ndarray, " n"]:
        """Whose each row is."""
        return self._part(part).people

    def credits(
        self, features: Features, share: float, seed: int = 0, part: Part = "test"
    ) -> Float64[np.ndarray, " n"]:
        """Means over draws of the labels. Features are brought to one scale by all training faces,
        which needs no label."""
        learnt, judged = standardised(
            features(self.train.pixels), features(self._part(part).pixels)
        )
        truth = self._part(part).targets
        kinds = np.zeros(len(learnt), np.int64) if self.kinds is None else self.kinds
        found = []
        for rng in _draws(share, seed):
            rows = few(kinds, share, LEAST, rng)
            targets = self.train.targets[rows]
            answers = ridge(learnt[rows], targets, judged)
            found.append(self.measure.credits(answers, truth, targets.mean(axis=0)))
        return np.mean(found, axis=0)

    def _part(self, part: Part) -> Labelled:
        return self.test if part == "test" else self.choose


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of faces to tell apart.

    Attributes:
        pixels: the faces.
        pairs: rows of two.
        same: whether a pair shows one person.
        people: both people of each pair.
        fold: of each pair, from 0.
    """

    pixels: UInt8[np.ndarray, "n s s 3"]
    pairs: Int64[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    people: Int64[np.ndarray, "p 2"]
    fold: Int64[np.ndarray, " p"]


@dataclass(frozen=True, eq=False)
class Verification:
    """The task of whose a face is, read by cosines after whitening what varies within people.

    A credit is 1 where a pair is told rightly, at the threshold chosen on the other folds; their
    mean is LFW's accuracy where all folds are alike.

    Attributes:
        name: of the task.
        data: what it is measured on, in words.
        hash: of that data.
        train: faces to fit on.
        labels: whose they are.
        choose: pairs to choose by.
        test: pairs to be measured on.
    """

    name: str
    data: str
    hash: str
    train: UInt8[np.ndarray, "n s s 3"]
    labels: Int64[np.ndarray, " n"]
    choose: Pairs
    test: Pairs

    @property
    def measure(self) -> Measure:
        """Share of the pairs that are told rightly."""
        return Measure("accuracy", lambda answers, truth, middle: answers)

    def people(self, part: Part = "test") -> Int64[np.ndarray, "p 2"]:
        """Both people of each pair."""
        return self._part(part).people

    def credits(
        self, features: Features, share: float, seed: int = 0, part: Part = "test"
    ) -> Float64[np.ndarray, " p"]:
        """Means over draws of the people whose labels are known."""
        test = self._part(part)
        learnt, judged = standardised(features(self.train), features(test.pixels))
        everyone = np.unique(self.labels)
        found = []
        for rng in _draws(share, seed):
            known = everyone[few(np.zeros(len(everyone), np.int64), share, LEAST, rng)]
            rows = np.isin(self.labels, known)
            seen = judged @ whitening(learnt[rows], self.labels[rows])
            found.append(told_rightly(cosines(seen, test.pairs), test.same, test.fold))
        return np.mean(found, axis=0)

    def _part(self, part: Part) -> Pairs:
        return self.test if part == "test" else self.choose


Task = Probed | Verification


@dataclass(frozen=True, eq=False)
class Scores:
    """What a representation is worth.

    Attributes:
        credits: one number a row of the test, by task and share of the labels.
    """

    credits: Mapping[tuple[str, float], Float64[np.ndarray, " _"]]

    def value(self, task: str, share: float = 1.0) -> float:
        """The figure."""
        return float(self.credits[task, share].mean())


def score(
    features: Features,
    tasks: Sequence[Task],
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    part: Part = "test",
) -> Scores:
    """What a representation is worth on some tasks.

    Args:
        features: the representation; asked once for each array of faces.
        tasks: as `material.gather` gives them.
        shares: of the labels.
        seed: of the draws of few labels.
        part: "choose" while anything is being chosen.
    """
    once = remembered(features)
    return Scores({(t.name, s): t.credits(once, s, seed, part) for t in tasks for s in shares})


def remembered(features: Features) -> Features:
    """The same representation, asked once for each array of faces, which must stay as they are."""
    known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def once(pixels: UInt8[np.ndarray, "n s s 3"]) -> Float32[np.ndarray, "n d"]:
        if id(pixels) not in known:
            # The array is held as well, so that no other can come to lie at its address.
            known[id(pixels)] = pixels, features(pixels)
        return known[id(pixels)][1]

    return once


def standardised(
    learnt: Float[np.ndarray, "n d"], judged: Float[np.ndarray, "m d"]
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "m d"]]:
    """Both brought to the mean and spread of the first; what never varies becomes 0."""
    centre, spread = learnt.mean(axis=0, dtype=np.float64), learnt.std(axis=0, dtype=np.float64)
    varies = spread > 1e-6 * max(1e-12, float(spread.max()))
    scale = np.where(varies, 1 / np.where(varies, spread, 1), 0)
    return (learnt - centre) * scale, (judged - centre) * scale


def cosines(
    vectors: Float[np.ndarray, "n d"], pairs: Int64[np.ndarray, "p 2"]
) -> Float64[np.ndarray, " p"]:
    """Of the two of each pair; 0 where one has no length."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.einsum("pd,pd->p", unit[pairs[:, 0]], unit[pairs[:, 1]])


def told_rightly(
    scores: Float64[np.ndarray, " p"], same: Bool[np.ndarray, " p"], fold: Int64[np.ndarray, " p"]
) -> Float64[np.ndarray, " p"]:
    """1 for each pair told rightly at the threshold chosen on the other folds, else 0."""
    rightly = np.empty(len(scores))
    for name in np.unique(fold):
        held = fold == name
        threshold = best_threshold(scores[~held], same[~held])
        rightly[held] = (scores[held] >= threshold) == same[held]
    return rightly


def right_class(answers: np.ndarray, truth: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """1 where the highest answer is the class; targets are 1 for a row's class, else 0."""
    return (answers.argmax(axis=1) == truth.argmax(axis=1)).astype(np.float64)


def balanced(answers: np.ndarray, truth: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Yes-or-no columns: credits whose mean is the balanced accuracy, averaged over the columns.

    An answer is yes above the mean of what was learnt from. A right answer counts 1 over twice the
    share of rows with its truth; columns to which all rows have one answer are left out.
    """
    yes = truth > 0.5
    share = yes.mean(axis=0)
    both = (share > 0) & (share < 1)
    rightly = (answers - middle > 1e-9) == yes
    weight = 0.5 / np.where(yes, share, 1 - share)[:, both]
    return (rightly[:, both] * weight).mean(axis=1)


def years_off(answers: np.ndarray, truth: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Absolute error of one column of years; no age lies below 0."""
    return np.abs(np.maximum(answers[:, 0], 0) - truth[:, 0]).astype(np.float64)


def points_off(answers: np.ndarray, truth: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Mean distance of 68 points over that of the outer corners of the eyes."""
    found, points = answers.reshape(-1, 68, 2), truth.reshape(-1, 68, 2)
    off = np.linalg.norm(found - points, axis=2).mean(axis=1)
    return off / inter_ocular(points)


def _draws(share: float, seed: int) -> list[np.random.Generator]:
    """Generators of the draws of labels: one where all are taken."""
    return [np.random.default_rng((seed, draw)) for draw in range(DRAWS if share < 1 else 1)]
