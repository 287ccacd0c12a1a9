"""Faces drawn into a picture: where ink may be, and that the original keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.draw import COLOURS, draw_faces
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks

GREY = 90


def canvas(height: int = 400, width: int = 600, scale: float = 1.0) -> Image:
    return Image(np.full((height, width, 3), GREY, np.uint8), "party.jpg", scale)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def inked(image: Image) -> np.ndarray:
    """Which pixels differ from the ground."""
    return (image.pixels != GREY).any(axis=2)


def has(image: Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (image.pixels == colour).all(axis=2)


def test_no_faces_leave_a_copy() -> None:
    image = canvas(scale=0.5)
    drawn = draw_faces(image, Faces.none())
    np.testing.assert_array_equal(drawn.pixels, image.pixels)
    assert drawn.pixels is not image.pixels
    assert (drawn.source, drawn.scale) == ("party.jpg", 0.5)


def test_a_box_is_a_frame_and_its_inside_is_left_alone() -> None:
    image = canvas()
    drawn = draw_faces(image, Faces(boxes((100, 50, 300, 250))))
    ink = inked(drawn)
    assert not inked(image).any()
    for y, x in ((50, 200), (250, 200), (150, 100), (150, 300)):
        assert tuple(drawn.pixels[y, x]) == COLOURS[0]
    assert not ink[60:241, 110:291].any()
    outside = ink.copy()
    outside[48:253, 98:303] = False
    assert not outside.any()


def test_points_are_drawn_where_they_are() -> None:
    points = np.array([[[120, 80], [200, 80], [160, 120], [130, 160], [190, 160]]], np.float32)
    faces = Faces(boxes((100, 50, 300, 250)), keypoints=Landmarks(points, "5"))
    drawn = draw_faces(canvas(), faces)
    for x, y in points[0].astype(int):
        assert tuple(drawn.pixels[y, x]) == COLOURS[0]
    spots = inked(drawn)[60:241, 110:291]
    assert 5 * 4 < spots.sum() < 5 * 100


def test_lines_grow_with_the_picture() -> None:
    def thickness(factor: int) -> int:
        drawn = draw_faces(canvas(400 * factor, 600 * factor), Faces(boxes((100, 50, 300, 250))))
        return int(has(drawn, COLOURS[0])[150, :200].sum())

    assert thickness(1) == round(600 / 400)
    assert thickness(4) == round(2400 / 400)


def test_labels_lie_within_the_picture_and_off_the_face() -> None:
    corners = boxes((0, 0, 60, 60), (540, 0, 600, 60), (0, 340, 60, 400), (540, 340, 600, 400))
    without = draw_faces(canvas(), Faces(corners))
    names = ["Ana", "somebody with a long name", "Bo", "somebody else"]
    drawn = draw_faces(canvas(), Faces(corners), names)
    for row in range(4):
        assert has(drawn, COLOURS[row]).sum() > has(without, COLOURS[row]).sum() + 200
    low = draw_faces(canvas(), Faces(boxes((200, 200, 300, 300))), ["Ana"])
    inside = inked(low)[205:296, 205:296]
    assert not inside.any()
    assert (has(low, (255, 255, 255))[150:199] & ~inked(without)[150:199]).sum() > 20


def test_a_label_that_is_too_long_is_cut_to_the_width() -> None:
    face = Faces(boxes((20, 60, 60, 100)))
    longest = draw_faces(canvas(120, 200), face, ["name " * 10_000])
    ground = has(longest, COLOURS[0])[:59]
    assert ground.any()
    assert ground.sum(axis=1).max() <= 200
    assert inked(longest).shape == (120, 200)


def test_labels_of_other_scripts_and_accents_are_drawn_in_ascii() -> None:
    face = Faces(boxes((20, 60, 60, 100)))

    def drawn(label: str) -> np.ndarray:
        return draw_faces(canvas(), face, [label]).pixels

    np.testing.assert_array_equal(drawn("Zoë\nMüller"), drawn("Zoe Muller"))
    np.testing.assert_array_equal(drawn("李明"), drawn("??"))


def test_faces_without_a_label_get_none() -> None:
    faces = Faces(boxes((100, 100, 150, 150), (300, 100, 350, 150)))
    both = draw_faces(canvas(), faces, [None, "Bo"])
    assert not inked(both)[:95, :250].any()
    assert inked(both)[:95, 250:].any()
    np.testing.assert_array_equal(
        draw_faces(canvas(), faces, [None, ""]).pixels, draw_faces(canvas(), faces).pixels
    )


def test_boxes_beyond_the_edge_are_drawn_along_it() -> None:
    drawn = draw_faces(canvas(), Faces(boxes((-1e9, -50, 1e9, 200))))
    for y, x in ((100, 0), (100, 599), (0, 300), (200, 300)):
        assert tuple(drawn.pixels[y, x]) == COLOURS[0]


def test_a_picture_of_one_pixel() -> None:
    image = Image(np.zeros((1, 1, 3), np.uint8))
    assert draw_faces(image, Faces(boxes((0, 0, 1, 1))), ["Ana"]).pixels.shape == (1, 1, 3)


def test_labels_must_be_as_many_as_faces() -> None:
    with pytest.raises(ValueError, match="2 labels for 1 faces"):
        draw_faces(canvas(), Faces(boxes((0, 0, 9, 9))), ["a", "b"])


def test_a_view_that_is_not_contiguous_is_drawn_on() -> None:
    image = Image(np.full((600, 400, 3), GREY, np.uint8).transpose(1, 0, 2)[::-1])
    assert inked(draw_faces(image, Faces(boxes((100, 50, 300, 250))))).any()
