"""Head pose drawn into the picture: a cube that turns with each head, and where its nose points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64

from lineament.core.draw import COLOURS
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.rotations import rotations

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_CORNERS = np.asarray(
    [(x, y, z) for z in (1.0, -1.0) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
)
"""Of the cube, x right, y down, z away: the back of the head's side first, then the face's side."""
_NOSE = np.asarray([(0.0, 0.0, -1.0), (0.0, 0.0, -2.2)])
"""From the middle of the face's side outward."""
_SHARE = 0.36
"""Half an edge of the cube, over the longer side of the face's box."""


def draw_poses(image: Image, faces: Faces) -> Image:
    """A copy of the picture with a cube around each head, in the face's colour.

    The side that the face is on is drawn boldly, with a line from its middle along the nose: its
    end is where the head points, and it is a dot where that is the viewer. The cube is seen
    without perspective.

    Args:
        image: the picture that the faces were found in.
        faces: with boxes and ``pose``.

    Raises:
        FieldAbsent: the faces have no pose.
    """
    from PIL import Image as Pil
    from PIL import ImageDraw

    picture = Pil.fromarray(np.ascontiguousarray(image.pixels))
    pen = ImageDraw.Draw(picture)
    line = max(1, round(max(image.width, image.height) / 400))
    boxes = faces.boxes.astype(np.float64)
    for row, turned in enumerate(rotations(faces.pose)):
        middle = (boxes[row, :2] + boxes[row, 2:]) / 2
        half = _SHARE * float((boxes[row, 2:] - boxes[row, :2]).max())
        colour = COLOURS[row % len(COLOURS)]
        _draw_cube(pen, seen(turned, _CORNERS, middle, half), line, colour)
        _draw_nose(pen, seen(turned, _NOSE, middle, half), line, colour)
    return Image(np.array(picture), image.source, image.scale)


def pose_labels(faces: Faces) -> list[str]:
    """A line of whole degrees for each face, as a label for `draw_faces`."""
    degrees = np.degrees(faces.pose).round().astype(int).tolist()
    return [f"pitch {pitch} yaw {yaw} roll {roll}" for pitch, yaw, roll in degrees]


def seen(
    rotation: Float64[np.ndarray, "3 3"],
    solid: Float64[np.ndarray, "k 3"],
    middle: Float64[np.ndarray, " 2"],
    scale: float,
) -> Float64[np.ndarray, "k 2"]:
    """Points of a turned solid from straight ahead, in pixels."""
    return middle + scale * (solid @ rotation.T)[:, :2]


def _draw_cube(
    pen: ImageDraw, corners: Float[np.ndarray, "8 2"], line: int, colour: tuple[int, int, int]
) -> None:
    points = [(x, y) for x, y in corners.tolist()]
    back, front = points[:4], points[4:]
    for edge in zip(back, front, strict=True):
        _stroke(pen, list(edge), line, colour)
    _stroke(pen, [*back, back[0]], line, colour)
    _stroke(pen, [*front, front[0]], 3 * line, colour)


def _draw_nose(
    pen: ImageDraw, ends: Float[np.ndarray, "2 2"], line: int, colour: tuple[int, int, int]
) -> None:
    start, tip = ((x, y) for x, y in ends.tolist())
    _stroke(pen, [start, tip], 3 * line, colour)
    pen.circle(tip, 3 * line + 1, fill="white")
    pen.circle(tip, 3 * line, fill=colour)


def _stroke(
    pen: ImageDraw, points: list[tuple[float, float]], width: int, colour: tuple[int, int, int]
) -> None:
    """A line with a thin white edge, which stands out from any ground."""
    pen.line(points, fill="white", width=width + 2 * max(1, width // 4), joint="curve")
    pen.line(points, fill=colour, width=width, joint="curve")
