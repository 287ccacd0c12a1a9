"""Several processes make the same update as one, and share out a classifier without changing it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lineament.core.errors import BadInput
from lineament.learn import processes
from lineament.learn.curve import read_curve
from lineament.learn.engine import CURVE, train

sys.path.insert(0, str(Path(__file__).parent))
import processes_worker as worker

SAME = 1e-6
HERE = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}


def together(count: int, folder: Path) -> list[Any]:
    """What the worker's processes answer, started by torchrun."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, f"--nproc-per-node={count}", worker.__file__, str(folder)]
    subprocess.run(command, env={**os.environ, **HERE}, check=True, timeout=280)
    paths = [folder / f"answers-{rank}.pt" for rank in range(count)]
    return [torch.load(path, weights_only=True) for path in paths]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def two(folder) -> list[Any]:
    return together(2, folder)


@pytest.fixture(scope="module")
def four(tmp_path_factory) -> list[Any]:
    return together(4, tmp_path_factory.mktemp("four"))


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], but=()) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - set(but):
        torch.testing.assert_close(ours[name], theirs[name], atol=SAME, rtol=0)


def test_two_processes_make_the_same_update_as_one(two, tmp_path):
    """Steps in two parts, with noise, dropout, norms, a mean of weights, and a clipped gradient."""
    alone = train(worker.make(), worker.loss, worker.ROWS, worker.SETTINGS, tmp_path).state_dict()
    statistics = ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert_same(two[0]["runs"]["whole"], alone, but=statistics)
    assert_same(two[0]["runs"]["whole"], two[1]["runs"]["whole"])
    first = worker.make().state_dict()
    assert float((alone["0.weight"] - first["0.weight"]).abs().max()) > 0.01


def test_statistics_of_norms_are_means_over_processes(two):
    """Two processes have seen a part each where one saw both in turn: near, not equal."""
    ours, theirs = (two[k]["runs"]["whole"]["1.running_mean"] for k in (0, 1))
    assert torch.equal(ours, theirs)


def test_processes_that_were_killed_go_on_bit_for_bit(two):
    for each in two:
        for name, tensor in each["runs"]["whole"].items():
            assert torch.equal(tensor, each["runs"]["again"][name])


def test_one_process_writes(two, folder):
    assert sorted(p.name for p in (folder / "whole").iterdir()) == [
        "checkpoint.pt", "curve.csv", "curve.png",
    ]  # fmt: skip
    steps = [int(row["step"]) for row in read_curve(folder / "whole" / CURVE)]
    assert steps == list(range(1, worker.SETTINGS.steps + 1))


def one(people: int) -> dict[str, worker.Answers]:
    """The plain losses over all faces, in the same terms."""
    assert processes.count() == 1
    return worker.shards(people)


@pytest.mark.parametrize("kind", worker.KINDS)
@pytest.mark.parametrize("count", [2, 4])
def test_a_sharded_classifier_is_the_whole_one(kind, count, two, four):
    """Loss, and gradients of all embeddings and all directions, put together again."""
    parts = [each["small"][kind] for each in (two if count == 2 else four)]
    whole = one(worker.PEOPLE)[kind]
    assert float(sum(p["loss"] for p in parts)) / count == pytest.approx(
        float(whole["loss"]), abs=1e-5
    )
    for name in ("embeddings", "weight"):
        ours = torch.cat([part[name] for part in parts])
        largest = float(whole[name].abs().max())
        torch.testing.assert_close(ours, whole[name], atol=1e-6 * largest, rtol=0)
    assert float(whole["embeddings"].abs().max()) > 1e-3


def test_with_one_process_it_is_the_plain_loss():
    embeddings, labels = worker.faces()
    sharded = worker.Sharded(worker.ArcFace, worker.PEOPLE, worker.DIMENSION)
    plain = worker.ArcFace(worker.PEOPLE, worker.DIMENSION)
    plain.load_state_dict(sharded.margin.state_dict())
    torch.testing.assert_close(sharded(embeddings, labels), plain(embeddings, labels))


@pytest.mark.parametrize("count", [2, 4])
def test_memory_a_process_falls_with_their_number(count, two, four):
    """Directions, their gradient, and all that backward needs, in bytes, with 20,000 people."""
    whole = int(one(20_000)["arcface"]["bytes"])
    for each in two if count == 2 else four:
        assert int(each["many"]["arcface"]["bytes"]) < 1.05 * whole / count


def test_a_run_with_a_sharded_classifier_is_that_of_the_whole_one(two, tmp_path):
    """Its clipped gradient is measured over all shards; its checkpoint is in two files."""
    alone = worker.classified(False, tmp_path).state_dict()
    runs = [each["runs"]["sharded"] for each in two]
    directions = torch.cat([run["head.margin.weight"] for run in runs])
    torch.testing.assert_close(directions, alone["head.weight"], atol=SAME, rtol=0)
    torch.testing.assert_close(
        runs[0]["network.weight"], alone["network.weight"], atol=SAME, rtol=0
    )
    for each in two:
        for name, tensor in each["runs"]["sharded"].items():
            assert torch.equal(tensor, each["runs"]["sharded again"][name])


def test_a_process_alone_is_left_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes.join("cpu") == "cpu"
    assert (processes.rank(), processes.count()) == (0, 1)
    tensor = torch.ones(2)
    assert processes.joined(tensor) is processes.add_up(tensor) is tensor


def test_several_processes_do_not_share_a_gpu(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="without a number"):
        processes.join("cuda:0")
