"""What generalists share: their tasks, attention, small heads, and how answers become fields."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.trained import Output, Trained, View
from lineament.learn.generalists.losses import years
from lineament.learn.generalists.material import AROUND, SIZE
from lineament.measure.sets.fasseg import CLASSES
from lineament.measure.sets.utkface import SEXES

TASKS = ("parsing", "landmarks", "pose", "attributes", "age", "sex", "visibility")
"""Every task that a generalist may have here."""
WIDE = {"parsing": len(CLASSES), "landmarks": 136, "pose": 3, "attributes": 40, "sex": 2}
WIDE |= {"visibility": 68}
"""Numbers that a head gives; those of ages are the method's choice."""


class Attention(nn.Module):
    """Attention of many heads, whose queries and keys may carry positions that values do not.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.

    Args:
        width: of tokens.
        heads: divides `inner`.
        inner: width of queries, keys and values, all heads together; None for `width`.
    """

    def __init__(self, width: int, heads: int, inner: int | None = None) -> None:
        super().__init__()
        inner = inner or width
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def weights(
        self, query: Float[Tensor, "n q d"], key: Float[Tensor, "n k d"]
    ) -> Float[Tensor, "n a q k"]:
        """Of each head: how much each query takes of each key; a row sums to 1."""
        queries, keys = self._split(self.query(query)), self._split(self.key(key))
        return torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(keys.shape[3]), dim=3)

    def forward(
        self,
        query: Float[Tensor, "n q d"],
        key: Float[Tensor, "n k d"],
        value: Float[Tensor, "n k d"],
    ) -> Float[Tensor, "n q d"]:
        """What each query takes of the values."""
        queries, keys = self._split(self.query(query)), self._split(self.key(key))
        values = self._split(self.value(value))
        taken = functional.scaled_dot_product_attention(queries, keys, values)
        return self.out(taken.transpose(1, 2).flatten(2))

    def _split(self, x: Float[Tensor, "n k i"]) -> Float[Tensor, "n a k j"]:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, which begin without making what they see fainter.

    Source: K. He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10.
    """

    def __init__(self, *widths: int) -> None:
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [nn.Linear(inner, outer), nn.ReLU()]
        super().__init__(*layers[:-1])
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def grid_positions(side: int, width: int) -> Float[Tensor, "k d"]:
    """Sines and cosines of the middles of a grid's cells, row by row.

    Half of the `width` numbers are of x, half of y, at frequencies from half a turn over the side
    to a turn in two cells.
    """
    axis = (torch.arange(side) + 0.5) / side
    turns = math.pi * torch.logspace(0, math.log10(side), width // 4)
    waves = torch.cat([torch.sin(axis[:, None] * turns), torch.cos(axis[:, None] * turns)], dim=1)
    across = waves[None].expand(side, -1, -1)
    return torch.cat([across, across.transpose(0, 1)], dim=2).flatten(0, 1)


class Generalist(nn.Module, ABC):
    """A network of several tasks.

    Attributes:
        tasks: that it answers, in the order of `TASKS`.
        ages: that the probabilities of its answer to ``age`` are of, years.
    """

    tasks: tuple[str, ...]
    ages: Tensor

    @abstractmethod
    def raw(self, x: Float[Tensor, "n 3 s s"]) -> dict[str, Tensor]:
        """What is learnt, by task: ``parsing`` as n x k x h x w scores, ``landmarks`` as n x 68 x 2
        shares, ``pose`` in radians, ``age`` as probabilities, all else as logits.

        Args:
            x: RGB from 0 to 255.
        """

    def forward(self, x: Float[Tensor, "n 3 s s"]) -> tuple[Tensor, ...]:
        """The fields of `outputs`, in its order."""
        raw = self.raw(x)
        return tuple(_finished(task, raw[task], self.ages) for task in self.tasks)


def _finished(task: str, raw: Tensor, ages: Tensor) -> Tensor:
    match task:
        case "age":
            return years(raw, ages)
        case "sex":
            return raw.softmax(dim=1)
        case "attributes" | "visibility":
            return raw.sigmoid()
        case _:
            return raw


def outputs(tasks: Sequence[str], attributes: Sequence[str]) -> tuple[Output, ...]:
    """What the answers are, for the file's note on itself."""
    names = {
        "parsing": CLASSES,
        "sex": SEXES,
        "attributes": tuple(attributes),
        "visibility": tuple(f"point {k}" for k in range(68)),
    }
    schemes = {"landmarks": "68"}
    return tuple(
        Output(name=task, field=task, names=names.get(task, ()), scheme=schemes.get(task, ""))
        for task in tasks
    )


def note(slug: str, tasks: Sequence[str], attributes: Sequence[str]) -> Trained:
    """A generalist's note on itself: it sees 0 to 255 in an upright square."""
    view = View(kind="box", size=SIZE, wider=AROUND, std=(1 / 255, 1 / 255, 1 / 255))
    return Trained(method=slug, view=view, outputs=outputs(tasks, attributes))
