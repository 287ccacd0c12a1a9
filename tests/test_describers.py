"""Every describer is run by its card, on faces of nobody: what it says fits the fields that it
claims, does not depend on who else is in the batch, and is empty where there is nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineament.analyze import DEFAULTS, DETECTED, Analyzer
from lineament.core.cards import methods
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.masks import Masks
from lineament.core.media import read_image
from lineament.core.named_scores import NamedScores
from lineament.core.protocols import Describer

CARDS = [m.card for m in methods().values() if m.card.verb == "describe" and m.card.entry]
ANGLES = {"pose": 3, "gaze": 2}
SHARES = {"eyes_open", "mouth_open", "recognizability"}


@pytest.fixture(scope="module", autouse=True)
def _research():
    """Tests are research: the terms of research-only weights are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield


@pytest.fixture(scope="module")
def pictures(album) -> list[Image]:
    """A group of five, a picture without people, a portrait."""
    blank = Image(np.full((120, 160, 3), 90, np.uint8))
    group, portrait = (next(album.rglob(f"IMG_{number}.jpg")) for number in ("0133", "0021"))
    return [read_image(group), blank, read_image(portrait)]


def rows(value: Any) -> np.ndarray:
    """The numbers of a field, one row a face."""
    match value:
        case Landmarks():
            return value.points
        case NamedScores():
            return value.values
        case Masks():
            return value.area().values
    return value


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.slug)
def test_a_describer_gives_what_its_card_says(card, pictures):
    describer = methods()[card.slug].load()(threads=1)
    assert isinstance(describer, Describer)
    assert describer.card.slug == card.slug
    analyzer = Analyzer.of(want=card.gives, using=[card.slug], threads=1)
    together = analyzer(pictures)
    assert [len(faces) for faces in together] == [5, 0, 1]
    for faces, image in zip(together, pictures, strict=True):
        assert faces.fields == {*DETECTED, *card.gives}
        alone = analyzer([image])[0]
        for field in card.gives:
            check(field, faces)
            # Networks in batches may round differently; a pixel of a mask may fall either way.
            np.testing.assert_allclose(
                rows(getattr(alone, field)), rows(getattr(faces, field)), rtol=0.01, atol=0.02
            )


def check(field: str, faces: Faces) -> None:
    """What holds for a field whatever computed it."""
    value = getattr(faces, field)
    numbers = rows(value)
    assert len(value) == len(numbers) == len(faces)
    assert np.all(np.isfinite(numbers))
    if field in ANGLES:
        assert value.shape == (len(faces), ANGLES[field])
        assert np.all(np.abs(value) < np.pi / 3), "these faces look into the camera, more or less"
    elif field == "facial_indexes":
        assert np.all(numbers >= 0)
        assert np.all(numbers < 30), "no face is thirty irises long"
    elif field == "age":
        assert np.all((numbers > 3) & (numbers < 95))
    elif isinstance(value, NamedScores) or field in SHARES:
        assert np.all((numbers >= 0) & (numbers <= 1))
        if field in ("sex", "expression"):
            np.testing.assert_allclose(numbers.sum(axis=1), 1, atol=1e-3)
    elif isinstance(value, Landmarks):
        middle = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        assert np.all(np.abs(numbers.mean(axis=1) - middle) < sides / 3)
    elif isinstance(value, Masks):
        np.testing.assert_allclose(numbers.sum(axis=1), 1, atol=1e-5)
        assert np.all(numbers.max(axis=1) < 0.95), "a face is never one part only"
    else:
        raise AssertionError(f"say here what holds for {field}")


def test_every_default_is_a_describer_and_every_field_has_one():
    slugs = {card.slug for card in CARDS}
    assert slugs.issuperset(DEFAULTS)
    given = {field for card in CARDS if card.slug in DEFAULTS for field in card.gives}
    assert given == {field for card in CARDS for field in card.gives}
