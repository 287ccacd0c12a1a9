"""Faces cut into their parts, drawn: each class tints the picture, and a legend says which."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt8

from lineament.core.image import Image
from lineament.core.masks import Masks

PALETTE = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178)),
    *((213, 94, 0), (204, 121, 167), (136, 34, 85), (51, 34, 136), (153, 153, 51)),
    *((68, 170, 153), (136, 204, 238), (221, 204, 119), (17, 119, 51), (170, 68, 153)),
    *((255, 255, 255), (102, 17, 0), (0, 0, 0), (153, 153, 153)),
)
"""A colour for each class but the background, in turn. The first seven stay apart for colour-blind
eyes whatever lies beside what; of the rest, neighbours in brightness are not neighbours in number.

Sources: M. Okabe, K. Ito, "Color Universal Design", 2008; P. Tol, "Colour schemes", SRON 2021, the
scheme "muted".
"""


def draw_masks(image: Image, masks: Masks, *, strength: float = 0.5) -> Image:
    """A copy of the picture in which each class of each face is tinted, with a legend below.

    Where faces overlap, the later one lies on top. The background of each face stays as it is. The
    legend names the classes that are seen, most of the picture first; without one there is none.

    Args:
        image: the picture that the faces were found in.
        masks: of its faces.
        strength: how much of the colour is mixed in, 0 to 1.
    """
    labels = np.zeros((image.height, image.width), np.uint8)
    for row in range(len(masks)):
        own = masks.label_map(row, image.width, image.height)
        labels = np.where(own > 0, own, labels)
    tinted = _tints(len(masks.names), strength)
    pixels = np.stack([tinted[labels, image.pixels[..., c], c] for c in range(3)], axis=2)
    counts = np.bincount(labels.ravel(), minlength=len(masks.names)).astype(np.float64)
    legend = _legend(image, masks.names, counts)
    return Image(np.concatenate([pixels, legend]), image.source, image.scale)


def _tints(classes: int, strength: float) -> UInt8[np.ndarray, "k 256 3"]:
    """What becomes of each level of each channel in each class; nothing in the background."""
    colours = np.asarray([PALETTE[k % len(PALETTE)] for k in range(classes - 1)]).reshape(-1, 1, 3)
    levels = np.arange(256).reshape(1, 256, 1).repeat(3, axis=2)
    mixed = np.rint(levels * (1 - strength) + colours * strength)
    return np.concatenate([levels, mixed]).astype(np.uint8)


def _legend(
    image: Image, names: tuple[str, ...], counts: Float64[np.ndarray, " k"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Swatches and names on white, in as many lines as the picture's width asks for."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    shown = [int(k) for k in np.argsort(-counts, kind="stable") if k and counts[k]]
    size = max(12, round(max(image.width, image.height) / 50))
    font = ImageFont.load_default(size)
    texts = {k: names[k].replace("_", " ") for k in shown}
    places, x, line = [], size // 2, 0
    for k in shown:
        wide = round(2 * size + font.getlength(texts[k]))
        if x > size // 2 and x + wide > image.width:
            x, line = size // 2, line + 1
        places.append((k, x, line))
        x += wide
    high = (line + 1) * 2 * size if shown else 0
    legend = Pillow.new("RGB", (image.width, max(high, 1)), "white")
    pen = ImageDraw.Draw(legend)
    for k, x, line in places:
        y = line * 2 * size + size // 2
        colour = PALETTE[(k - 1) % len(PALETTE)]
        pen.rectangle((x, y, x + size, y + size), fill=colour, outline="black")
        pen.text((x + 1.3 * size, y), texts[k], fill="black", font=font)
    return np.asarray(legend)[:high]
