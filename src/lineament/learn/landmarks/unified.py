"""A transformer of several markups, guided by the edges in the picture, and the loss that balances
them.

The card is that of `fgtbt`.

Source: J. Wan et al., "FGTBT: Frequency-Guided Task-Balancing Transformer for Unified Facial
Landmark Detection", Information Sciences 2026 (arXiv:2601.12863); constants as in the authors'
published code.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from lineament.learn.landmarks.frequency import HighPass, Injection, Regularisation
from lineament.learn.landmarks.mix_transformer import Decoder, MixLayer, Patches
from lineament.learn.landmarks.mobile import places_of, prior_of
from lineament.learn.landmarks.union import Union

SIZE = 64
"""Side of the square that the network sees, pixels."""
SIGMA = 6.0
"""Of the high-pass, cycles per picture."""
BETA = 0.9
"""Of the balancing weights."""
WIDTHS, HEADS, RATIOS = (24, 48, 96), (1, 2, 4), (4, 2, 1)
"""Of each stage: channels, heads, and how much coarser the map is that is attended to."""
LAYERS, EXPANSION, FACTOR, FEATURES = 2, 2, 4, 64
"""Layers of a stage, how much wider their perceptrons are, how much narrower what is injected is,
and the channels of the decoder."""


class Fgtbt(nn.Module):
    """Points of every markup from one transformer.

    Args:
        size: of the square, a multiple of 16 pixels.
        union: of the markups.
        mean: the union's points on a mean face, shares, near which it answers before it has learnt.
        edges: "high" leads in the picture's high frequencies, "all" the picture as it is, and
            "none" nothing at all.
    """

    places: Tensor

    def __init__(
        self, size: int, union: Union, mean: Float32[Tensor, "m 2"], edges: str = "high"
    ) -> None:
        super().__init__()
        inner = (3, *WIDTHS[:-1])
        looks = ((7, 4), (3, 2), (3, 2))
        self.patches = nn.ModuleList(
            Patches(before, width, *look)
            for before, width, look in zip(inner, WIDTHS, looks, strict=True)
        )
        self.layers = nn.ModuleList(
            nn.ModuleList(MixLayer(width, heads, ratio, EXPANSION) for _ in range(LAYERS))
            for width, heads, ratio in zip(WIDTHS, HEADS, RATIOS, strict=True)
        )
        self.decoder = Decoder(WIDTHS, FEATURES)
        self.edges = None
        if edges != "none":
            self.edges = HighPass(size, SIGMA) if edges == "high" else nn.Identity()
            thin = (3, *(width // FACTOR for width in WIDTHS[:-1]))
            self.injections = nn.ModuleList(
                Injection(before, width, *look, FACTOR)
                for before, width, look in zip(thin, WIDTHS, looks, strict=True)
            )
            self.regularisations = nn.ModuleList(
                Regularisation(width, FACTOR, LAYERS) for width in WIDTHS
            )
        self.maps = nn.Conv2d(FEATURES, union.size, 1)
        nn.init.normal_(self.maps.weight, std=0.01)
        self.schemes = tuple(union.places)
        self.index = {name: torch.from_numpy(rows) for name, rows in union.places.items()}
        places = places_of(size // 4)
        self.register_buffer("places", places, persistent=False)
        self.prior = nn.Parameter(prior_of(mean, places))

    def features(self, x: Float32[Tensor, "n 3 s s"]) -> Float[Tensor, "n f h w"]:
        """What the maps of points are made of, at a quarter of the size.

        Args:
            x: RGB from 0 to 255.
        """
        x = x / 127.5 - 1
        edges, seen = self.edges(x) if self.edges is not None else None, []
        for stage, (patches, layers) in enumerate(zip(self.patches, self.layers, strict=True)):
            x = patches(x)
            injected = None
            if edges is not None:
                edges, injected = self.injections[stage](edges, x)
            assert isinstance(layers, nn.ModuleList)
            for number, layer in enumerate(layers):
                if injected is not None:
                    x = self.regularisations[stage](x, injected, number)
                x = layer(x)
            seen.append(x)
        return self.decoder(seen)

    def points(self, features: Float[Tensor, "n f h w"], scheme: str) -> Float[Tensor, "n k 2"]:
        """One markup's points, as shares of the square's side; no other map is computed."""
        rows = self.index[scheme]
        bias = self.maps.bias
        assert bias is not None
        maps = nn.functional.conv2d(features, self.maps.weight[rows], bias[rows])
        shares = torch.softmax(maps.flatten(2) + self.prior[rows], dim=2)
        return shares @ self.places

    def forward(self, x: Float32[Tensor, "n 3 s s"]) -> tuple[Float[Tensor, "n _ 2"], ...]:
        """The points of each markup, in the union's order."""
        features = self.features(x)
        return tuple(self.points(features, scheme) for scheme in self.schemes)


def balancing_weights(
    occurrences: Int64[Tensor, " m"], beta: float = BETA
) -> Float32[Tensor, " m"]:
    """Weights of the union's points: the more markups have a point, the less each counts.

    (1 - beta) / (1 - beta ** a) for a point that stands in a markups: 1 for one that stands in one
    alone, and nearly 1 / a for beta near 1.

    Source: the paper's FMB-loss; the form is that of Y. Cui et al., "Class-Balanced Loss Based on
    Effective Number of Samples", CVPR 2019, equation 2.

    Args:
        occurrences: markups that have each point, 1 and up.
        beta: from 0 (all alike) to below 1.
    """
    return ((1 - beta) / (1 - beta ** occurrences.double())).float()


def balanced_loss(
    answers: Float[Tensor, "n k 2"], truth: Float[Tensor, "n k 2"], weights: Float[Tensor, " k"]
) -> Float[Tensor, ""]:
    """One markup's part of the FMB-loss: the mean absolute error of each point, times its weight,
    over all points. The loss of a step is the sum over the markups."""
    return ((answers - truth).abs().mean(dim=(0, 2)) * weights).mean()
