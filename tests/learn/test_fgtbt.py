"""Several markups in one list, edges by frequency, and weights that balance, against their
equations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from lineament.core.crops import align
from lineament.core.errors import BadInput
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.markups import convert
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.landmarks import fgtbt as trial
from lineament.learn.landmarks.crops import MIRRORED, template, to_pixels
from lineament.learn.landmarks.faces import PointedCrops
from lineament.learn.landmarks.frequency import (
    ChannelAttention,
    HighPass,
    Regularisation,
    gaussian_mask,
)
from lineament.learn.landmarks.mix_transformer import Attention, Norm
from lineament.learn.landmarks.unified import FEATURES, Fgtbt, balanced_loss, balancing_weights
from lineament.learn.landmarks.union import mirror_order, unite
from lineament.learn.recipes import Job
from lineament.learn.settings import Settings
from lineament.see.trained import open_trained

RNG = np.random.default_rng(6)
EYES_NOSE_MOUTH = ((28, 30), (48, 32), (38, 42), (30, 52), (46, 53))


def published_high_pass(x: np.ndarray, sigma: float) -> np.ndarray:
    """The authors' filter as they word it: centred spectrum, times 1 less a Gaussian, and back."""
    size = x.shape[-1]
    cycles = np.arange(size) - size // 2
    distance = cycles[:, None] ** 2 + cycles[None] ** 2
    mask = 1 - np.exp(-distance / (2 * sigma**2))
    spectrum = np.fft.fftshift(np.fft.fft2(x), axes=(-2, -1)) * mask
    return np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(-2, -1))).real)


@pytest.mark.parametrize(("size", "sigma"), [(16, 2.0), (15, 3.5), (64, 6.0)])
def test_the_high_pass_is_the_fft_s(size, sigma):
    x = RNG.random((2, 3, size, size))
    ours = HighPass(size, sigma)(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(ours, published_high_pass(x, sigma), atol=1e-5)


def test_what_the_high_pass_keeps_of_a_wave():
    """A wave of k cycles keeps 1 - exp(-k^2 / 2 sigma^2) of its height; a plain picture nothing."""
    size, sigma = 32, 4.0
    across = np.cos(2 * np.pi * np.arange(size) / size)
    high = HighPass(size, sigma)
    for cycles in (0, 1, 5, 12):
        wave = np.cos(2 * np.pi * cycles * np.arange(size) / size)
        picture = torch.from_numpy(np.tile(wave, (1, 1, size, 1)).astype(np.float32))
        kept = 1 - np.exp(-(cycles**2) / (2 * sigma**2))
        assert float(high(picture).max()) == pytest.approx(kept, abs=1e-5)
    assert across[0] == 1
    assert gaussian_mask(8, 2.0)[[1, 7]].tolist() == pytest.approx([np.exp(-1 / 8)] * 2)


def test_shared_points_stand_once():
    union = unite(("68", "106", "478"))
    places = union.places
    # The person's right eye's outer corner, the tip of the chin of both lists, a corner of the
    # mouth, and the middle of the nose's base, by each markup's own number.
    assert places["68"][36] == places["106"][51] == places["478"][33]
    assert places["68"][8] == places["106"][16]
    assert places["68"][48] == places["106"][86] == places["478"][61]
    assert places["68"][33] == places["478"][2]
    for of_one in places.values():
        assert len(set(of_one.tolist())) == len(of_one)
    assert union.size == len(set(np.concatenate(list(places.values())).tolist()))
    assert union.occurrences.sum() == 68 + 106 + 478
    assert union.occurrences[places["68"][36]] == 3
    assert union.occurrences[places["478"][10]] == 1


def test_shared_points_are_where_conversion_puts_them():
    """Whatever the face, a shared point of 106 has the place of its namesake of 478."""
    union = unite(("106", "478"))
    mesh = RNG.random((3, 478, 2)).astype(np.float32)
    dense = convert(Landmarks(mesh, "478"), "106").points
    known = {int(place): vertex for vertex, place in enumerate(union.places["478"])}
    shared = [(k, known[int(p)]) for k, p in enumerate(union.places["106"]) if int(p) in known]
    assert len(shared) > 40
    for ours, vertex in shared:
        np.testing.assert_array_equal(dense[:, ours], mesh[:, vertex])


def test_a_list_of_one_markup_is_that_markup():
    union = unite(("106",))
    np.testing.assert_array_equal(union.places["106"], np.arange(106))
    assert union.size == 106


def test_the_mean_of_what_markups_say_of_a_point():
    union = unite(("68", "106"))
    values = {"68": np.zeros((68, 1)), "106": np.full((106, 1), 6.0)}
    spread = union.spread(values)
    assert spread[union.places["68"][36]] == 3  # both have it
    assert spread[union.places["68"][3]] == 0
    assert spread[union.places["106"][38]] == 6


def test_a_mirror_s_order_from_faces_and_their_mirror_images():
    order = np.asarray(MIRRORED)
    half = RNG.random((68, 2))
    face = half + half[order] * (-1, 1)
    # Two points of the right eye and those of the left one have the same mean place; but one of
    # them keeps still about its eye, and the other does not.
    face[37], face[44] = face[41], face[46]
    moving = RNG.normal(0, 0.02, (40, 68, 2))
    moving[:, [41, 46]] = 0
    faces = face + moving
    both = np.concatenate([faces, faces[:, order] * (-1, 1)]).astype(np.float32) + (3, 0)
    assert mirror_order(both, "68") == MIRRORED
    with pytest.raises(BadInput, match="lopsided"):
        mirror_order(RNG.random((1, 68, 2)), "68")


def test_balancing_weights_are_their_equation():
    weights = balancing_weights(torch.tensor([1, 2, 3, 4]), 0.9).tolist()
    assert weights == pytest.approx([1, 0.1 / 0.19, 0.1 / 0.271, 0.1 / 0.3439])
    assert balancing_weights(torch.tensor([1, 3]), 0.0).tolist() == [1, 1]
    assert float(balancing_weights(torch.tensor([4]), 0.9999)[0]) == pytest.approx(0.25, abs=1e-3)


def test_the_balanced_loss_by_hand():
    """Two faces, two points: off by (1, 3) and (5, 7) in the mean of x and y; weights 1 and 0.5."""
    answers = torch.tensor([[[1.0, 1.0], [0.0, 4.0]], [[-3.0, -3.0], [8.0, 0.0]]])
    truth = torch.zeros(2, 2, 2)
    expected = (1 * (1 + 3) / 2 + 0.5 * (2 + 4) / 2) / 2
    assert float(balanced_loss(answers, truth, torch.tensor([1.0, 0.5]))) == expected


def network(edges: str = "high", schemes: tuple[str, ...] = ("68", "106"), size: int = 32) -> Fgtbt:
    union = unite(schemes)
    with seeded(0):
        return Fgtbt(size, union, torch.zeros(union.size, 2), edges)


def test_points_that_a_markup_has_not_get_no_gradient():
    model = network()
    union = unite(("68", "106"))
    features = torch.rand(2, FEATURES, 8, 8)
    model.points(features, "68").square().sum().backward()
    for values in (model.maps.weight.grad, model.prior.grad):
        assert values is not None
        moved = np.flatnonzero(values.flatten(1).abs().sum(dim=1).numpy())
        assert sorted(moved) == sorted(union.places["68"])


def test_without_its_correction_the_network_is_the_plain_one():
    """What is led in reaches the map only by the way up; closed, nothing of it is left."""
    model, plain = network("high").eval(), network("none").eval()
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if name in plain.state_dict()}
    )
    x = torch.rand(2, 3, 32, 32) * 255
    assert not torch.allclose(model.features(x), plain.features(x))
    with torch.no_grad():
        for each in model.regularisations:
            assert isinstance(each, Regularisation)
            each.up.weight.zero_()
            assert each.up.bias is not None
            each.up.bias.zero_()
    torch.testing.assert_close(model.features(x), plain.features(x))


def test_a_face_s_answer_does_not_depend_on_its_neighbours():
    attention = ChannelAttention(8)
    x = torch.rand(3, 8, 4, 4)
    torch.testing.assert_close(attention(x)[1:2], attention(x[1:2]))
    # By hand: the share is the sigmoid of what becomes of the largest value and of the mean one.
    with torch.no_grad():
        both = attention.perceptron(x[0].flatten(1).max(dim=1).values)
        both = both + attention.perceptron(x[0].flatten(1).mean(dim=1))
        torch.testing.assert_close(attention(x)[0], x[0] / (1 + torch.exp(-both))[:, None, None])


def test_attention_is_torch_s_own():
    attention = Attention(8, heads=2, ratio=1)
    x = torch.rand(2, 8, 3, 3)

    def rows(y: torch.Tensor) -> torch.Tensor:
        return y.reshape(2, 2, 4, 9).transpose(2, 3)

    key, value = attention.answer(x).chunk(2, dim=1)
    expected = functional.scaled_dot_product_attention(
        rows(attention.ask(x)), rows(key), rows(value)
    )
    expected = attention.out(expected.transpose(2, 3).reshape(2, 8, 3, 3))
    torch.testing.assert_close(attention(x), expected)


def test_the_norm_is_over_channels():
    x = torch.rand(2, 16, 3, 5) * 9
    normed = Norm(16)(x)
    torch.testing.assert_close(normed.mean(dim=1), torch.zeros(2, 3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.square().mean(dim=1), torch.ones(2, 3, 5), atol=1e-3, rtol=0)


def test_every_markup_comes_out_of_the_onnx_file(tmp_path):
    model = network("high", ("68", "106", "478"))
    example = torch.rand(2, 3, 32, 32) * 255
    shapes = [tuple(points.shape) for points in model.eval()(example)]
    assert shapes == [(2, 68, 2), (2, 106, 2), (2, 478, 2)]
    assert export(model, example, tmp_path / "model.onnx") < 1e-4


def made_up(scheme: str, count: int) -> trial.Markup:
    """Bright faces of nobody at all, with points that are symmetric in the mean."""
    half = RNG.uniform(-0.2, 0.2, (68, 2))
    face = half + half[np.asarray(MIRRORED)] * (-1, 1)
    points = np.repeat(face[None], count, axis=0).astype(np.float32)
    crops = PointedCrops(
        RNG.integers(0, 256, (count, 2 * trial.SIZE, 2 * trial.SIZE, 3), dtype=np.uint8),
        points,
        np.arange(count),
        scheme,
    )
    return trial.Markup(scheme, scheme, crops, crops, crops, {})


def test_a_run_learns_and_can_be_taken_up(tmp_path):
    markups = {"68": made_up("68", 3)}
    settings = Settings(steps=2, batch=1, rate=0.001, save_every=1)
    arm = trial.Arm(("68",), times=2)
    first = trial.fit(arm, markups, settings, tmp_path)
    again = trial.fit(arm, markups, settings, tmp_path)
    errors = trial.errors_of(first, markups["68"])
    np.testing.assert_array_equal(errors, trial.errors_of(again, markups["68"]))
    files = trial.ship(first, tmp_path, markups["68"].test)
    assert [file.name for file in files] == ["landmarker.onnx", "landmarker-68.onnx"]
    describer = open_trained(files[1])
    found = Faces(
        np.asarray([[10, 10, 60, 60]], np.float32),
        keypoints=Landmarks(np.asarray([EYES_NOSE_MOUTH], np.float32), "5"),
    )
    picture = Image(RNG.integers(0, 256, (80, 80, 3), dtype=np.uint8))
    landmarks = describer([picture], [found])[0]["landmarks"]
    crop = align(picture, found.keypoints, template(trial.SIZE))
    planes = torch.from_numpy(crop.pixels).permute(0, 3, 1, 2).float()
    shares = first.points(first.features(planes), "68").detach().numpy()
    np.testing.assert_allclose(
        landmarks.points, crop.to_picture(to_pixels(shares, trial.SIZE)), atol=0.01
    )


def test_the_error_is_a_share_of_the_pupils_distance():
    truth = RNG.random((2, 106, 2)).astype(np.float32)
    five = convert(Landmarks(truth, "106"), "5").points
    apart = np.linalg.norm(five[:, 0] - five[:, 1], axis=1)
    errors = trial.normalised(truth + np.asarray([0.3, 0.4], np.float32), truth, "106")
    np.testing.assert_allclose(errors, 0.5 / apart, rtol=1e-5)


@pytest.fixture
def few(shared_data, tmp_path) -> Path:
    """A folder of test sets with the first faces of UCLA-68 and of Landmarks-106."""
    data = tmp_path / "data"
    for kind, suffix in (("images", "jpg"), ("landmarks", "mat")):
        (data / "ucla68" / kind).mkdir(parents=True)
        for path in sorted((shared_data / "ucla68" / kind).glob(f"*.{suffix}"))[:46]:
            (data / "ucla68" / kind / path.name).symlink_to(path)
    (data / "landmarks106").mkdir()
    (data / "landmarks106" / "landmarks.npz").symlink_to(
        shared_data / "landmarks106" / "landmarks.npz"
    )
    for path in sorted((shared_data / "landmarks106").glob("*.jpg"))[:46]:
        (data / "landmarks106" / path.name).symlink_to(path)
    return data


def test_the_recipe_measures_every_arm_on_every_markup(few, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "RIVALS", {"68": ("face-landmarker",), "106": ("face-landmarker",)})
    # Ten faces are too few to tell left from right by.
    monkeypatch.setattr(trial, "mirror_order", lambda faces, _: tuple(range(faces.shape[1])))
    settings = Settings(steps=1, batch=1, rate=0.001)
    job = Job(recipe=trial.RECIPE, settings=settings, seeds=(0,), out=tmp_path, data=few)
    done = trial.run(job)
    ours = {arm for arm in trial.ARMS if "3 times" not in arm}
    for scheme in ("68", "106", "478"):
        rows = {row[1]: float(row[2]) for row in done.rows if row[0].startswith(f"{scheme} on")}
        assert ours | {"mean face"} <= set(rows)
        assert all(3 < error < 60 for error in rows.values())
        if scheme != "478":
            assert rows["face-landmarker"] < 9 < rows["one network"]  # after one step
    assert len(done.files) == 4
    assert all(file.is_file() for file in done.files)
    measured = {result.metric for result in done.results}
    assert "NME of 106 points over inter-pupil distance, beside no balancing weights" in measured
