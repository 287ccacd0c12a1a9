"""Few pixels, poor focus, a moving camera: what happens before the sensor.

Ladders of such degradations, and what they do to face recognition: K. Grm et al., "Strengths and
weaknesses of deep learning models for face recognition against image degradations", IET Biometrics
2018 (arXiv:1710.01494); for pictures at large D. Hendrycks and T. Dietterich, ICLR 2019
(arXiv:1903.12261).
"""

from __future__ import annotations

from math import ceil, cos, inf, radians, sin

import numpy as np
from jaxtyping import Float32, Float64

from lineament.measure.degrade.pixels import Pixels, require, rounded


def resolution(pixels: Pixels, share: float) -> Pixels:
    """Pictures seen with fewer pixels, brought back to their size.

    Down by the mean over areas, as a sensor of larger pixels gathers light, rounded to bytes; up by
    bicubic interpolation, as software enlarges.

    Args:
        pixels: n pictures.
        share: of the pixels that are left along each side, in (0, 1]; 1 changes nothing. At least
            one pixel is left.

    Raises:
        BadInput: the share lies outside.
    """
    from PIL import Image as Pillow

    require(share, np.nextafter(0, 1), 1, "the share of pixels left along a side")
    height, width = pixels.shape[1:3]
    small = max(1, round(width * share)), max(1, round(height * share))
    result = np.empty_like(pixels)
    for row, picture in enumerate(pixels):
        tiny = Pillow.fromarray(picture).resize(small, Pillow.Resampling.BOX)
        result[row] = np.asarray(tiny.resize((width, height), Pillow.Resampling.BICUBIC))
    return result


def gaussian_blur(pixels: Pixels, sigma: float) -> Pixels:
    """Pictures out of focus: smoothed by a Gaussian.

    The kernel ends at 4 sigma; beyond its edges the picture is mirrored, so that its mean stays.
    The cost grows with the picture's side to the third power: meant for crops.

    Args:
        pixels: n pictures.
        sigma: standard deviation of the kernel, pixels; 0 changes nothing.

    Raises:
        BadInput: sigma is negative or not finite.
    """
    require(sigma, 0, 1e4, "sigma")
    if sigma == 0:
        return pixels.copy()
    reach = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    down, across = (_mirrored(kernel / kernel.sum(), side) for side in pixels.shape[1:3])
    n, h, w, _ = pixels.shape
    columns = down @ pixels.astype(np.float32).reshape(n, h, w * 3)
    rows = columns.reshape(n, h, w, 3).swapaxes(2, 3) @ across.T
    return rounded(rows.swapaxes(2, 3))


def _mirrored(kernel: Float64[np.ndarray, " k"], side: int) -> Float32[np.ndarray, "s s"]:
    """The matrix that filters a line of `side` pixels, mirrored at both ends."""
    reach = len(kernel) // 2
    rows = np.arange(side)[:, None]
    seen = (rows + np.arange(-reach, reach + 1)) % (2 * side)
    seen = np.where(seen < side, seen, 2 * side - 1 - seen)
    matrix = np.zeros((side, side))
    np.add.at(matrix, (np.broadcast_to(rows, seen.shape), seen), kernel)
    return matrix.astype(np.float32)


def motion_blur(pixels: Pixels, length: float, degrees: float = 0.0) -> Pixels:
    """Pictures taken while the camera moved evenly along a straight line.

    Args:
        pixels: n pictures.
        length: of the way, pixels; 1 (a pixel's own width) changes nothing.
        degrees: of the way against the horizontal, counter-clockwise.

    Raises:
        BadInput: the length is below 1, or a number is not finite.
    """
    require(length, 1, 1e4, "the length of the motion")
    require(abs(degrees), 0, 1e6, "the angle of the motion")
    kernel = motion_kernel(length, degrees)
    reach = len(kernel) // 2
    edges = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    padded = np.pad(pixels, edges, mode="symmetric").astype(np.float32)
    height, width = pixels.shape[1:3]
    total = np.zeros(pixels.shape, np.float32)
    for y, x in zip(*np.nonzero(kernel), strict=True):
        total += np.float32(kernel[y, x]) * padded[:, y : y + height, x : x + width]
    return rounded(total)


def motion_kernel(length: float, degrees: float) -> Float64[np.ndarray, "k k"]:
    """How long the camera rests on each pixel: shares of the way, with the sum 1.

    The way is laid through the middle and each of its points given to the nearest pixel.
    """
    require(length, 1, inf, "the length of the motion")
    points = ceil(64 * length)
    along = ((np.arange(points) + 0.5) / points - 0.5) * length
    reach = ceil((length - 1) / 2)
    x = np.rint(along * cos(radians(degrees))).astype(int)
    y = np.rint(-along * sin(radians(degrees))).astype(int)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    np.add.at(kernel, (y + reach, x + reach), 1 / points)
    return kernel
