"""Files that `lineament train` writes describe faces by what they say of themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lineament.analyze import Analyzer
from lineament.core.errors import BadInput, WeightError
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.trained import Output, Trained, View
from lineament.learn.export import export
from lineament.see.trained import open_trained

SIZE = 16


class Brightest(nn.Module):
    """Where the brightest pixel lies, as shares of the square, five times; how bright
    it is, on a map half as fine; the mean value."""

    def forward(self, x):
        grey = x.mean(dim=1)
        place = grey.flatten(1).argmax(dim=1)
        at = torch.stack([place % SIZE, place // SIZE], dim=1).float()
        coarse = nn.functional.avg_pool2d(grey[:, None], 2)
        scores = torch.cat([0.05 - coarse, coarse - 0.05], dim=1)
        return ((at + 0.5) / SIZE - 0.5)[:, None].repeat(1, 5, 1), scores, grey.mean(dim=(1, 2))


def write(tmp_path, view, **changes):
    outputs = (
        Output(name="point", field="landmarks", scheme="5"),
        Output(name="map", field="parsing", names=("dark", "light")),
        Output(name="years", field="age"),
    )
    about = Trained(method="landmark-kd", view=view, outputs=changes.get("outputs", outputs))
    path = tmp_path / "model.onnx"
    torch.manual_seed(0)
    export(Brightest(), torch.rand(2, 3, SIZE, SIZE), path, about=about)
    return path


def picture(x, y):
    """Black, but for a white square of 5 pixels about (x, y)."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[y - 2 : y + 3, x - 2 : x + 3] = 255
    return Image(pixels)


def face_at(x1, y1, x2, y2):
    points = np.asarray([[(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.75), (0.65, 0.75)]])
    points = points * (x2 - x1, y2 - y1) + (x1, y1)
    return Faces(
        boxes=np.asarray([[x1, y1, x2, y2]], np.float32),
        scores=np.ones(1, np.float32),
        keypoints=Landmarks(points.astype(np.float32), "5"),
    )


@pytest.mark.parametrize("kind", ["box", "keypoints"])
def test_what_a_network_points_at_lies_there_in_the_picture(tmp_path, kind):
    view = View(kind=kind, size=SIZE, wider=1.4)
    network = open_trained(write(tmp_path, view), threads=1)
    image, faces = picture(90, 60), face_at(60, 30, 110, 80)
    (fields,) = network([image], [faces])
    step = 50 * 1.4 / SIZE * (1 if kind == "box" else 2)  # pixels of the picture to one of the crop
    np.testing.assert_allclose(fields["landmarks"].points[0, 0], (90, 60), atol=step)
    light = fields["parsing"].label_map(0, image.width, image.height)
    rows, columns = np.nonzero(light)
    np.testing.assert_allclose((columns.mean(), rows.mean()), (90, 60), atol=2)
    assert light[60, 90] == 1


def test_a_box_is_cut_with_its_corners_on_the_crops(tmp_path):
    """A box of 16 x 16 pixels whose first pixel has its centre at (20, 10): the crop is a copy, so
    the point comes back exactly."""
    network = open_trained(write(tmp_path, View(kind="box", size=SIZE)), threads=1)
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[14, 31] = 255
    box = np.asarray([[19.5, 9.5, 35.5, 25.5]], np.float32)
    faces = Faces(
        boxes=box, scores=np.ones(1, np.float32), keypoints=face_at(20, 10, 35, 25).keypoints
    )
    (fields,) = network([Image(pixels)], [faces])
    np.testing.assert_allclose(fields["landmarks"].points[0, 0], (31, 14), atol=1e-4)
    np.testing.assert_allclose(fields["age"], [1 / 256], atol=1e-6)


def test_the_scale_of_values_is_the_files_own(tmp_path):
    view = View(kind="box", size=SIZE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))
    network = open_trained(write(tmp_path, view), threads=1)
    (fields,) = network([Image(np.full((60, 60, 3), 255, np.uint8))], [face_at(10, 10, 50, 50)])
    np.testing.assert_allclose(fields["age"], [(2 + 1 + 0.5) / 3], rtol=1e-6)


def test_pictures_without_faces_have_empty_fields(tmp_path):
    network = open_trained(write(tmp_path, View(kind="keypoints", size=SIZE)), threads=1)
    nobody = face_at(0, 0, 10, 10)[:0]
    (fields,) = network([picture(50, 50)], [nobody])
    assert [len(fields[name]) for name in ("landmarks", "parsing", "age")] == [0, 0, 0]
    assert network([], []) == []


def test_an_analyzer_takes_the_file_before_its_defaults(tmp_path):
    file = write(tmp_path, View(kind="keypoints", size=SIZE))
    analyzer = Analyzer.of(embedder=None, want={"age", "landmarks"}, using=[str(file)], threads=1)
    assert len(analyzer._steps) == 1


def test_files_that_say_nothing_or_nonsense_are_refused(tmp_path):
    import onnx

    view = View(kind="keypoints", size=SIZE)
    with pytest.raises(WeightError, match="no such model file"):
        open_trained(tmp_path / "absent.onnx")
    plain = tmp_path / "plain.onnx"
    export(Brightest(), torch.rand(2, 3, SIZE, SIZE), plain)
    with pytest.raises(WeightError, match="not written by"):
        open_trained(plain)
    path = write(tmp_path, view)
    note = Trained(method="landmark-kd", view=view, outputs=(Output(name="gone", field="age"),))
    for text, reason in ((note.to_json(), "no output gone"), ("[1]", "cannot be read")):
        model = onnx.load(str(path))
        model.metadata_props[0].value = text
        onnx.save(model, str(tmp_path / "bad.onnx"))
        with pytest.raises(WeightError, match=reason):
            open_trained(tmp_path / "bad.onnx")


def test_an_embedder_is_refused_in_one_line(tmp_path):
    fields = ("embeddings", "age", "age")
    outputs = tuple(Output(name=f"n{i}", field=field) for i, field in enumerate(fields))
    path = write(tmp_path, View(kind="method", size=SIZE), outputs=outputs)
    with pytest.raises(BadInput, match="makes embeddings"):
        open_trained(path)


def test_an_answer_of_another_shape_is_refused(tmp_path):
    outputs = (
        Output(name="point", field="pose"),
        Output(name="map", field="parsing", names=("dark", "light")),
        Output(name="years", field="age"),
    )
    file = write(tmp_path, View(kind="keypoints", size=SIZE), outputs=outputs)
    with pytest.raises(WeightError, match=r"'point' \(1 x 5 x 2\) is no pose"):
        open_trained(file)([picture(50, 50)], [face_at(20, 20, 60, 60)])
