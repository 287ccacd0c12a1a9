"""What recipes of parsers share: the loop, the answers of a network, their scores and evidence.

A step learns from rows of CelebA with 19 pseudo-labels and, a third as many, from rows of FASSEG
with six true classes, whose scores are sums over the parts (`loss.grouped`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Complex128, Float, Int64, UInt8
from torch import Tensor, nn

from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.parsing.augment import Amounts, developed, moved
from lineament.learn.parsing.classes import NAMES, OUTSIDE, PARTS_OF_SIX, SIX
from lineament.learn.parsing.faces import ParsedFaces
from lineament.learn.parsing.loss import grouped, parsing_loss
from lineament.learn.parsing.material import Material, joined
from lineament.learn.parsing.views import Frames, View, look, look_up
from lineament.learn.recipes import Job
from lineament.learn.settings import Settings
from lineament.measure.evidence import Result
from lineament.measure.interval import bootstrap
from lineament.measure.parsing import Confusion

TRUE_SHARE = 4
"""Of this many rows of a step, one has true masks."""
ROUNDS = 500
"""Draws of an interval."""
_BATCH = 32

Framing = Callable[[ParsedFaces], Frames]
Tables = Int64[np.ndarray, "n c c"]
Score = Callable[[Confusion], float]


def fit(
    make: Callable[[], nn.Module],
    view: View,
    framing: Framing,
    material: Material,
    settings: Settings,
    folder: Path,
    *,
    amounts: Amounts | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """Train a network of 19 classes on views that differ at every step.

    Args:
        make: the network, with random weights.
        view: what it sees.
        framing: of the faces.
        material: faces.
        settings: of the run; of a batch, a part has true masks.
        folder: of the run.
        amounts: of change; None takes the usual ones.
        say: shows a line of progress.
    """
    amounts = amounts or Amounts()
    pseudo, true = material.labelled["train"], material.annotated["train"]
    grid, parts = view.grid(), torch.from_numpy(PARTS_OF_SIX)

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        few = len(rows) // TRUE_SHARE
        rows, drawn = rows[few:], rng.integers(len(true), size=few)
        faces = joined(pseudo[rows], true[drawn])
        frames = moved(framing(faces), rng, amounts)
        places = frames.places(grid)
        seen = developed(look(faces.pixels, places), rng, amounts)
        swapped = frames.mirrored & (np.arange(len(faces)) < len(rows))  # six have no sides
        truth = look_up(faces.labels, places, swapped).astype(np.int64)
        seen = seen.to(settings.device, memory_format=torch.channels_last)
        scores, classes = model(seen), torch.from_numpy(truth).to(settings.device)
        of_six = grouped(scores[len(rows) :], parts.to(settings.device), len(SIX))
        loss = parsing_loss(scores[: len(rows)], classes[: len(rows)])
        return (loss + parsing_loss(of_six, classes[len(rows) :])) / 2

    def measure(model: nn.Module) -> dict[str, float]:
        found = {
            "F1 of 19": (material.labelled["choose"], NAMES),
            "F1 of six": (material.annotated["choose"], SIX),
        }
        return {
            name: summed(confusions(*in_view(model, view, framing, faces), names), names).mean_f1()
            for name, (faces, names) in found.items()
        }

    with seeded(settings.seed):
        model = make()
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return train(
        model,
        of_rows,
        len(pseudo),
        settings,
        folder,
        data=material.hash,
        measure=measure,
        say=say,
    )


@torch.no_grad()
def in_view(
    model: nn.Module, view: View, framing: Framing, faces: ParsedFaces
) -> tuple[UInt8[np.ndarray, "n s s"], UInt8[np.ndarray, "n s s"]]:
    """A network's 19 classes of the pixels of its own views, and the labels there."""
    model.eval()
    grid, found, truth = view.grid(), [], []
    for some in _batches(faces):
        places = framing(some).places(grid)
        found.append(_best(_scores(model, look(some.pixels, places))))
        truth.append(look_up(some.labels, places))
    return np.concatenate(found), np.concatenate(truth)


@torch.no_grad()
def in_picture(
    model: nn.Module, view: View, frames: Frames, pixels: UInt8[np.ndarray, "n b b 3"]
) -> UInt8[np.ndarray, "n b b"]:
    """A network's 19 classes of the pixels of whole pictures: looked at in the view, and the scores
    brought back."""
    model.eval()
    grid, points, found = view.grid(), frames.points(pixel_grid(pixels.shape[1])), []
    for start in range(0, len(pixels), _BATCH):
        here = slice(start, start + _BATCH)
        places = frames[here].places(grid)
        scores = _scores(model, look(pixels[here], places))
        found.append(_best(view.restore(torch.softmax(scores, dim=1), points[here])))
    return np.concatenate(found)


def pixel_grid(side: int) -> Complex128[np.ndarray, "s s"]:
    """The pixels of a picture, as places."""
    return np.arange(side)[None, :] + 1j * np.arange(side)[:, None]


def commonest(
    view: View, framing: Framing, faces: ParsedFaces, classes: int
) -> UInt8[np.ndarray, "s s"]:
    """The class that is the commonest at each place of a view: what needs no picture."""
    counts = np.zeros((classes, view.size, view.size), np.int64)
    for some in _batches(faces):
        labels = look_up(some.labels, framing(some).places(view.grid()))
        counts += np.stack([(labels == k).sum(axis=0) for k in range(classes)])
    return counts.argmax(axis=0).astype(np.uint8)


def confusions(
    found: UInt8[np.ndarray, "n h w"], truth: UInt8[np.ndarray, "n h w"], classes: tuple[str, ...]
) -> Tables:
    """Pixels by true and answered class, of each picture; `OUTSIDE` does not count.

    Args:
        found: of 19 classes.
        truth: of `classes`.
        classes: all 19, or six: answers are then counted as what they are parts of.
    """
    answers = PARTS_OF_SIX[found] if classes == SIX else found
    tables = []
    for ours, theirs in zip(answers, truth, strict=True):
        one = Confusion(classes)
        one.add(ours.astype(np.int64), theirs.astype(np.int64), theirs != OUTSIDE)
        tables.append(one.pixels)
    return np.stack(tables)


def summed(tables: Tables, classes: tuple[str, ...], rows: np.ndarray | None = None) -> Confusion:
    """Some pictures together, each as often as it is named."""
    total = Confusion(classes)
    if rows is None:
        total.pixels = tables.sum(axis=0)
    else:
        total.pixels = np.tensordot(np.bincount(rows, minlength=len(tables)), tables, axes=1)
    return total


@dataclass(frozen=True, eq=False)
class Figure:
    """Something that arms are compared by.

    Attributes:
        metric: what it is.
        data: of the test, in words.
        hash: of that data.
        people: who each picture shows: intervals are over people.
        classes: of the tables.
        score: of pictures together.
    """

    metric: str
    data: str
    hash: str
    people: Int64[np.ndarray, " n"]
    classes: tuple[str, ...]
    score: Score

    def of(self, runs: Sequence[Tables], rows: np.ndarray | None = None) -> float:
        """The mean over runs."""
        return float(np.mean([self.score(summed(run, self.classes, rows)) for run in runs]))

    def gap(self, ours: Sequence[Tables], theirs: Sequence[Tables]) -> tuple[float, float, float]:
        """The method's figure less the other's on the same pictures, and its interval."""
        pair = self._interval(lambda rows: self.of(ours, rows) - self.of(theirs, rows))
        return self.of(ours) - self.of(theirs), *pair

    def interval(self, runs: Sequence[Tables]) -> tuple[float, float]:
        """Of one arm."""
        return self._interval(lambda rows: self.of(runs, rows))

    def _interval(self, statistic: Callable[[np.ndarray], float]) -> tuple[float, float]:
        return bootstrap(statistic, self.people, rounds=ROUNDS).pair


def results(
    job: Job, figure: Figure, arms: Mapping[str, Sequence[Tables]]
) -> tuple[list[Result], str]:
    """The first arm beside each of the others by one figure, and in words against the second.

    Args:
        job: the job.
        figure: of the comparison.
        arms: tables of the test pictures, an array a seed (one alone where nothing was trained).
    """
    method, *others = arms
    ours, found, words = arms[method], [], ""
    value, interval = figure.of(ours), figure.interval(ours)
    for other in others:
        theirs = arms[other]
        gap, low, high = figure.gap(ours, theirs)
        shown = f"{100 * gap:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        verdict = "ahead" if low > 0 else "behind" if high < 0 else "no clear difference"
        words = words or f"{shown}: {verdict}"
        found.append(
            Result(
                method=job.recipe.slug,
                protocol=f"train {job.recipe.slug}",
                data=figure.data,
                data_hash=figure.hash,
                metric=f"{figure.metric}, beside {other}",
                ours=value,
                interval=interval,
                baseline=other,
                baseline_value=figure.of(theirs),
                seed=job.seeds[0],
                note=f"Seeds {_listed(figure, ours)}; {other} {_listed(figure, theirs)}; "
                f"{job.settings.steps} steps each. Less the baseline: {shown} %: {verdict}.",
            )
        )
    return found, words


def _listed(figure: Figure, runs: Sequence[Tables]) -> str:
    return ", ".join(f"{100 * figure.of([run]):.1f}" for run in runs) + " %"


def ship(model: nn.Module, about: Trained, path: Path) -> str:
    """Write a network of one square view as ONNX (see `export`); in words, the time that it takes
    for one face on one thread, the median of 20, and its weights."""
    size = about.view.size
    export(model, torch.rand(2, 3, size, size) * 255, path, tolerance=1e-3, about=about)
    session, one, taken = Session(path, threads=1), np.zeros((1, 3, size, size), np.float32), []
    for _ in range(20):
        start = time.perf_counter()
        session.run(one)
        taken.append(1000 * (time.perf_counter() - start))
    weights = sum(p.numel() for p in model.parameters())
    return f"{np.median(taken):.1f} ms a face (network, one thread), {weights:,} weights"


def seeds_of(job: Job) -> list[tuple[int, Settings]]:
    """Each seed of a job with its settings."""
    return [(seed, replace(job.settings, seed=seed)) for seed in job.seeds]


def _batches(faces: ParsedFaces) -> list[ParsedFaces]:
    rows = np.arange(len(faces))
    return [faces[rows[start : start + _BATCH]] for start in range(0, len(rows), _BATCH)]


def _scores(model: nn.Module, seen: Tensor) -> Tensor:
    device = next(model.parameters()).device
    return model(seen.to(device)).float().cpu()


def _best(scores: Float[Tensor, "n k h w"]) -> UInt8[np.ndarray, "n h w"]:
    return scores.argmax(dim=1).numpy().astype(np.uint8)
