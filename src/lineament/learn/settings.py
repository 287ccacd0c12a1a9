"""How a training run goes: steps, rates, seeds. Plain numbers; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

from lineament.core.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run of `engine.train`. A recipe holds it as a literal.

    Attributes:
        steps: updates of the weights.
        batch: rows of data a step, over all its parts.
        rate: highest learning rate.
        warm_up: steps in which the rate rises in equal parts to `rate`.
        optimiser: AdamW, or SGD with momentum 0.9.
        weight_decay: decoupled for AdamW, an L2 penalty for SGD; on weights, not on biases and
            norms.
        accumulate: parts that a step's rows are cut into, where they do not fit at once.
        average: decay of the running mean of the weights (EMA), which is then the result;
            0 for none.
        clip: longest gradient over all weights; 0 for no limit.
        seed: of everything random.
        device: as torch names it.
        bfloat16: whether products run in bfloat16 (autocast); for GPUs.
        save_every: steps from one checkpoint to the next.
        measure_every: steps from one measurement to the next; 0 measures before and after only.

    Raises:
        BadInput: a number is out of its range.
    """

    steps: int
    batch: int
    rate: float
    warm_up: int = 0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = 0.0
    accumulate: int = 1
    average: float = 0.0
    clip: float = 0.0
    seed: int = 0
    device: str = "cpu"
    bfloat16: bool = False
    save_every: int = 200
    measure_every: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.save_every < 1 or self.rate <= 0:
            raise BadInput("training needs steps, a batch, a rate and save_every above 0")
        if not 0 <= self.average < 1 or min(self.clip, self.warm_up, self.measure_every) < 0:
            raise BadInput("average lies in [0, 1); clip, warm_up and measure_every are at least 0")
        if self.accumulate < 1 or self.batch % self.accumulate:
            raise BadInput(f"a batch of {self.batch} has no {self.accumulate} equal parts")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0: a linear rise, then half a cosine to 0.

        Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        ICLR 2017, equation 5, without restarts.
        """
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.rate * (1 + cos(pi * done)) / 2


SHORT = Settings(
    steps=800,
    batch=64,
    rate=0.003,
    warm_up=40,
    weight_decay=0.05,
    clip=5.0,
    measure_every=400,
)
"""Of recipes of recognition: alike, so that ideas can be compared and share trained baselines."""
SHORTER = Settings(
    steps=300,
    batch=64,
    rate=0.003,
    warm_up=30,
    weight_decay=0.05,
    clip=5.0,
    measure_every=150,
)
"""Of recipes whose steps cost more, or that judge by more tasks."""
SHORT_ON_GPU = Settings(
    steps=20_000,
    batch=512,
    rate=0.002,
    warm_up=1_000,
    weight_decay=0.05,
    clip=5.0,
    device="cuda",
    bfloat16=True,
    save_every=1_000,
    measure_every=2_000,
)
"""The same for a GPU."""
PRETRAINING_ON_GPU = Settings(
    steps=20_000,
    batch=256,
    rate=0.001,
    warm_up=1_000,
    weight_decay=0.05,
    clip=5.0,
    device="cuda",
    bfloat16=True,
    save_every=1_000,
)
"""Of recipes that learn without labels, and of transformers, which learn worse at a higher rate."""
DISTILLING = Settings(
    steps=300,
    batch=32,
    rate=0.0002,
    warm_up=20,
    average=0.99,
    clip=1.0,
    bfloat16=True,
    save_every=50,
    measure_every=100,
)
"""Of `lineament-s`, and of its making from fewer faces."""
DISTILLING_ON_GPU = Settings(
    steps=40_000,
    batch=256,
    rate=0.001,
    warm_up=1_000,
    average=0.999,
    clip=1.0,
    device="cuda",
    bfloat16=True,
    save_every=1_000,
    measure_every=2_000,
)
"""The same for a GPU."""
