"""Every method that can be run is run, on real pictures, by the verb that its card names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.core.cards import Method, methods
from lineament.core.crops import Crops, align
from lineament.core.embeddings import similarity
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.protocols import Detector, Embedder

RUNNABLE = [m for m in methods().values() if m.card.entry]


def of_verb(verb: str) -> list:
    return [pytest.param(m, id=m.card.slug) for m in RUNNABLE if m.card.verb == verb]


@pytest.fixture(scope="module", autouse=True)
def _research():
    """Tests are research: the terms of research-only weights are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield


HERE = {"describe", "detect", "embed"}
"""Verbs of many methods, each run in the same way: here, and in test_describers."""
ELSEWHERE = {
    "adaface": "learn/losses/test_margins.py",
    "adanpc": "know/test_adanpc.py",
    "arcface": "learn/losses/test_margins.py",
    "aspl": "know/test_aspl.py",
    "attention_pose": "see/test_attention_pose.py",
    "barlow_twins": "learn/pretraining/test_pretraining_objectives.py",
    "cosface": "learn/losses/test_margins.py",
    "dinov2": "know/test_dinov2.py",
    "dwt_face": "know/test_dwt_face.py",
    "embedding_limits": "know/test_embedding_limits.py",
    "facenet": "learn/losses/test_facenet.py",
    "faceptor": "learn/test_generalists_networks.py",
    "facexformer": "learn/test_generalists_networks.py",
    "fan_alignment": "learn/test_landmarks.py",
    "fer_xai": "see/test_fer_xai.py",
    "fgtbt": "learn/test_fgtbt.py",
    "fmae_iat": "learn/pretraining/test_fmae_iat.py",
    "fp_age": "learn/test_age_fp.py",
    "fra": "learn/pretraining/test_region_recipes.py",
    "fruits": "measure/test_fruits.py",
    "fsfm": "learn/pretraining/test_region_recipes.py",
    "g_acil": "know/test_g_acil.py",
    "landmark_kd": "learn/test_landmarks.py",
    "lifting": "learn/test_lifting.py",
    "mivolo": "learn/test_age_mivolo.py",
    "model_reuse": "measure/test_model_reuse.py",
    "mos": "see/test_mos.py",
    "petalface": "learn/recognition/test_petalface.py",
    "roi_tanh_polar": "see/test_roi_tanh_polar.py",
    "rotnet": "learn/pretraining/test_pretraining_objectives.py",
    "segface": "learn/test_parsing_recipes.py",
    "softmax": "learn/recognition/test_recognition.py",
    "sphereface": "learn/losses/test_margins.py",
    "symface": "learn/losses/test_symface.py",
    "topofr": "learn/losses/test_topofr.py",
    "tvconv": "learn/backbones/test_tvconv.py",
    "universal_pretraining": "learn/pretraining/test_pretraining_on_faces.py",
    "volo": "learn/backbones/test_volo.py",
}
"""Modules of the other methods, and the tests that run them on real input."""


def test_every_method_is_tested():
    others = [m.module.rpartition(".")[2] for m in RUNNABLE if m.card.verb not in HERE]
    assert sorted(others) == sorted(ELSEWHERE)
    for module, file in ELSEWHERE.items():
        assert module in (Path(__file__).parent / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def portraits(shared_data) -> list[Image]:
    """Two pictures each of three people."""
    names = ["Abdullah_Gul_0007", "Abdullah_Gul_0014", "Ariel_Sharon_0016", "Ariel_Sharon_0030"]
    names += ["Aaron_Peirsol_0001", "Aaron_Peirsol_0004"]
    return [read_image(shared_data / "lfw" / "images" / f"{name}.jpg") for name in names]


@pytest.mark.parametrize("method", of_verb("detect"))
def test_detectors_find_the_face_and_its_points(method: Method, portraits):
    detector = method.load()()
    assert isinstance(detector, Detector)
    for faces, image in zip(detector(portraits), portraits, strict=True):
        assert len(faces) >= 1
        face = faces[0]
        x1, y1, x2, y2 = face.box
        assert 40 < x2 - x1 < 150
        assert x1 < image.width / 2 < x2
        assert y1 < image.height / 2 < y2
        right_eye, left_eye, nose, right_mouth, left_mouth = face.points
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        assert np.all(np.diff(faces.scores) <= 0)
        assert 0 < face.score <= 1
    assert detector.seconds > 0


@pytest.mark.parametrize("method", of_verb("detect"))
def test_detectors_find_nobody_where_nobody_is(method: Method):
    blank = Image(np.full((90, 120, 3), 128, np.uint8))
    faces = method.load()()([blank])[0]
    assert len(faces) == 0
    assert len(faces.scores) == 0


@pytest.mark.parametrize("method", of_verb("embed"))
def test_embedders_tell_people_apart(method: Method, portraits):
    embedder = method.load()()
    assert isinstance(embedder, Embedder)
    detector = methods()["yunet"].load()()
    crops = Crops.join(
        [
            align(image, faces[:1].keypoints, embedder.template)
            for image, faces in zip(portraits, detector(portraits), strict=True)
        ]
    )
    together = embedder(crops)
    assert together.vectors.shape == (6, embedder.dimension)
    assert together.space == embedder.space
    cosines = similarity(together, together)
    people = np.arange(6) // 2
    same = people[:, None] == people
    assert cosines[same].min() > cosines[~same].max()
    alone = np.concatenate([embedder(crops[i : i + 1]).vectors for i in range(6)])
    np.testing.assert_allclose(alone, together.vectors, atol=2e-3)
    assert embedder(crops[:0]).vectors.shape == (0, embedder.dimension)


@pytest.mark.parametrize("method", of_verb("embed"))
def test_flip_embeds_a_mirrored_face_alike(method: Method, portraits):
    embedder = method.load()(flip=True)
    faces = methods()["yunet"].load()()(portraits[:1])[0]
    crops = align(portraits[0], faces[:1].keypoints, embedder.template)
    mirrored = Crops(crops.pixels[:, :, ::-1].copy(), crops.transforms, crops.template)
    np.testing.assert_allclose(
        embedder(crops).vectors, embedder(mirrored).vectors, atol=2e-3, rtol=0
    )
    with pytest.raises(ValueError, match="crops"):
        embedder(Crops(crops.pixels, crops.transforms, "other"))
