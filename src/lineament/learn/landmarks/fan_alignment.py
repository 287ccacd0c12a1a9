"""68 points as heatmaps of an hourglass whose blocks look at several scales at once.

Source: A. Bulat, G. Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment
problem?", ICCV 2017 (arXiv:1703.07332), section 3; the block from the same authors' "Binarized
Convolutional Landmark Localizers for Human Pose Estimation and Face Alignment with Limited
Resources", ICCV 2017, section 4; the hourglass from A. Newell et al., "Stacked Hourglass Networks
for Human Pose Estimation", ECCV 2016.

The paper's third network, which gives these points their depth, is `lifting`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.landmarks.trial import compare, errors, fit, gather, seeds_of, ship
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import Settings

CARD = Card(
    slug="fan-alignment",
    title="How far are we from solving the 2D & 3D Face Alignment problem?",
    paper="arXiv:1703.07332",
    verb="train",
    task="Trains an hourglass that gives a heatmap for each of 68 points.",
    entry="Hourglasses",
    needs=("crops", "landmarks"),
    gives=("a landmarker",),
    code="github.com/1adrianb/face-alignment",
    deviations=(
        "One hourglass of 48 channels over 64 x 64 pixels, not four of 256 over 256 x 256; heatmaps"
        " at half the size, not at a quarter.",
        "A point is the centre of its map's positive part, cubed, so that it lies between cells; "
        "the paper takes the highest cell and moves a quarter of a cell to the higher side.",
        "AdamW with a cosine, not RMSprop in steps; trained on 400 faces of UCLA-68 or on generated"
        " faces, not on 61,225 of 300-W-LP.",
        "Only the 2D network; the one that gives its points their depth is `fan-lifting`.",
    ),
    risk="It gives 68 points for anything; of faces unlike those it learnt from, wrong ones.",
)

RECIPE = Recipe(
    slug="fan-alignment",
    title="an hourglass of blocks of several scales",
    entry="run",
    baseline="the same hourglass of plain bottlenecks, with as many weights",
    settings=Settings(
        steps=250,
        batch=32,
        rate=0.005,
        warm_up=25,
        weight_decay=0.0001,
        average=0.99,
        clip=1.0,
        save_every=100,
        measure_every=125,
    ),
    sets=("ucla68",),
)

SIZE = 64
"""Side of the square that the network sees, pixels."""
CHANNELS = 48
PLAIN_CHANNELS = 64
"""Of the plain hourglass: it has then as many weights."""
DEPTH = 3
"""How often an hourglass halves its map."""
SPREAD = 1.5
"""Standard deviation of the Gaussian around a point in its map, cells."""
POINTS = 68

Block = Callable[[int], nn.Module]


def _unit(inner: int, outer: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(inner), nn.ReLU(), convolution)


class MultiScaleBlock(nn.Module):
    """Three convolutions in a row, each half as wide or as wide as the last, whose answers stand
    side by side: views of 3, 5 and 7 pixels at once, and a short way for every gradient."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.first = _unit(channels, half, 3)
        self.second = _unit(half, quarter, 3)
        self.third = _unit(quarter, quarter, 3)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """As many channels, to which what was seen is added."""
        first = self.first(x)
        second = self.second(first)
        return x + torch.cat([first, second, self.third(second)], dim=1)


class Bottleneck(nn.Module):
    """The hourglass's own block: narrow, look, widen."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            _unit(channels, half, 1), _unit(half, half, 3), _unit(half, channels, 1)
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """As many channels, to which what was seen is added."""
        return x + self.body(x)


class Hourglass(nn.Module):
    """Down to a few cells that see the whole face, and up again beside what was there."""

    def __init__(self, block: Block, channels: int, depth: int) -> None:
        super().__init__()
        self.beside, self.before, self.after = (block(channels) for _ in range(3))
        deeper = depth > 1
        self.within = Hourglass(block, channels, depth - 1) if deeper else block(channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        low = self.after(self.within(self.before(functional.max_pool2d(x, 2))))
        return self.beside(x) + functional.interpolate(low, scale_factor=2.0, mode="nearest")


class Hourglasses(nn.Module):
    """Heatmaps of 68 points, one hourglass after another.

    Args:
        block: of the hourglasses.
        channels: all the way, a multiple of 4.
        stacks: hourglasses; each but the first also gets the maps of the one before it.
    """

    def __init__(
        self, block: Block = MultiScaleBlock, channels: int = CHANNELS, stacks: int = 1
    ) -> None:
        super().__init__()
        stem = nn.Conv2d(3, channels, 5, 2, 2)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(channels), nn.ReLU(), block(channels))
        self.glasses = nn.ModuleList(Hourglass(block, channels, DEPTH) for _ in range(stacks))
        self.maps = nn.ModuleList(_unit(channels, POINTS, 1) for _ in range(stacks))
        self.back = nn.ModuleList(nn.Conv2d(POINTS, channels, 1) for _ in range(stacks - 1))

    def heatmaps(self, x: Float32[Tensor, "n 3 s s"]) -> list[Float[Tensor, "n 68 h h"]]:
        """Maps of each hourglass, the last one's last, at half the size.

        Args:
            x: RGB from 0 to 255.
        """
        x = self.stem(x / 127.5 - 1)
        seen = []
        for glass, maps, back in zip(self.glasses, self.maps, [*self.back, None], strict=True):
            y = glass(x)
            seen.append(maps(y))
            x = x + y + back(seen[-1]) if back is not None else y
        return seen

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n 68 2"]:
        """Points, as shares of the square's side."""
        return centres(self.heatmaps(x)[-1])


def targets(points: Float[Tensor, "n k 2"], cells: int) -> Float[Tensor, "n k h h"]:
    """Maps that are to be learnt: a Gaussian of height 1 around each point; nothing of a point
    that lies outside.

    Args:
        points: shares of the square's side.
        cells: along a side of the maps.
    """
    axis = (torch.arange(cells, device=points.device) + 0.5) / cells - 0.5
    spread = SPREAD / cells
    across, down = (
        torch.exp(-((points[..., i, None] - axis) ** 2) / (2 * spread**2)) for i in (0, 1)
    )
    inside = (points.abs() <= 0.5).all(dim=2)[:, :, None, None]
    return down[..., :, None] * across[..., None, :] * inside


def centres(maps: Float[Tensor, "n k h h"]) -> Float[Tensor, "n k 2"]:
    """The centre of each map's positive part, cubed, as shares of the square's side.

    A Gaussian cubed is a narrower one about the same centre, and low noise far off counts for
    little. A map without a positive part answers with the middle.
    """
    weight = functional.relu(maps) ** 3 + 1e-9
    cells = maps.shape[-1]
    axis = (torch.arange(cells, device=maps.device) + 0.5) / cells - 0.5
    total = weight.sum(dim=(2, 3))
    x = (weight.sum(dim=2) * axis).sum(dim=2) / total
    y = (weight.sum(dim=3) * axis).sum(dim=2) / total
    return torch.stack([x, y], dim=2)


def heatmap_loss(
    maps: list[Float[Tensor, "n k h h"]], points: Float[Tensor, "n k 2"]
) -> Float[Tensor, ""]:
    """Mean squared difference of every hourglass's maps from the targets, times their cells, so
    that it does not depend on the resolution."""
    wanted = targets(points, maps[0].shape[-1])
    return torch.stack([(found - wanted).pow(2).sum(dim=(2, 3)).mean() for found in maps]).sum()


def run(job: Job) -> Comparison:
    """Train the hourglass with each kind of block, once a seed."""
    material = gather(job, SIZE)
    arms = {
        "multi-scale blocks": lambda: Hourglasses(MultiScaleBlock, CHANNELS),
        "plain bottlenecks": lambda: Hourglasses(Bottleneck, PLAIN_CHANNELS),
    }
    found: dict[str, list[np.ndarray]] = {name: [] for name in arms}
    files, notes = [], {}
    for seed, settings in seeds_of(job):
        for name, make in arms.items():
            folder = job.out / f"{name.split()[0]}-{seed}"
            job.say(f"{name}, seed {seed}")
            model = fit(make, _loss, material, settings, folder, SIZE, say=job.say)
            found[name].append(errors(model, material.test, SIZE))
            files.append(folder / "landmarker.onnx")
            weights = sum(p.numel() for p in model.parameters())
            took = ship(model, material, files[-1], SIZE, RECIPE.slug)
            notes[name] = f"{took:.2f} ms a face (network, one thread), {weights:,} weights"
    return replace(compare(job, material, found, SIZE, notes), files=files)


def _loss(model: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    assert isinstance(model, Hourglasses)
    return heatmap_loss(model.heatmaps(seen), truth)
