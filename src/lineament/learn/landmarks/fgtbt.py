"""One transformer learns several markups of a face at once, guided by the edges in the picture.

It is held against itself with its parts left out, and against a network a markup. Every arm sees
the same squares at the same steps. Errors are normalised by the distance of the pupils, on pictures
that no arm learns from.

Source: J. Wan et al., "FGTBT: Frequency-Guided Task-Balancing Transformer for Unified Facial
Landmark Detection", Information Sciences 2026 (arXiv:2601.12863); constants as in the authors'
published code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from lineament.core.cards import Card
from lineament.core.errors import BadInput, LicenceNotAccepted
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts, see, still
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
)
from lineament.learn.landmarks.figures import Figure, Runs, beside
from lineament.learn.landmarks.trial import LABELLER, about, seeds_of
from lineament.learn.landmarks.unified import SIZE, Fgtbt, balanced_loss, balancing_weights
from lineament.learn.landmarks.union import Union, mirror_order, unite
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings
from lineament.measure.points import inter_pupil, mean_error, point_errors
from lineament.measure.sets.landmarks106 import read_landmarks106
from lineament.measure.sets.nouns import PointedFaces
from lineament.measure.sets.ucla68 import read_ucla68

CARD = Card(
    slug="fgtbt",
    title="FGTBT: Frequency-Guided Task-Balancing Transformer for Unified Facial Landmark "
    "Detection",
    paper="arXiv:2601.12863",
    verb="train",
    task="Trains one network that gives 68, 106 and 478 points of a face.",
    entry="Fgtbt",
    needs=("crops", "landmarks"),
    gives=("a landmarker",),
    code="github.com/Xi0ngxinyu/FGTBT",
    deviations=(
        "A mix transformer of three stages of 2 layers, 24 to 96 wide, over 64 x 64 pixels; not "
        "MiT-B4 over 480 x 480, and nothing in it was pretrained.",
        "Markups of 68, 106 and 478 points, 547 in all, from UCLA-68, Landmarks-106 and pictures "
        "with the points of another landmarker; not COFW, AFLW, 300-W and WFLW with 124.",
        "A point is the mean place under the softmax of its map, which learns from hundreds of "
        "faces; the paper takes heatmaps under the adaptive wing loss. So the balancing weights "
        "multiply the absolute error of a point, not that of its heatmap.",
        "Maps at a quarter of the size, with a prior of where each point lies, not at a half.",
        "Channel attention pools over each face; the published code pools over the batch as well, "
        "so that an answer there depends on the other faces.",
        "The mask takes out 6 cycles per picture, where the authors' takes out 20 of 480 pixels.",
        "AdamW with a cosine, not in steps.",
    ),
    risk="It gives points for anything, and takes over the errors of the landmarker that labelled "
    "its third markup.",
    published=(
        ("300w", "NME over inter-ocular distance, full set", 0.0306),
        ("wflw", "NME over inter-ocular distance", 0.0442),
    ),
)

RECIPE = Recipe(
    slug="fgtbt",
    title="one transformer of 68, 106 and 478 points",
    entry="run",
    baseline="the same without its parts, and a network a markup",
    settings=Settings(
        steps=220,
        batch=16,
        rate=0.002,
        warm_up=20,
        weight_decay=0.01,
        average=0.98,
        clip=1.0,
        save_every=110,
        measure_every=110,
    ),
    sets=("ucla68", "landmarks106"),
)


@dataclass(frozen=True, eq=False)
class Markup:
    """Faces of one markup.

    Attributes:
        scheme: of the points.
        name: of the test faces, in words.
        train: to learn from.
        choose: to watch while training.
        test: to be measured on, once.
        rivals: the same points of the test faces by other methods.
    """

    scheme: str
    name: str
    train: PointedCrops
    choose: PointedCrops
    test: PointedCrops
    rivals: Mapping[str, Float32[np.ndarray, "n k 2"]]

    @property
    def mean(self) -> Float32[np.ndarray, "k 2"]:
        """The mean face of the training rows, as shares of what a network sees."""
        return self.train.points.mean(axis=0) * np.float32(WIDER)


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        schemes: that one network learns.
        edges: what is led into it (`Fgtbt`).
        balanced: whether points count by the balancing weights.
        times: how many times the faces of a step and markup that the method takes.
    """

    schemes: tuple[str, ...]
    edges: str = "high"
    balanced: bool = True
    times: int = 1


EVERY = ("68", "106", "478")
RIVALS = {
    "68": ("face-landmarker", "landmarks-106", "dlib-68"),
    "106": ("face-landmarker", "landmarks-106"),
}
"""Methods that are measured on the same faces."""
ARMS: Mapping[str, Sequence[Arm]] = {
    "one network": (Arm(EVERY),),
    "no balancing weights": (Arm(EVERY, balanced=False),),
    "the picture for its edges": (Arm(EVERY, "all"),),
    "no structure led in": (Arm(EVERY, "none"),),
    "a network a markup": tuple(Arm((scheme,)) for scheme in EVERY),
    "a network of 3 times the faces": (Arm(("68",), times=3), Arm(("106",), times=3)),
}
"""The method first. A network a markup sees as many faces of it as the method does; with 3 times
the faces it sees as many as the method does of all markups together."""


def run(job: Job) -> Comparison:
    """Train every arm, once a seed."""
    markups = {markup.scheme: markup for markup in gather(job)}
    found: dict[str, dict[str, list[np.ndarray]]] = {scheme: {} for scheme in EVERY}
    files: list[Path] = []
    for seed, settings in seeds_of(job):
        for name, arms in ARMS.items():
            for arm in arms:
                own = "-".join((name.replace(" ", "-"), *arm.schemes, str(seed)))
                job.say(f"{name}, {' '.join(arm.schemes)} points, seed {seed}")
                model = fit(arm, markups, settings, job.out / own, job.say)
                for scheme in arm.schemes:
                    errors = errors_of(model, markups[scheme])
                    found[scheme].setdefault(name, []).append(errors)
                if name == next(iter(ARMS)):
                    files += ship(model, job.out / own, markups["68"].test)
    return replace(compare(job, markups, found), files=files)


def gather(job: Job) -> list[Markup]:
    """The faces of each markup. The third one's are a folder of pictures, or, where none is named,
    the training pictures of the first.

    Raises:
        BadInput: a set is not there, or no folder of sets is named.
    """
    if job.data is None:
        raise BadInput("points are measured on ucla68 and landmarks106: name the folder of sets")
    ucla, dense = read_ucla68(job.data / "ucla68"), read_landmarks106(job.data / "landmarks106")
    paths = pictures(job.faces) if job.faces else ucla.paths[1::2]
    return [
        _annotated(job, "68", "UCLA-68", ucla),
        _annotated(job, "106", "Landmarks-106", dense),
        _labelled(job, paths),
    ]


def _annotated(job: Job, scheme: str, name: str, faces: PointedFaces) -> Markup:
    detector, made = default_detector(), job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    crops = kept(
        made, (SIZE, faces.paths), lambda: annotated(faces, SIZE, detector, scheme), scheme
    )
    parts = {part: crops[rows] for part, rows in split_by_file(crops.rows).items()}
    beside_it = {}
    for slug in RIVALS[scheme]:
        try:
            rows = parts["test"].rows
            theirs = answers(faces, rows, SIZE, detector, describer(slug), scheme)
        except LicenceNotAccepted as error:
            job.say(f"left out: {error}")
        else:
            beside_it[slug] = theirs
    return Markup(scheme, name, **parts, rivals=beside_it)


def _labelled(job: Job, paths: Sequence[Path]) -> Markup:
    """Points of another landmarker: of ten pictures the ninth chooses and the tenth tests."""
    labeller, detector = describer(LABELLER), default_detector()
    crops = kept(
        job.out / "made",
        (SIZE, paths),
        lambda: labelled(paths, SIZE, detector, labeller, job.say, "478"),
        "478",
    )
    tenth = np.arange(len(crops)) % 10
    parts = [crops[np.flatnonzero(part)] for part in (tenth < 8, tenth == 8, tenth == 9)]
    name = f"pictures with points of {LABELLER}"
    return Markup("478", name, *parts, rivals={})


def fit(
    arm: Arm,
    markups: Mapping[str, Markup],
    settings: Settings,
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
) -> Fgtbt:
    """Train one network. Of a smaller set of faces all are seen again and again, so that each step
    has as many faces of every markup."""
    chosen = [markups[scheme] for scheme in arm.schemes]
    union = unite(arm.schemes)
    mirrors = {markup.scheme: mirror_order(markup.train.points, markup.scheme) for markup in chosen}
    weights = balancing_weights(torch.from_numpy(union.occurrences))
    if not arm.balanced:
        weights = torch.ones_like(weights)
    settings = replace(settings, batch=settings.batch * arm.times)

    def loss(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        assert isinstance(model, Fgtbt)
        seen, truth = [], []
        for markup in chosen:
            some = rows % len(markup.train)
            pixels, points = markup.train.pixels[some], markup.train.points[some]
            squares, placed = see(pixels, points, SIZE, rng, Amounts(), mirrors[markup.scheme])
            seen.append(squares)
            truth.append(placed)
        features = model.features(torch.cat(seen)).split(len(rows))
        parts = [
            balanced_loss(model.points(f, markup.scheme), y, weights[union.places[markup.scheme]])
            for f, markup, y in zip(features, chosen, truth, strict=True)
        ]
        return torch.stack(parts).sum()

    def measure(model: nn.Module) -> dict[str, float]:
        return {
            f"NME {markup.scheme}": mean_error(errors_of(model, markup, markup.choose))
            for markup in chosen
        }

    with seeded(settings.seed):
        model = Fgtbt(SIZE, union, _mean(union, chosen), arm.edges)
    longest = max(len(markup.train) for markup in markups.values())
    data = " ".join(markup.train.hash for markup in chosen)
    trained = train(model, loss, longest, settings, folder, data=data, measure=measure, say=say)
    assert isinstance(trained, Fgtbt)
    return trained


def _mean(union: Union, markups: Sequence[Markup]) -> Tensor:
    return torch.from_numpy(
        union.spread({markup.scheme: markup.mean for markup in markups}).astype(np.float32)
    )


@torch.no_grad()
def errors_of(
    model: nn.Module, markup: Markup, crops: PointedCrops | None = None
) -> Float64[np.ndarray, " n"]:
    """Error of each test face, or of some others, over the distance of its pupils."""
    assert isinstance(model, Fgtbt)
    crops = markup.test if crops is None else crops
    points = [
        model.points(model.features(still(crops.pixels[i : i + 128], SIZE)), markup.scheme)
        for i in range(0, len(crops), 128)
    ]
    return normalised((torch.cat(points) / WIDER).numpy(), crops.points, markup.scheme)


def normalised(
    found: Float32[np.ndarray, "n k 2"], truth: Float32[np.ndarray, "n k 2"], scheme: str
) -> Float64[np.ndarray, " n"]:
    """Error of each face over the distance of its pupils, whatever the markup."""
    return point_errors(found, truth, inter_pupil(convert(Landmarks(truth, scheme), "5").points))


class OneMarkup(nn.Module):
    """A network's points of one markup."""

    def __init__(self, network: Fgtbt, scheme: str) -> None:
        super().__init__()
        self.network, self.scheme = network, scheme

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Tensor:
        """Shares of the square's side."""
        return self.network.points(self.network.features(x), self.scheme)


def ship(model: Fgtbt, folder: Path, faces: PointedCrops) -> list[Path]:
    """Write a network as ONNX: with an output a markup, and a file a markup that says of itself
    what it is."""
    example, whole = still(faces.pixels[:4], SIZE), folder / "landmarker.onnx"
    export(model, example, whole)
    files = [whole]
    for scheme in model.schemes:
        files.append(folder / f"landmarker-{scheme}.onnx")
        export(OneMarkup(model, scheme), example, files[-1], about=about("fgtbt", SIZE, scheme))
    return files


def compare(
    job: Job, markups: Mapping[str, Markup], found: Mapping[str, Mapping[str, Runs]]
) -> Comparison:
    """Every arm, the mean face and other landmarkers on the test faces of each markup."""
    rows, results = [], []
    for scheme, markup in markups.items():
        truth = markup.test.points
        mean = np.broadcast_to(markup.train.points.mean(axis=0), truth.shape)
        others = {"mean face": np.ascontiguousarray(mean), **markup.rivals}
        arms = dict(found[scheme])
        arms |= {name: [normalised(points, truth, scheme)] for name, points in others.items()}
        figure = Figure(
            data=f"{markup.name}, {len(truth)} test faces; learnt from {len(markup.train)}",
            data_hash=markup.test.hash,
            metric=f"NME of {scheme} points over inter-pupil distance",
        )
        some, evidence = beside(job, figure, arms, {})
        rows += [(f"{scheme} on {markup.name}", *row[:4]) for row in some]
        results += evidence
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Error in % of the pupils' distance, "
        f"{len(job.seeds)} seeds of {job.settings.steps} steps"
    )
    method = next(iter(ARMS))
    headings = ("points", "arm", "NME %#", "over seeds", f"{method} less this")
    return Comparison(title, headings, rows, results)
