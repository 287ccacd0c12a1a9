"""A reader of numpy's ``.npy`` files that never unpickles.

Numbers and text are read as numpy reads them. An array of objects is a pickle after the header;
it is read by `plain_pickle`, which takes plain data only. Source: numpy, "NEP 1: a simple file
format for NumPy arrays".
"""

from __future__ import annotations

import io
import warnings
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.plain_pickle import read_plain

MAX_BYTES = 2**20
"""The largest file that is read: the label files of test sets have a few hundred bytes."""

# What numpy's reader of headers is known to raise.
_FAULTS = (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError, EOFError)


def read_npy(path: Path) -> Any:
    """The array of a file; of an array of objects the list of these.

    Raises:
        MissingFile: there is no such file, or it may not be read.
        BadInput: it is no such file, is cut off or too large, or holds more than plain data.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror or error}", str(path)) from error
    if len(data) > MAX_BYTES:
        raise BadInput(f"more than {MAX_BYTES:,} bytes", str(path))
    try:
        return _parse(data)
    except BadInput as error:
        raise BadInput(error.reason, str(path)) from error
    except _FAULTS as error:
        reason = str(error).split("\n")[0][:100] or type(error).__name__
        raise BadInput(f"not a readable .npy file: {reason}", str(path)) from error


def _parse(data: bytes) -> Any:
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version}")
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():  # of headers that Python 2 wrote, which are read all the same
        warnings.simplefilter("ignore", UserWarning)
        shape, fortran, dtype = header(file)
    body = file.read()
    if dtype.hasobject:
        return list(read_plain(body))
    if min(shape, default=0) < 0 or len(body) != prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(body)} bytes for an array of shape {shape}")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
