"""From points in a picture to points in space: the depth of each of 68 points, from the picture and
a heatmap of every point.

The networks that give the points are those of `fan_alignment`, from the same paper.

Source: A. Bulat, G. Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment
problem?", ICCV 2017 (arXiv:1703.07332): the subnetwork that estimates the third coordinate, which
takes the picture stacked with one Gaussian heatmap a point and gives the depth of each, under L2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card, method
from lineament.core.crops import align, warp
from lineament.core.errors import BadInput
from lineament.core.geometry import transform_points
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.core.media import read_image
from lineament.core.pnp import scaled_orthographic
from lineament.core.rotations import rotations
from lineament.learn.engine import seeded, train
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts, develop
from lineament.learn.landmarks.crops import MIRRORED, to_pixels, to_shares
from lineament.learn.landmarks.faces import pictures
from lineament.learn.landmarks.fan_alignment import targets
from lineament.learn.landmarks.figures import Figure, beside
from lineament.learn.landmarks.solid import LOOK, SolidCrops, kept_solid, meshed, solid_68, turned
from lineament.learn.landmarks.trial import seeds_of
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings
from lineament.measure.points import box_size
from lineament.measure.sets.aflw2000 import read_aflw2000
from lineament.measure.sets.nouns import PointedFaces
from lineament.measure.sets.ucla68 import read_ucla68

CARD = Card(
    slug="fan-lifting",
    title="How far are we from solving the 2D & 3D Face Alignment problem? (from 2D to 3D)",
    paper="arXiv:1703.07332",
    verb="train",
    task="Trains a network that gives 68 points of a picture their depth.",
    entry="Lifter",
    needs=("crops", "landmarks"),
    gives=("points in space",),
    code="github.com/1adrianb/face-alignment",
    deviations=(
        "A residual network of 8 layers over 64 x 64 pixels, with heatmaps at half the size after "
        "its first layer, not ResNet-152 over 256 x 256.",
        "Learns from pictures whose meshes the face landmarker gave, as they are and turned in "
        "space (`solid.turned`), in place of 300-W-LP.",
        "Depth is counted from the mean of the 68 points, as a share of the square's side.",
    ),
    risk="It gives a depth for any 68 points, also of what is no face.",
)

RECIPE = Recipe(
    slug="fan-lifting",
    title="the depth of 68 points, from the picture and their heatmaps",
    entry="run",
    baseline="the same from either alone, and depths that need no picture",
    settings=Settings(
        steps=300,
        batch=32,
        rate=0.003,
        warm_up=20,
        weight_decay=0.0001,
        average=0.98,
        clip=1.0,
        save_every=150,
        measure_every=150,
    ),
    sets=("aflw2000_16",),
)

SIZE = 64
"""Side of the square that the network sees, pixels."""
CELLS = SIZE // 2
"""Side of the heatmaps."""
SIDE, WIDER = 128, 1.6
"""Of the crops in which faces are turned: pixels, and how much wider than the usual square."""
AROUND = 1.3
"""Side of the square that is cut out, over the longer side of the points' box."""
TURNS = 2
"""How many turned views of each face are learnt from, beside the face as it is."""
FARTHEST = (25.0, 70.0, 20.0)
"""Largest pitch, yaw and roll of a turn to either side, degrees."""
FACES = 600
"""Pictures that are learnt from, at most."""
WATCHED = 20
"""One face in so many is watched while training, not learnt from."""


class Block(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.past = nn.Conv2d(inner, outer, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return functional.relu(self.past(x) + self.body(x))


class Lifter(nn.Module):
    """Depth of 68 points from a picture and their heatmaps.

    Args:
        picture: whether the picture is looked at.
        heatmaps: whether the heatmaps are. What is left out is put to zero, so that every network
            has the same weights.
    """

    def __init__(self, *, picture: bool = True, heatmaps: bool = True) -> None:
        super().__init__()
        self.picture, self.heatmaps = picture, heatmaps
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.body = nn.Sequential(
            nn.Conv2d(16 + 68, 48, 3, 2, 1, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            Block(48, 48, 1),
            Block(48, 96, 2),
            Block(96, 96, 2),
            nn.Flatten(),
            nn.Linear(96 * (SIZE // 16) ** 2, 68),
        )

    def forward(
        self, x: Float32[Tensor, "n 3 s s"], points: Float32[Tensor, "n 68 2"]
    ) -> Float[Tensor, "n 68"]:
        """Depth, shares of the square's side, away from the viewer, whatever their mean.

        Args:
            x: RGB from 0 to 255.
            points: where the 68 points appear, hidden ones too, as shares.
        """
        seen, maps = self.stem(x / 127.5 - 1), targets(points, CELLS)
        seen = seen if self.picture else torch.zeros_like(seen)
        return self.body(torch.cat([seen, maps if self.heatmaps else torch.zeros_like(maps)], 1))


class Perceptron(nn.Module):
    """Depth of 68 points from their coordinates alone."""

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(136, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 68),
        )

    def forward(
        self, x: Float32[Tensor, "n 3 s s"], points: Float32[Tensor, "n 68 2"]
    ) -> Float[Tensor, "n 68"]:
        """As `Lifter`."""
        return self.body(4 * points)


ARMS: Mapping[str, Callable[[], nn.Module]] = {
    "picture and heatmaps": Lifter,
    "heatmaps alone": lambda: Lifter(picture=False),
    "picture alone": lambda: Lifter(heatmaps=False),
    "coordinates alone": Perceptron,
}
"""The paper's network first."""


def run(job: Job) -> Comparison:
    """Train every arm, once a seed."""
    if job.data is None:
        raise BadInput("depth is measured on aflw2000_16: name the folder of test sets")
    learn = gather(job)
    faces = read_aflw2000(job.data / "aflw2000_16")
    test = annotated(faces)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ARMS}
    files = []
    for seed, settings in seeds_of(job):
        for name, make in ARMS.items():
            job.say(f"{name}, seed {seed}")
            folder = job.out / f"{name.replace(' ', '-')}-{seed}"
            model = fit(make, learn, settings, folder, job.say)
            found[name].append(errors(predict(model, test), test))
            if name == next(iter(ARMS)):
                files.append(folder / "lifter.onnx")
                squares, points, _ = batch(test, np.arange(4))
                export(model, (squares, points), files[-1])
    figure = Figure(
        data=f"AFLW2000-3D, {len(test)} of its faces; learnt from {len(learn)} views",
        data_hash=faces.digest(),
        metric="error of the depth of 68 points over the root of their box",
    )
    rows, results = beside(job, figure, found | others(learn, test, faces), {})
    title = (
        f"{job.recipe.slug}: {job.recipe.title}. Mean error of depth in % of the root of the "
        f"points' box, {figure.data}, {len(job.seeds)} seeds of {job.settings.steps} steps"
    )
    headings = ("arm", "error %#", "over seeds", f"{next(iter(ARMS))} less this", "note")
    return Comparison(title, headings, rows, results, files)


def gather(job: Job) -> SolidCrops:
    """Squares to learn from, made once: faces as they are and turned, with points in space."""
    if job.faces:
        paths = pictures(job.faces)
    else:
        assert job.data is not None
        ucla = read_ucla68(job.data / "ucla68").paths
        paths = tuple(path for row, path in enumerate(ucla) if row % 2)
    made = job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    return kept_solid(made / "views.npz", lambda: views(paths[:FACES], job.say))


def views(paths: tuple[Path, ...], say: Callable[[str], None] = lambda line: None) -> SolidCrops:
    """Each face as it is, and turned at random, cut out around its 68 points."""
    faces = meshed(paths, SIDE, WIDER, say=say)
    rng = np.random.default_rng(0)
    pixels, points = [], []
    for number in range(len(faces)):
        for turn in range(1 + TURNS):
            seen, mesh = faces.pixels[number], faces.points[number]
            if turn:
                angles = np.radians(rng.uniform(-1, 1, (1, 3)) * FARTHEST)
                seen, mesh = turned(seen, mesh, rotations(angles)[0])
            solid = solid_68(mesh[None])
            solid[..., :2] = to_pixels(solid[..., :2], SIDE)
            solid[..., 2] *= SIDE
            square, placed = cut(Image(seen), solid[0])
            pixels.append(square)
            points.append(placed)
    return SolidCrops(np.stack(pixels), np.stack(points), faces.hash)


def annotated(faces: PointedFaces) -> SolidCrops:
    """Squares around the annotated points of faces with known depth."""
    solid = np.concatenate([faces.points, faces.labels["depth"][:, :, None]], axis=2)
    pairs = [cut(read_image(path), each) for path, each in zip(faces.paths, solid, strict=True)]
    pixels, points = (np.stack(each) for each in zip(*pairs, strict=True))
    return SolidCrops(pixels, points, faces.digest())


def cut(
    image: Image, solid: Float[np.ndarray, "68 3"]
) -> tuple[UInt8[np.ndarray, "s s 3"], Float32[np.ndarray, "68 3"]]:
    """The upright square around some points, and the points in it as shares, their mean depth 0.

    Args:
        image: the picture.
        solid: points and their depth, pixels of the picture.
    """
    low, high = solid[:, :2].min(axis=0), solid[:, :2].max(axis=0)
    side = AROUND * float((high - low).max())
    scale = SIZE / side
    shift = (SIZE - 1) / 2 - scale * (low + high) / 2
    matrix = np.asarray([(scale, 0, shift[0]), (0, scale, shift[1])], np.float32)
    flat = np.ascontiguousarray(solid[:, :2], np.float32)
    placed = to_shares(transform_points(matrix, flat), SIZE)
    depth = (solid[:, 2:] - solid[:, 2].mean()) / side
    return warp(image, matrix, SIZE), np.concatenate([placed, depth], axis=1).astype(np.float32)


def batch(
    crops: SolidCrops, rows: np.ndarray, rng: np.random.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Squares (n x 3 x s x s), points (n x 68 x 2) and depth (n x 68) of some rows; with a
    generator half of them mirrored, and all lit, blurred and covered at random."""
    squares = torch.from_numpy(crops.pixels[rows]).permute(0, 3, 1, 2).float()
    solid = torch.from_numpy(crops.points[rows])
    if rng is not None:
        flips = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None, None]
        mirrored = solid[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0, 1.0])
        solid = torch.where(flips, mirrored, solid)
        squares = torch.where(flips[..., None], squares.flip(3), squares)
        squares = develop(squares, rng, Amounts())
    return squares, solid[..., :2].contiguous(), solid[..., 2]


def fit(
    make: Callable[[], nn.Module],
    learn: SolidCrops,
    settings: Settings,
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """Train one network under L2; some faces are watched, not learnt from."""
    every = np.arange(len(learn)) // (1 + TURNS) % WATCHED == WATCHED - 1
    choose, rest = learn[np.flatnonzero(every)], learn[np.flatnonzero(~every)]

    def loss(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        squares, points, depth = batch(rest, rows, rng)
        return 100 * functional.mse_loss(model(squares, points), depth)

    def measure(model: nn.Module) -> dict[str, float]:
        return {"error": float(errors(predict(model, choose), choose).mean())}

    with seeded(settings.seed):
        model = make()
    return train(
        model, loss, len(rest), settings, folder, data=learn.hash, measure=measure, say=say
    )


@torch.no_grad()
def predict(model: nn.Module, crops: SolidCrops) -> Float32[np.ndarray, "n 68"]:
    """A network's depths, shares of the squares."""
    model.eval()
    parts = []
    for start in range(0, len(crops), 128):
        squares, points, _ = batch(crops, np.arange(start, min(start + 128, len(crops))))
        parts.append(model(squares, points))
    return torch.cat(parts).numpy()


def errors(depth: Float[np.ndarray, "n 68"], crops: SolidCrops) -> Float64[np.ndarray, " n"]:
    """Mean absolute difference of each face's depths, both with their means taken out, over the
    root of the area of its points' box."""
    flat, truth = crops.points[..., :2], crops.points[..., 2]
    boxes = np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=1)
    apart = centred(depth) - centred(truth)
    return np.abs(apart).mean(axis=1) / box_size(boxes)


def centred(depth: Float[np.ndarray, "n 68"]) -> Float64[np.ndarray, "n 68"]:
    """Depths from their mean."""
    return (depth - depth.mean(axis=1, keepdims=True)).astype(np.float64)


def others(
    learn: SolidCrops, test: SolidCrops, faces: PointedFaces
) -> dict[str, list[Float64[np.ndarray, " n"]]]:
    """Depths that nothing is trained for: none at all, the mean one, the mean face turned so that
    its points lie best on those of the picture, and the face landmarker's, which is shown the face
    by its annotated points."""
    frontal = learn.points[:: 1 + TURNS].mean(axis=0).astype(np.float64)
    depths = {
        "a flat face": np.zeros((len(test), 68)),
        "mean depth": np.broadcast_to(frontal[:, 2], (len(test), 68)),
        "mean face, turned to the points": posed(frontal, test.points[..., :2]),
        "face-landmarker": landmarker(faces),
    }
    return {name: [errors(depth, test)] for name, depth in depths.items()}


def posed(
    solid: Float64[np.ndarray, "68 3"], flat: Float[np.ndarray, "n 68 2"]
) -> Float64[np.ndarray, "n 68"]:
    """Depths of one solid face, turned and scaled so that its points lie best on some flat ones."""
    view = scaled_orthographic(flat, solid)
    turned_to = (solid - solid.mean(axis=0)) @ view.rotations.transpose(0, 2, 1)
    return view.scales[:, None] * turned_to[..., 2]


def landmarker(faces: PointedFaces) -> Float64[np.ndarray, "n 68"]:
    """The face landmarker's depths, shares of the squares that `cut` makes of the annotation."""
    mesher = method("face-landmarker", "describe").load()(threads=1)
    five = convert(Landmarks(faces.points, faces.scheme), "5")
    depths = []
    for row, path in enumerate(faces.paths):
        mesh, _ = mesher.look(align(read_image(path), five[row : row + 1], LOOK))
        box = faces.points[row].max(axis=0) - faces.points[row].min(axis=0)
        depths.append(solid_68(mesh)[0, :, 2] / (AROUND * box.max()))
    return np.stack(depths).astype(np.float64)
