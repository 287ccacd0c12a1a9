"""The classical chain: what its distances are, by equation, and that it names who was enrolled."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, NoFace
from lineament.core.image import Image
from lineament.core.wavelets import daubechies, dwt2
from lineament.know.embed.dwt_face import SIDE, DwtFace, grey_face
from lineament.measure.sets.orl import read_orl, read_pgm


def pictures(count: int, seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 1), np.uint8)
    return [Image(np.repeat(np.kron(c, np.ones((16, 16, 1), np.uint8)), 3, axis=2)) for c in coarse]


def test_level_0_is_plain_pixels():
    one, other = pictures(2)
    chain = DwtFace(levels=0, detect=False)
    chain.enrol(["ada"], [one])
    (nearest,) = chain.search([other])[0]
    difference = one.pixels[..., 0].astype(float) - other.pixels[..., 0]
    assert nearest.name == "ada"
    assert nearest.distance == pytest.approx(np.linalg.norm(difference))


def test_all_coefficients_keep_every_distance_so_only_the_approximation_tells_levels_apart():
    faces = np.random.default_rng(0).random((2, SIDE, SIDE))
    low = daubechies(3)
    whole = dwt2(faces, low)
    assert np.linalg.norm(whole[0] - whole[1]) == pytest.approx(np.linalg.norm(faces[0] - faces[1]))
    part = whole[:, 0]
    assert np.linalg.norm(part[0] - part[1]) < np.linalg.norm(faces[0] - faces[1])


@pytest.mark.parametrize("levels", range(8))
def test_a_level_halves_each_side(levels):
    chain = DwtFace(levels=levels, detect=False)
    assert chain.features(pictures(2)).shape == (2, (SIDE >> levels) ** 2)
    assert chain.features([]).shape == (0, (SIDE >> levels) ** 2)


def test_people_come_once_each_nearest_first():
    first, second, third = pictures(3)
    chain = DwtFace(detect=False)
    chain.enrol(["ada", "ben"], [first, second])
    chain.enrol(["ada"], [third])
    answers = chain.search([third, second])
    assert [[a.name for a in row] for row in answers] == [["ada", "ben"], ["ben", "ada"]]
    assert answers[0][0].distance == pytest.approx(0, abs=1e-9)
    assert len(chain.search([first], most=1)[0]) == 1


def test_the_face_is_cut_out_by_skin_colour():
    pixels = np.full((100, 100, 3), (90, 140, 210), np.uint8)
    pixels[20:72, 30:70] = (224, 172, 140)
    grey = grey_face(Image(pixels))
    inner = grey[10:-10, 10:-10]
    assert inner.std() < 1
    assert grey_face(Image(pixels), detect=False)[:20, :20].mean() < inner.mean()


def test_what_cannot_be_answered_is_refused():
    chain = DwtFace()
    grey = pictures(1)
    with pytest.raises(BadInput, match="nobody is enrolled"):
        chain.search(grey)
    with pytest.raises(NoFace, match="colour of skin"):
        chain.enrol(["ada"], grey)
    with pytest.raises(BadInput, match="2 names for 1"):
        chain.enrol(["ada", "ben"], grey)
    with pytest.raises(BadInput, match="0 to 7 levels"):
        DwtFace(levels=8)


def test_orl_is_mostly_told_apart(shared_data):
    orl = read_orl(shared_data / "orl")
    assert orl.people is not None
    images = [Image(np.repeat(read_pgm(p)[..., None], 3, axis=2)) for p in orl.paths]
    names = [str(person) for person in orl.people]
    odd = np.flatnonzero(np.arange(len(images)) % 2)
    even = np.flatnonzero(np.arange(len(images)) % 2 == 0)
    chain = DwtFace(detect=False)
    chain.enrol([names[i] for i in odd], [images[i] for i in odd])
    answers = chain.search([images[i] for i in even], most=1)
    right = [row[0].name == names[i] for row, i in zip(answers, even, strict=True)]
    assert np.mean(right) > 0.85  # by chance 0.025
