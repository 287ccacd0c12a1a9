"""A chain with fewer channels, whose weights follow from the wide one in closed form.

Layer by layer, from the input on: channels that go into a pointwise convolution are chosen, the
rest is dropped where it is made, and the convolution is solved anew by least squares, so that what
it gives *from what the narrow network gives it* is what the wide one gives. Errors of earlier
layers are so made good by later ones. Depthwise convolutions are solved in the same way, a channel
at a time, which also takes up what a plain rectifier lost of the wide network's slopes.

Source: Y. He, X. Zhang, J. Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV
2017 (arXiv:1707.06168), sections 3.1 (equation 1, the reconstruction) and 3.2 (the whole network,
on the narrow network's inputs). Channels are chosen by orthogonal least squares, greedily and
without a penalty, in place of the LASSO.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.core.errors import BadInput
from lineament.learn.embedders.sface_torch import Chain, Head, Unit, tensor
from lineament.learn.embedders.solutions import Moments, choose, factors, rectified

PLACES = 48
"""Places of each face that a fit looks at, drawn anew for each layer."""
BATCH = 32
ROOM = 200_000_000
"""Numbers that the maps of all faces may take; where maps are small, more faces are looked at."""


def narrow(
    wide: Chain,
    pixels: UInt8[np.ndarray, "n h w 3"],
    widths: Sequence[int],
    mixed: int,
    say: Callable[[str], None] = lambda line: None,
    seed: int = 0,
) -> Chain:
    """A narrow chain with plain rectifiers that gives what a wide one gives, as near as can be.

    Args:
        wide: the network; it is not changed.
        pixels: crops to solve on: the first of them at the units whose maps are large, and more
            and more of them as maps become smaller.
        widths: outputs of the full and of each pointwise convolution, as `Chain.widths`.
        mixed: channels that the head mixes the last maps to.
        say: shows a line of progress.
        seed: of the places looked at.

    Raises:
        BadInput: the widths do not fit the network.
    """
    if len(widths) != len(wide.widths) or any(
        not 0 < ours <= theirs for ours, theirs in zip(widths, wide.widths, strict=True)
    ):
        raise BadInput(f"widths of {wide.widths} at most are due, not {tuple(widths)}")
    ours = copy.deepcopy(wide).requires_grad_(False)
    for unit in ours:
        unit.slope = None
    stages = iter(widths)
    with torch.no_grad():
        run = _Run(ours, wide, pixels, seed)
        for number, unit in enumerate(ours):
            if number and unit.is_depthwise:
                run.solve_depthwise(number)
            elif number:
                left = run.solve_pointwise(number, next(stages))
                say(f"unit {number}: {100 * left:.1f} % of the variance unexplained")
            run.lift(number)
            run.advance(number)
            run.grow(number + 1)
        left = run.solve_head(next(stages), mixed)
        say(f"head: {100 * left:.1f} % of the variance unexplained")
    return ours.requires_grad_(True)


def even(chain: Chain, pixels: UInt8[np.ndarray, "n h w 3"], peaks: float = 0.0) -> None:
    """Bring all channels of a chain of plain rectifiers to the same size; its answers stay.

    A rectifier lets a positive factor through, so what a channel is divided by, the next unit
    multiplies. Weights are then of one size, which is what optimisers with one rate, and numbers of
    few bits, are made for.

    Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
    Correction", ICCV 2019 (arXiv:1906.04721), section 4.1, by what flows in place of the weights.

    Args:
        chain: is changed.
        pixels: crops on which the size of each channel becomes 1.
        peaks: share of the largest value in what size is (their geometric mean); the rest is the
            root of the mean square.

    Raises:
        BadInput: a unit has slopes.
    """
    if any(unit.slope is not None for unit in chain):
        raise BadInput("channels with slopes are not evened")
    with torch.no_grad():
        x = chain.maps(_planes(pixels), 0)
        for unit, after in zip(chain, [*chain][1:] + [None], strict=True):
            x = unit(x)
            mean = x.square().mean(dim=(0, 2, 3)).sqrt().clamp_min(1e-6)
            size = mean ** (1 - peaks) * x.amax(dim=(0, 2, 3)).clamp_min(1e-6) ** peaks
            x = x / size[:, None, None]
            unit.weight /= size[:, None, None, None]
            unit.bias /= size
            weight = chain.head.mix if after is None else after.weight
            assert weight is not None
            is_depthwise = after is not None and after.is_depthwise
            weight *= size[:, None, None, None] if is_depthwise else size[:, None, None]


class _Run:
    """Both networks on the same crops, a unit at a time.

    Until channels are chosen for a pointwise convolution, the units before it have as many as those
    of the wide network.

    Attributes:
        ours: the maps that go into the next unit of the narrow network.
        theirs: those of the wide one.
    """

    def __init__(
        self, narrow: Chain, wide: Chain, pixels: UInt8[np.ndarray, "n h w 3"], seed: int
    ) -> None:
        self.narrow, self.wide, self.pixels = narrow, wide, pixels
        self.draw = np.random.default_rng(seed)
        first = 2 * len(wide[0].bias) * pixels.shape[1] * pixels.shape[2]
        self.ours = wide.maps(_planes(pixels[: max(1, ROOM // first)]), 0)
        self.theirs = self.ours

    def advance(self, number: int) -> None:
        """Take both through a unit."""
        self.ours = torch.cat([self.narrow[number](x) for x in self.ours.split(BATCH)])
        self.theirs = torch.cat([self.wide[number](x) for x in self.theirs.split(BATCH)])

    def grow(self, number: int) -> None:
        """Bring in more faces where their maps have room, from the first unit on."""
        each = self.ours[0].numel() + self.theirs[0].numel()
        count, fit = len(self.ours), min(len(self.pixels), ROOM // each)
        if fit > 1.5 * count:
            more = _planes(self.pixels[count:fit]).split(BATCH)
            self.ours = torch.cat([self.ours, *(self.narrow.maps(x, number) for x in more)])
            self.theirs = torch.cat([self.theirs, *(self.wide.maps(x, number) for x in more)])

    def solve_depthwise(self, number: int) -> None:
        """Each channel from its own surroundings."""
        unit, moments = self.narrow[number], Moments()
        for ours, wanted in self._parts(self.wide[number].before):
            places = self._places(wanted)
            rows = _surroundings(ours, places, unit.stride, unit.size)
            rows = rows.transpose(0, 1).flatten(1, 2).flatten(2)  # c x samples x 9
            sought = wanted[:, :, *places].transpose(0, 1).flatten(1)[..., None]
            moments.add(rows.numpy(), sought.numpy())
        found = np.stack([moments.of(c).solution()[0][:, 0] for c in range(len(unit.bias))])
        _set(unit, found[:, :-1].reshape(unit.weight.shape), found[:, -1])

    def solve_pointwise(self, number: int, count: int) -> float:
        """All outputs from the channels that explain them best; the rest is dropped. The share of
        the variance that is left."""
        found, left = self._chosen(number, self.wide[number].before, count)
        _set(self.narrow[number], found[:-1].T[:, :, None, None], found[-1])
        return left

    def solve_head(self, count: int, mixed: int) -> float:
        """The mix of channels that the dense layer needs most, from those that explain it best."""
        old, side = self.wide.head, self.theirs.shape[-1]
        cube = old.weight.double().numpy().reshape(len(old.bias), -1, side, side)
        flat = self.theirs.permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
        mix, dense = factors(cube, flat.T @ flat / len(flat), mixed)
        wanted = tensor(mix)[:, :, None, None]
        target = partial(functional.conv2d, weight=wanted)
        found, left = self._chosen(len(self.narrow), target, count)
        bias = old.bias.double().numpy() + np.einsum("drhw,r->d", dense, found[-1])
        self.narrow.head = Head(tensor(dense), tensor(bias), tensor(found[:-1].T))
        return left

    def lift(self, number: int) -> None:
        """Turn and raise each channel of a unit, as `rectified` says."""
        unit, old = self.narrow[number], self.wide[number]
        if old.slope is None:
            return
        before = [old.before(part) for part in self.theirs[: 4 * BATCH].split(BATCH)]
        values = torch.cat([part[:, :, *self._places(part)] for part in before])
        sign, rise = rectified(values.transpose(0, 1).flatten(1).numpy(), old.slope.numpy())
        unit.weight.mul_(tensor(sign)[:, None, None, None])
        unit.bias.copy_(unit.bias * tensor(sign) + tensor(rise))

    def _chosen(
        self, number: int, target: Callable[[Tensor], Tensor], count: int
    ) -> tuple[Float64[np.ndarray, "k1 o"], float]:
        """Drop what is not needed for a target at each place; the fit on what is left, its last row
        the bias, and the share of the variance that it leaves."""
        moments = Moments()
        for ours, wanted in self._parts(target):
            places = self._places(wanted)
            rows, sought = (x[:, :, *places].transpose(1, 2).flatten(0, 1) for x in (ours, wanted))
            moments.add(rows.numpy(), sought.numpy())
        kept = choose(*moments.centred, count)
        self._drop(number, kept)
        return moments.of(kept).solution()

    def _drop(self, number: int, kept: Int64[np.ndarray, " k"]) -> None:
        """Keep some of the channels that go into a unit, where they are made."""
        self.ours = self.ours[:, kept]
        for unit in reversed(list(self.narrow)[:number]):
            _set(unit, unit.weight[kept].numpy(), unit.bias[kept].numpy())
            if not unit.is_depthwise:
                break

    def _parts(self, target: Callable[[Tensor], Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """What goes into a unit of ours, and what the wide network gives there."""
        both = zip(self.ours.split(BATCH), self.theirs.split(BATCH), strict=True)
        return ((ours, target(theirs)) for ours, theirs in both)

    def _places(self, maps: Tensor) -> Int64[np.ndarray, "2 p"]:
        """Rows and columns to look at."""
        height, width = maps.shape[2:]
        some = self.draw.permutation(height * width)[:PLACES]
        return np.stack(np.divmod(some, width))


def _surroundings(
    maps: Tensor, places: Int64[np.ndarray, "2 p"], stride: int, size: int
) -> Float[Tensor, "n c p k k"]:
    """What a convolution sees around some of its places."""
    reach = np.arange(size)
    padded = functional.pad(maps, [size // 2] * 4)
    rows, columns = places * stride
    return padded[:, :, (rows[:, None] + reach)[:, :, None], (columns[:, None] + reach)[:, None, :]]


def _set(unit: Unit, weight: np.ndarray, bias: np.ndarray) -> None:
    unit.weight = nn.Parameter(tensor(weight), requires_grad=False)
    unit.bias = nn.Parameter(tensor(bias), requires_grad=False)


def _planes(pixels: UInt8[np.ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
