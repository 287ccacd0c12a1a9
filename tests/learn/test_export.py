"""Export: the file answers as the model does, for any batch; one that does not is not written."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lineament.core.errors import BadInput
from lineament.core.sessions import Session
from lineament.learn.engine import seeded
from lineament.learn.export import export


def test_an_exported_model_answers_as_torch_does_for_any_batch(tmp_path):
    with seeded(0):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        model(torch.rand(8, 3, 6, 6))  # the norm has seen something
        example, other = torch.rand(2, 3, 6, 6), torch.rand(5, 3, 6, 6)
    assert export(model, example, tmp_path / "model.onnx") < 1e-5
    answer = Session(tmp_path / "model.onnx").run(other.numpy())[0]
    torch.testing.assert_close(torch.from_numpy(answer), model.eval()(other).detach())
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


class Varying(nn.Module):
    """Random even in evaluation mode, so that no two answers agree."""

    def forward(self, x):
        return x + torch.rand_like(x)


def test_a_model_whose_file_differs_is_not_written(tmp_path):
    with pytest.raises(BadInput, match="differ by"):
        export(Varying(), torch.zeros(2, 3), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_one_row_is_no_check_of_a_free_batch(tmp_path):
    with pytest.raises(BadInput, match="two rows"):
        export(nn.Linear(2, 2), torch.zeros(1, 2), tmp_path / "model.onnx")
