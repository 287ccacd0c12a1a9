"""From a trained model to an ONNX file that `core.sessions` runs, and proof that both agree."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lineament.core.errors import BadInput
from lineament.core.trained import KEY, Trained

OPSET = 17
TOLERANCE = 1e-4


def export(
    model: nn.Module,
    example: Tensor | tuple[Tensor, ...],
    path: Path,
    *,
    tolerance: float = TOLERANCE,
    about: Trained | None = None,
) -> float:
    """Write a model as ONNX with a free batch axis, and hold it to torch.

    Args:
        model: gives a tensor, or a tuple of them; it is exported in evaluation mode, on the CPU.
        example: its input or inputs, whose first axis is the batch, of at least two rows.
        path: of the file, replaced only once the answers agree.
        tolerance: largest absolute difference allowed.
        about: what it sees and gives; with it `lineament analyze --using FILE` runs the file. Its
            outputs are named in the model's order.

    Returns:
        The largest difference seen, over the whole batch and its first row alone.

    Raises:
        BadInput: the answers differ by more, the example has one row only, or `about` names
            another number of outputs.
    """
    examples = (example,) if isinstance(example, Tensor) else tuple(example)
    if len(examples[0]) < 2:
        raise BadInput("an export is checked with two rows or more")
    model = model.eval().cpu()
    answers = len(_answers(model, examples))
    outputs = [o.name for o in about.outputs] if about else _numbered("output", answers)
    if len(outputs) != answers:
        raise BadInput(f"the model gives {answers} outputs; {len(outputs)} are named")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.onnx")
    _write(model, examples, outputs, partial)
    if about:
        _note(partial, about)
    first = tuple(each[:1] for each in examples)
    difference = max(_difference(model, part, partial) for part in (examples, first))
    if not difference <= tolerance:
        partial.unlink()
        raise BadInput(f"ONNX and torch differ by {difference:.2g}; at most {tolerance:.2g} is due")
    partial.replace(path)
    return difference


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}{i}" for i in range(count)]


def _write(model: nn.Module, examples: tuple[Tensor, ...], outputs: list[str], path: Path) -> None:
    inputs = _numbered("input", len(examples))
    with warnings.catch_warnings():
        # Torch's other exporter needs two more packages and gives the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            examples,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )


def _note(path: Path, about: Trained) -> None:
    import onnx

    graph = onnx.load(str(path))
    graph.metadata_props.append(onnx.StringStringEntryProto(key=KEY, value=about.to_json()))
    onnx.save(graph, str(path))


@torch.no_grad()
def _answers(model: nn.Module, examples: tuple[Tensor, ...]) -> list[np.ndarray]:
    answers = model(*examples)
    return [each.numpy() for each in ((answers,) if isinstance(answers, Tensor) else answers)]


def _difference(model: nn.Module, examples: tuple[Tensor, ...], path: Path) -> float:
    from lineament.core.sessions import Session

    session = Session(path, threads=1)
    feeds = {name: each.numpy() for name, each in zip(session.inputs, examples, strict=True)}
    pairs = list(zip(session.run(feeds), _answers(model, examples), strict=True))
    if any(ours.shape != theirs.shape for ours, theirs in pairs):
        return float("inf")
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
