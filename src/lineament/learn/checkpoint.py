"""Checkpoints: whole or absent, and opened without running anything that is in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from lineament.core.errors import BadInput


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values to a file that has its name only once it is whole.

    Args:
        path: in a folder that exists.
        state: tensors, numbers, text, and dicts and lists of these.
    """
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """What `save` wrote, on the CPU; None where there is no file.

    Raises:
        BadInput: the file is damaged, or holds more than tensors and plain values.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many, the unpickler's own among them
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BadInput(f"not a checkpoint that can be read: {reason}", str(path)) from error
