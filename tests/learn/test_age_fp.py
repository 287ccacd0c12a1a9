"""FP-Age: the attention, the distribution and the loss against their equations; the parser."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from lineament.analyze import Analyzer
from lineament.core.cards import method
from lineament.core.crops import warp
from lineament.core.geometry import umeyama
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.attributes import fp_age as fp
from lineament.learn.attributes.age_trial import answers, fit
from lineament.learn.attributes.aged_faces import AgedFaces, Material
from lineament.learn.attributes.face_parser import (
    CLASSES,
    LightParser,
    _cut_labels,
    agreement,
    fit_parser,
    moved,
    teacher_labels,
)
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts
from lineament.learn.settings import Settings

RNG = np.random.default_rng(2)
STILL = Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def parser() -> LightParser:
    """Untaught, but with statistics of its norms, so that its features are of a common size."""
    torch.manual_seed(0)
    network = LightParser((8, 12, 16, 16)).train()
    with torch.no_grad():
        for _ in range(40):
            network(255 * torch.rand(8, 3, 1, 1).repeat(1, 1, 64, 64))
    return network.eval()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_attention_is_its_equations():
    torch.manual_seed(1)
    attention = fp.ParsingAttention(6, 2, 3).double()
    high = RNG.normal(size=(2, 6, 4, 5))
    masks = RNG.dirichlet(np.ones(3), size=(2, 4, 5)).transpose(0, 3, 1, 2)
    found = attention(torch.from_numpy(high), torch.from_numpy(masks)).detach().numpy()
    state = {name: value.numpy() for name, value in attention.state_dict().items()}
    kernel, bias = state["project.weight"][:, :, 0, 0], state["project.bias"]
    for n in range(2):
        parts = np.zeros((6, 4, 5))
        for k in range(3):
            for c in (2 * k, 2 * k + 1):
                projected = np.tensordot(kernel[c], high[n], axes=1) + bias[c]
                parts[c] = projected * masks[n, k]
        pooled = parts.mean(axis=(1, 2))
        middle = np.maximum(state["weigh.0.weight"] @ pooled + state["weigh.0.bias"], 0)
        weights = sigmoid(state["weigh.2.weight"] @ middle + state["weigh.2.bias"])
        assert weights.shape == (3,)
        expected = parts * np.repeat(weights, 2)[:, None, None]
        np.testing.assert_allclose(found[n], expected, atol=1e-12)


def test_nothing_is_seen_outside_of_a_mask():
    attention = fp.ParsingAttention(4, 3, 2)
    masks = torch.zeros(1, 2, 6, 6)
    masks[:, 0, :, :3] = 1
    masks[:, 1, 2:4, 4:] = 1
    found = attention(torch.randn(1, 4, 6, 6), masks).detach()
    seen = (found != 0).any(dim=1)[0]
    assert torch.equal(seen, (masks.sum(dim=1) > 0)[0])
    assert (found[0, :3, :, 3:] == 0).all(), "the first class's channels lie in its mask alone"


def test_uniform_masks_know_of_no_class(parser):
    model = fp.FPAge(parser, "uniform").eval()
    x = 255 * torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = model(x)
        parser.classes.weight.normal_()
        torch.testing.assert_close(model(x), before)
        own = fp.FPAge(parser, "attention").eval()
        first = own(x)
        parser.classes.weight.normal_(std=5)
        assert not torch.allclose(own(x), first)


def test_a_label_is_a_distribution_around_it():
    ages = torch.tensor([0.0, 31.0, 50.5, 116.0])
    found = fp.distribution(ages)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(4))
    years = np.arange(101)
    normal = np.exp(-((years - 31) ** 2) / 8)
    np.testing.assert_allclose(found[1], normal / normal.sum(), atol=1e-6)
    assert float(found[2] @ torch.arange(101.0)) == pytest.approx(50.5, abs=1e-3)
    assert int(found[3].argmax()) == 100, "older faces count as the last class"


def test_the_age_is_the_expectation(parser):
    model = fp.FPAge(parser)
    scores = torch.full((1, 101), -1e4)
    scores[0, 20], scores[0, 60] = np.log(3.0), 0.0
    assert float(model.age(scores)) == pytest.approx((3 * 20 + 60) / 4, rel=1e-5)
    regression = fp.FPAge(parser, "regression")
    assert float(regression.age(torch.tensor([[0.42]]))) == pytest.approx(42)


def test_the_loss_is_divergence_and_distance():
    ages = torch.tensor([22.0, 67.0])
    same = fp.distribution(ages).clamp_min(1e-30).log()
    assert float(fp.distribution_loss(same, ages)) == pytest.approx(0, abs=2e-3)
    scores = torch.from_numpy(RNG.normal(size=(2, 101))).float()
    chances = scores.softmax(dim=1).double().numpy()
    truth = fp.distribution(ages).double().numpy()
    divergence = (truth * (np.log(np.maximum(truth, 1e-300)) - np.log(chances))).sum(axis=1)
    distance = np.abs(chances @ np.arange(101) - ages.numpy())
    assert float(fp.distribution_loss(scores, ages)) == pytest.approx(
        (divergence + distance).mean(), rel=1e-5
    )


def test_a_block_is_three_convolutions_that_see_each_other():
    torch.manual_seed(3)
    block = fp.HierarchicalBlock(8).eval()
    x = torch.randn(1, 8, 5, 5)
    with torch.no_grad():
        first = block.steps[0](x)
        second = block.steps[1](first)
        third = block.steps[2](second)
        torch.testing.assert_close(block(x), torch.cat([first, second, third], dim=1) + x)
    assert (first.shape[1], second.shape[1], third.shape[1]) == (4, 2, 2)


def coloured(labels):
    """A picture whose colours say the classes."""
    return np.stack([labels * 20, 255 - labels * 20, labels * 10], axis=3).astype(np.uint8)


def test_masks_move_with_their_pictures():
    labels = np.repeat(np.repeat(RNG.integers(0, 12, (4, 4, 4)), 32, axis=1), 32, axis=2)
    labels = labels.astype(np.uint8)
    amounts = Amounts(0.2, 0.1, 0.05, 0.5, 0, 0, 0, 0, 0)
    seen, shares = moved(coloured(labels), labels, 64, np.random.default_rng(5), amounts)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(4, 16, 16), atol=1e-3, rtol=0)
    sure = shares.max(dim=1).values > 0.999
    assert sure.float().mean() > 0.4
    middles = seen[:, :, 2::4, 2::4]
    said = shares.argmax(dim=1)
    inside = sure & (middles.sum(dim=1) > 0)
    assert ((middles[:, 0] - said * 20).abs() < 2)[inside].all()
    assert ((middles[:, 1] - (255 - said * 20)).abs() < 2)[inside].all()
    unmoved = moved(coloured(labels), labels, 64, np.random.default_rng(5), STILL)[1]
    assert not torch.allclose(unmoved, shares)


def test_agreement_is_intersection_over_union():
    labels = np.zeros((1, 128, 128), np.uint8)
    labels[:, :, 64:] = 1

    class All(LightParser):
        def forward(self, x):
            scores = torch.zeros(len(x), len(CLASSES), 16, 16)
            scores[:, 1] = 1
            return scores

    found = agreement(All(), coloured(labels), labels, 64)
    assert found[0] == 0
    assert found[1] == pytest.approx(0.5)


def test_the_teacher_s_classes_are_ours(monkeypatch, album):
    """A portrait of nobody: its nose lies where the template has it, its brows above its eyes."""
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    path = next(album.rglob("IMG_0021.jpg"))
    face = method("yunet", "detect").load()(threads=1)([read_image(path)])[0][:1]
    none = np.zeros((1, 1), np.int64)
    one = AgedFaces(
        np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, np.float32), none[0], none[0],
        face.keypoints.points, np.asarray([str(path)]),
    )  # fmt: skip
    labels = teacher_labels(one, fp.CUT, lambda line: None)[0]
    names = list(CLASSES)
    nose = np.argwhere(labels == names.index("nose")).mean(axis=0)
    np.testing.assert_allclose(nose, [fp.CUT.points[2][1], fp.CUT.points[2][0]], atol=6)
    rows = {name: np.argwhere(labels == k)[:, 0] for k, name in enumerate(names)}
    assert rows["brows"].mean() < rows["eyes"].mean() < nose[0] < rows["lower lip"].mean()
    assert rows["upper lip"].mean() < rows["lower lip"].mean()


def test_labels_are_cut_as_pictures_are():
    """A map of squares of classes, turned and made smaller, beside its picture."""
    labels = RNG.integers(1, 12, (6, 6)).astype(np.uint8).repeat(20, 0).repeat(20, 1)
    five = np.asarray([[(40, 40), (80, 46), (58, 62), (38, 82), (74, 86)]], np.float32)
    matrix = umeyama(five, np.asarray(fp.CUT.points, np.float32))[0]
    found = _cut_labels(labels, matrix, fp.CUT.size)
    grey = np.repeat(labels[..., None] * np.uint8(20), 3, axis=2)
    shown = warp(Image(grey), matrix, fp.CUT.size)[..., 0]
    assert (np.abs(found * 20.0 - shown) < 1).mean() > 0.8
    assert (found == 0).any(), "beyond the map it is background"


def settings(steps: int, **more) -> Settings:
    return Settings(steps=steps, batch=8, rate=0.005, warm_up=2, seed=0, **more)


def faces(count: int, seed: int) -> AgedFaces:
    """Squares whose brightness is their age."""
    rng = np.random.default_rng(seed)
    ages = rng.uniform(5, 80, count).astype(np.float32)
    pixels = np.repeat(ages[:, None, None, None] * 3, 102, axis=1)
    pixels = np.repeat(np.repeat(pixels, 102, axis=2), 3, axis=3) + rng.normal(
        0, 2, (count, 1, 1, 3)
    )
    none = np.zeros(count, np.int64)
    points, paths = np.zeros((count, 5, 2), np.float32), np.asarray(["nowhere"] * count)
    return AgedFaces(pixels.clip(0, 255).astype(np.uint8), ages, none, none, points, paths)


def test_the_head_learns_and_the_parser_stays(parser, tmp_path):
    train, more, choose, test = (faces(count, seed) for seed, count in enumerate((64, 64, 16, 32)))
    material = Material(train, more, choose, test, {}, "hash", 0, 0)
    before = copy.deepcopy(parser.state_dict())
    make = lambda: fp.FPAge(parser, width=16)  # noqa: E731
    model = fit(make, fp._loss, material, settings(60), tmp_path, 64, amounts=STILL)
    assert isinstance(model, fp.FPAge)
    for name, value in model.parser.state_dict().items():
        assert torch.equal(value, before[name]), name
    error = np.abs(answers(model, test.pixels, 64).ages - test.ages).mean()
    assert error < 0.5 * np.abs(np.median(material.train.ages) - test.ages).mean()


def test_a_parser_learns_its_teacher_s_classes(tmp_path):
    labels = RNG.integers(0, 3, (16, 4, 4)).astype(np.uint8).repeat(32, 1).repeat(32, 2)
    pixels = coloured(labels * 4)
    said = []
    taught = fit_parser(pixels, labels, settings(40), tmp_path, 64, "data", said.append)
    assert not any(p.requires_grad for p in taught.parameters())
    untaught = agreement(LightParser(), pixels, labels, 64)[:3].mean()
    assert agreement(taught, pixels, labels, 64)[:3].mean() > max(0.5, 2 * untaught)


def test_the_file_answers_as_torch_does_and_says_what_it_is(parser, tmp_path):
    path = tmp_path / "age.onnx"
    model = fp.FPAge(parser)
    export(model, 255 * torch.rand(3, 3, fp.SIZE, fp.SIZE), path, about=fp.ABOUT)
    session = Session(path, threads=1)
    about = Trained.of(session.metadata, "file")
    assert about == fp.ABOUT
    assert session.run(np.zeros((1, 3, fp.SIZE, fp.SIZE), np.float32))[0].shape == (1,)


def test_the_file_describes_faces(parser, album, tmp_path):
    path = tmp_path / "age.onnx"
    model = fp.FPAge(parser)
    export(model, 255 * torch.rand(3, 3, fp.SIZE, fp.SIZE), path, about=fp.ABOUT)
    image = read_image(next(album.rglob("IMG_0133.jpg")))
    analyzer = Analyzer.of(want={"age"}, using=[str(path)], embedder=None, threads=1)
    ages = analyzer([image])[0].age
    assert ages.shape == (5,)
    assert ((ages > 0) & (ages < 100)).all()
