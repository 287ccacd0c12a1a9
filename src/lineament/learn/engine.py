"""The training loop. Killed at any step and called again, it ends in the same weights.

Nothing is carried from step to step but the weights and what the optimiser keeps: the rows of a
step, and all that is random in it, follow from the seed and the number of the step. So a checkpoint
is weights, optimiser and step number, and a run that takes one up goes on exactly as if it had
never stopped: on a CPU with the same number of threads, bit for bit.

Under torchrun each process takes a share of every step's rows (`processes`). What is random
belongs to the parts that a step is cut into, not to processes, so that N processes make the same
update as one that cuts its steps into as many parts.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from lineament.core.errors import BadInput
from lineament.learn import checkpoint, processes
from lineament.learn.curve import Curve
from lineament.learn.curve_picture import draw
from lineament.learn.order import Order
from lineament.learn.settings import Settings

Loss = Callable[[nn.Module, Int64[np.ndarray, " n"], np.random.Generator], Tensor]
"""The mean loss of a model over some rows of the data; the generator is for what is random."""
Measure = Callable[[nn.Module], Mapping[str, float]]
"""Figures of a model in evaluation mode, always under the same names."""
Rows = Callable[[int], Int64[np.ndarray, " batch"]]
"""The rows of a step, counted from 0: a function of nothing else, so that a run can be resumed."""
Say = Callable[[str], None]

CHECKPOINT, CURVE, PICTURE = "checkpoint.pt", "curve.csv", "curve.png"
_FREE = ("device", "save_every")
"""Settings that may change between a run and its resumption."""


def train(
    model: nn.Module,
    loss: Loss,
    rows: int,
    settings: Settings,
    folder: Path,
    *,
    data: str = "",
    measure: Measure | None = None,
    say: Say = lambda line: None,
    order: Rows | None = None,
) -> nn.Module:
    """Train a model, or go on where the run in `folder` was stopped.

    Args:
        model: with its first weights (`seeded` makes them repeatable); it is changed.
        loss: of some rows.
        rows: of the data.
        settings: of the run.
        folder: for `CHECKPOINT`, `CURVE` and `PICTURE`; made where it is absent.
        data: hash of the data, or any name of it, so that no run goes on with other data.
        measure: asked before the first step, at every `measure_every` and after the last.
        say: gets a line of progress now and then.
        order: which rows a step takes; None takes each once an epoch (`Order`).

    Returns:
        The trained model in evaluation mode: with `average`, the running mean of its weights.

    Raises:
        BadInput: the folder holds a run with other settings or data, the loss is no longer finite,
            or a step's rows cannot be shared among the processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(model.to(processes.join(settings.device)), settings, data)
    run.take_up(checkpoint.load(folder / _checkpoint(run)), folder)
    order = order or Order(rows, settings.batch, settings.seed)
    if processes.rank():
        measure, say = None, _silent
    figures = _measured(run.result, measure)
    curve = None if processes.rank() else Curve(folder / CURVE, list(figures), run.step)
    if run.step == 0 and figures and curve:
        curve.add(0, 0.0, 0.0, float("nan"), figures)
    started = time.perf_counter() - run.seconds
    with _deterministic(settings.device):
        while run.step < settings.steps:
            value = run.update(loss, order(run.step))
            run.seconds = time.perf_counter() - started
            figures = _measured(run.result, measure) if _is_due(run.step, settings) else {}
            if curve:
                curve.add(run.step, run.seconds, run.rate, value, figures)
            if run.step % settings.save_every == 0 or run.step == settings.steps:
                _save(run, folder)
            if figures or run.step % 50 == 0:
                say(_progress(run, value, figures))
    return run.result.eval()


@contextmanager
def seeded(*seed: int) -> Iterator[np.random.Generator]:
    """Every global generator (Python's, numpy's, torch's) set by some numbers, and put back after.

    Gives a generator of its own, set by the same numbers.
    """
    word = int(np.random.SeedSequence(seed).generate_state(1)[0])
    before = random.getstate(), np.random.get_state()  # noqa: NPY002  others may use it
    with torch.random.fork_rng():
        random.seed(word)
        np.random.seed(word)  # noqa: NPY002
        torch.manual_seed(word)
        try:
            yield np.random.default_rng(seed)
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002


class _Run:
    """All that changes from step to step."""

    def __init__(self, model: nn.Module, settings: Settings, data: str) -> None:
        self.model, self.settings, self.data = model, settings, data
        self.optimiser = _optimiser(model, settings)
        self.mean = copy.deepcopy(model).requires_grad_(False) if settings.average else None
        self.step, self.seconds, self.rate = 0, 0.0, 0.0
        self.device = next(model.parameters()).device
        self.parts = lcm(settings.accumulate, processes.count())
        if settings.batch % self.parts:
            raise BadInput(f"a batch of {settings.batch} has no {self.parts} equal parts")

    @property
    def result(self) -> nn.Module:
        """The model that the run is for."""
        return self.mean if self.mean is not None else self.model

    def update(self, loss: Loss, rows: Int64[np.ndarray, " batch"]) -> float:
        """One step; its loss."""
        settings = self.settings
        self.model.train()
        self.optimiser.zero_grad()
        self.rate = settings.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        parts = np.split(rows, self.parts)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for part in range(processes.rank(), self.parts, processes.count()):
            with seeded(settings.seed, self.step, part) as rng, _precision(settings):
                here = loss(self.model, parts[part], rng) / self.parts
            here.backward()
            total += here.detach()
        value = float(processes.add_up(total))
        if not np.isfinite(value):
            raise BadInput(f"the loss is no longer finite at step {self.step + 1}; lower the rate")
        processes.add_gradients(self.model)
        if settings.clip:
            processes.clip(self.model, settings.clip)
        self.optimiser.step()
        processes.average_statistics(self.model)
        self.step += 1
        self._average()
        return value

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean; early on it forgets faster, so that it leaves the first weights.

        Whole numbers and the statistics of norms are taken over as they are.
        """
        if self.mean is None:
            return
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.mean.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for mean, now in zip(self.mean.buffers(), self.model.buffers(), strict=True):
            mean.copy_(now)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "settings": asdict(self.settings),
            "data": self.data,
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict() if self.mean is not None else None,
            "optimiser": self.optimiser.state_dict(),
        }

    def take_up(self, state: Mapping[str, Any] | None, folder: Path) -> None:
        """Go on from a checkpoint, where there is one; all processes from the same step."""
        if state is not None:
            self._restore(state, folder)
        steps = processes.joined(torch.tensor([self.step], device=self.device))
        if int(steps.min()) != int(steps.max()):
            raise BadInput("the processes' checkpoints are of different steps", str(folder))

    def _restore(self, state: Mapping[str, Any], folder: Path) -> None:
        theirs = {**state["settings"], "data": state["data"]}
        ours = {**asdict(self.settings), "data": self.data}
        if other := [k for k in ours if k not in _FREE and ours[k] != theirs.get(k)]:
            raise BadInput(
                f"holds a run with another {' and '.join(other)}; choose another folder",
                str(folder),
            )
        self.model.load_state_dict(state["model"])
        if self.mean is not None:
            self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]


def _optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Vectors (biases, norms) do not decay."""
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=settings.rate)


def _checkpoint(run: _Run) -> str:
    """The first process's file holds all, unless each holds a part of the model."""
    mine = processes.rank() and processes.is_sharded(run.model)
    return f"checkpoint-{processes.rank()}.pt" if mine else CHECKPOINT


def _save(run: _Run, folder: Path) -> None:
    if not processes.rank() or processes.is_sharded(run.model):
        checkpoint.save(folder / _checkpoint(run), run.state())
    if not processes.rank():
        draw(folder / CURVE, folder / PICTURE)


def _silent(line: str) -> None:
    """Only the first process speaks."""


def _measured(model: nn.Module, measure: Measure | None) -> dict[str, float]:
    if measure is None:
        return {}
    training = model.training
    model.eval()
    with torch.no_grad():
        figures = dict(measure(model))
    model.train(training)
    return figures


def _is_due(step: int, settings: Settings) -> bool:
    every = settings.measure_every
    return step == settings.steps or bool(every and step % every == 0)


def _precision(settings: Settings) -> torch.autocast:
    kind = settings.device.partition(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=settings.bfloat16)


@contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """Refuse operations whose answer varies. On GPUs some have no other form, and only warn."""
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=device != "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


def _progress(run: _Run, loss: float, figures: Mapping[str, float]) -> str:
    pace = run.seconds / run.step
    left = pace * (run.settings.steps - run.step)
    shown = "".join(f", {name} {value:.4g}" for name, value in figures.items())
    return f"step {run.step}/{run.settings.steps}, loss {loss:.4g}{shown}, {left:.0f} s to go"
