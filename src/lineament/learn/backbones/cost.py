"""What a network costs: parameters, and multiplications with addition of one pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Numbers that are learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def multiplications(model: nn.Module, example: Tensor) -> int:
    """Of convolutions, dense layers and attention, for all rows of the example, each counted with
    its addition as one. Papers that count both apart (as FLOPs) give twice as many.

    Args:
        model: left in the mode that it is in.
        example: an input.
    """
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(example)
    model.train(training)
    return counter.get_total_flops() // 2
