"""Arrays that took long to make, made once and kept in a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lineament.core.errors import BadInput

DAMAGED = (ValueError, TypeError, KeyError, EOFError, OSError, BadZipFile)
"""What reading a file of arrays raises where it is another file, or was cut short."""


def kept(
    folder: Path, name: str, key: Sequence[object], make: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What `make` gives, out of `folder` where it is there already.

    Several processes may ask for the same at once: each file is whole or absent.

    Args:
        folder: made where it is absent.
        name: first part of the file's name.
        key: everything that the arrays depend on; another key is another file.
        make: makes them; no array of objects.

    Raises:
        BadInput: the file there is no such archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256("\n".join(map(str, key)).encode()).hexdigest()[:12]
    path = folder / f"{name}-{mark}.npz"
    if not path.is_file():
        partial = folder / f"{name}-{mark}.{os.getpid()}.part.npz"
        np.savez(partial, **make())  # pyright: ignore[reportArgumentType]
        partial.replace(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {each: archive[each] for each in archive.files}
    except DAMAGED as error:
        raise BadInput(f"not an archive of arrays: {error}", str(path)) from error


def listing(paths: Sequence[Path]) -> str:
    """Files by name and length: a key for what is made of them."""
    text = "".join(f"{path.parent.name}/{path.name} {path.stat().st_size}\n" for path in paths)
    return hashlib.sha256(text.encode()).hexdigest()
