"""Age, sex, expression, attributes: on real faces, and against sums worked by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import pytest

from lineament.core.chips import dlib_chip
from lineament.core.crops import Crops, align
from lineament.core.errors import LicenceNotAccepted
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.named_scores import NamedScores
from lineament.core.protocols import Describer
from lineament.core.weights import derived, fetch
from lineament.know.embed.sface import CARD as SFACE
from lineament.measure.sets.celeba import read_celeba
from lineament.measure.sets.fer2013 import EXPRESSIONS
from lineament.measure.sets.utkface import read_utkface
from lineament.see.attributes import facex, human_faceres, lnet_anet
from lineament.see.attributes.age_v1 import AGES, AgeV1
from lineament.see.attributes.facex import Facex
from lineament.see.attributes.gender_v1 import GenderV1
from lineament.see.attributes.human_faceres import HumanFaceRes
from lineament.see.attributes.lnet_anet import ATTRIBUTES, BANDS, IdentityFeatures, LnetAnet
from lineament.see.attributes.network import CropDescriber, expectation
from lineament.see.batch import align_all
from lineament.see.detect.yunet import YuNet

T = TypeVar("T")
Scene = tuple[Sequence[Image], Sequence[Faces]]


@pytest.fixture(scope="module", autouse=True)
def _research() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield


@pytest.fixture(scope="module")
def scene(shared_data) -> Scene:
    """Three portraits, with a picture of nobody between them."""
    names = ["Abdullah_Gul_0007", "Ariel_Sharon_0016", "Aaron_Peirsol_0001"]
    images = [read_image(shared_data / "lfw" / "images" / f"{name}.jpg") for name in names]
    images.insert(1, Image(np.full((90, 120, 3), 128, np.uint8)))
    return images, YuNet(threads=1)(images)


DESCRIBERS = [AgeV1, GenderV1, HumanFaceRes, Facex, LnetAnet]


def values(field: np.ndarray | NamedScores) -> np.ndarray:
    return field.values if isinstance(field, NamedScores) else field


@pytest.mark.parametrize("kind", DESCRIBERS, ids=lambda kind: kind.card.slug)
def test_each_face_is_described_alike_alone_and_among_others(kind, scene: Scene):
    images, found = scene
    describer = kind(threads=1)
    assert isinstance(describer, Describer)
    together = describer(images, found)
    assert [len(said) for said in together] == [len(kind.card.gives)] * 4
    for image, faces, said in zip(images, found, together, strict=True):
        assert set(said) == set(kind.card.gives)
        (alone,) = describer([image], [faces])
        for name in said:
            assert len(said[name]) == len(faces)
            np.testing.assert_allclose(values(said[name]), values(alone[name]), atol=1e-3)
            assert values(said[name]).dtype == np.float32
            if isinstance(said[name], NamedScores):
                assert ((said[name].values >= 0) & (said[name].values <= 1)).all()
                if name in ("sex", "expression"):
                    np.testing.assert_allclose(said[name].values.sum(axis=1), 1, atol=1e-5)
    assert len(found[1]) == 0
    assert describer.seconds > 0
    assert describer([], []) == []


@pytest.mark.parametrize("kind", DESCRIBERS, ids=lambda kind: kind.card.slug)
def test_crops_of_another_template_are_refused(kind):
    crops = Crops(np.zeros((1, 9, 9, 3), np.uint8), np.zeros((1, 2, 3), np.float32), "other")
    with pytest.raises(ValueError, match=f"{kind.card.slug} takes"):
        kind(threads=1).describe(crops)


@pytest.fixture(scope="module")
def adults(shared_data) -> tuple[Scene, np.ndarray, np.ndarray]:
    """Forty faces of UTKFace from 16 on, spread over all ages, with their ages and whether they are
    labelled female."""
    faces = read_utkface(shared_data / "utkface")
    age, sex = faces.labels["age"], faces.labels["sex"]
    grown = np.flatnonzero(age >= 16)
    rows = grown[:: len(grown) // 40]
    images = [read_image(faces.paths[row]) for row in rows]
    found = [faces[:1] for faces in YuNet(threads=1)(images)]
    seen = [k for k, one in enumerate(found) if len(one)]
    kept = rows[seen]
    return ([images[k] for k in seen], [found[k] for k in seen]), age[kept], sex[kept] == 1


@pytest.mark.parametrize("kind", [AgeV1, HumanFaceRes], ids=lambda kind: kind.card.slug)
def test_age_is_closer_than_the_middle_age(kind, adults):
    (images, found), age, _ = adults
    guessed = np.concatenate([said["age"] for said in kind(threads=1)(images, found)])
    assert np.abs(guessed - age).mean() < 0.7 * np.abs(np.median(age) - age).mean()
    assert np.corrcoef(guessed, age)[0, 1] > 0.7


@pytest.mark.parametrize("kind", [GenderV1, HumanFaceRes], ids=lambda kind: kind.card.slug)
def test_sex_agrees_with_the_labels_of_grown_people(kind, adults):
    (images, found), _, female = adults
    chances = np.concatenate([said["sex"].of("female") for said in kind(threads=1)(images, found)])
    assert ((chances > 0.5) == female).mean() > 0.85


def test_the_expectation_by_hand():
    chances = np.asarray([[0.5, 0.5, 0], [0, 0.25, 0.75]], np.float32)
    assert expectation(chances, np.asarray([0.25, 1, 2])).tolist() == [0.625, 1.75]
    assert (AGES[0], AGES[1], AGES[80], len(AGES)) == (0.25, 1, 80, 81)


def test_chips_grow_with_the_border():
    narrow, wide = dlib_chip("a", 100, 0), dlib_chip("b", 100, 0.5)
    # The unit square fills the chip, or its middle half; dlib counts from a pixel's edge.
    np.testing.assert_allclose((np.add(narrow.points, 0.5)) / 2 + 25, np.add(wide.points, 0.5))
    assert narrow.points[0] == pytest.approx((22.0492, 21.0990))


def test_planes_are_what_the_networks_were_trained_on():
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 1] = (255, 128, 10)
    age = CropDescriber.planes(_bare(AgeV1), pixels)
    np.testing.assert_allclose(
        age[0, :, 0, 1],
        [(255 - 122.781998) / 256, (128 - 117.000999) / 256, (10 - 104.297997) / 256],
    )
    blue_first = HumanFaceRes.planes(_bare(HumanFaceRes), pixels)
    np.testing.assert_allclose(blue_first[0, :, 0, 1], [10 - 103.939, 128 - 116.779, 255 - 123.68])
    grey = Facex.planes(_bare(Facex), pixels)
    brightness = (0.299 * 255 + 0.587 * 128 + 0.114 * 10) / 255
    np.testing.assert_allclose(grey[0, 0, 1], [brightness] * 3, rtol=1e-6)


def _bare(kind: type[T]) -> T:
    """An object of this class that has opened no network."""
    return kind.__new__(kind)


def test_converted_networks_are_kept_under_tags_of_their_own():
    assert set(facex.EXPRESSIONS) == set(EXPRESSIONS)
    topology = fetch(human_faceres.CARD.weights[1]).read_bytes()
    path = derived(
        human_faceres.CARD.weights[0],
        "converted",
        lambda file: human_faceres.convert(topology, file.read_bytes()),
    )
    session = onnxruntime.InferenceSession(str(path))
    assert [value.shape for value in session.get_outputs()] == [["batch", 1], ["batch", 100]]
    assert session.get_inputs()[0].shape == ["batch", 3, 224, 224]


def test_identity_features_are_sfaces_map_averaged_over_bands(scene: Scene):
    images, found = scene
    crops = align_all(images, found, lnet_anet.ARCFACE_112)
    model = onnx.load(str(fetch(SFACE.weights[0])))
    model.graph.output.append(onnx.helper.make_tensor_value_info("conv_13_relu", 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    planes = crops.pixels.transpose(0, 3, 1, 2).astype(np.float32)
    maps = np.concatenate(
        [np.asarray(session.run(["conv_13_relu"], {"data": one[None]})[0]) for one in planes]
    )
    bands = np.stack([maps[:, :, a:b].mean(axis=(2, 3)) for a, b in BANDS], axis=2)
    features = IdentityFeatures(threads=1).describe(crops)["features"]
    np.testing.assert_allclose(features, bands.reshape(len(crops), -1), atol=1e-3)
    assert sum(b - a for a, b in BANDS) == 7


def test_attributes_are_told_of_people_whom_the_heads_have_not_seen(shared_data):
    from lineament.bench.celeba40 import draw

    everyone = read_celeba(shared_data / "celeba5k")
    assert tuple(everyone.labels) == ATTRIBUTES
    faces, training = draw(everyone, 0)
    rows = np.flatnonzero(~training)[::12]
    images = [read_image(faces.paths[row]) for row in rows]
    found = [faces[:1] for faces in YuNet(threads=1)(images)]
    said = [row["attributes"] for row in LnetAnet(threads=1)(images, found)]
    seen = [k for k, one in enumerate(found) if len(one)]
    chances = np.concatenate([said[k].values for k in seen])
    truth = np.stack([faces.labels[name][rows[seen]] for name in ATTRIBUTES], axis=1) == 1
    assert ((chances > 0.5) == truth).mean() > 0.87
    for name, least in {"Eyeglasses": 0.95, "Smiling": 0.85, "Male": 0.93, "Bald": 0.95}.items():
        k = ATTRIBUTES.index(name)
        assert ((chances[:, k] > 0.5) == truth[:, k]).mean() > least, name
    # A probability of 0.3 should come true three times of ten.
    assert abs(chances.mean() - truth.mean()) < 0.02


def test_the_heads_wait_for_acceptance(monkeypatch, tmp_path):
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "0")
    monkeypatch.setattr("lineament.core.weights._acceptances", lambda: tmp_path / "none.json")
    with pytest.raises(LicenceNotAccepted, match="lnet-anet-heads"):
        LnetAnet(threads=1)


def test_a_face_turned_in_its_picture_is_described_alike(scene: Scene):
    """The five points, not the picture's edges, decide how a face is cut."""
    images, found = scene
    image, faces = images[0], found[0][:1]
    turned = Image(np.rot90(image.pixels, 2).copy())
    size = np.asarray([image.width - 1, image.height - 1], np.float32)
    moved = type(faces.keypoints)(size - faces.keypoints.points, "5")
    there = align(turned, moved, AgeV1.template).pixels.astype(float)
    here = align(image, faces.keypoints, AgeV1.template).pixels.astype(float)
    assert np.abs(there - here).mean() < 3
