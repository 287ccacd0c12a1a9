"""Faces drawn into their picture: boxes, points and labels, legible at any size."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lineament.core.faces import Faces
from lineament.core.geometry import clip_boxes
from lineament.core.image import Image

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233))
"""Colours of the faces, in turn. They stay apart for colour-blind eyes.

Source: M. Okabe, K. Ito, "Color Universal Design", 2008.
"""

_LONGEST_LABEL = 60


def draw_faces(
    image: Image,
    faces: Faces,
    labels: Sequence[str | None] | None = None,
    colours: Sequence[int] | None = None,
) -> Image:
    """A copy of the picture with a box around each face, its points, and a label.

    Lines and letters grow with the picture. Each box has a thin white edge, so that it stands out
    from any ground, and each label a ground of its own, always within the picture.

    Args:
        image: the picture that the faces were found in.
        faces: boxes, and landmarks or else keypoints where they are there, in pixels of ``image``.
        labels: one text a face, or None for a face without; up to 60 characters are drawn. The
            font at hand knows ASCII: accents are left out, letters of other scripts become "?".
        colours: a number a face; equal ones are drawn alike. None counts the faces.

    Raises:
        ValueError: there are not as many labels, or colours, as faces.
    """
    from PIL import Image as Pil
    from PIL import ImageDraw, ImageFont

    texts: Sequence[str | None] = [None] * len(faces) if labels is None else labels
    if len(texts) != len(faces):
        raise ValueError(f"{len(texts)} labels for {len(faces)} faces")
    hues = range(len(faces)) if colours is None else colours
    if len(hues) != len(faces):
        raise ValueError(f"{len(hues)} colours for {len(faces)} faces")
    picture = Pil.fromarray(np.ascontiguousarray(image.pixels))
    pen = ImageDraw.Draw(picture)
    side = max(image.width, image.height)
    line = max(1, round(side / 400))
    font = ImageFont.load_default(max(12, round(side / 50)))
    boxes = clip_boxes(faces.boxes, image.width - 1, image.height - 1)
    for row, (face, text) in enumerate(zip(faces, texts, strict=True)):
        colour = COLOURS[hues[row] % len(COLOURS)]
        _draw_box(pen, boxes[row], line, colour)
        if "landmarks" in faces.fields:
            # So many points need no edge to be seen, and would hide the face with one.
            _draw_points(pen, face.landmarks.points[0], 0.6 * line, 0, colour)
        elif "keypoints" in faces.fields:
            _draw_points(pen, face.points, 1.5 * line, 1, colour)
        if text:
            _draw_label(pen, boxes[row], text, font, line, colour)
    return Image(np.array(picture), image.source, image.scale)


def _draw_box(
    pen: ImageDraw, box: Float[np.ndarray, " 4"], line: int, colour: tuple[int, int, int]
) -> None:
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    edge = max(1, line // 3)
    outer = (x1 - edge, y1 - edge, x2 + edge, y2 + edge)
    pen.rectangle(outer, outline="white", width=line + 2 * edge)
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _draw_points(
    pen: ImageDraw,
    points: Float[np.ndarray, "k 2"],
    radius: float,
    edge: float,
    colour: tuple[int, int, int],
) -> None:
    for x, y in points.tolist():
        if edge:
            pen.circle((x, y), radius + edge, fill="white")
        pen.circle((x, y), radius, fill=colour)


def _draw_label(
    pen: ImageDraw,
    box: Float[np.ndarray, " 4"],
    text: str,
    font: FreeTypeFont | ImageFont,
    line: int,
    colour: tuple[int, int, int],
) -> None:
    """Above the box where there is room, else within it; moved left where it would not fit."""
    width, height = pen.im.size
    shown = _fitted(pen, _ascii(text), font, width - 4 * line)
    left, top, right, bottom = pen.textbbox((0, 0), shown, font=font)
    wide, high = right - left + 4 * line, bottom - top + 4 * line
    x = max(0, min(float(box[0]), width - wide))
    y = float(box[1]) - high
    y = y if y >= 0 else max(0, min(float(box[1]), height - high))
    pen.rectangle((x, y, x + wide, y + high), fill=colour, outline="white")
    pen.text((x - left + 2 * line, y - top + 2 * line), shown, fill="white", font=font)


def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", " ".join(text.split()))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()


def _fitted(pen: ImageDraw, text: str, font: FreeTypeFont | ImageFont, width: int) -> str:
    """As much of the text as fits, with an ellipsis where some is left out."""
    shown = text if len(text) <= _LONGEST_LABEL else text[:_LONGEST_LABEL] + "…"
    while len(shown) > 1 and pen.textlength(shown, font=font) > width:
        shown = shown.removesuffix("…")[:-1] + "…"
    return shown
