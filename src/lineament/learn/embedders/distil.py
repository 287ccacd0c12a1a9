"""A student learns to say of a worse picture what its teacher says of the clean one.

Sources: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015
(arXiv:1503.02531), by embeddings in place of class scores; of pairs, W. Park et al., "Relational
Knowledge Distillation", CVPR 2019 (arXiv:1904.05068), with cosines for distances. That the student
sees a worse picture than the teacher: S. Ge et al., "Low-resolution Face Recognition in the Wild
via Selective Knowledge Distillation", IEEE TIP 2019 (arXiv:1811.09998).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lineament.learn.embedders.material import Faces, unit
from lineament.learn.embedders.worse import still, worse
from lineament.learn.engine import train
from lineament.learn.settings import Settings

RELATIONS = 4.0
"""Weight of the loss of pairs beside that of single faces."""


def distance(ours: Float[Tensor, "n d"], theirs: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Loss of a batch: one less the cosine of each face's two embeddings, and the mean square of
    how far the cosine of two faces is from the teacher's.

    Args:
        ours: the student's, of any length.
        theirs: the teacher's, of length 1.
    """
    ours = functional.normalize(ours)
    single = 1 - (ours * theirs).sum(dim=1).mean()
    pairs = (ours @ ours.T - theirs @ theirs.T).square()
    count = len(ours)
    return single + RELATIONS * pairs.sum() / max(1, count * (count - 1))


def distil(
    student: nn.Module,
    faces: Faces,
    choose: Faces,
    settings: Settings,
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """Train a student on faces and their targets.

    Args:
        student: takes crops of 0 to 255; it is changed.
        faces: to learn from.
        choose: other faces; agreement on them is written to the curve.
        settings: of the run.
        folder: of the run.
        say: shows a line of progress.
    """

    def loss(model: nn.Module, rows: np.ndarray, draw: np.random.Generator) -> Tensor:
        device = next(model.parameters()).device
        seen = worse(faces.squares[rows], draw).to(device)
        return distance(model(seen).float(), torch.from_numpy(faces.targets[rows]).to(device))

    damaged = worse(choose.squares, np.random.default_rng(0))

    def measure(model: nn.Module) -> dict[str, float]:
        clean = agreement(embed(model, choose.crops), choose.targets)
        return {"clean": clean, "worse": agreement(_answers(model, damaged), choose.targets)}

    student = student.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return train(
        student, loss, len(faces), settings, folder,
        data=f"{faces.hash} {len(faces)}", measure=measure, say=say,
    )  # fmt: skip


def agreement(ours: Float32[np.ndarray, "n d"], theirs: Float32[np.ndarray, "n d"]) -> float:
    """Mean cosine of each face's two embeddings, both of length 1."""
    return float((ours * theirs).sum(axis=1).mean())


def embed(model: nn.Module, crops: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n d"]:
    """Embeddings of length 1."""
    return _answers(model, still(crops))


@torch.no_grad()
def _answers(model: nn.Module, seen: Float32[Tensor, "n 3 h w"]) -> Float32[np.ndarray, "n d"]:
    device = next(model.parameters()).device
    return unit(torch.cat([model(part.to(device)).cpu() for part in seen.split(32)]).numpy())
