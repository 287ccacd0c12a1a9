"""What a generalist's answers are worth: one figure a task, on labels that people gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from lineament.learn.generalists.augment import COVERED, STILL, Amounts, Batch, see
from lineament.learn.generalists.heads import Generalist
from lineament.learn.generalists.material import UNKNOWN, Labelled
from lineament.measure.attributes import attribute_accuracies, balanced_accuracies
from lineament.measure.parsing import Confusion
from lineament.measure.points import inter_pupil, point_errors
from lineament.measure.pose import geodesic_errors
from lineament.measure.sets.fasseg import CLASSES

Answers = Mapping[str, np.ndarray]
"""By task, one row a test face, as `Generalist.forward` gives it; of parts, numbers of classes."""
MEASURED_ON = {
    "landmarks": "ucla68",
    "visibility": "ucla68",
    "pose": "aflw2000",
    "attributes": "celeba5k",
    "age": "utkface",
    "sex": "utkface",
    "parsing": "fasseg",
}
"""The set whose test rows a task is measured on."""


@dataclass(frozen=True)
class Measure:
    """One figure of a task.

    Attributes:
        task: of which.
        name: as evidence has it.
        higher: whether more is better.
        of: the figure of some rows of a record (`record`).
        percent: whether it is shown in per cent; it is a share all the same.
    """

    task: str
    name: str
    higher: bool
    of: Callable[[np.ndarray], float]
    percent: bool = True

    def shown(self, value: float, sign: str = "") -> str:
        """A figure, or a difference of two, as text."""
        return f"{100 * value if self.percent else value:{sign}.2f}"


def _mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def _accuracy(rows: np.ndarray) -> float:
    return float(attribute_accuracies(rows[..., 0] > 0, rows[..., 2] > 0).mean())


def _balanced(rows: np.ndarray) -> float:
    """Over attributes that some of the faces have and some have not."""
    found, truth = rows[..., 1] > 0, rows[..., 2] > 0
    mixed = truth.any(axis=0) & ~truth.all(axis=0)
    return float(balanced_accuracies(found[:, mixed], truth[:, mixed]).mean())


def _seen(rows: np.ndarray) -> float:
    found, truth = (rows[..., k].reshape(-1, 1) > 0 for k in (0, 1))
    return float(balanced_accuracies(found, truth).mean())


def _f1(rows: np.ndarray) -> float:
    total = Confusion(CLASSES)
    total.pixels = rows.sum(axis=0)
    return total.mean_f1()


MEASURES = (
    Measure("landmarks", "NME of 68 points over inter-pupil distance", False, _mean),
    Measure("pose", "geodesic pose error, degrees", False, _mean, False),
    Measure("attributes", "mean accuracy of 40 attributes", True, _accuracy),
    Measure("attributes", "mean balanced accuracy of 40 attributes", True, _balanced),
    Measure("age", "age MAE, years", False, _mean, False),
    Measure("sex", "sex accuracy", True, _mean),
    Measure("parsing", "mean F1 of six classes", True, _f1),
    Measure("visibility", "balanced accuracy of covered points", True, _seen),
)


@dataclass(frozen=True, eq=False)
class Bench:
    """Test rows, ready to be asked about.

    Attributes:
        sets: by name: those of a `Material`.
        base_rates: shares of the training rows that have each attribute.
    """

    sets: Mapping[str, Labelled]
    base_rates: Float32[np.ndarray, " 40"]

    @cached_property
    def batches(self) -> dict[str, Batch]:
        """What a network is asked, by task."""
        return {
            task: see(self.sets[name], np.random.default_rng(0), _changes(task))
            for task, name in MEASURED_ON.items()
            if name in self.sets
        }

    def ask(self, model: Generalist) -> dict[str, np.ndarray]:
        """A network's answers to its tasks."""
        return {
            task: predict(model, self.batches[task].seen, task)
            for task in model.tasks
            if task in self.batches
        }

    def records(self, answers: Answers) -> dict[str, np.ndarray]:
        """What `Measure.of` takes, by task, one row a face."""
        return {
            task: record(task, answer, self.batches[task], self.base_rates)
            for task, answer in answers.items()
        }

    def figures(self, model: Generalist) -> dict[str, float]:
        """Every figure of a network."""
        records = self.records(self.ask(model))
        return {m.name: m.of(records[m.task]) for m in MEASURES if m.task in records}


def _changes(task: str) -> Amounts:
    return COVERED if task == "visibility" else STILL


@torch.no_grad()
def predict(model: Generalist, seen: Float32[Tensor, "n 3 s s"], task: str) -> np.ndarray:
    """One of a network's answers; of parts, the likeliest class of each pixel."""
    model.eval()
    place = model.tasks.index(task)
    answer = torch.cat([model(part)[place] for part in seen.split(64)])
    if task == "parsing":
        size = seen.shape[2:]
        answer = torch.nn.functional.interpolate(answer, size, mode="bilinear").argmax(dim=1)
    return answer.numpy()


def record(task: str, answer: np.ndarray, truth: Batch, base: np.ndarray) -> np.ndarray:
    """How each face was answered, in the form that the measures of a task take."""
    match task:
        case "landmarks":
            points = truth.points.numpy()
            return point_errors(answer, points, inter_pupil(points))
        case "pose":
            return np.degrees(geodesic_errors(answer, truth.pose.numpy()))
        case "attributes":
            flags = [answer > 0.5, answer > base, truth.attributes.numpy() > 0.5]
            return np.stack(flags, axis=2)
        case "age":
            return np.abs(answer - truth.age.numpy()).astype(np.float64)
        case "sex":
            numbers = answer.argmax(axis=1) if answer.ndim == 2 else answer
            return (numbers == truth.sex.numpy()).astype(np.float64)
        case "parsing":
            pairs = zip(answer, truth.masks.numpy(), strict=True)
            return np.stack([_confusion(found, mask) for found, mask in pairs])
        case _:
            return np.stack([answer > 0.5, truth.visible.numpy() > 0.5], axis=2)


def _confusion(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    one = Confusion(CLASSES)
    one.add(found.astype(np.int64), truth, truth != UNKNOWN)
    return one.pixels
