"""Draws the pictures of the conventions page, from the package's own numbers, as SVG.

The faces are schematic: points of the alignment template and an ellipse, nobody's likeness.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lineament.core.crops import ARCFACE_112

INK, SOFT, MARK, SKIN = "#1f2937", "#9ca3af", "#c2410c", "#fdf3e7"
FOLDER = Path(__file__).parent / "pictures"
POINT_NAMES = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")


def text(
    x: float, y: float, words: str, *, size: int = 13, anchor: str = "middle", ink: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{ink}">{words}</text>'
    )


def line(
    a: Sequence[float], b: Sequence[float], ink: str = INK, *, width: float = 1.5, tip: bool = False
) -> str:
    end = f' marker-end="url(#tip{ink[1:]})"' if tip else ""
    return (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
        f'stroke="{ink}" stroke-width="{width}"{end}/>'
    )


def dot(x: float, y: float, radius: float = 3, ink: str = MARK) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{ink}"/>'


def path(points: np.ndarray, ink: str = INK, *, fill: str = "none", closed: bool = False) -> str:
    steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    end = " Z" if closed else ""
    return f'<path d="M{steps}{end}" stroke="{ink}" stroke-width="1.5" fill="{fill}"/>'


def picture(name: str, title: str, width: int, height: int, parts: Sequence[str]) -> None:
    """Write one SVG, on white so that it reads in a dark theme too."""
    tips = "".join(
        f'<marker id="tip{ink[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 Z" fill="{ink}"/></marker>'
        for ink in (INK, MARK)
    )
    body = "\n".join(parts)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" role="img">\n'
        f"<title>{title}</title>\n<defs>{tips}</defs>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def axes() -> None:
    """Pixels as squares, their centres at whole numbers, and a box."""
    step, left, top = 64, 100, 76

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (x + 0.5) * step, top + (y + 0.5) * step

    parts = []
    for y in range(4):
        for x in range(6):
            parts.append(
                f'<rect x="{left + x * step}" y="{top + y * step}" width="{step}" height="{step}" '
                f'fill="none" stroke="{SOFT}"/>'
            )
            parts.append(dot(*at(x, y), 2, SOFT))
    parts += [text(at(x, 0)[0], top - 8, str(x), size=11, ink=SOFT) for x in range(6)]
    parts += [text(left - 10, at(0, y)[1] + 4, str(y), size=11, ink=SOFT) for y in range(4)]
    parts += [
        line((left, top - 30), (left + 130, top - 30), tip=True),
        text(left + 142, top - 26, "x", anchor="start"),
        line((left - 34, top), (left - 34, top + 130), tip=True),
        text(left - 34, top + 148, "y"),
        dot(*at(0, 0)),
        text(at(0, 0)[0], at(0, 0)[1] + 18, "(0, 0)", size=11),
    ]
    corners = np.asarray([at(1, 1), at(4, 1), at(4, 3), at(1, 3)])
    parts += [
        path(corners, MARK, closed=True),
        dot(*at(1, 1)),
        dot(*at(4, 3)),
        text(at(1, 1)[0] + 8, at(1, 1)[1] - 8, "x1, y1 = 1, 1", size=11, anchor="start", ink=MARK),
        text(at(4, 3)[0] - 8, at(4, 3)[1] - 8, "x2, y2 = 4, 3", size=11, anchor="end", ink=MARK),
        text(at(2.5, 2)[0], at(2.5, 2)[1] + 4, "3 wide, 2 high, area 6", size=12, ink=MARK),
    ]
    picture("axes", "Pixel coordinates and boxes", 540, 360, parts)


def five_points() -> None:
    """The alignment template, to scale, with the names of its points."""
    gain, left, top = 3.2, 165, 24
    points = np.asarray(ARCFACE_112.points) * gain + (left, top)
    side = 112 * gain
    middle = points[:, 0].mean()
    parts = [
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="{SOFT}" '
        'stroke-dasharray="5 4"/>',
        f'<ellipse cx="{middle:.1f}" cy="{top + 62 * gain:.1f}" rx="{40 * gain:.1f}" '
        f'ry="{46 * gain:.1f}" fill="{SKIN}" stroke="{INK}" stroke-width="1.5"/>',
    ]
    for x, y in points[:2]:
        parts.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{8 * gain:.1f}" ry="{4 * gain:.1f}" '
            f'fill="#ffffff" stroke="{INK}" stroke-width="1.5"/>'
        )
    nose = points[2]
    bridge = np.asarray([nose + (-2, -44), nose + (-12, 2), nose + (6, 6)])
    along = np.linspace(0, 1, 17)[:, None]
    mouth = points[3] + along * (points[4] - points[3]) + 48 * along * (1 - along) * (0, 1)
    parts += [path(bridge), path(mouth)]
    for number, (name, (x, y)) in enumerate(zip(POINT_NAMES, points, strict=True)):
        to_left = number in (0, 3)
        end = left - 10 if to_left else left + side + 10
        parts += [
            line((x, y), (end, y), SOFT, width=1),
            dot(x, y, 4.5),
            text(
                end + (-6 if to_left else 6),
                y + 4,
                f"{number} {name}",
                anchor="end" if to_left else "start",
            ),
        ]
    parts.append(
        text(left + side / 2, top + side + 20, "arcface112: 112 x 112 pixels", size=12, ink=SOFT)
    )
    picture("five-points", "The five points of scheme 5, in order", 700, 410, parts)


def turned(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Rotation in the picture's frame: x right, y down, z away from the viewer. Radians."""
    (cp, sp), (cy, sy), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
    about_x = np.asarray([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.asarray([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.asarray([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def on_head(x: float, y: float) -> tuple[float, float, float]:
    """A point on the front of an egg-shaped head that faces the viewer."""
    return x, y, -float(np.sqrt(max(0.0, 1 - x**2 - (y / 1.25) ** 2)))


def head(centre: tuple[float, float], rotation: np.ndarray) -> list[str]:
    """A schematic head under a rotation, seen without perspective; the arrow is the gaze."""

    def seen(points: Sequence[Sequence[float]]) -> np.ndarray:
        return (np.asarray(points) @ rotation.T)[:, :2] * 58 + centre

    around = np.linspace(0, 2 * np.pi, 73)
    outline = np.stack([np.cos(around), 1.25 * np.sin(around)], 1)
    roll = rotation[:2, :2] / np.sqrt(abs(np.linalg.det(rotation[:2, :2])))
    u, _, vt = np.linalg.svd(roll)
    parts = [path(outline @ (u @ vt).T * 58 + centre, fill=SKIN, closed=True)]
    for side in (-1, 1):
        eye = [on_head(side * 0.38 + 0.16 * np.cos(t), -0.25 + 0.09 * np.sin(t)) for t in around]
        parts.append(path(seen(eye), fill="#ffffff", closed=True))
    parts.append(
        path(
            seen(
                [on_head(x, 0.55 + 0.1 * (1 - (x / 0.3) ** 2)) for x in np.linspace(-0.3, 0.3, 13)]
            )
        )
    )
    nose = seen([on_head(0, 0.15), (0, 0.15, -2.6)])
    if np.linalg.norm(nose[1] - nose[0]) > 10:
        parts.append(line(nose[0], nose[1], MARK, width=2.5, tip=True))
    return [*parts, dot(*nose[0], 3.5)]


def angles() -> None:
    """One head for each angle, 25 degrees the positive way, beside one that looks at us."""
    turn = np.radians(25)
    rows = [
        ("all zero", "looks at the viewer", (0, 0, 0)),
        ("pitch +25", "looks down", (turn, 0, 0)),
        ("yaw +25", "turns to the picture's left", (0, turn, 0)),
        ("roll +25", "tilts clockwise in the picture", (0, 0, turn)),
    ]
    parts = []
    for column, (name, words, pose) in enumerate(rows):
        x = 105 + 190 * column
        parts += head((x, 110), turned(*pose))
        parts += [text(x, 222, name, size=14), text(x, 242, words, size=12, ink="#4b5563")]
    picture("angles", "Signs of pitch, yaw and roll", 780, 260, parts)


if __name__ == "__main__":
    axes()
    five_points()
    angles()
