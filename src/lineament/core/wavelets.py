"""The discrete wavelet transform of pictures, with Daubechies' filters derived from their equation.

Pictures go on periodically, so that every level halves both sides exactly and the transform is
orthonormal: it keeps lengths, and its inverse is its transpose.

Source: I. Daubechies, "Orthonormal bases of compactly supported wavelets", CPAM 1988, section 4;
S. Mallat, "A theory for multiresolution signal decomposition", TPAMI 1989, section IV.
"""

from __future__ import annotations

from math import comb

import numpy as np
from jaxtyping import Float, Float64

from lineament.core.errors import BadInput


def daubechies(moments: int) -> Float64[np.ndarray, " taps"]:
    """The low-pass filter of minimum phase whose wavelet has so many vanishing moments.

    It has twice as many taps; 1 is Haar's. Its transfer function is ``((1 + z) / 2) ** moments``
    times the factor of ``sum_k comb(moments - 1 + k, k) y ** k``, ``y = (2 - z - 1 / z) / 4``,
    that has the roots inside the unit circle.

    Raises:
        BadInput: not 1 to 10 moments; beyond, rounding spoils the roots.
    """
    if not 1 <= moments <= 10:
        raise BadInput(f"Daubechies filters are made for 1 to 10 moments, not {moments}")
    response = np.ones(1)
    for _ in range(moments):
        response = np.convolve(response, [0.5, 0.5])
    powers = [comb(moments - 1 + k, k) for k in range(moments)]
    for y in np.roots(powers[::-1]):
        # z + 1/z = 2 - 4 y has two solutions, one the other's inverse.
        pair = np.roots([1, 4 * y - 2, 1])
        inside = pair[np.argmin(np.abs(pair))]
        response = np.convolve(response, np.array([1, -inside]) / (1 - inside))
    return np.sqrt(2) * np.real(response)


def dwt2(
    pictures: Float[np.ndarray, "*n h w"], low: Float[np.ndarray, " taps"]
) -> Float64[np.ndarray, "*n 4 hh hw"]:
    """One level: approximation, then detail along the rows, along the columns, and along both.

    Args:
        pictures: sides must be even.
        low: an orthonormal low-pass filter, as `daubechies` gives.

    Raises:
        BadInput: a side is odd or empty.
    """
    _require_even(pictures.shape[-2:])
    rows = _matrix(pictures.shape[-1], low)
    columns = _matrix(pictures.shape[-2], low)
    whole = columns @ np.asarray(pictures, np.float64) @ rows.T
    h, w = whole.shape[-2] // 2, whole.shape[-1] // 2
    top, bottom = whole[..., :h, :], whole[..., h:, :]
    bands = top[..., :w], top[..., w:], bottom[..., :w], bottom[..., w:]
    return np.stack(bands, axis=-3)


def idwt2(
    bands: Float[np.ndarray, "*n 4 hh hw"], low: Float[np.ndarray, " taps"]
) -> Float64[np.ndarray, "*n h w"]:
    """The pictures that `dwt2` took apart."""
    approximation, along_rows, along_columns, both = np.moveaxis(bands, -3, 0)
    top = np.concatenate([approximation, along_rows], axis=-1)
    bottom = np.concatenate([along_columns, both], axis=-1)
    whole = np.concatenate([top, bottom], axis=-2)
    rows, columns = _matrix(whole.shape[-1], low), _matrix(whole.shape[-2], low)
    return columns.T @ whole @ rows


def approximation(
    pictures: Float[np.ndarray, "*n h w"], low: Float[np.ndarray, " taps"], levels: int
) -> Float64[np.ndarray, "*n ah aw"]:
    """What is left of pictures after so many levels, each side halved at every level.

    Raises:
        BadInput: levels is negative, or a side cannot be halved so often.
    """
    if levels < 0:
        raise BadInput(f"a picture has 0 levels or more, not {levels}")
    left = np.asarray(pictures, np.float64)
    for _ in range(levels):
        left = dwt2(left, low)[..., 0, :, :]
    return left


def _matrix(size: int, low: Float[np.ndarray, " taps"]) -> Float64[np.ndarray, "size size"]:
    """The transform of one periodic line of `size` numbers: averages above, details below."""
    taps = len(low)
    high = low[::-1] * (-1.0) ** np.arange(taps)
    matrix = np.zeros((size, size))
    for row in range(size // 2):
        # A line shorter than the filter meets it more than once around, hence the sum.
        at = (2 * row + np.arange(taps)) % size
        np.add.at(matrix[row], at, low)
        np.add.at(matrix[size // 2 + row], at, high)
    return matrix


def _require_even(sides: tuple[int, ...]) -> None:
    if any(side < 2 or side % 2 for side in sides):
        raise BadInput(f"a wavelet transform halves even sides; got {sides[0]} x {sides[1]}")
