"""One encoder and two decoders for many tasks: queries of each task read the face's layers.

Source: L. Qin et al., "Faceptor: A Generalist Model for Face Perception", ECCV 2024
(arXiv:2403.09500); what is frozen when, and how layers are added, as in the authors' published
code.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from lineament.core.cards import Card
from lineament.learn.engine import seeded
from lineament.learn.generalists.augment import Batch
from lineament.learn.generalists.heads import (
    MLP,
    WIDE,
    Generalist,
    grid_positions,
)
from lineament.learn.generalists.layers import (
    CELLS,
    HEADS,
    LAYERS,
    WIDTH,
    DecoderLayer,
    Encoder,
    Memory,
    centres_of,
    pixel_decoder,
)
from lineament.learn.generalists.losses import (
    attribute_loss,
    class_loss,
    distribution_age_loss,
    geodesic_loss,
    pixel_loss,
    point_loss,
)
from lineament.learn.generalists.material import Material
from lineament.learn.generalists.sets import gather
from lineament.learn.generalists.trial import (
    Bench,
    Found,
    add,
    compare,
    fit,
    mean_face,
    ship,
)
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="faceptor",
    title="Faceptor: A Generalist Model for Face Perception",
    paper="arXiv:2403.09500",
    verb="train",
    task="Trains one network of many tasks: a shared encoder, a decoder of task queries, a decoder "
    "of pixels, and attention over the encoder's layers for each task.",
    entry="Faceptor",
    needs=("crops", "labels of some tasks"),
    gives=("a generalist",),
    code="github.com/lxq1000/Faceptor",
    deviations=(
        "A transformer of six layers on 64 x 64 pixels, behind four convolutions and without "
        "pre-training, in place of a ViT-B/16 that has seen twenty million faces (FaRL); three "
        "decoder layers in place of nine, 64 numbers a token in place of 256.",
        "A norm over the batch stands before the layer that turns queries into values, and a norm "
        "of each cell before each layer that is read: values are learnt sooner so.",
        "Recognition and expression are left out; pose and sex are added, with queries of their "
        "own.",
        "All tasks see the same square of one size; the paper's differ.",
        "Points are expected places under the softmax of maps that begin around a mean face, and "
        "are learnt by their coordinates alone, without a loss of heatmaps.",
        "In the second stage all tasks with values are tuned in one run. What is trained of one "
        "task touches no other, so this is the paper's tuning of one task at a time, but for the "
        "common limit on the gradient.",
        "Naive Faceptor keeps its idea, standard heads of a kind on four layers, but the heads are "
        "plain: a mean and linear layers in place of SwinFace's, convolutions in place of UPerNet.",
        "Points, pose and parts of CelebA's faces are answers of other methods of this package.",
    ),
    risk="Sex, age and the attributes are what annotators or celebrities' pages said, mostly of "
    "young and light-skinned people; attributes such as attractive are opinions. One network for "
    "all tasks passes the errors of its teachers from task to task.",
    published=(
        ("300w", "NME over inter-ocular distance, full set", 0.0286),
        ("celebamask-hq", "mean F1", 0.882),
        ("celeba", "mean accuracy of 40 attributes", 0.9139),
        ("utkface-age-sex", "age MAE, years", 4.10),
        ("rafdb", "accuracy", 0.9126),
    ),
)

RECIPE = Recipe(
    slug="faceptor",
    title="one encoder, two decoders, and attention over layers",
    entry="run",
    baseline="the same with the last layer only, before and after tuning, and standard heads",
    settings=Settings(
        steps=400,
        batch=48,
        rate=0.0015,
        warm_up=40,
        weight_decay=0.01,
        average=0.99,
        clip=1.0,
        save_every=200,
    ),
    sets=("ucla68", "celeba5k", "utkface", "fasseg", "aflw2000_16"),
)

TASKS = ("parsing", "landmarks", "pose", "attributes", "age", "sex")
VALUED = ("pose", "attributes", "age", "sex")
"""Tasks whose queries each give a value; those of the others each give a map."""
AGES = 101
QUERIES = {"parsing": WIDE["parsing"], "landmarks": 68, "age": AGES}
QUERIES |= {task: WIDE[task] for task in ("pose", "attributes", "sex")}
"""One for each number or map that a task gives."""
DECODER_LAYERS = 3
ADDED = (1, 3)
"""Layers, from 0, that the second stage adds to the last: every second one, as in the paper."""
TUNED = 4
"""Part of the steps of the first stage that the second has."""
WEIGHTS = {
    "parsing": 10.0,
    "landmarks": 40.0,
    "pose": 0.2,
    "attributes": 2.0,
    "age": 0.3,
    "sex": 0.5,
}
"""Of each task's loss; chosen on rows that are never measured."""
_QUIET = 0.3
"""Of queries before they have learnt: were they louder than what they read, the norms would leave
little of the face."""
_SPREAD = 0.1
"""Of the maps of points before they have learnt, shares of the side."""


class Layered(Generalist):
    """An encoder, and whatever answers a task from what its layers give.

    Args:
        face: points of a mean face, near which it answers before it has learnt.
    """

    def __init__(self, face: Float32[Tensor, "68 2"]) -> None:
        super().__init__()
        self.tasks = TASKS
        self.encoder = Encoder()
        centres = centres_of(2 * CELLS)
        apart = (face[:, None] - centres).pow(2).sum(dim=2)
        self.usual = nn.Parameter(-apart / (2 * _SPREAD**2))
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("ages", torch.arange(AGES).float(), persistent=False)

    centres: Tensor

    @abstractmethod
    def answer(self, task: str, features: Sequence[Tensor]) -> Tensor:
        """One task as in `Generalist.raw`, from what every layer gives."""

    def raw(self, x: Float[Tensor, "n 3 s s"]) -> dict[str, Tensor]:
        """See `Generalist.raw`."""
        features = self.encoder(x)
        return {task: self.answer(task, features) for task in self.tasks}

    def mapped(self, task: str, maps: Float[Tensor, "n q h w"]) -> Tensor:
        """Maps as they are; of points, their expected places."""
        if task == "parsing":
            return maps
        return torch.softmax(maps.flatten(2) + self.usual, dim=2) @ self.centres


class Faceptor(Layered):
    """A shared encoder; a transformer decoder that all tasks share, with queries of their own; and
    a pixel decoder, whose maps the queries of points and parts are multiplied with.

    Args:
        face: points of a mean face, near which it answers before it has learnt.
    """

    def __init__(self, face: Float32[Tensor, "68 2"]) -> None:
        super().__init__(face)
        self.queries = _per_task(lambda count: _QUIET * torch.randn(count, WIDTH))
        self.names = _per_task(lambda count: torch.rand(count, WIDTH))
        self.last = Memory((LAYERS - 1,))
        self.added = nn.ModuleDict()
        self.decoder = nn.ModuleList(DecoderLayer(WIDTH, HEADS) for _ in range(DECODER_LAYERS))
        self.value = nn.Linear(WIDTH, 1)
        self.centred = nn.ModuleDict(
            {task: nn.BatchNorm1d(WIDTH * QUERIES[task]) for task in VALUED}
        )
        self.pixels = pixel_decoder()
        self.map = MLP(WIDTH, WIDTH, WIDTH, WIDTH)
        self.register_buffer("places", grid_positions(CELLS, WIDTH), persistent=False)

    places: Tensor

    def add_layers(self, layers: Sequence[int] = ADDED) -> None:
        """Begin the second stage: tasks with values may read more layers. Only their queries and
        what is added go on learning, and only they are answered until `tasks` is put back."""
        self.tasks = VALUED
        self.requires_grad_(False)
        for task in VALUED:
            self.queries[task].requires_grad_(True)
            self.names[task].requires_grad_(True)
            if layers:
                self.added[task] = Memory(layers)

    def answer(self, task: str, features: Sequence[Tensor]) -> Tensor:
        """See `Layered.answer`."""
        queries = self.decode(task, features)
        if task in VALUED:
            # What a query says on all faces alike, which is most of it at first, is taken off.
            centred = self.centred[task](queries.flatten(1)).unflatten(1, queries.shape[1:])
            return _valued(task, self.value(centred)[..., 0])
        face = self.last.values(features)[0].transpose(1, 2).unflatten(2, (CELLS, CELLS))
        maps = torch.einsum("nqd,ndhw->nqhw", self.map(queries), self.pixels(face)) / WIDTH**0.5
        return self.mapped(task, maps)

    def memory(
        self, task: str, features: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "n m d"], Float[Tensor, "n m d"]]:
        """Keys and values that a task's queries read: the last layer first."""
        parts = [self.last(features, self.places)]
        if task in self.added:
            parts.append(self.added[task](features, self.places))
        keys, values = zip(*parts, strict=True)
        return torch.cat(keys, dim=1), torch.cat(values, dim=1)

    def decode(self, task: str, features: Sequence[Tensor]) -> Float[Tensor, "n q d"]:
        """A task's queries, once they have read the face."""
        keys, values = self.memory(task, features)
        queries = self.queries[task].expand(keys.shape[0], -1, -1)
        for layer in self.decoder:
            queries = layer(queries, self.names[task], keys, values)
        return queries

    @torch.no_grad()
    def layer_shares(self, x: Float[Tensor, "n 3 s s"], task: str) -> Float[Tensor, " l"]:
        """How much of a task's attention goes to each layer it reads, the last first; the mean over
        faces, queries, heads and decoder layers. They sum to 1."""
        features = self.encoder(x)
        keys, values = self.memory(task, features)
        queries = self.queries[task].expand(keys.shape[0], -1, -1)
        shares = []
        for layer in self.decoder:
            assert isinstance(layer, DecoderLayer)
            weights = layer.to_face.weights(queries + self.names[task], keys)
            shares.append(weights.unflatten(3, (-1, CELLS**2)).sum(dim=4).mean(dim=(0, 1, 2)))
            queries = layer(queries, self.names[task], keys, values)
        return torch.stack(shares).mean(dim=0)


class NaiveFaceptor(Layered):
    """Naive Faceptor: the same encoder, and a standard head for each kind of output, which reads
    four layers: one of values, one of maps."""

    def __init__(self, face: Float32[Tensor, "68 2"]) -> None:
        super().__init__(face)
        self.read = (0, *ADDED, LAYERS - 1)
        self.each = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in self.read)
        self.centred = nn.BatchNorm1d(WIDTH * len(self.read))
        self.pooled = MLP(WIDTH * len(self.read), WIDTH, WIDTH)
        self.values = nn.ModuleDict({task: nn.Linear(WIDTH, QUERIES[task]) for task in VALUED})
        self.mixed = nn.Conv2d(WIDTH * len(self.read), WIDTH, 1)
        self.pixels = pixel_decoder()
        self.maps = nn.ModuleDict(
            {task: nn.Conv2d(WIDTH, QUERIES[task], 1) for task in ("parsing", "landmarks")}
        )

    def answer(self, task: str, features: Sequence[Tensor]) -> Tensor:
        """See `Layered.answer`."""
        pairs = zip(self.each, self.read, strict=True)
        together = torch.cat([one(features[i]) for one, i in pairs], dim=2)
        if task in VALUED:
            return _valued(task, self.values[task](self.pooled(self.centred(together.mean(dim=1)))))
        grid = together.transpose(1, 2).unflatten(2, (CELLS, CELLS))
        maps = self.maps[task](torch.relu(self.pixels(self.mixed(grid))))
        return self.mapped(task, maps)


def loss(model: Generalist, batch: Batch) -> Float[Tensor, ""]:
    """The weighted sum over tasks. Only rows that know a task are decoded for it; of a single row
    there is no norm over the batch, so it is left out."""
    assert isinstance(model, Layered)
    features, total = model.encoder(batch.seen), batch.seen.new_zeros(())
    for task in model.tasks:
        if (rows := batch.knows(task)).sum() > int(model.training):
            answer = model.answer(task, [layer[rows] for layer in features])
            total = total + WEIGHTS[task] * task_loss(task, answer, batch[rows], model.ages)
    return total


def task_loss(task: str, answer: Tensor, batch: Batch, ages: Tensor) -> Float[Tensor, ""]:
    """The loss of one task, over rows that know it."""
    match task:
        case "parsing":
            side = batch.masks.shape[1:]
            fine = nn.functional.interpolate(answer, side, mode="bilinear", align_corners=False)
            return pixel_loss(fine, batch.masks)
        case "landmarks":
            return point_loss(answer, batch.points)
        case "pose":
            return geodesic_loss(answer, batch.pose)
        case "attributes":
            return attribute_loss(answer, batch.attributes)
        case "age":
            return distribution_age_loss(answer, batch.age, ages)
        case _:
            return class_loss(answer, batch.sex)


def run(job: Job) -> Comparison:
    """Train the first stage, tune it with and without more layers, and train standard heads."""
    material = gather(job)
    bench, face = Bench(material.test, material.base_rates), mean_face(material)
    found: Found = {}
    files, shares = [], []
    for seed in job.seeds:
        settings = replace(job.settings, seed=seed)
        with seeded(seed):
            first = Faceptor(face)
        job.say(f"first stage, seed {seed}")
        first = fit(first, loss, material, settings, job.out / f"first-{seed}", job.say)
        for name, layers in (("layer attention", ADDED), ("last layer tuned", ())):
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{name.replace(' ', '-')}-{seed}"
            tuned = _tuned(first, layers, material, settings, folder, job)
            add(found, name, bench.records(bench.ask(tuned)))
            if layers:
                files.append(ship(job, tuned, material, folder / "faceptor.onnx"))
                shares.append(_shares(tuned, bench))
        add(found, "first stage", bench.records(bench.ask(first)))
        with seeded(seed):
            naive = NaiveFaceptor(face)
        job.say(f"standard heads, seed {seed}")
        naive = fit(naive, loss, material, settings, job.out / f"naive-{seed}", job.say)
        add(found, "standard heads", bench.records(bench.ask(naive)))
    return compare(job, material, found, files, _said(shares))


def _tuned(
    first: Generalist,
    layers: Sequence[int],
    material: Material,
    settings: Settings,
    folder: Path,
    job: Job,
) -> Faceptor:
    """The second stage, on a copy of the first."""
    model = copy.deepcopy(first)
    assert isinstance(model, Faceptor)
    with seeded(settings.seed, 2):
        model.add_layers(layers)
    settings = replace(settings, steps=max(1, settings.steps // TUNED))
    tuned = fit(model, loss, material, settings, folder, job.say)
    assert isinstance(tuned, Faceptor)
    tuned.tasks = TASKS
    return tuned


def _shares(model: Faceptor, bench: Bench) -> dict[str, Float[Tensor, " l"]]:
    faces = {task: bench.batches[task].seen[:64] for task in VALUED}
    return {task: model.layer_shares(seen, task) for task, seen in faces.items()}


def _said(shares: Sequence[dict[str, Tensor]]) -> str:
    """The mean over seeds of what goes to each layer, in words."""
    names = [str(layer + 1) for layer in (LAYERS - 1, *ADDED)]
    parts = []
    for task in shares[0]:
        mean = torch.stack([one[task] for one in shares]).mean(dim=0).tolist()
        each = ", ".join(f"{100 * s:.0f} % to {n}" for n, s in zip(names, mean, strict=True))
        parts.append(f"{task} {each}")
    return f" Attention by layer of {LAYERS}: {'; '.join(parts)}."


def _per_task(make) -> nn.ParameterDict:
    return nn.ParameterDict({task: nn.Parameter(make(QUERIES[task])) for task in TASKS})


def _valued(task: str, logits: Float[Tensor, "n q"]) -> Tensor:
    """Ages are shares of sigmoids, as in the paper's DLDL-v2."""
    if task != "age":
        return logits
    return nn.functional.normalize(logits.sigmoid(), p=1.0, dim=1)
