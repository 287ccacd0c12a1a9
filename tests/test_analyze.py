"""The analyzer computes what is wanted, in batches, and says what it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.analyze import Analyzer, main_face
from lineament.core.errors import BadInput, FieldAbsent, NoFace
from lineament.core.image import Image
from lineament.core.media import read_image


@pytest.fixture(scope="module")
def pictures(album) -> list[Image]:
    """A group, a landscape without people, a portrait."""
    blank = Image(np.full((120, 160, 3), 90, np.uint8))
    names = sorted(path for path in album.iterdir() if path.suffix == ".jpg")
    return [read_image(names[0]), blank, read_image(names[-1])]


def test_wants_are_checked_before_anything_runs():
    with pytest.raises(BadInput, match="nothing computes 'agge'"):
        Analyzer.of(want={"agge"})
    with pytest.raises(BadInput, match="nothing computes 'embeddings'"):
        Analyzer.of(embedder=None, want={"embeddings"})


def test_only_what_is_wanted_is_kept(pictures):
    for want in (set(), {"quality"}, {"embeddings"}, {"crops", "quality"}):
        for faces in Analyzer.of(want=want)(pictures):
            assert faces.fields == {"boxes", "scores", "keypoints", *want}


def test_pictures_in_a_batch_do_not_change_each_other(pictures):
    analyzer = Analyzer.of()
    together = analyzer(pictures)
    assert len(together[0]) >= 1
    assert len(together[1]) == 0
    assert together[1].embeddings.vectors.shape == (0, 128)
    assert together[1].quality.shape == (0,)
    for faces, image in zip(together, pictures, strict=True):
        alone = analyzer([image])[0]
        np.testing.assert_allclose(alone.boxes, faces.boxes, atol=1e-2)
        np.testing.assert_allclose(alone.quality, faces.quality, atol=1e-3)
        np.testing.assert_allclose(alone.embeddings.vectors, faces.embeddings.vectors, atol=1e-4)
    assert analyzer([]) == []


def test_networks_that_are_not_needed_are_not_opened(pictures):
    analyzer = Analyzer.of(want={"quality"})
    assert analyzer.embedder is None
    with pytest.raises(FieldAbsent, match="Analyzer.want={'embeddings'}"):
        _ = analyzer(pictures[:1])[0].embeddings


def test_the_main_face_is_the_largest(pictures):
    faces = Analyzer.of(want=())(pictures)
    sides = faces[0].boxes[:, 2:] - faces[0].boxes[:, :2]
    assert main_face(faces[0]).row == int(np.argmax(sides[:, 0] * sides[:, 1]))
    with pytest.raises(NoFace, match="no face found"):
        main_face(faces[1])
