"""Parsers that are trained here: they learn, are measured, and run from their files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.errors import WeightError
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.engine import seeded
from lineament.learn.export import export
from lineament.learn.parsing import rtnet, segface, trial
from lineament.learn.parsing.augment import Amounts
from lineament.learn.parsing.classes import NAMES, PARTS_OF_SIX, SIX
from lineament.learn.parsing.faces import ParsedFaces
from lineament.learn.parsing.loss import parsing_loss
from lineament.learn.parsing.material import Material
from lineament.learn.parsing.rtnet_network import HYBRID, HybridBlock, RTNet
from lineament.learn.parsing.segface_network import Encoder, TokenDecoder
from lineament.learn.parsing.trial import (
    Figure,
    commonest,
    confusions,
    fit,
    in_picture,
    in_view,
    pixel_grid,
    results,
    summed,
)
from lineament.learn.parsing.views import Square, TanhPolar, by_box
from lineament.learn.recipes import Job
from lineament.learn.settings import Settings
from lineament.see.parse.roi_tanh_polar import REACH, square
from lineament.see.parse.roi_tanh_polar import RTNet as Describer
from lineament.see.trained import open_trained


def drawn(count: int, seed: int = 0) -> ParsedFaces:
    """Faces of nobody, drawn: discs of skin, hair, two eyes and the middle of glasses, on noise."""
    rng = np.random.default_rng(seed)
    side, axis = 48, np.arange(48)
    pixels = rng.integers(0, 60, (count, side, side, 3), dtype=np.uint8)
    labels = np.zeros((count, side, side), np.uint8)
    boxes, points = [], []
    for row in range(count):
        x, y = rng.uniform(20, 28, 2)
        eyes = np.asarray([(x - 5, y - 4), (x + 5, y - 4)])
        discs = [
            ((x, y - 5), 12, "hair", (90, 60, 10)),
            ((x, y), 12, "skin", (210, 160, 130)),
            (eyes[0], 3, "right_eye", (20, 30, 220)),
            (eyes[1], 3, "left_eye", (20, 220, 30)),
            ((x, y - 4), 2, "glasses", (255, 255, 255)),
        ]
        for (a, b), reach, name, colour in discs:
            disc = (axis[None] - a) ** 2 + (axis[:, None] - b) ** 2 < reach**2
            pixels[row][disc], labels[row][disc] = colour, NAMES.index(name)
        boxes.append((x - 12, y - 12, x + 12, y + 12))
        points.append([*eyes, (x, y), (x - 4, y + 6), (x + 4, y + 6)])
    return ParsedFaces(
        pixels, labels, np.asarray(boxes, np.float32), np.asarray(points, np.float32),
        np.arange(count), np.arange(count), f"drawn {seed}",
    )  # fmt: skip


def of_six(faces: ParsedFaces) -> ParsedFaces:
    return replace(faces, labels=PARTS_OF_SIX[faces.labels].astype(np.uint8))


@pytest.fixture(scope="module")
def material() -> Material:
    parts = {name: drawn(12, seed) for seed, name in enumerate(("train", "choose", "test"))}
    true = {name: of_six(drawn(6, 9 + i)) for i, name in enumerate(("train", "choose", "V2", "V3"))}
    rivals = {version: drawn(6, seed).labels for version, seed in (("V2", 11), ("V3", 12))}
    return Material(parts, true, rivals)


STILL = Amounts(0.1, 0.05, 0.02, 0.0, 0.1, 3.0)


def test_rtnet_learns_faces_that_it_has_not_seen(tmp_path, material):
    """Discs with eyes, some with six classes only."""
    view, framing = TanhPolar(32), rtnet.framing
    settings = Settings(steps=80, batch=8, rate=0.01, warm_up=5, average=0.8, clip=1.0)
    widths = (12, 12, 12, 12)
    model = fit(
        lambda: RTNet(len(NAMES), 32, HYBRID, widths),
        view, framing, material, settings, tmp_path, amounts=STILL,
    )  # fmt: skip
    found, truth = in_view(model, view, framing, material.labelled["test"])
    scores = summed(confusions(found, truth, NAMES), NAMES).f1()
    assert min(scores["background"], scores["skin"]) > 0.85
    assert scores["right_eye"] + scores["left_eye"] > 1
    whole = in_picture(model, view, framing(material.annotated["V2"]), drawn(6, 11).pixels)
    six = summed(confusions(whole, material.annotated["V2"].labels, SIX), SIX).f1()
    assert six["skin"] > 0.75
    assert six["eyes"] > 0.5


def test_segface_learns_what_places_do_not_tell():
    """Squares of four colours at random places, noisy; a class is a colour."""
    colours = torch.tensor([(200.0, 40, 40), (40, 200, 40), (40, 40, 200), (220, 220, 60)])

    def flags(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        truth = torch.randint(0, 4, (count, 4, 4)).repeat_interleave(8, 1).repeat_interleave(8, 2)
        return colours[truth].movedim(3, 1) + torch.randn(count, 3, 32, 32) * 20, truth

    with seeded(0):
        model = nn.Sequential(Encoder((16, 16, 16, 16)), TokenDecoder(4))
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.002)
        for _ in range(80):
            seen, truth = flags(8)
            optimiser.zero_grad()
            parsing_loss(model(seen), truth).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        seen, truth = flags(16)
        answers = model.eval()(seen).argmax(dim=1)
    assert float((answers == truth).float().mean()) > 0.9


def test_the_commonest_class_at_each_place():
    faces = drawn(9)
    place = commonest(Square(24, 1.0), rtnet.framing, faces, len(NAMES))
    assert place[12, 12] == NAMES.index("skin")
    assert place[0, 0] == place[23, 23] == 0


def test_pictures_of_the_test_turn_with_their_truth_and_their_boxes():
    """A perfect answer about the upright picture is a perfect answer about the turned one: skin
    lies about the middle of the carried box, at the same size."""
    faces = of_six(drawn(3))
    canvas, labels = faces.pixels, faces.labels
    upright = rtnet.turned(faces, 0)
    np.testing.assert_array_equal(upright.pixels, canvas)
    np.testing.assert_array_equal(rtnet.turned(faces, 90).pixels, np.rot90(canvas, -1, (1, 2)))
    np.testing.assert_array_equal(rtnet.turned(faces, 180).labels, np.rot90(labels, 2, (1, 2)))
    for name, case in rtnet.trials(faces).items():
        if name == "boxes off":
            assert np.abs(case.frames.middle - upright.frames.middle).min() > 0.1
            continue
        head = np.isin(case.labels, (1, 3))  # its glasses are skin
        assert head.sum() == pytest.approx(np.isin(upright.labels, (1, 3)).sum(), rel=0.03)
        grid = np.broadcast_to(pixel_grid(case.labels.shape[1]), head.shape)
        middles = [grid[row][head[row]].mean() for row in range(3)]
        np.testing.assert_allclose(case.frames.middle, middles, atol=0.4)
        np.testing.assert_allclose(case.frames.unit, 24, atol=1e-4)
        eyes = grid[0][case.labels[0] == 3].mean() - middles[0]
        up = -1j * case.level.unit[0] / abs(case.level.unit[0])
        assert np.real(eyes * np.conj(up)) == pytest.approx(4, abs=0.6)


def test_evidence_is_of_pairs(tmp_path):
    """The gap and its interval, over people, of runs whose figures are known."""
    good, bad = np.asarray([[8, 0], [0, 8]]), np.asarray([[6, 2], [2, 6]])
    arms = {"ours": [np.stack([good] * 5)] * 2, "theirs": [np.stack([bad] * 5)] * 2}
    figure = Figure("F1", "made up", "hash", np.arange(5), ("a", "b"), lambda one: one.mean_f1())
    recipe = segface.RECIPE
    job = Job(recipe=recipe, settings=recipe.settings, seeds=(0, 1), out=tmp_path)
    (result,), words = results(job, figure, arms)
    assert (result.ours, result.baseline_value) == (1.0, 0.75)
    assert result.interval == (1.0, 1.0)
    assert words == "+25.0 (+25.0 to +25.0): ahead"
    assert "100.0, 100.0 %; theirs 75.0, 75.0 %" in result.note


@pytest.mark.parametrize("recipe", [segface, rtnet])
def test_a_recipe_gives_evidence_beside_every_baseline(tmp_path, material, monkeypatch, recipe):
    """The whole recipe on faces of nobody, a step long: tables, evidence, files that say what they
    are."""
    monkeypatch.setattr(recipe, "gather", lambda job: material)
    monkeypatch.setattr(trial, "ROUNDS", 20)
    settings = replace(recipe.RECIPE.settings, steps=1, batch=4, measure_every=0)
    job = Job(recipe=recipe.RECIPE, settings=settings, seeds=(0,), out=tmp_path)
    done = recipe.run(job)
    assert all(len(row) == len(done.headings) for row in done.rows)
    keys = [result.key for result in done.results]
    assert len(set(keys)) == len(keys)
    ablations = {"no tokens"} if recipe is segface else {"plain blocks", "square crop"}
    for result in done.results:
        low, high = result.interval or (1, 0)
        assert low <= result.ours <= high
    assert ablations | {"bisenet"} < {result.baseline for result in done.results}
    about = Trained.of(Session(done.files[0]).metadata, "file")
    assert (about.method, about.outputs[0].names) == (recipe.RECIPE.slug, NAMES)


def portrait() -> tuple[Image, Faces]:
    faces = drawn(1, 3)
    boxes = faces.boxes + np.asarray([0, 0, 4, 0], np.float32)  # not square
    found = Faces(boxes, keypoints=Landmarks(faces.points, "5"), scores=np.ones(1, np.float32))
    return Image(faces.pixels[0]), found


def test_segface_runs_from_its_file(tmp_path):
    with seeded(1):
        model = segface.SegFace()
    about = replace(segface.ABOUT, view=replace(segface.ABOUT.view, size=64))
    example = torch.rand(2, 3, 64, 64) * 255
    assert export(model, example, tmp_path / "s.onnx", about=about) < 1e-3
    image, found = portrait()
    masks = open_trained(tmp_path / "s.onnx", threads=1)([image], [found])[0]["parsing"]
    assert masks.names == NAMES
    whole, _ = in_view(model, Square(64, segface.WIDER), segface.framing, drawn(1, 3))
    assert (masks.labels == whole).mean() > 0.95  # its crop is of whole levels


def test_rtnet_runs_from_its_file_as_it_was_measured(tmp_path):
    """Warp, network and inverse by numpy and ONNX, and by torch: the same classes."""
    with seeded(1):
        model = RTNet(len(NAMES), 32, HYBRID, (4, 4, 4, 4)).eval()
        for module in model.modules():
            if isinstance(module, HybridBlock):  # as after training
                nn.init.ones_(module.get_parameter("widen.1.weight"))
    about = replace(rtnet.ABOUT, view=replace(rtnet.ABOUT.view, size=32))
    export(model, torch.rand(2, 3, 32, 32) * 255, tmp_path / "r.onnx", about=about)
    parser = open_trained(tmp_path / "r.onnx", threads=1)
    assert isinstance(parser, Describer)
    assert (parser.card.verb, parser.card.gives) == ("describe", ("parsing",))
    image, found = portrait()
    masks = parser([image, image], [found, Faces.none()])
    assert [len(each["parsing"]) for each in masks] == [1, 0]
    ours = masks[0]["parsing"]
    middle, side = square(found.boxes[0])
    x1, y1, x2, y2 = found.boxes[0]
    np.testing.assert_allclose(middle, ((x1 + x2) / 2, (y1 + y2) / 2))
    assert side**2 == pytest.approx((x2 - x1) * (y2 - y1))
    whole = in_picture(model, TanhPolar(32), by_box(found.boxes), image.pixels[None])[0]
    back = ours.label_map(0, image.width, image.height)
    assert (back == whole).mean() > 0.9  # edges between classes are drawn smooth
    gain = ours.labels.shape[1] / (REACH * side)
    np.testing.assert_allclose(ours.transforms[0][:, :2], np.eye(2) * gain, rtol=1e-5)


def test_a_file_of_another_method_is_refused(tmp_path):
    with seeded(1):
        model = segface.SegFace()
    about: Trained = replace(segface.ABOUT, view=replace(segface.ABOUT.view, size=32))
    export(model, torch.rand(2, 3, 32, 32) * 255, tmp_path / "s.onnx", about=about)
    with pytest.raises(WeightError, match="segface, not of roi-tanh-polar"):
        Describer(tmp_path / "s.onnx")
