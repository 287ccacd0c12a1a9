"""TVConv: depthwise kernels that differ from place to place, and are the same for every face.

An aligned face has its eyes where every other has them. So each place of a layer may have kernels
of its own, which need not depend on the picture. They are made by a small network from a few maps
that are learnt; once training is over they are made once and kept, and the layer multiplies no more
often than an ordinary depthwise convolution.

Source: J. Chen et al., "TVConv: Efficient Translation Variant Convolution for Layout-aware Visual
Processing", CVPR 2022 (arXiv:2203.10489), section 3; layers of the network that makes kernels, and
of MobileNetV2 for faces, as in the authors' published code. M. Sandler et al., "MobileNetV2:
Inverted Residuals and Linear Bottlenecks", CVPR 2018, for the network around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.cards import Card
from lineament.learn.backbones.cost_table import beside_costs
from lineament.learn.losses.baselines import SCALE
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.recognition.material import SIZE
from lineament.learn.recognition.trial import Arm, Learner
from lineament.learn.recognition.trial import run as compared
from lineament.learn.settings import SHORT, SHORT_ON_GPU

CARD = Card(
    slug="tvconv",
    title="TVConv: Efficient Translation Variant Convolution for Layout-aware Visual Processing",
    paper="arXiv:2203.10489",
    verb="train",
    task="A backbone whose depthwise kernels differ from place to place of an aligned face, at the "
    "cost of ordinary ones.",
    entry="MobileNetV2",
    needs=("crops",),
    gives=("a backbone",),
    code="github.com/JierunChen/TVConv",
    deviations=(
        "In the recipe MobileNetV2 is a quarter as wide and has one block of each kind, seven in "
        "place of seventeen: the deep one hardly learns in so few steps. It sees 64 x 64 pixels in "
        "place of 96 x 96, its first convolution halves them and one of its blocks does not.",
        "In the recipe the block that makes kernels has 16 channels and one layer in its middle; "
        "the paper's has 64 and three.",
        "Softmax over cosines of scale 16 without a margin; the paper has a margin on the cosine.",
        "Learnt from 9,672 faces of 1,891 people; the paper's are 329,000 of 10,000, frontal ones "
        "alone.",
    ),
    risk=(
        "What a place of the crop expects is learnt from the faces at hand and their alignment: "
        "whoever's face has another shape, or is turned or aligned badly, is told apart worse."
    ),
    published=(
        ("casia-webface-frontal", "cost of a depthwise network as accurate, times TVConv's", 3.1),
    ),
)

RECIPE = Recipe(
    slug="tvconv",
    title="kernels that differ from place to place",
    entry="run",
    baseline="depthwise convolutions in a network as wide and as costly, and in one twice as wide",
    settings=SHORT,
    gpu=SHORT_ON_GPU,
    sets=("celeba64_train", "lfw", "orl"),
)

WIDTH, WIDER = 0.25, 0.5
"""Factors of the channels in the recipe: of both small networks, and of the wider one."""
INNER, LAYERS = 16, 1
"""Of the generating blocks in the recipe."""
AFFINITIES = 4
"""Learnt maps of each layer."""
ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Inverted residuals: expansion, channels, how many, stride of the first."""
FEW_ROWS = tuple(
    (*row[:2], 1, stride) for row, stride in zip(ROWS, (1, 2, 2, 1, 1, 2, 1), strict=True)
)
"""Of the recipe: one of each, on maps of 32 places a side down to 4."""
FIRST, LAST = 32, 512
"""Channels of the stem and before the embedding."""
_KERNEL = 3
_OFFSETS = tuple((dy, dx) for dy in range(_KERNEL) for dx in range(_KERNEL))


class TVConv(nn.Module):
    """A depthwise convolution of 3 x 3 with kernels for each place of its output.

    The kernels are W = B(A): affinity maps A, and a generating block B of convolutions, layer norms
    and rectifiers. While the layer trains they are made anew on each call. In evaluation mode those
    made on entering it are used: call ``eval()`` after changing a weight by hand.

    Args:
        channels: in and out.
        side: of the square map that comes out, places.
        stride: 1 or 2.
        inner: channels within the generating block.
        layers: of the generating block between its first and its last.
    """

    kept: Tensor

    def __init__(
        self, channels: int, side: int, stride: int = 1, inner: int = 64, layers: int = 3
    ) -> None:
        super().__init__()
        self.channels, self.side, self.stride = channels, side, stride
        self.affinities = nn.Parameter(torch.ones(1, AFFINITIES, side, side))
        blocks = [_generating(AFFINITIES, inner, side)]
        blocks += [_generating(inner, inner, side) for _ in range(layers)]
        last = nn.Conv2d(inner, channels * len(_OFFSETS), 3, padding=1, bias=False)
        self.generate = nn.Sequential(*blocks, last)
        shape = (channels, len(_OFFSETS), side, side)
        self.register_buffer("kept", torch.zeros(shape), persistent=False)
        self.register_load_state_dict_post_hook(_renew)

    def kernels(self) -> Float[Tensor, "c k h w"]:
        """Of each channel and place of the output, row by row."""
        made = self.generate(self.affinities)
        return made.view(self.channels, len(_OFFSETS), self.side, self.side)

    def train(self, mode: bool = True) -> TVConv:
        """As every module; on leaving training the kernels are made, and kept."""
        super().train(mode)
        if not mode:
            with torch.no_grad():
                self.kept.copy_(self.kernels())
        return self

    def forward(self, x: Float[Tensor, "n c a b"]) -> Float[Tensor, "n c h w"]:
        """Maps of `stride` times the side."""
        kernels = self.kernels() if self.training else self.kept
        reach = self.stride * (self.side - 1) + 1
        padded = functional.pad(x, (1, 1, 1, 1))
        # Nine maps in a stack would cost more time than their products.
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for (dy, dx), kernel in zip(_OFFSETS, kernels.unbind(dim=1), strict=True):
            window = padded[:, :, dy : dy + reach : self.stride, dx : dx + reach : self.stride]
            total = torch.addcmul(total, window, kernel)
        return total

    def products(self, answer: Tensor) -> int:
        """Multiplications of a pass with kept kernels (see `cost.multiplications`)."""
        return len(_OFFSETS) * answer.numel()


def _renew(layer: nn.Module, _: object) -> None:
    """Other weights, other kernels."""
    layer.train(layer.training)


def _generating(inner: int, outer: int, side: int) -> nn.Sequential:
    """The norm is over the whole map, and scales each place of it for itself."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1, bias=False),
        nn.LayerNorm([outer, side, side]),
        nn.ReLU(inplace=True),
    )


Depthwise = Callable[[int, int, int], nn.Module]
"""A convolution within channels: their number, the side of its output, its stride."""


def depthwise(channels: int, side: int, stride: int) -> nn.Module:
    """The ordinary one, with the same kernel at every place."""
    return nn.Conv2d(channels, channels, _KERNEL, stride, 1, groups=channels, bias=False)


class InvertedResidual(nn.Module):
    """Wide inside, narrow and linear at its ends, which are added where they fit."""

    def __init__(
        self, inner: int, outer: int, side: int, stride: int, expansion: int, within: Depthwise
    ) -> None:
        super().__init__()
        wide = inner * expansion
        layers = _rectified(nn.Conv2d(inner, wide, 1, bias=False), wide) if expansion > 1 else []
        layers += _rectified(within(wide, side, stride), wide)
        layers += [nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer)]
        self.body = nn.Sequential(*layers)
        self.added = stride == 1 and inner == outer

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b i j"]:
        """`a` channels in, `b` out."""
        return x + self.body(x) if self.added else self.body(x)


def _rectified(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.ReLU6(inplace=True)]


class MobileNetV2(nn.Module):
    """Faces to embeddings of any length.

    Args:
        size: of the square that it sees, pixels.
        dimension: of the embedding.
        width: factor of channels, which are brought to multiples of eight.
        stem: stride of the first convolution.
        within: its convolutions within channels; None takes `TVConv` as in the paper.
        rows: its blocks, as in `ROWS`.
    """

    def __init__(
        self,
        size: int = 96,
        dimension: int = 512,
        width: float = 1.0,
        stem: int = 1,
        within: Depthwise | None = None,
        rows: Sequence[tuple[int, int, int, int]] = ROWS,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        inner, side = _eights(FIRST * width), ceil(size / stem)
        layers = _rectified(nn.Conv2d(3, inner, 3, stem, 1, bias=False), inner)
        for expansion, channels, count, stride in rows:
            outer = _eights(channels * width)
            side = ceil(side / stride)
            for k in range(count):
                step = 1 if k else stride
                layers.append(
                    InvertedResidual(inner, outer, side, step, expansion, within or TVConv)
                )
                inner = outer
        last = _eights(LAST * max(1.0, width))
        layers += _rectified(nn.Conv2d(inner, last, 1, bias=False), last)
        self.maps = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(last, dimension),
            nn.BatchNorm1d(dimension),
        )
        self.apply(_first_weights)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Faces in [-1, 1]."""
        return self.head(self.maps(x))


def _eights(channels: float) -> int:
    """The multiple of eight that is nearest, at least eight, and no less than nine tenths."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def _first_weights(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out")


def run(job: Job) -> Comparison:
    """`TVConv` beside depthwise convolutions in the same network, and in a wider one."""
    arms = [
        Arm("TVConv", lambda people: learner(people, WIDTH, varying)),
        Arm("depthwise, equal cost", lambda people: learner(people, WIDTH, depthwise)),
        Arm("depthwise, wider", lambda people: learner(people, WIDER, depthwise)),
    ]
    return beside_costs(job, arms, compared(job, arms))


def varying(channels: int, side: int, stride: int) -> nn.Module:
    """`TVConv` as the recipe has it."""
    return TVConv(channels, side, stride, INNER, LAYERS)


def learner(people: int, width: float, within: Depthwise) -> Learner:
    """What the recipe trains."""
    network = MobileNetV2(SIZE, 128, width, stem=2, rows=FEW_ROWS, within=within)
    return Learner(network, CosineClassifier(people, network.dimension, SCALE))
