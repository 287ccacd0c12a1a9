"""The network of FRA: a map of features, heatmaps of facial regions, and what is compared of them.

Source: Z. Gao, I. Patras, "Self-Supervised Facial Representation Learning with Facial Region
Awareness", CVPR 2024 (arXiv:2403.02138); sizes and norms of the heads as in the authors'
code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.pretraining.masked import waves


@dataclass(frozen=True)
class Views:
    """What the network makes of n faces.

    Attributes:
        whole: projection of the mean feature, n x d.
        regions: projection of each region's mean feature, n x k x d.
        scores: cosine of each place's feature with each mask embedding, n x h x w x k.
    """

    whole: Tensor
    regions: Tensor
    scores: Tensor


class FeatureMap(nn.Module):
    """A residual network that stops at an eighth of the size.

    Args:
        width: of its features.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        full = IResNet((2,), (32, width), stem=4, activation=lambda _: nn.ReLU(inplace=True))
        self.stem, self.stages = full.stem, full.stages
        self.norm = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.width = width

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c i j"]:
        """Features of faces in [-1, 1], a place for each 8 x 8 pixels."""
        return self.norm(self.stages(self.stem(x)))


class Head(nn.Module):
    """Two layers, each for every row alike, with a batch norm between them.

    Args:
        inner: numbers in.
        outer: numbers out.
        hidden: between.
    """

    def __init__(self, inner: int, outer: int, hidden: int) -> None:
        super().__init__()
        self.enter, self.leave = (
            nn.Linear(inner, hidden, bias=False),
            nn.Linear(hidden, outer, bias=False),
        )
        self.norm = nn.BatchNorm1d(hidden)

    def forward(self, x: Float[Tensor, "*n a"]) -> Float[Tensor, "*n b"]:
        """Rows in, rows out; the norm is over all of them."""
        hidden = self.enter(x)
        hidden = self.norm(hidden.flatten(0, -2)).view(hidden.shape)
        return self.leave(functional.relu(hidden))


class MaskEmbeddings(nn.Module):
    """Learnt positions look a face up for its regions: a transformer decoder, as DETR's.

    Args:
        inner: channels of the map.
        regions: how many.
        width: of an embedding.
        depth: layers.
        heads: of attention.
    """

    def __init__(
        self, inner: int, regions: int, width: int, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(inner, width)
        self.asked = nn.Parameter(torch.empty(1, regions, width).normal_(0, 1))
        self.layers = nn.ModuleList(_Look(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Sequential(
            *(nn.Linear(width, width), nn.ReLU(inplace=True)),
            *(nn.Linear(width, width), nn.ReLU(inplace=True)),
            nn.Linear(width, width),
        )

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k d"]:
        """One embedding a region for each face; the map is square."""
        seen = self.enter(maps.flatten(2).transpose(1, 2))
        places = waves(maps.shape[3], seen.shape[2]).to(seen)
        asked = self.asked.expand(len(maps), -1, -1)
        found = torch.zeros_like(asked)
        for layer in self.layers:
            found = layer(found, asked, seen, places)
        return self.leave(self.norm(found))


class _Look(nn.Module):
    """Attention among the regions, then to the places of the face, then a layer for each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(width, heads, batch_first=True)
        self.at_face = nn.MultiheadAttention(width, heads, batch_first=True)
        self.think = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, found: Tensor, asked: Tensor, seen: Tensor, places: Tensor) -> Tensor:
        query = found + asked
        found = self.norms[0](found + self.among(query, query, found, need_weights=False)[0])
        told = self.at_face(found + asked, seen + places, seen, need_weights=False)[0]
        found = self.norms[1](found + told)
        return self.norms[2](found + self.think(found))


class RegionNetwork(nn.Module):
    """One branch of FRA, online or slow.

    Args:
        backbone: gives the map.
        regions: how many are looked for; 0 leaves all that is local out.
        width: of projections.
        hidden: between the layers of a head.
    """

    def __init__(
        self, backbone: FeatureMap, regions: int, width: int = 64, hidden: int = 256
    ) -> None:
        super().__init__()
        inner = backbone.width
        self.backbone, self.regions, self.width = backbone, regions, width
        self.whole = Head(inner, width, hidden)
        if regions:
            self.places, self.parts = Head(inner, width, hidden), Head(inner, width, hidden)
            self.masks = MaskEmbeddings(inner, regions, width)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Views:
        """Of faces in [-1, 1]. Without regions, what is local is empty."""
        maps = self.backbone(x)
        whole = self.whole(maps.mean(dim=(2, 3)))
        if not self.regions:
            return Views(whole, maps.new_empty(0), maps.new_empty(0))
        features = maps.permute(0, 2, 3, 1)
        # The batch's mean embedding is the centre of a cluster that all faces share.
        centres = self.masks(maps).mean(dim=0)
        scores = cosines(self.places(features), centres)
        return Views(whole, self.parts(region_means(features, scores)), scores)


def cosines(
    features: Float[Tensor, "n h w d"], centres: Float[Tensor, "k d"]
) -> Float[Tensor, "n h w k"]:
    """Of each place with each centre."""
    return functional.normalize(features, dim=-1) @ functional.normalize(centres, dim=-1).T


def region_means(
    features: Float[Tensor, "n h w c"], scores: Float[Tensor, "n h w k"]
) -> Float[Tensor, "n k c"]:
    """The mean feature of each region, weighted by its heatmap: the places' softmax over regions,
    each region's brought to sum 1."""
    heat = scores.softmax(dim=-1)
    heat = heat / heat.sum(dim=(1, 2), keepdim=True)
    return torch.einsum("nhwc,nhwk->nkc", features, heat)
