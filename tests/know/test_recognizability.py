"""The score against angles worked by hand, and on generated faces that get worse and worse."""

from __future__ import annotations

import json
from math import cos, radians, sin

import numpy as np
import pytest

from lineament.analyze import Analyzer
from lineament.bench.degraded import CANVAS, cut
from lineament.core.cards import methods
from lineament.core.crops import Crops, align
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput, SpaceMismatch
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.protocols import Describer
from lineament.know.recognizability import Recognizability, recognizability
from lineament.know.unrecognisable import (
    UnrecognisableCentre,
    centre_of,
    read_centre,
    write_centre,
)
from lineament.measure.degrade.suites import suite

SPACE = "example@01234567"
EMBEDDERS = ["sface", "mobilefacenet-w600k", "edgeface-s", "dlib-resnet"]
LADDERS = ("resolution", "gaussian noise")


def at(*degrees: float, space: str = SPACE) -> Embeddings:
    """Vectors of a plane, at angles to its first axis."""
    vectors = [(cos(radians(d)), sin(radians(d))) for d in degrees]
    return Embeddings(np.asarray(vectors, np.float32).reshape(-1, 2), space)


def centre(spoilt: float = 45, clean: float = 90) -> UnrecognisableCentre:
    """On the first axis, with these angles, degrees, at the medians."""
    s, c = radians(spoilt), radians(clean)
    axis = np.asarray([1, 0], np.float32)
    return UnrecognisableCentre(SPACE, axis, (s / 2, s, s * 1.1), (c * 0.9, c, c * 1.1), "hands")


def test_the_score_by_hand():
    # Medians at 45 and 90 degrees: m = sqrt(45 * 90) = 63.64, k = 2 ln 9 / ln 2 = 6.3398.
    scores = recognizability(at(0, 45, 63.6396, 90, 180), centre())
    opposite = 1 / (1 + (63.6396 / 180) ** 6.3398)
    np.testing.assert_allclose(scores, [0, 0.1, 0.5, 0.9, opposite], atol=1e-4)
    assert scores[0] == 0
    assert scores.dtype == np.float32


def test_it_grows_with_the_angle_to_either_side():
    degrees = np.arange(5.0, 180.0, 5.0)
    scores = recognizability(at(*degrees), centre())
    assert np.all(np.diff(scores) > 0)
    np.testing.assert_allclose(recognizability(at(*-degrees), centre()), scores, rtol=1e-4)


def test_a_centre_is_the_mean_of_unit_vectors():
    # 10 degrees to one side once, 30 to the other twice; the sum of the three unit vectors.
    spoilt = at(10, -30, -30)
    made = UnrecognisableCentre.of(spoilt, at(70, 80, 90), "three")
    y, x = sin(radians(10)) - 2 * sin(radians(30)), cos(radians(10)) + 2 * cos(radians(30))
    turn = np.degrees(np.arctan2(y, x))
    np.testing.assert_allclose(np.degrees(np.arctan2(*made.vector[::-1])), turn, atol=1e-4)
    assert np.degrees(made.spoilt[1]) == pytest.approx(30 + turn, abs=1e-3)
    assert np.degrees(made.clean[1]) == pytest.approx(80 - turn, abs=1e-3)
    assert np.degrees(made.clean) == pytest.approx([71 - turn, 80 - turn, 89 - turn], abs=1e-3)
    np.testing.assert_allclose(recognizability(spoilt[1:], made), 0.1, atol=1e-3)


def test_centres_that_say_nothing_are_refused():
    with pytest.raises(BadInput, match="needs faces"):
        UnrecognisableCentre.of(at(), at(90), "nobody")
    with pytest.raises(BadInput, match="cancel out"):
        UnrecognisableCentre.of(at(0, 180), at(90), "opposites")
    with pytest.raises(BadInput, match="does not tell them apart"):
        UnrecognisableCentre.of(at(-60, 60), at(10, 20), "the wrong way round")
    with pytest.raises(BadInput, match="length 1"):
        UnrecognisableCentre(SPACE, np.zeros(2, np.float32), (1, 1, 1), (2, 2, 2), "nothing")


def test_spaces_do_not_mix():
    with pytest.raises(SpaceMismatch):
        recognizability(at(3, space="other@00000000"), centre())
    with pytest.raises(SpaceMismatch):
        UnrecognisableCentre.of(at(3), at(90, space="other@00000000"), "two spaces")


@pytest.mark.parametrize("space", [SPACE, "sface@00000000"])
def test_an_unknown_space_says_how_to_make_a_centre(space):
    """Other weights of a known method are another space."""
    with pytest.raises(BadInput, match=f"{space} puts .*unrecognisable_centres.py makes"):
        recognizability(at(3, space=space))


def test_a_centre_survives_its_file(tmp_path):
    made = UnrecognisableCentre.of(at(10, -30, -30), at(70, 80, 90), "three")
    path = write_centre(made, tmp_path)
    assert path.name == "example.json"
    read = read_centre(path)
    assert (read.space, read.made_from) == (SPACE, "three")
    np.testing.assert_allclose(read.vector, made.vector, atol=1e-5)
    np.testing.assert_allclose((read.spoilt, read.clean), (made.spoilt, made.clean), atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"vector": [0, 0]}, {"vector": ["a", "b"]}, {"spoilt": [1, 2]}, {"clean": None}]
)
def test_a_damaged_file_is_no_centre(tmp_path, change):
    path = write_centre(centre(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInput):
        read_centre(path)
    path.write_text("{")
    with pytest.raises(BadInput, match="not a centre"):
        read_centre(path)


def test_pictures_without_faces_have_no_scores():
    describe = Recognizability(threads=1)
    assert isinstance(describe, Describer)
    blank = Image(np.zeros((8, 8, 3), np.uint8))
    nobody = Faces.none().with_fields(
        embeddings=Embeddings(np.empty((0, 128), np.float32), "sface@0ba9fbfa")
    )
    (described,) = describe([blank], [nobody])
    assert described["recognizability"].shape == (0,)
    assert describe([], []) == []


@pytest.mark.parametrize("slug", EMBEDDERS)
def test_a_centre_ships_for_every_embedder(slug):
    found = methods()[slug]
    shipped = centre_of(f"{slug}@{found.card.weights[0].sha256[:8]}")
    assert shipped.vector.shape == (found.load().dimension,)
    assert "resolution 7 px" in shipped.made_from
    # Half of the unrecognisable lie nearer than all but one in twenty of the clean.
    assert shipped.spoilt[1] < shipped.clean[0]


@pytest.fixture(scope="module")
def canvases(album) -> np.ndarray:
    """Faces of ten portraits, with a border around the usual crop."""
    labels = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    plain = [photo["file"] for photo in labels if photo["kind"] == "plain"][::10]
    images = [read_image(album / name) for name in plain]
    found = methods()["yunet"].load()(threads=1)(images)
    pairs = zip(images, found, strict=True)
    return Crops.join([align(image, faces[:1].keypoints, CANVAS) for image, faces in pairs]).pixels


@pytest.mark.parametrize("slug", EMBEDDERS)
def test_worse_pictures_of_generated_faces_are_less_recognizable(slug, canvases, monkeypatch):
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    network = methods()[slug].load()(threads=1)
    points = np.repeat(np.asarray([CANVAS.points], np.float32), len(canvases), axis=0)

    def scores(pixels: np.ndarray) -> np.ndarray:
        return recognizability(network(cut(pixels, network.template)))

    clean = scores(canvases)
    ladders = [
        [scores(each(canvases, points, level)) for level in each.levels]
        for each in map(suite, LADDERS)
    ]
    assert np.median(clean) > np.median(ladders)
    means = [clean.mean(), *np.mean(ladders, axis=(0, 2))]
    assert np.all(np.diff(means) < 0)
    assert means[-1] < means[0] / 2


def test_an_analyzer_gives_the_field_and_codes_are_enough_for_it(album):
    images = [read_image(path) for path in sorted(album.glob("IMG_000[1-4].jpg"))]
    analyzer = Analyzer.of(want={"recognizability", "embeddings"}, threads=1)
    for faces in analyzer(images):
        assert faces.recognizability.shape == (len(faces),)
        np.testing.assert_array_equal(faces.recognizability, recognizability(faces.embeddings))
        kept = Embeddings.from_codes(faces.embeddings.to_codes(), faces.embeddings.space)
        np.testing.assert_allclose(recognizability(kept), faces.recognizability, atol=0.02)
    only = Analyzer.of(want={"recognizability"}, threads=1)(images[:1])[0]
    assert only.fields == {"boxes", "scores", "keypoints", "recognizability"}
