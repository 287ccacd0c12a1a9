"""Scenes from noise: pictures without a face, and the place for faces far away."""

from __future__ import annotations

import cv2
import numpy as np

Array = np.ndarray
Rng = np.random.Generator
Colour = tuple[float, float, float] | Array
Size = tuple[int, int]


def fractal(size: Size, rng: Rng, slope: float = 1.6, stretch: float = 1.0) -> Array:
    """(height, width) in 0..1: noise whose amplitude falls as frequency to the power -slope.

    `stretch` > 1 draws it out sideways.
    """
    width, height = size
    fx, fy = np.fft.rfftfreq(width)[None] * stretch, np.fft.fftfreq(height)[:, None]
    radius = np.hypot(fx, fy)
    radius[0, 0] = np.inf
    phases = np.exp(2j * np.pi * rng.random(radius.shape))
    noise = np.fft.irfft2(phases * radius**-slope, s=(height, width))
    low, high = np.percentile(noise, (1, 99))
    return ((noise - low) / (high - low)).clip(0, 1)


def mix(a: Colour, b: Colour, t: Array) -> Array:
    """Colours from `a` to `b` by `t` (height, width) in 0..1."""
    return np.asarray(a, float) * (1 - t[..., None]) + np.asarray(b, float) * t[..., None]


def sky(size: Size, rng: Rng) -> Array:
    """Blue above, pale below, clouds between."""
    down = np.linspace(0, 1, size[1])[:, None] * np.ones(size[0])
    clouds = (fractal(size, rng, 1.9, 2.2) * 2 - 0.9).clip(0, 1) * (1 - 0.5 * down)
    return mix(mix((70, 115, 175), (205, 220, 232), down**0.7), (246, 246, 248), clouds)


def mountains(size: Size, rng: Rng) -> Array:
    """Ridges behind each other, hazier with distance, and a meadow."""
    picture, (width, height) = sky(size, rng), size
    rows = np.arange(height)[:, None]
    for depth, level in enumerate((0.38, 0.47, 0.57, 0.68)):
        ridge = fractal((width, 8), rng, 1.4 + 0.2 * depth)[0]
        top = height * (level - (0.2 - 0.04 * depth) * ridge)
        woods = fractal(size, rng, 1.2)
        near = mix((34, 48, 30), (92, 104, 52) if depth == 3 else (66, 80, 48), woods)
        haze = np.full((height, width), (0.8, 0.62, 0.4, 0.1)[depth])
        edge = cv2.GaussianBlur((rows > top).astype(np.float32), (0, 0), 0.8)
        picture = mix(picture, mix(near, (176, 194, 212), haze), edge)
    return picture


def sea(size: Size, rng: Rng) -> Array:
    """An evening at the water."""
    width, height = size
    horizon, x = (
        round(height * rng.uniform(0.45, 0.6)),
        np.linspace(-1, 1, width) + rng.uniform(-0.5, 0.5),
    )
    y = (np.arange(height)[:, None] - horizon) / height
    glow = np.exp(-(x**2) * 2 - (y * 5) ** 2)
    evening = mix((52, 70, 118), (238, 158, 92), np.exp(-np.abs(y) * 4) * np.ones(width))
    picture = (
        mix(evening, (255, 236, 190), glow)
        - 50 * fractal(size, rng, 1.8, 3.0)[..., None] * (y < 0)[..., None]
    )
    waves = fractal(size, rng, 1.1, 7.0)
    path = np.exp(-((x / (0.1 + np.abs(y))) ** 2)) * (waves > 0.55)
    water = mix(picture[::-1] * 0.55, (24, 34, 56), 0.35 + 0.5 * waves)
    return mix(picture, mix(water, (255, 214, 150), path * 0.7), (y > 0) * np.ones(width))


def lights(size: Size, rng: Rng) -> Array:
    """A street at night, out of focus."""
    width, height = size
    picture = mix((10, 12, 20), (42, 34, 40), fractal(size, rng, 1.8))
    colours = ((255, 190, 110), (255, 120, 90), (150, 190, 255), (255, 235, 200), (120, 220, 170))
    for _ in range(60):
        disc, radius = np.zeros((height, width), np.float32), int(rng.integers(8, 30))
        centre = (int(rng.integers(width)), int(height * rng.normal(0.55, 0.16)))
        cv2.circle(disc, centre, radius, float(rng.uniform(0.1, 0.6)), -1, cv2.LINE_AA)
        picture = mix(picture, colours[rng.integers(5)], cv2.GaussianBlur(disc, (0, 0), 1.5))
    return picture


def plaster(size: Size, rng: Rng) -> Array:
    """A rough wall in slanting light."""
    bumps = fractal(size, rng, 1.25) + 0.7 * fractal(size, rng, 1.7)
    relief = np.gradient(bumps, axis=1) * 6
    base = mix((176, 158, 134), (206, 196, 180), fractal(size, rng, 2))
    return (
        base
        * (1 + relief.clip(-0.5, 0.5))[..., None]
        * np.linspace(1.1, 0.7, size[0])[None, :, None]
    )


def leaves(size: Size, rng: Rng) -> Array:
    """Foliage out of focus, the sky shining through."""
    near, far = fractal(size, rng, 1.3), fractal(size, rng, 1.7)
    green = mix((20, 36, 14), (116, 140, 58), near * 0.6 + far * 0.4)
    picture = mix(green, (226, 236, 232), ((far * near - 0.45) * 6).clip(0, 1))
    return cv2.GaussianBlur(picture, (0, 0), 3.5)


SCENES = (mountains, sea, lights, plaster, leaves)
