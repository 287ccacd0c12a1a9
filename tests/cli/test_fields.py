"""What `analyze --want` says of a face, for scripts and for people."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.cli.fields import face_json, face_words, wanted_fields
from lineament.cli.main import main
from lineament.core.errors import BadInput
from lineament.core.faces import Face, Faces
from lineament.core.landmarks import Landmarks
from lineament.core.masks import Masks
from lineament.core.named_scores import NamedScores


@pytest.fixture
def face() -> Face:
    labels = np.zeros((1, 4, 4), np.uint8)
    labels[0, :1] = 1
    faces = Faces(
        np.asarray([[10, 20, 30, 50]], np.float32),
        scores=np.asarray([0.9], np.float32),
        keypoints=Landmarks(np.full((1, 5, 2), 8, np.float32), "5"),
        landmarks=Landmarks(np.full((1, 68, 2), 6, np.float32), "68"),
        pose=np.radians(np.asarray([[10, -20, 30]], np.float32)),
        expression=NamedScores(np.asarray([[0.2, 0.8]], np.float32), ("sad", "happy")),
        attributes=NamedScores(np.asarray([[0.7, 0.6]], np.float32), ("Smiling", "Young")),
        age=np.asarray([41.6], np.float32),
        parsing=Masks(labels, np.zeros((1, 2, 3), np.float32), ("background", "hair")),
    )
    return faces[0]


def test_json_has_pixels_of_the_file_and_degrees(face):
    # The picture was read at half size: every length doubles, no angle does.
    row = face_json(face, {"landmarks", "pose", "age", "parsing", "expression", "attributes"}, 0.5)
    assert row["box"] == [20, 40, 60, 100]
    assert row["keypoints"] == [[16, 16]] * 5
    assert row["landmarks"] == [[12, 12]] * 68
    assert row["scheme"] == "68"
    assert row["pose"] == pytest.approx({"pitch": 10, "yaw": -20, "roll": 30}, abs=0.01)
    assert row["age"] == pytest.approx(41.6)
    assert row["parsing"] == {"area": {"background": 0.75, "hair": 0.25}}
    assert row["expression"] == {"label": "happy", "scores": {"sad": 0.2, "happy": 0.8}}
    assert row["attributes"] == {"Smiling": 0.7, "Young": 0.6}
    json.dumps(row)


def test_landmarks_are_the_five_where_no_others_are_wanted(face):
    row = face_json(face, {"age"}, 1.0)
    assert row["landmarks"] == row["keypoints"] == [[8, 8]] * 5
    assert row["scheme"] == "5"


def test_words_for_people(face):
    said = {name: face_words(face, name) for name in ("age", "expression", "pose", "parsing")}
    assert said == {
        "age": "42",
        "expression": "happy 80%",
        "pose": "+10° -20° +30°",
        "parsing": "background 75%, hair 25%",
    }


def test_a_field_that_there_is_not_is_named():
    assert wanted_fields("age, pose") == {"age", "pose"}
    assert wanted_fields("") == frozenset()
    with pytest.raises(BadInput, match="no field 'ages'; there are age, "):
        wanted_fields("pose,ages")


def test_every_face_has_the_keys_that_were_wanted(album, capsys):
    photo = next(album.rglob("IMG_0133.jpg"))
    fields = ["landmarks", "pose", "age", "expression", "quality", "parsing"]
    assert main(["analyze", str(photo), "--want", ",".join(fields), "--json"]) == 0
    faces = json.loads(capsys.readouterr().out)["faces"]
    assert len(faces) == 5
    for face in faces:
        assert face.keys() == {"box", "score", "keypoints", "scheme", *fields}
        assert len(face["landmarks"]) == 478
        x, y = np.mean(face["landmarks"], axis=0)
        assert face["box"][0] < x < face["box"][2]
        assert face["box"][1] < y < face["box"][3]
        assert all(abs(angle) < 45 for angle in face["pose"].values())
        assert 5 < face["age"] < 90
        assert sum(face["expression"]["scores"].values()) == pytest.approx(1, abs=0.01)
        assert sum(face["parsing"]["area"].values()) == pytest.approx(1, abs=0.01)


def test_masks_are_written_as_large_as_the_photo(album, tmp_path, capsys):
    photo = next(album.rglob("IMG_0133.jpg"))
    assert main(["analyze", str(photo), "--masks", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    for face in said["faces"]:
        labels = np.asarray(Pillow.open(face["parsing"]["map"]))
        assert labels.shape == (said["height"], said["width"])
        x, y = np.rint(face["keypoints"][2]).astype(int)
        assert face["parsing"]["classes"][labels[y, x]] == "face_skin", "the tip of the nose"
