"""What recipes of landmarkers share: the faces, the loop around a loss of points, the comparison.

The figure is the normalised mean error over the distance of the pupils, on the test rows of UCLA-68
(`faces.split_by_file`), of those faces that the default detector finds. Errors are computed in the
wide crop: it is a similar picture of the face, so shares of a length are the same there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from lineament.core.errors import BadInput, LicenceNotAccepted
from lineament.core.sessions import Session
from lineament.core.trained import Output, Trained, View
from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts, see, still
from lineament.learn.landmarks.crops import to_pixels
from lineament.learn.landmarks.faces import (
    WIDER,
    PointedCrops,
    annotated,
    answers,
    default_detector,
    describer,
    kept,
    labelled,
    pictures,
    split_by_file,
    wide,
)
from lineament.learn.landmarks.figures import Figure, beside
from lineament.learn.recipes import Comparison, Job
from lineament.learn.settings import Settings
from lineament.measure.points import inter_pupil, mean_error, point_errors
from lineament.measure.sets.ucla68 import read_ucla68

LABELLER = "face-landmarker"
"""Whose points stand in for annotations on pictures that have none. Its terms allow any use."""
RIVALS = ("face-landmarker", "dlib-68")
"""Landmarkers that are measured on the same rows."""

PointLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of a network, the squares that it sees, and their points, n x 68 x 2."""


@dataclass(frozen=True, eq=False)
class Material:
    """Faces of one run.

    Attributes:
        train: to learn from.
        choose: to watch while training.
        test: to be measured on, once.
        source: what was learnt from, in words.
        rivals: 68 points of the test faces by other methods.
    """

    train: PointedCrops
    choose: PointedCrops
    test: PointedCrops
    source: str
    rivals: Mapping[str, Float32[np.ndarray, "n 68 2"]]

    @property
    def mean(self) -> Tensor:
        """The mean face of the training rows, as shares of what a network sees."""
        return torch.from_numpy(self.train.points.mean(axis=0) * np.float32(WIDER))


def gather(job: Job, size: int) -> Material:
    """Faces for a job: UCLA-68's own training rows, or a folder of pictures labelled here.

    Raises:
        BadInput: UCLA-68 is not there, or a folder holds no faces.
    """
    if job.data is None:
        raise BadInput("a landmarker is measured on ucla68: name the folder of test sets")
    faces, detector = read_ucla68(job.data / "ucla68"), default_detector()
    made = job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    ucla = kept(made, (size, faces.paths), lambda: annotated(faces, size, detector))
    parts = split_by_file(ucla.rows)
    test = ucla[parts["test"]]
    learn, choose, source = ucla[parts["train"]], ucla[parts["choose"]], "UCLA-68, training rows"
    if folder := job.faces:
        labeller = describer(LABELLER)
        paths = pictures(folder)
        ours = kept(made, (size, paths), lambda: labelled(paths, size, detector, labeller, job.say))
        every = np.arange(len(ours)) % 10 == 9
        learn, choose = ours[np.flatnonzero(~every)], ours[np.flatnonzero(every)]
        source = f"{len(ours)} pictures with points of {LABELLER}"
    rivals = {}
    for slug in RIVALS:
        try:
            rivals[slug] = answers(faces, test.rows, size, detector, describer(slug))
        except LicenceNotAccepted as error:
            job.say(f"left out: {error}")
    return Material(learn, choose, test, source, rivals)


def fit(
    make: Callable[[], nn.Module],
    loss: PointLoss,
    material: Material,
    settings: Settings,
    folder: Path,
    size: int,
    *,
    targets: Float32[np.ndarray, "n 68 2"] | None = None,
    amounts: Amounts | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """Train a network of points on squares that differ at every step.

    Args:
        make: the network, with random weights.
        loss: of what it makes of some squares.
        material: faces.
        settings: of the run.
        folder: of the run.
        size: of the squares, pixels.
        targets: points to learn in place of the training rows' own.
        amounts: of change; None takes the usual ones.
        say: shows a line of progress.
    """
    amounts = amounts or Amounts()
    points = material.train.points if targets is None else targets

    def of_rows(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        seen, truth = see(material.train.pixels[rows], points[rows], size, rng, amounts)
        seen = seen.to(settings.device, memory_format=torch.channels_last)
        return loss(model, seen, truth.to(settings.device))

    def measure(model: nn.Module) -> dict[str, float]:
        return {"NME": mean_error(errors(model, material.choose, size))}

    with seeded(settings.seed):
        model = make()
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return train(
        model,
        of_rows,
        len(material.train),
        settings,
        folder,
        data=material.train.hash,
        measure=measure,
        say=say,
    )


@torch.no_grad()
def predict(model: nn.Module, crops: PointedCrops, size: int) -> Float32[np.ndarray, "n 68 2"]:
    """A network's points as shares of the wide crops."""
    model.eval()
    device = next(model.parameters()).device
    parts = [
        model(still(crops.pixels[start : start + 128], size).to(device)).float().cpu()
        for start in range(0, len(crops), 128)
    ]
    return (torch.cat(parts) / WIDER).numpy()


def errors(model: nn.Module, crops: PointedCrops, size: int) -> Float64[np.ndarray, " n"]:
    """Error of each face over the distance of its pupils."""
    return errors_of(predict(model, crops, size), crops, size)


def errors_of(
    points: Float32[np.ndarray, "n 68 2"], crops: PointedCrops, size: int
) -> Float64[np.ndarray, " n"]:
    """Error of each face over the distance of its pupils, for points of any origin."""
    ours, truth = to_pixels(points, wide(size)), to_pixels(crops.points, wide(size))
    return point_errors(ours, truth, inter_pupil(truth))


def about(slug: str, size: int, scheme: str = "68") -> Trained:
    """What is written into the file of a landmarker: squares as `see` gives them, points as shares.

    Args:
        slug: of the method.
        size: of the squares, pixels.
        scheme: of the points.
    """
    plain = (1 / 255, 1 / 255, 1 / 255)
    return Trained(
        method=slug,
        view=View(kind="keypoints", size=size, std=plain),
        outputs=(Output(name="points", field="landmarks", scheme=scheme),),
    )


def ship(model: nn.Module, material: Material, path: Path, size: int, slug: str) -> float:
    """Write a network as ONNX (see `export`); milliseconds that it takes for one face on one
    thread, the median of 50."""
    export(model, still(material.test.pixels[:4], size), path, about=about(slug, size))
    session, one = Session(path, threads=1), still(material.test.pixels[:1], size).numpy()
    taken = []
    for _ in range(50):
        start = time.perf_counter()
        session.run(one)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


def compare(
    job: Job,
    material: Material,
    arms: Mapping[str, Sequence[Float64[np.ndarray, " n"]]],
    size: int,
    notes: Mapping[str, str],
) -> Comparison:
    """The method beside what it is held against.

    Args:
        job: the job.
        material: faces.
        arms: errors of the test faces by arm, an array a seed; the first arm is the method.
        size: of the squares, pixels.
        notes: of some arms: a cell of the table.
    """
    everything = dict(arms)
    mean_face = np.broadcast_to(material.train.points.mean(axis=0), material.test.points.shape)
    everything["mean face"] = [errors_of(np.ascontiguousarray(mean_face), material.test, size)]
    for slug, points in material.rivals.items():
        everything[slug] = [errors_of(points, material.test, size)]
    figure = Figure(
        data=f"UCLA-68, {len(material.test)} test faces; learnt from {material.source}",
        data_hash=material.test.hash,
        metric="NME of 68 points over inter-pupil distance",
    )
    rows, results = beside(job, figure, everything, notes)
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Learnt from {material.source}; error of 68 points "
        f"in % of the pupils' distance, {len(material.test)} test faces of UCLA-68, "
        f"{len(job.seeds)} seeds of {job.settings.steps} steps"
    )
    headings = ("arm", "NME %#", "over seeds", f"{next(iter(arms))} less this", "note")
    return Comparison(title, headings, rows, results)


def seeds_of(job: Job) -> list[tuple[int, Settings]]:
    """Each seed of a job with its settings."""
    return [(seed, replace(job.settings, seed=seed)) for seed in job.seeds]
