"""Tinted classes: which pixels change, by how much, and what the legend says."""

from __future__ import annotations

import numpy as np

from lineament.core.draw_masks import PALETTE, draw_masks
from lineament.core.image import Image
from lineament.core.masks import Masks

NAMES = tuple(f"class_{k}" for k in range(20))
GREY = Image(np.full((60, 80, 3), 100, np.uint8), "grey.png", 0.5)


def of(labels: np.ndarray, x: int = 0, y: int = 0) -> Masks:
    transform = np.asarray([[[1, 0, -x], [0, 1, -y]]], np.float32)
    return Masks(labels[None].astype(np.uint8), transform, NAMES)


def joined(*parts: Masks) -> Masks:
    labels = np.concatenate([part.labels for part in parts])
    return Masks(labels, np.concatenate([part.transforms for part in parts]), NAMES)


def test_each_class_mixes_in_its_colour_and_the_background_stays():
    labels = np.zeros((60, 80))
    labels[10:20, 10:20], labels[30:40, 30:40] = 1, 3
    drawn = draw_masks(GREY, of(labels[:60, :60]), strength=0.25)
    assert drawn.pixels[15, 15].tolist() == [round(75 + c / 4) for c in PALETTE[0]]
    assert drawn.pixels[35, 35].tolist() == [round(75 + c / 4) for c in PALETTE[2]]
    changed = (drawn.pixels[:60] != 100).any(axis=2)
    assert changed.sum() == 200
    assert (GREY.pixels == 100).all()
    assert (drawn.source, drawn.scale) == ("grey.png", 0.5)


def test_later_faces_lie_on_top_but_their_background_does_not():
    first, second = np.ones((20, 20)), np.zeros((20, 20))
    second[5:, :] = 2
    drawn = draw_masks(GREY, joined(of(first), of(second)), strength=1)
    assert drawn.pixels[2, 2].tolist() == list(PALETTE[0])
    assert drawn.pixels[10, 10].tolist() == list(PALETTE[1])


def test_the_legend_shows_what_is_seen_and_stands_below():
    labels = np.zeros((60, 60))
    labels[:, :30], labels[:5, 30:] = 5, 2
    drawn = draw_masks(GREY, of(labels))
    legend = drawn.pixels[60:].reshape(-1, 3)
    colours = {tuple(pixel) for pixel in legend.tolist()}
    assert PALETTE[4] in colours
    assert PALETTE[1] in colours
    assert PALETTE[0] not in colours
    columns = [np.nonzero((drawn.pixels[60:] == PALETTE[k]).all(axis=2))[1].min() for k in (4, 1)]
    assert columns[0] <= columns[1]  # most of the picture first, or each in a line of its own


def test_a_full_legend_stays_within_the_picture():
    labels = np.repeat(np.arange(20), 3)[:, None] * np.ones((1, 60))
    drawn = draw_masks(GREY, of(labels))
    assert drawn.pixels.shape[1] == 80
    legend = drawn.pixels[60:]
    swatches = [(legend == colour).all(axis=2).sum() for colour in PALETTE]
    assert min(swatches) >= 100  # each of its 19 swatches is there


def test_nobody_leaves_the_picture_as_it_is():
    drawn = draw_masks(GREY, Masks.none(8, NAMES))
    np.testing.assert_array_equal(drawn.pixels, GREY.pixels)


def test_the_colours_differ_and_stay_apart_for_the_colour_blind():
    """Of the first seven, any two differ by at least 50 of 441 in RGB as a deuteranope sees it."""
    assert len(set(PALETTE)) == 19
    # G. Machado et al., "A Physiologically-based Model for Simulation of Color Vision Deficiency",
    # 2009, deuteranopia, on linear RGB.
    seen = np.asarray(
        [
            (0.367322, 0.860646, -0.227968),
            (0.280085, 0.672501, 0.047413),
            (-0.011820, 0.042940, 0.968881),
        ]
    )
    linear = (np.asarray(PALETTE[:7]) / 255) ** 2.2
    blind = np.clip(linear @ seen.T, 0, 1) ** (1 / 2.2) * 255
    apart = np.linalg.norm(blind[:, None] - blind[None], axis=2) + 1000 * np.eye(7)
    assert apart.min() > 50
