"""What all metrics ask of their input: something there, one row each, nothing that is no number.

A metric that cannot be computed is refused; it never becomes a 0 or a 1.
"""

from __future__ import annotations

import numpy as np

from lineament.core.errors import BadInput


def need(condition: bool | np.bool_, message: str) -> None:
    """Go on only where `condition` holds.

    Raises:
        BadInput: it does not; this is the message.
    """
    if not condition:
        raise BadInput(message)


def need_finite(**arrays: np.ndarray) -> None:
    """Go on only where every number is one; a name of an argument is its name in the message.

    Raises:
        BadInput: an array holds NaN or infinity.
    """
    for name, array in arrays.items():
        need(np.isfinite(array).all(), f"{name} must be finite")


def need_rows(**arrays: np.ndarray) -> None:
    """Go on only where the arrays are finite, as long as each other, and not empty.

    Raises:
        BadInput: one of these fails.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    said = ", ".join(f"{name} {length}" for name, length in lengths.items())
    need(len(set(lengths.values())) == 1, f"one row of each expected; got {said}")
    need(next(iter(lengths.values())) > 0, f"at least one row expected; got {said}")
    need_finite(**arrays)


def need_alike(**arrays: np.ndarray) -> None:
    """Go on only where the arrays are finite, of one shape, and not empty.

    Raises:
        BadInput: one of these fails.
    """
    said = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    need(len({array.shape for array in arrays.values()}) == 1, f"one shape expected; got {said}")
    need(all(array.size for array in arrays.values()), f"nothing to measure; got {said}")
    need_finite(**arrays)


def need_share(**values: float) -> None:
    """Go on only where every value lies in [0, 1].

    Raises:
        BadInput: one does not.
    """
    for name, value in values.items():
        need(0 <= value <= 1, f"{name} must lie in 0 to 1; got {value}")
