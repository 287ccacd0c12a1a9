"""What each process of `test_processes` does; started as torchrun starts it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lineament.learn import processes
from lineament.learn.engine import seeded, train
from lineament.learn.losses.adaface import AdaFace
from lineament.learn.losses.arcface import ArcFace
from lineament.learn.losses.classifier import CosineClassifier
from lineament.learn.losses.sharded import Sharded
from lineament.learn.losses.sphereface import SphereFace
from lineament.learn.settings import Settings

torch.set_num_threads(1)
SETTINGS = Settings(
    steps=6, batch=16, rate=0.05, warm_up=2, optimiser="sgd", weight_decay=0.01, accumulate=2,
    average=0.9, clip=0.5, save_every=4,
)  # fmt: skip
ROWS, PEOPLE, DIMENSION, FACES = 24, 37, 8, 16
X = torch.linspace(-1, 1, ROWS * 6).reshape(ROWS, 6)
Y = torch.sin(3 * X.sum(dim=1, keepdim=True))
KINDS = {"plain": CosineClassifier, "arcface": ArcFace, "adaface": AdaFace, "sphere": SphereFace}
Answers = dict[str, torch.Tensor]


class Killed(Exception):
    """Stands for the end of the process."""


def make() -> nn.Module:
    with seeded(11):
        return nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1)
        )


def loss(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    noise = torch.from_numpy(rng.normal(0, 0.1, (len(rows), 6)).astype(np.float32))
    return (model(X[rows] + noise + 0.1 * torch.randn(len(rows), 6)) - Y[rows]).pow(2).mean()


class Classified(nn.Module):
    """A small network under a margin loss, sharded or not."""

    def __init__(self, sharded: bool) -> None:
        super().__init__()
        self.network = nn.Linear(6, DIMENSION)
        kind = Sharded(ArcFace, PEOPLE, DIMENSION) if sharded else ArcFace(PEOPLE, DIMENSION)
        self.head = kind


def classify(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    assert isinstance(model, Classified)
    return model.head(model.network(X[rows]), torch.from_numpy(rows % PEOPLE))


def classified(sharded: bool, folder: Path) -> nn.Module:
    with seeded(5):
        model = Classified(sharded)
    return train(model, classify, ROWS, SETTINGS, folder)


def faces() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, PEOPLE, (FACES,), generator=generator)
    return 2 * torch.randn(FACES, DIMENSION, generator=generator), labels


def held(margin: nn.Module, embeddings: torch.Tensor, labels: torch.Tensor) -> Answers:
    """The loss of a part of the faces, its gradients, and the bytes kept for them."""
    sizes: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    part = embeddings.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        value = margin(part, labels)
    (value / processes.count()).backward()
    (weight,) = margin.parameters()
    assert part.grad is not None
    assert weight.grad is not None
    bytes_ = weight.nbytes + weight.grad.nbytes + sum(sizes.values())
    return {
        "loss": value.detach(), "embeddings": part.grad, "weight": weight.grad,
        "bytes": torch.tensor(bytes_),
    }  # fmt: skip


def shards(people: int = PEOPLE) -> dict[str, Answers]:
    """Of every kind of margin, this process's answers."""
    embeddings, labels = faces()
    mine = np.array_split(np.arange(FACES), processes.count())[processes.rank()]
    found = {}
    for name, kind in KINDS.items():
        with seeded(1):
            margin = Sharded(kind, people, DIMENSION)
        found[name] = held(margin, embeddings[mine], labels[mine])
    return found


def killed_and_taken_up(folder: Path) -> nn.Module:
    """A run in which every process ends at the same step, and which is then taken up."""
    done = 0

    def dying(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        nonlocal done
        done += 1
        if done == 6:
            raise Killed
        return loss(model, rows, rng)

    try:
        train(make(), dying, ROWS, SETTINGS, folder)
    except Killed:
        return train(make(), loss, ROWS, SETTINGS, folder)
    raise AssertionError("nothing was killed")


def main(folder: Path) -> None:
    processes.join("cpu")
    answers = {"small": shards(), "many": shards(20_000)}
    if processes.count() == 2:
        whole = train(make(), loss, ROWS, SETTINGS, folder / "whole")
        again = killed_and_taken_up(folder / "killed")
        sharded = classified(True, folder / "sharded")
        sharded_again = classified(True, folder / "sharded")
        answers["runs"] = {
            "whole": whole.state_dict(), "again": again.state_dict(),
            "sharded": sharded.state_dict(), "sharded again": sharded_again.state_dict(),
        }  # fmt: skip
    torch.save(answers, folder / f"answers-{processes.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
