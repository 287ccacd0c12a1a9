"""Replayed faces as a task for representations: each source judged by what the others taught."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from lineament.core.errors import BadInput
from lineament.core.media import read_image
from lineament.learn.data.cache import kept, listing
from lineament.learn.pretraining.tasks import (
    LEAST,
    Features,
    Measure,
    Part,
    standardised,
)
from lineament.learn.recognition.crops import aligned, default_detector, shrunk
from lineament.learn.recognition.material import SIZE, Say
from lineament.measure.linear_probes import few, ridge
from lineament.measure.sets.antispoof import read_antispoof

DRAWS = 5
"""Of few labels."""


@dataclass(frozen=True, eq=False)
class Replays:
    """Real faces and faces on screens from several sources, each of which is left out in turn.

    A source is a row: 1 less its half total error rate, at the threshold that the other sources
    set. Frames of few people are not independent, so intervals are over sources.

    Attributes:
        pixels: aligned faces.
        real: which are not replayed.
        source: of each, from 0.
        hash: of the data.
    """

    pixels: UInt8[np.ndarray, "n s s 3"]
    real: Bool[np.ndarray, " n"]
    source: Int64[np.ndarray, " n"]
    hash: str

    @property
    def name(self) -> str:
        """Of the task."""
        return "replays"

    @property
    def data(self) -> str:
        """What it is measured on, in words."""
        count = len(np.unique(self.source))
        return f"{len(self.real):,} real and replayed faces of {count} sources, each left out"

    @property
    def measure(self) -> Measure:
        """How answers are judged."""
        return Measure("1 - HTER", lambda answers, truth, middle: answers)

    def people(self, part: Part = "test") -> Int64[np.ndarray, " k"]:
        """The sources."""
        return np.unique(self.source)

    def credits(
        self, features: Features, share: float, seed: int = 0, part: Part = "test"
    ) -> Float64[np.ndarray, " k"]:
        """Of each source, means over draws of the labels.

        Raises:
            BadInput: `part` is not the test: with so few sources there is none to choose by.
        """
        if part != "test":
            raise BadInput("replays have no rows to choose by")
        rows = features(self.pixels)
        return np.asarray(
            [self._judged(rows, self.source == k, share, seed) for k in np.unique(self.source)]
        )

    def _judged(
        self, rows: np.ndarray, left: Bool[np.ndarray, " n"], share: float, seed: int
    ) -> float:
        """Of the source that is left out."""
        learnt, judged = standardised(rows[~left], rows[left])
        targets = self.real[~left].astype(np.float32)[:, None]
        kinds = 2 * self.source[~left] + self.real[~left]
        found = []
        for draw in range(DRAWS if share < 1 else 1):
            some = few(kinds, share, LEAST, np.random.default_rng((seed, draw)))
            scores = ridge(learnt[some], targets[some], judged)[:, 0]
            found.append(told(scores > targets[some].mean(), self.real[left]))
        return float(np.mean(found))


def told(passed: Bool[np.ndarray, " n"], real: Bool[np.ndarray, " n"]) -> float:
    """1 less the mean of the share of real faces refused and of that of replayed ones let in."""
    return float((passed[real].mean() + (~passed[~real]).mean()) / 2)


def replays(folder: Path, made: Path, say: Say = lambda line: None, size: int = SIZE) -> Replays:
    """The replay pictures of a folder, aligned; those in which no face is found are left out."""
    source = read_antispoof(folder)

    def find() -> dict[str, np.ndarray]:
        say("antispoof: finding faces")
        crops, found = aligned((read_image(p) for p in source.paths), default_detector(), say)
        return {"crops": crops, "found": np.flatnonzero(found)}

    arrays = kept(made, "antispoof-112", (listing(source.paths),), find)
    rows = arrays["found"]
    return Replays(
        shrunk(arrays["crops"], size),
        source.labels["bona fide"][rows] == 1,
        source.labels["source"][rows].astype(np.int64),
        source.digest(),
    )
