"""The loop: resumed runs end in the same weights, bit for bit; averages, parts, rates, orders."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.errors import BadInput
from lineament.learn.curve import read_curve
from lineament.learn.engine import CHECKPOINT, CURVE, seeded, train
from lineament.learn.order import Order
from lineament.learn.settings import Settings

SETTINGS = Settings(
    steps=23, batch=8, rate=0.02, warm_up=4, weight_decay=0.01, accumulate=2, average=0.9,
    clip=1.0, save_every=5, measure_every=10, seed=3,
)  # fmt: skip
ROWS = 20
X = torch.linspace(-1, 1, ROWS * 6).reshape(ROWS, 6)
Y = torch.sin(3 * X.sum(dim=1, keepdim=True))


class Killed(Exception):
    """Stands for the end of the process."""


def make() -> nn.Module:
    with seeded(11):
        return nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1)
        )


def loss(model: nn.Module, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """Random in every way that a loss can be: noise of numpy and of torch, and dropout."""
    noise = torch.from_numpy(rng.normal(0, 0.1, (len(rows), 6)).astype(np.float32))
    return (model(X[rows] + noise + 0.1 * torch.randn(len(rows), 6)) - Y[rows]).pow(2).mean()


def error(model: nn.Module) -> dict[str, float]:
    return {"error": float((model(X) - Y).abs().mean())}


def run(folder: Path, settings: Settings = SETTINGS, killed_at: int | None = None) -> nn.Module:
    done = 0

    def until_killed(model, rows, rng):
        nonlocal done
        done += 1
        if done == killed_at:
            raise Killed
        return loss(model, rows, rng)

    return train(make(), until_killed, ROWS, settings, folder, measure=error)


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[nn.Module, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return run(folder), folder


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_run_killed_at_random_steps_ends_in_the_same_weights(tmp_path, optimiser, average):
    settings = replace(SETTINGS, optimiser=optimiser, average=average)
    whole = run(tmp_path / "whole", settings)
    rng = np.random.default_rng(5)
    for killed_at in rng.integers(1, 2 * 12, 4):  # in parts of steps, of which a step has two
        with pytest.raises(Killed):
            run(tmp_path / "killed", settings, int(killed_at))
    resumed = run(tmp_path / "killed", settings)
    assert same(whole, resumed)
    assert not same(whole, make())


def test_the_curve_goes_on_as_if_nothing_had_happened(tmp_path, undisturbed):
    for killed_at in (15, 9):
        with pytest.raises(Killed):
            run(tmp_path, SETTINGS, killed_at)
    run(tmp_path)
    columns = ("step", "rate", "loss", "error")
    ours, theirs = (
        [[row[c] for c in columns] for row in read_curve(f / CURVE)]
        for f in (tmp_path, undisturbed[1])
    )
    assert ours == theirs
    assert [int(row[0]) for row in ours] == list(range(SETTINGS.steps + 1))
    assert [int(row[0]) for row in ours if row[3]] == [0, 10, 20, 23]


def test_processes_killed_at_five_random_steps_leave_a_run_that_ends_bit_for_bit(
    tmp_path, undisturbed
):
    """Five processes in turn are ended by SIGKILL, each a random number of parts of steps after it
    took the run up; nothing of them is left but the folder."""
    lives = np.random.default_rng(1).integers(1, 16, 5).tolist()
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import os, signal, pathlib, torch, test_engine as t\n"
        "from lineament.learn.checkpoint import load\n"
        "torch.set_num_threads(1)\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "def live(parts):\n"
        "    count = 0\n"
        "    def dying(model, rows, rng):\n"
        "        nonlocal count; count += 1\n"
        "        if count == parts: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return t.loss(model, rows, rng)\n"
        "    t.train(t.make(), dying, t.ROWS, t.SETTINGS, folder, measure=t.error)\n"
        "    os._exit(0)\n"
        f"for parts in {lives!r}:\n"
        "    if not (child := os.fork()): live(parts)\n"
        "    status = os.waitpid(child, 0)[1]\n"
        "    state = load(folder / t.CHECKPOINT)\n"
        "    print(os.waitstatus_to_exitcode(status), state and state['step'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    ends = [line.split() for line in done.stdout.splitlines()]
    assert [int(code) for code, _ in ends] == [-signal.SIGKILL] * 5
    steps = [0 if step == "None" else int(step) for _, step in ends]
    assert steps == sorted(steps)
    assert 0 < steps[-1] < SETTINGS.steps
    assert same(run(tmp_path), undisturbed[0])


def test_a_finished_run_is_given_back_at_once(undisturbed):
    model, folder = undisturbed
    assert same(run(folder, killed_at=1), model)


def test_training_finds_the_line_that_the_data_lie_on(tmp_path):
    slopes = torch.tensor([[1.0, -2.0]])
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    settings = Settings(steps=200, batch=16, rate=0.1, warm_up=10)
    model = train(
        nn.Linear(2, 1),
        lambda m, rows, rng: (m(x[rows]) - x[rows] @ slopes.T - 0.5).pow(2).mean(),
        len(x), settings, tmp_path,
    )  # fmt: skip
    torch.testing.assert_close(model.get_parameter("weight").data, slopes, atol=1e-2, rtol=0)
    assert float(model.get_parameter("bias").detach()) == pytest.approx(0.5, abs=1e-2)


def test_another_recipe_does_not_go_on_in_a_run_s_folder(undisturbed):
    with pytest.raises(BadInput, match="another batch and rate"):
        run(undisturbed[1], replace(SETTINGS, batch=4, rate=0.1))
    with pytest.raises(BadInput, match="another data"):
        train(make(), loss, ROWS, SETTINGS, undisturbed[1], data="other rows")


def test_parts_of_a_step_add_up_to_the_step(tmp_path):
    """Without anything random and without norms, the mean of parts' gradients is the whole's."""

    def plain(model, rows, rng):
        return (model(X[rows]) - Y[rows]).pow(2).mean()

    results = []
    for parts in (1, 4):
        with seeded(0):
            model = nn.Linear(6, 1)
        settings = Settings(steps=5, batch=8, rate=0.1, optimiser="sgd", accumulate=parts)
        results.append(train(model, plain, ROWS, settings, tmp_path / str(parts)))
    for a, b in zip(*(m.parameters() for m in results), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def test_one_step_of_sgd_is_the_formula(tmp_path):
    """w - rate (g + decay w); biases do not decay."""
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, -4.0]]))
        model.bias.fill_(3.0)
    settings = Settings(steps=1, batch=1, rate=0.5, optimiser="sgd", weight_decay=0.1)
    train(model, lambda m, rows, rng: m(torch.ones(1, 2)).sum(), 1, settings, tmp_path)
    torch.testing.assert_close(model.weight.data, torch.tensor([[2 - 0.6, -4 - 0.3]]))
    torch.testing.assert_close(model.bias.data, torch.tensor([2.5]))


def test_the_average_of_weights_is_the_formula(tmp_path):
    """A weight that falls by 1 a step from 0; decays (1 + t) / (10 + t) for t = 1, 2."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    settings = Settings(steps=2, batch=1, rate=1.0, warm_up=2, optimiser="sgd", average=0.99)
    rates = [settings.rate_at(0), settings.rate_at(1)]
    assert rates == [0.5, 1.0]
    mean = train(model, lambda m, rows, rng: m.get_parameter("weight").sum(), 1, settings, tmp_path)
    after_one, after_two = -0.5, -0.5 - 1.0 * (1 + 0.9)  # momentum 0.9
    expected = 9 / 11 * after_one
    expected = 3 / 12 * (2 / 11 * 0 + expected) + 9 / 12 * after_two
    assert float(mean.get_parameter("weight").detach()) == pytest.approx(expected)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    settings = Settings(steps=5, batch=1, rate=1.0)
    with pytest.raises(BadInput, match="no longer finite at step 1"):
        train(nn.Linear(1, 1), lambda m, r, g: m(torch.full((1, 1), math.inf)).sum(), 1, settings,
              tmp_path)  # fmt: skip


def test_bfloat16_trains_and_leaves_single_precision_weights(tmp_path):
    kinds = []

    def watched(model, rows, rng):
        answer = model(X[rows])
        kinds.append(answer.dtype)
        return (answer.float() - Y[rows]).pow(2).mean()

    settings = Settings(steps=2, batch=8, rate=0.1, bfloat16=True)
    model = train(nn.Linear(6, 1), watched, ROWS, settings, tmp_path)
    assert kinds == [torch.bfloat16] * 2
    assert model.get_parameter("weight").dtype == torch.float32


def test_rates_rise_in_equal_parts_and_fall_along_half_a_cosine():
    settings = Settings(steps=104, batch=1, rate=2.0, warm_up=4)
    np.testing.assert_allclose([settings.rate_at(s) for s in range(4)], [0.5, 1, 1.5, 2])
    assert settings.rate_at(4) == 2.0
    assert settings.rate_at(54) == pytest.approx(1.0)
    assert settings.rate_at(79) == pytest.approx(1 + math.cos(0.75 * math.pi))
    assert 0 < settings.rate_at(103) < 0.001


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"rate": 0.0}, {"average": 1.0}, {"accumulate": 3}, {"clip": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(BadInput):
        replace(SETTINGS, **wrong)


def test_every_row_comes_once_an_epoch_in_an_order_of_its_own():
    order = Order(10, 4, seed=1)
    rows = np.concatenate([order(step) for step in range(5)])
    first, second = rows[:10], rows[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)
    np.testing.assert_array_equal(Order(10, 4, seed=1)(3), rows[12:16])
    assert list(Order(10, 10, seed=2)(0)) != list(first)
    with pytest.raises(BadInput):
        Order(0, 4, seed=1)


def test_seeds_are_put_back():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with seeded(1, 2) as rng:
        first = (rng.random(), float(torch.rand(())))
    with seeded(1, 2) as rng:
        assert (rng.random(), float(torch.rand(()))) == first
    assert torch.equal(before, torch.get_rng_state())


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"model": Path("anything")}, tmp_path / CHECKPOINT)
    with pytest.raises(BadInput, match="not a checkpoint"):
        run(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 100])
def test_a_damaged_checkpoint_is_refused(tmp_path, kept, undisturbed):
    whole = (undisturbed[1] / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[:kept])
    with pytest.raises(BadInput, match="not a checkpoint"):
        run(tmp_path)
