"""Embedders that were trained here, from their files alone."""

from pathlib import Path

import numpy as np
import pytest

from lineament.analyze import Analyzer
from lineament.cli.main import main
from lineament.core.crops import ARCFACE_112, Crops
from lineament.core.errors import BadInput
from lineament.core.media import read_image

torch = pytest.importorskip("torch", reason="training needs torch")

from lineament.core.trained import Output, Trained, View  # noqa: E402
from lineament.know.embed.trained import TrainedEmbedder  # noqa: E402
from lineament.learn.backbones.iresnet import tiny  # noqa: E402
from lineament.learn.export import export  # noqa: E402
from lineament.learn.recognition.crops import shrunk  # noqa: E402
from lineament.learn.recognition.material import Material, People  # noqa: E402
from lineament.learn.recognition.trial import embed, shipped  # noqa: E402

PHOTO = next((Path(__file__).parents[2] / "examples" / "album").rglob("*.jpg"))
MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)
ALIGNED = View(kind="aligned", size=64, mean=MEAN, std=STD)


class Means(torch.nn.Module):
    """The mean of each channel, and how much lighter the left half is than the right."""

    def forward(self, x):
        half = x.shape[-1] // 2
        aside = x[..., :half].mean(dim=(1, 2, 3)) - x[..., half:].mean(dim=(1, 2, 3))
        return torch.cat([x.mean(dim=(2, 3)), aside[:, None]], dim=1)


def write(folder, field="embeddings", view=ALIGNED):
    about = Trained(method="arcface", view=view, outputs=(Output(name="output", field=field),))
    path = folder / "network.onnx"
    export(Means(), torch.rand(2, 3, 64, 64), path, about=about)
    return path


def halves(left, right):
    pixels = np.empty((1, 112, 112, 3), np.uint8)
    pixels[:, :, :56], pixels[:, :, 56:] = left, right
    return Crops(pixels, np.eye(2, 3, dtype=np.float32)[None], ARCFACE_112.name)


def test_crops_are_made_small_and_scaled_as_the_file_says(tmp_path):
    embedder = TrainedEmbedder(write(tmp_path), threads=1)
    left, right = (200, 100, 50), (100, 60, 20)
    sides = np.asarray([left, right], float) / 255
    scaled = (sides - np.asarray(MEAN)) / np.asarray(STD)
    expected = np.append(scaled.mean(axis=0), scaled[0].mean() - scaled[1].mean())
    vector = embedder(halves(left, right)).vectors[0]
    assert embedder.dimension == 4
    # Averaging blurs the edge between the halves by one column.
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-2)


def test_a_mirrored_crop_is_added(tmp_path):
    """What tells left from right goes."""
    embedder = TrainedEmbedder(write(tmp_path), flip=True, threads=1)
    assert abs(embedder(halves((200, 100, 50), (100, 60, 20))).vectors[0, 3]) < 1e-6


def test_other_weights_are_another_space(tmp_path):
    first = TrainedEmbedder(write(tmp_path), threads=1)
    (tmp_path / "other").mkdir()
    again = TrainedEmbedder(write(tmp_path / "other"), threads=1)
    assert first.space == again.space
    assert first.space.startswith("arcface@")


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path):
    with pytest.raises(BadInput, match="makes no embeddings"):
        TrainedEmbedder(write(tmp_path, field="age", view=View(kind="box", size=64)))


def test_it_gives_what_the_network_gave_in_training(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 112, 112, 3), np.uint8)
    small = shrunk(pixels, 64)
    people = People(small, np.arange(4), "noise")
    torch.manual_seed(0)
    model = tiny().eval()
    shipped(model, Material(people, people, ()), "arcface", tmp_path / "arcface.onnx")
    embedder = TrainedEmbedder(tmp_path / "arcface.onnx", threads=1)
    transforms = np.tile(np.eye(2, 3, dtype=np.float32), (4, 1, 1))
    vectors = embedder(Crops(pixels, transforms, ARCFACE_112.name)).vectors
    np.testing.assert_allclose(vectors, embed(model, small), atol=1e-4)


def test_an_analyzer_embeds_by_a_file(tmp_path):
    analyzer = Analyzer.of(embedder=str(write(tmp_path)), want={"embeddings"}, threads=1)
    (faces,) = analyzer([read_image(PHOTO)])
    assert len(faces) > 0
    assert faces.embeddings.vectors.shape == (len(faces), 4)


def test_without_a_calibration_nobody_is_told_apart(tmp_path, capsys):
    file = str(write(tmp_path))
    assert main(["verify", str(PHOTO), str(PHOTO), "--embedder", file]) == 1
    assert "no calibration" in capsys.readouterr().err
    gallery = str(tmp_path / "g.lineament")
    assert main(["index", str(PHOTO.parent), "--embedder", file, "--gallery", gallery]) == 1
    assert "no calibration" in capsys.readouterr().err
    assert not Path(gallery).exists()
