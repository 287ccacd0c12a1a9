"""From a trained model to an ONNX file that `core.sessions` runs, and proof that both agree."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lineament.core.errors import BadInput

OPSET = 17
TOLERANCE = 1e-4


def export(model: nn.Module, example: Tensor, path: Path, *, tolerance: float = TOLERANCE) -> float:
    """Write a model as ONNX with a free batch axis, and hold it to torch.

    Args:
        model: of one tensor in and one out; it is exported in evaluation mode, on the CPU.
        example: an input whose first axis is the batch, of at least two rows.
        path: of the file, replaced only once the answers agree.
        tolerance: largest absolute difference allowed.

    Returns:
        The largest difference seen, over the whole batch and its first row alone.

    Raises:
        BadInput: the answers differ by more, or the example has one row only.
    """
    if len(example) < 2:
        raise BadInput("an export is checked with two rows or more")
    model = model.eval().cpu()
    partial = path.with_suffix(".part.onnx")
    with warnings.catch_warnings():
        # Torch's other exporter needs two more packages and gives the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            str(partial),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    difference = max(_difference(model, part, partial) for part in (example, example[:1]))
    if not difference <= tolerance:
        partial.unlink()
        raise BadInput(f"ONNX and torch differ by {difference:.2g}; at most {tolerance:.2g} is due")
    partial.replace(path)
    return difference


def _difference(model: nn.Module, example: Tensor, path: Path) -> float:
    from lineament.core.sessions import Session

    with torch.no_grad():
        theirs = model(example).numpy()
    ours = Session(path, threads=1).run(example.numpy())[0]
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max())
