"""FaceMask-853 in a folder made here, and the real one."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.facemask853 import read_facemask853

OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)


def write(folder, name, *objects):
    for place in ("images", "annotations"):
        (folder / place).mkdir(exist_ok=True)
    (folder / "images" / f"{name}.jpg").write_bytes(b"picture")
    body = "".join(OBJECT.format(*one) for one in objects)
    path = folder / "annotations" / f"{name}.xml"
    path.write_text(f"<annotation><filename>x</filename>{body}</annotation>")


def test_boxes_and_classes_in_either_language(tmp_path):
    write(tmp_path, "b", ("with_mask", 1, 2, 3, 4), ("mascarilla_mal_puesta", 5, 6, 7, 8))
    write(tmp_path, "a")
    scenes = read_facemask853(tmp_path)
    assert [path.stem for path in scenes.paths] == ["a", "b"]
    assert scenes.boxes[0].shape == (0, 4)
    assert scenes.boxes[1].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert [scenes.classes[k] for k in scenes.labels[1]] == ["with mask", "mask worn incorrectly"]


def test_the_digest_is_of_pictures_boxes_and_classes(tmp_path):
    digests = set()
    for one in (("with_mask", 1, 2, 3, 4), ("with_mask", 1, 2, 3, 5), ("without_mask", 1, 2, 3, 4)):
        write(tmp_path, "a", one)
        digests.add(read_facemask853(tmp_path).digest())
    (tmp_path / "images" / "a.jpg").write_bytes(b"other")
    assert read_facemask853(tmp_path).digest() not in digests
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (("a hat", 1, 2, 3, 4), "'a hat' is unknown"),
        (("with_mask", 3, 2, 1, 4), "is no box"),
        (("with_mask", 1, 2, "nan", 4), "is no box"),
        (("with_mask", 1, 2, "", 4), "not a readable annotation"),
    ],
)
def test_a_wrong_annotation_is_refused(tmp_path, one, said):
    write(tmp_path, "a", one)
    with pytest.raises(BadInput, match=said):
        read_facemask853(tmp_path)


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match="andrewmvd"):
        read_facemask853(tmp_path)
    write(tmp_path, "a")
    (tmp_path / "annotations" / "a.xml").unlink()
    with pytest.raises(MissingFile, match=r"a\.xml"):
        read_facemask853(tmp_path)


def test_the_real_set(shared_data):
    scenes = read_facemask853(shared_data / "facemask853")
    assert len(scenes.paths) == 853
    assert np.bincount(np.concatenate(scenes.labels)).tolist() == [717, 3232, 123]
