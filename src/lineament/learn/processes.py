"""Several processes train one model: each takes a share of every step, and gradients are added up.

``torchrun --nproc-per-node 2 -m lineament train RECIPE`` starts them. They talk over gloo on CPUs
and over NCCL on GPUs, one GPU each. All of them must see the run's folder: each takes up the
checkpoint that is there, and the first one writes. Without torchrun there is one process, and
nothing here does anything.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from lineament.core.errors import BadInput

SHARD = "lineament_shard"
"""Set on a parameter of which each process holds another part: it is not added up."""


def join(device: str) -> str:
    """Take part in what torchrun started, if it did; any number of times.

    Args:
        device: as torch names it; ``cuda`` becomes this process's own GPU.

    Returns:
        The device.

    Raises:
        BadInput: a GPU is named by number while there are several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    if device.startswith("cuda:"):
        raise BadInput("several processes take a GPU each: name the device cuda, without a number")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device == "cuda" else "gloo")
        atexit.register(leave)
    return device


def leave() -> None:
    """Part from the other processes, who have all said what they had to say.

    A process that ends without it may abort: its talking threads would outlive their owner.
    """
    if _together():
        distributed.destroy_process_group()


def count() -> int:
    """How many processes train this model."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _together() else 0


def wait() -> None:
    """Until all processes are here."""
    if _together():
        distributed.barrier()


def add_up(tensor: Tensor) -> Tensor:
    """The sum over processes, in place."""
    if _together():
        distributed.all_reduce(tensor)
    return tensor


def largest(tensor: Tensor) -> Tensor:
    """The element-wise maximum over processes, in place."""
    if _together():
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
    return tensor


def joined(tensor: Tensor) -> Tensor:
    """The processes' tensors of one shape, in order of rank along the first axis."""
    if not _together():
        return tensor
    whole = tensor.new_empty((count() * len(tensor), *tensor.shape[1:]))
    distributed.all_gather_into_tensor(whole, tensor.contiguous())
    return whole


def add_gradients(model: nn.Module) -> None:
    """Every process's gradients become the sum over processes, but for shards.

    A parameter that got no gradient here may have got one elsewhere: it counts as 0.
    """
    if not _together():
        return
    shared = [p for p in model.parameters() if p.requires_grad and not hasattr(p, SHARD)]
    for parameter in shared:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    _as_one([p.grad for p in shared if p.grad is not None])


def average_statistics(model: nn.Module) -> None:
    """Buffers of floats, such as the statistics of norms, become their mean over processes."""
    if not _together():
        return
    floats = [b for b in model.buffers() if b.is_floating_point()]
    _as_one(floats)
    for each in floats:
        each /= count()


def clip(model: nn.Module, longest: float) -> None:
    """Shorten the gradient over all weights, those of all shards among them, to this length."""
    parameters = [p for p in model.parameters() if p.grad is not None]
    shards = [p.grad for p in parameters if hasattr(p, SHARD) and p.grad is not None]
    if not (_together() and shards):
        nn.utils.clip_grad_norm_(parameters, longest)
        return
    rest = [p.grad for p in parameters if not hasattr(p, SHARD) and p.grad is not None]
    squares = add_up(nn.utils.get_total_norm(shards) ** 2) + nn.utils.get_total_norm(rest) ** 2
    nn.utils.clip_grads_with_norm_(parameters, longest, squares.sqrt())


def is_sharded(model: nn.Module) -> bool:
    """Whether this process holds only a part of some parameter."""
    return count() > 1 and any(hasattr(p, SHARD) for p in model.parameters())


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@torch.no_grad()
def _as_one(tensors: Iterable[Tensor]) -> None:
    """Add up tensors over processes in one message a type."""
    kinds: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor)
    for same in kinds.values():
        flat = add_up(torch.cat([tensor.reshape(-1) for tensor in same]))
        for tensor, part in zip(same, flat.split([t.numel() for t in same]), strict=True):
            tensor.copy_(part.view(tensor.shape))
