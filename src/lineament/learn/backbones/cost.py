"""What a network costs: parameters, and multiplications with addition of one pass."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Numbers that are learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


@runtime_checkable
class Counts(Protocol):
    """A layer that counts its own multiplications."""

    def products(self, answer: Tensor) -> int:
        """How many it took for this answer."""
        ...


def multiplications(model: nn.Module, example: Tensor) -> int:
    """Of convolutions, dense layers and attention, for all rows of the example, each counted with
    its addition as one. Papers that count both apart (as FLOPs) give twice as many.

    A layer that multiplies place by place, which torch does not count, says how often (`Counts`).

    Args:
        model: left in the mode that it is in.
        example: an input.
    """
    training = model.training
    model.eval()
    more: list[int] = []

    def count(layer: nn.Module, _: object, answer: Tensor) -> None:
        assert isinstance(layer, Counts)
        more.append(layer.products(answer))

    counting = [layer for layer in model.modules() if isinstance(layer, Counts)]
    hooks = [layer.register_forward_hook(count) for layer in counting]
    # Switched off weight by weight: under `no_grad` torch's counter trips over views of weights.
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in learning:
        weight.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        model(example)
    for weight in learning:
        weight.requires_grad_(True)
    for hook in hooks:
        hook.remove()
    model.train(training)
    return counter.get_total_flops() // 2 + sum(more)
