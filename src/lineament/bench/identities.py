"""People of LFW with several pictures each, clean and damaged: what adaptation is measured on.

Faces are found and aligned once; damage is done to the aligned face, so that only the embedding
meets it. People with exactly `CHOOSE` pictures are for choosing settings, people with more are for
the figures: nobody is in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from lineament.bench.degraded import CANVAS, cut
from lineament.bench.faces import main_faces
from lineament.core.cards import method
from lineament.measure.degrade.suites import suite
from lineament.measure.interval import bootstrap
from lineament.measure.sets.lfw import read_lfw
from lineament.measure.sets.nouns import LabeledPictures

CHOOSE = 5
EMBEDDER = "sface"
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, eq=False)
class Identities:
    """Aligned faces of people.

    Attributes:
        pixels: n canvases of the scale of `ARCFACE_112` with a border.
        people: of each face, from 0 without gaps.
        digest: of the pictures and of who is who.
    """

    pixels: UInt8[np.ndarray, "n h w 3"]
    people: Int64[np.ndarray, " n"]
    digest: str

    @property
    def count(self) -> int:
        return int(self.people.max()) + 1

    @property
    def data(self) -> str:
        """In words."""
        return f"LFW, {len(self.people)} faces of the {self.count} people with most pictures"


@cache
def identities(folder: Path, least: int, most: int = 10**6) -> Identities:
    """People of a folder of LFW with `least` to `most` pictures; faces not found are left out."""
    lfw = read_lfw(folder)
    pictures = np.bincount(lfw.people)[lfw.people]
    rows = np.flatnonzero((pictures >= least) & (pictures <= most))
    paths = tuple(lfw.paths[row] for row in rows)
    digest = LabeledPictures(paths, people=lfw.people[rows]).digest()
    faces = main_faces(paths, CANVAS)
    _, people = np.unique(lfw.people[rows][faces.found], return_inverse=True)
    return Identities(faces.crops.pixels, people.astype(np.int64), digest)


def embed(pixels: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n d"]:
    """Unit vectors of canvases by the default embedder."""
    embedder = _embedder()
    return embedder(cut(pixels, embedder.template)).vectors


@cache
def _embedder():
    return method(EMBEDDER, "embed").load()()


def damaged(
    pixels: UInt8[np.ndarray, "n h w 3"], name: str, level: float, seed: int = 0
) -> UInt8[np.ndarray, "n h w 3"]:
    """Canvases worse by one suite of `measure.degrade.suites`."""
    points = np.repeat(np.asarray([CANVAS.points], np.float32), len(pixels), axis=0)
    return suite(name)(pixels, points, level, seed)


def mean_and_interval(
    values: Float64[np.ndarray, "s p"], seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """A mean over seeds and people, and its 95 % interval over draws of both.

    Args:
        values: a row a seed, a column a person.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)

    def drawn(people: np.ndarray) -> float:
        rows = rng.integers(len(values), size=len(values))
        return float(values[rows][:, people].mean())

    interval = bootstrap(drawn, np.arange(values.shape[1]), seed=seed)
    return float(values.mean()), interval.pair


def by_person(
    right: np.ndarray, people: Int64[np.ndarray, " n"], count: int
) -> Float64[np.ndarray, " p"]:
    """The mean of something over each person's faces; NaN for who has none."""
    faces = np.bincount(people, minlength=count)
    total = np.bincount(people, right, minlength=count)
    return np.where(faces > 0, total / np.maximum(faces, 1), np.nan)


def points(value: float, interval: tuple[float, float] | None = None) -> str:
    """A share in percent, with its interval."""
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
