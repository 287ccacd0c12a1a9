"""Noise of the sensor, and the losses of the file that a picture is kept in."""

from __future__ import annotations

import io

import numpy as np

from lineament.measure.degrade.pixels import Pixels, encoded, linear, require, rounded


def gaussian_noise(pixels: Pixels, sigma: float, seed: int = 0) -> Pixels:
    """Noise of one strength everywhere, added to each channel of each pixel alone.

    Source: as in K. Grm et al., IET Biometrics 2018 (arXiv:1710.01494), section 3.

    Args:
        pixels: n pictures.
        sigma: standard deviation before rounding and clipping, grey levels of 255; 0 changes
            nothing.
        seed: of the noise. The first k of n pictures get the same noise as they would alone.

    Raises:
        BadInput: sigma is negative or not finite.
    """
    require(sigma, 0, 1e4, "sigma")
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, np.float32)
    return rounded(pixels + np.float32(sigma) * noise)


def low_light(pixels: Pixels, electrons: float, seed: int = 0, read_noise: float = 3.0) -> Pixels:
    """Pictures taken in little light and amplified to their old brightness.

    In linear light each value becomes a count of electrons: Poisson about what the light brings,
    and Gaussian noise of the read-out on top. The gain then brings white back to white.

    Source: A. Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data", IEEE TIP 2008, equation 1. Colour filters, denoising and the camera's
    own curve are left out.

    Args:
        pixels: n pictures.
        electrons: that white brings, per pixel and channel; fewer is darker.
        seed: of the noise.
        read_noise: standard deviation, electrons. Small sensors have 1 to 5.

    Raises:
        BadInput: a number lies outside its range.
    """
    require(electrons, 1e-3, 1e9, "the electrons of white")
    require(read_noise, 0, 1e6, "the read noise")
    # Two streams, so that the first pictures' noise does not hang on how many come after them.
    arrivals, reading = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    signal = arrivals.poisson(linear(pixels) * electrons).astype(np.float32)
    signal += np.float32(read_noise) * reading.standard_normal(pixels.shape, np.float32)
    return encoded(signal / np.float32(electrons))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Pictures encoded as JPEG and decoded again, by Pillow (libjpeg, colour at half resolution).

    Blocks of 8 x 8 pixels start at the picture's corner.

    Args:
        pixels: n pictures.
        quality: libjpeg's, 1 to 100. No quality leaves a picture quite as it is.

    Raises:
        BadInput: the quality lies outside.
    """
    from PIL import Image as Pillow

    require(quality, 1, 100, "JPEG's quality")
    result = np.empty_like(pixels)
    for row, picture in enumerate(pixels):
        file = io.BytesIO()
        Pillow.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        result[row] = np.asarray(Pillow.open(file))
    return result
