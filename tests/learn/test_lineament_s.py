"""SFace in torch, channel pruning in closed form, distillation, and 8 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lineament.core.cards import weights  # noqa: E402
from lineament.core.errors import BadInput  # noqa: E402
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes  # noqa: E402
from lineament.core.sessions import Session  # noqa: E402
from lineament.core.weights import fetch, prepared  # noqa: E402
from lineament.learn import checkpoint  # noqa: E402
from lineament.learn.embedders import lineament_s, lineament_s_data, pruning  # noqa: E402
from lineament.learn.embedders.distil import RELATIONS, agreement, distance, embed  # noqa: E402
from lineament.learn.embedders.material import Faces, unit  # noqa: E402
from lineament.learn.embedders.pruning import even, narrow  # noqa: E402
from lineament.learn.embedders.quantise import quantise, ranges  # noqa: E402
from lineament.learn.embedders.sface_torch import Chain, Head, Unit, read_sface, restored  # noqa: E402
from lineament.learn.embedders.solutions import (  # noqa: E402
    Moments,
    choose,
    factors,
    fit,
    rectified,
)
from lineament.learn.embedders.worse import still, worse  # noqa: E402
from lineament.learn.export import export  # noqa: E402
from lineament.learn.recipes import Job, recipe  # noqa: E402

SIDE = 16


def normal(draw: np.random.Generator, *shape: int):
    return torch.from_numpy(draw.normal(0, 0.4, shape).astype(np.float32))


def chain(draw: np.random.Generator, slopes: bool = True) -> Chain:
    """A network of SFace's kind for pictures of 16 x 16: widths 6, 10 and 12."""

    def unit(outputs: int, inputs: int, size: int, stride: int) -> Unit:
        slope = normal(draw, outputs) if slopes else None
        return Unit(normal(draw, outputs, inputs, size, size), normal(draw, outputs), stride, slope)

    shapes = ((6, 3, 3, 1), (6, 1, 3, 2), (10, 6, 1, 1), (10, 1, 3, 2), (12, 10, 1, 1))
    return Chain(
        [unit(*shape) for shape in shapes], Head(normal(draw, 5, 12, 4, 4), normal(draw, 5))
    )


def pixels(draw: np.random.Generator, count: int = 48) -> np.ndarray:
    return draw.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def answers(model, crops: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(still(crops)).numpy()


def _plain(model):
    return free_axes(drop_initialiser_inputs(model))


def test_sface_in_torch_gives_what_its_file_gives():
    path = fetch(weights()["sface"])
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    model = read_sface(path)
    session = Session(prepared(weights()["sface"], "batched", _plain), threads=1)
    theirs = session.run(crops.transpose(0, 3, 1, 2).astype(np.float32))[0]
    np.testing.assert_allclose(answers(model, crops), theirs, atol=1e-4)
    assert model.widths == (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)


def test_another_network_is_refused(tmp_path):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Sigmoid())
    export(model, torch.rand(2, 3, 8, 8), tmp_path / "other.onnx")
    with pytest.raises(BadInput, match="no SFace"):
        read_sface(tmp_path / "other.onnx")


def test_products_are_counted():
    model = chain(np.random.default_rng(0))
    first, depthwise, pointwise = 16 * 16 * 6 * 27, 8 * 8 * 6 * 9, 8 * 8 * 10 * 6
    last, head = 4 * 4 * 10 * 9 + 4 * 4 * 12 * 10, 5 * 12 * 16
    assert model.products(SIDE) == first + depthwise + pointwise + last + head


def test_the_fit_is_least_squares():
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(80, 7)), draw.normal(size=(80, 3))
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(fit(x.T @ x, x.T @ y, 0.0), expected, atol=1e-10)


def test_moments_of_two_parts_give_the_fit_with_a_constant():
    draw = np.random.default_rng(16)
    x, y = draw.normal(2, 1, (60, 4)), draw.normal(-1, 1, (60, 2))
    moments = Moments()
    moments.add(x[:25], y[:25])
    moments.add(x[25:], y[25:])
    found, left = moments.solution()
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(60)]), y, rcond=None)[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    error = ((np.column_stack([x, np.ones(60)]) @ expected - y) ** 2).sum()
    assert left == pytest.approx(error / ((y - y.mean(axis=0)) ** 2).sum(), rel=1e-3)
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose(moments.centred[0], centred.T @ centred, atol=1e-9)
    np.testing.assert_allclose(moments.centred[1], centred.T @ y, atol=1e-9)


def test_the_fit_stands_a_channel_that_is_always_nought():
    x = np.random.default_rng(1).normal(size=(80, 3))
    x[:, 1] = 0
    found = fit(x.T @ x, x.T @ (2 * x[:, :1]))
    np.testing.assert_allclose(found[:, 0], (2, 0, 0), atol=1e-3)


def test_each_chosen_channel_lessens_the_error_most():
    """Against trying every channel with numpy's own least squares, step by step."""
    draw = np.random.default_rng(2)
    x = draw.normal(size=(60, 8)) @ draw.normal(size=(8, 8))
    y = x @ draw.normal(size=(8, 4)) + draw.normal(size=(60, 4))
    taken: list[int] = []
    for _ in range(4):
        errors = {}
        for each in set(range(8)) - set(taken):
            some = x[:, [*taken, each]]
            errors[each] = ((some @ np.linalg.lstsq(some, y, rcond=None)[0] - y) ** 2).sum()
        taken.append(min(errors, key=errors.__getitem__))
    assert choose(x.T @ x, x.T @ y, 4).tolist() == sorted(taken)


def test_factors_of_full_rank_are_the_dense_layer():
    draw = np.random.default_rng(3)
    dense, x = draw.normal(size=(5, 6, 2, 2)), draw.normal(size=(50, 6))
    mix, small = factors(dense, x.T @ x / 50, 6)
    np.testing.assert_allclose(np.einsum("drhw,rc->dchw", small, mix), dense, atol=1e-9)


def test_factors_are_the_best_of_their_rank():
    """White channels: Eckart and Young, so the error is that of the singular values left out."""
    dense = np.random.default_rng(4).normal(size=(5, 6, 2, 2))
    mix, small = factors(dense, np.eye(6), 2)
    error = ((np.einsum("drhw,rc->dchw", small, mix) - dense) ** 2).sum()
    lengths = np.linalg.svd(dense.transpose(0, 2, 3, 1).reshape(-1, 6), compute_uv=False)
    assert error == pytest.approx((lengths[2:] ** 2).sum())


def test_a_straight_channel_is_raised_and_one_below_zero_is_turned():
    values = np.random.default_rng(5).normal(size=(3, 4000))
    values[1] -= 3
    sign, rise = rectified(values, np.asarray([1.0, 0.9, 0.0]))
    assert rise[0] > 2  # nearly all of a straight one passes
    # Nearly all of the second lies below zero, and passes once it is turned.
    assert sign[1] == -1 or rise[1] > 3
    assert (sign[2], rise[2]) == (1, 0)  # what is a rectifier stays one


def test_redundant_channels_go_without_loss():
    """Four channels of the first convolution are copies of others in other sizes: without them the
    network gives the same."""
    draw = np.random.default_rng(6)
    model = chain(draw, slopes=False)
    with torch.no_grad():
        first, second = model[0], model[1]
        for copy, source, factor in ((4, 0, 2.0), (5, 1, 0.5)):
            first.weight[copy], first.bias[copy] = (
                factor * first.weight[source],
                factor * first.bias[source],
            )
            second.weight[copy] = second.weight[source]
            second.bias[copy] = factor * second.bias[source]
    crops, unseen = pixels(draw), pixels(draw, 4)
    small = narrow(model, crops, (4, 10, 12), 12)
    assert small.widths == (4, 10, 12)
    scale = np.abs(answers(model, unseen)).max()
    np.testing.assert_allclose(answers(small, unseen), answers(model, unseen), atol=2e-3 * scale)


def test_narrowing_without_slopes_and_at_full_width_changes_nothing():
    draw = np.random.default_rng(7)
    model, unseen = chain(draw, slopes=False), pixels(draw, 4)
    same = narrow(model, pixels(draw), model.widths, 12)
    scale = np.abs(answers(model, unseen)).max()
    np.testing.assert_allclose(answers(same, unseen), answers(model, unseen), atol=2e-3 * scale)


def test_solving_anew_beats_dropping_alone():
    """Against the same channels left out and all other weights as they were."""
    draw = np.random.default_rng(8)
    model, unseen = chain(draw), pixels(draw, 16)
    truth = answers(model, unseen)
    solved = answers(narrow(model, pixels(draw, 96), (4, 7, 9), 9), unseen)
    with torch.no_grad():
        for unit in model:
            unit.slope = None
    plain = answers(model, unseen)  # all channels, only the slopes are gone
    assert ((solved - truth) ** 2).mean() < ((plain - truth) ** 2).mean()


def test_evened_channels_are_of_one_size_and_the_answers_stay():
    draw = np.random.default_rng(13)
    model, crops = chain(draw, slopes=False), pixels(draw)
    model.head = Head(normal(draw, 5, 4, 4, 4), normal(draw, 5), normal(draw, 4, 12))
    before = answers(model, crops)
    even(model, crops)
    np.testing.assert_allclose(answers(model, crops), before, atol=1e-5 * np.abs(before).max())
    for stop in range(1, 6):
        with torch.no_grad():
            energy = model.maps(still(crops), stop).square().mean(dim=(0, 2, 3)).numpy()
        speaks = energy > 1e-6
        assert speaks.sum() >= 4
        np.testing.assert_allclose(energy[speaks], 1, atol=1e-3)


def test_channels_with_slopes_are_not_evened():
    with pytest.raises(BadInput, match="slopes"):
        even(chain(np.random.default_rng(14)), pixels(np.random.default_rng(14), 2))


def test_more_faces_are_looked_at_where_maps_are_small(monkeypatch):
    """Little room: only the first faces fit at first. More of them bring the answers of unseen
    faces nearer, so they were looked at."""
    draw = np.random.default_rng(15)
    model, crops, unseen = chain(draw), pixels(draw, 200), pixels(draw, 32)
    truth = answers(model, unseen)
    monkeypatch.setattr(pruning, "ROOM", 2 * 6 * SIDE * SIDE * 8)
    few, many = (narrow(model, some, model.widths, 12) for some in (crops[:8], crops))
    errors = [((answers(each, unseen) - truth) ** 2).mean() for each in (few, many)]
    assert errors[1] < errors[0]


def test_widths_that_do_not_fit_are_refused():
    model = chain(np.random.default_rng(9))
    for widths in ((7, 10, 12), (6, 10), (0, 10, 12)):
        with pytest.raises(BadInput, match="widths"):
            narrow(model, pixels(np.random.default_rng(9), 2), widths, 4)


def test_the_loss_by_hand():
    """Two faces: the teacher's are at right angles, the student's both the first axis."""
    theirs = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    ours = torch.tensor([[3.0, 0.0], [0.5, 0.0]])
    # Cosines 1 and 0; the pair's cosine is 1 in place of 0, both ways round.
    assert float(distance(ours, theirs)) == pytest.approx(0.5 + RELATIONS * 1.0)
    assert float(distance(7 * theirs, theirs)) == pytest.approx(0, abs=1e-6)


def test_worse_faces_follow_from_the_seed():
    squares = np.random.default_rng(10).integers(0, 256, (12, 128, 128, 3), np.uint8)
    one, other = (worse(squares, np.random.default_rng(seed)) for seed in (3, 3))
    assert one.shape == (12, 3, 112, 112)
    assert torch.equal(one, other)
    assert not torch.equal(one, worse(squares, np.random.default_rng(4)))
    assert float(one.min()) >= 0
    assert float(one.max()) <= 255


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A chain of plain rectifiers, and its file in 8 bits."""
    draw, path = np.random.default_rng(11), tmp_path_factory.mktemp("bits") / "8.onnx"
    model = chain(draw, slopes=False)
    model.head = Head(normal(draw, 5, 9, 4, 4), normal(draw, 5), normal(draw, 9, 12))
    quantise(model, pixels(draw, 32), path)
    return model, path


def test_weights_are_off_by_half_a_step_at_most(written):
    import onnx
    from onnx.numpy_helper import to_array

    model, path = written
    known = {each.name: to_array(each) for each in onnx.load(path).graph.initializer}
    parts = {f"unit{i}": unit.weight for i, unit in enumerate(model)}
    parts |= {"mix": model.head.mix, "dense": model.head.weight}
    for name, source in parts.items():
        numbers = known[f"{name}.weight.numbers"]
        step = known[f"{name}.weight.scale"].reshape(-1, *[1] * (numbers.ndim - 1))
        assert numbers.dtype == np.int8
        assert np.abs(numbers).max() == (63 if name == "unit0" else 127)
        assert (np.abs(numbers * step - source.detach().numpy()) <= 0.5 * step + 1e-6).all()


def test_sums_of_two_products_fit_into_16_bits(written):
    """What processors without dot products of bytes need: of pixels the bytes are full, so weights
    take 7 bits; elsewhere what flows takes 7 bits where it is as large as it was seen to be."""
    model, _ = written
    crops = pixels(np.random.default_rng(11), 8)
    assert 2 * 255 * 63 < 2**15
    assert 2 * 127 * 127 < 2**15
    tops, _ = ranges(model, crops)
    for number, top in enumerate(tops):
        with torch.no_grad():
            assert float(model.maps(still(crops), number + 1).max()) == pytest.approx(top, rel=1e-5)


def test_8_bits_say_nearly_the_same(written):
    model, path = written
    crops = pixels(np.random.default_rng(12), 8)
    planes = crops.transpose(0, 3, 1, 2).astype(np.float32)
    one, other = answers(model, crops), Session(path, threads=1).run(planes)[0]
    cosine = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert cosine.min() > 0.99
    assert np.abs(one - other).max() > 0  # and not the very same


def test_one_unit_in_8_bits_by_hand(tmp_path):
    """Weights and pixels that bytes hold exactly: a rectified sum of products, worked by hand."""
    weight = torch.zeros(1, 3, 1, 1)
    weight[0, 0], weight[0, 1] = 63.0, -63.0
    head = Head(torch.ones(1, 1, 1, 1), torch.zeros(1), torch.ones(1, 1))
    crops = np.asarray([[[[255, 0, 9]]], [[[0, 255, 9]]]], np.uint8)
    quantise(Chain([Unit(weight, torch.zeros(1))], head), crops, tmp_path / "one.onnx")
    planes = crops.transpose(0, 3, 1, 2).astype(np.float32)
    answer = Session(tmp_path / "one.onnx", threads=1).run(planes)[0][:, 0]
    assert answer == pytest.approx([63 * 255 / 128, 0], abs=63 * 255 / 128 / 127)


def test_8_bits_are_for_plain_rectifiers(tmp_path):
    with pytest.raises(BadInput, match="rectifiers"):
        quantise(
            chain(np.random.default_rng(17)), pixels(np.random.default_rng(17), 2), tmp_path / "x"
        )


def test_the_recipe_asks_for_faces_and_for_lfw(tmp_path):
    known = recipe("lineament-s").recipe
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    with pytest.raises(BadInput, match="lfw"):
        lineament_s.run(job)
    with pytest.raises(BadInput, match="--faces"):
        lineament_s.run(replace(job, data=tmp_path))


def test_first_units_are_kept_as_they_are():
    student = read_sface(fetch(weights()["sface"]))
    lineament_s.freeze(student)
    learns = [all(p.requires_grad for p in unit.parameters()) for unit in student]
    assert learns == [False] * lineament_s.FROZEN + [True] * (len(learns) - lineament_s.FROZEN)


def test_the_recipe_of_fewer_faces_is_that_of_the_shipped_one(tmp_path):
    known = recipe("lineament-s-data").recipe
    assert known.settings == recipe("lineament-s").recipe.settings
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    with pytest.raises(BadInput, match="lfw"):
        lineament_s_data.run(job)
    with pytest.raises(BadInput, match="--faces"):
        lineament_s_data.run(replace(job, data=tmp_path))


def test_a_smaller_part_lies_in_a_larger_one():
    small, large, every = (lineament_s_data.part(40, count, 3) for count in (5, 20, 40))
    assert set(small) < set(large)
    assert len(small) == 5
    assert small.tolist() == sorted(small)
    assert every.tolist() == list(range(40))  # so a run with all faces is that of `lineament_s`
    assert small.tolist() != lineament_s_data.part(40, 5, 4).tolist()


def test_the_network_is_made_in_four_steps(tmp_path, monkeypatch):
    """A small chain through all of it: solved, taught by one step, halfway back, in bytes."""
    draw = np.random.default_rng(18)
    teacher = chain(draw)
    for name, value in (("WIDTHS", (6, 10, 12)), ("MIXED", 8), ("FROZEN", 1)):
        monkeypatch.setattr(lineament_s, name, value)
    squares = draw.integers(0, 256, (24, 128, 128, 3), np.uint8)
    faces = Faces(squares, unit(draw.normal(size=(24, 5)).astype(np.float32)), "hash")
    teacher.head = Head(normal(draw, 5, 12, 28, 28), normal(draw, 5))
    learn, choose = faces[np.arange(16)], faces[np.arange(16, 24)]
    known = recipe("lineament-s").recipe
    settings = replace(known.settings, steps=1, batch=4, rate=0.01, warm_up=0, average=0.0)
    job = Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path)
    made = lineament_s.make(teacher, learn, choose, 0, tmp_path / "run", job)
    again = lineament_s.make(teacher, learn, choose, 0, tmp_path / "run", job)
    assert made.taught.path.read_bytes() == again.taught.path.read_bytes()  # taken up
    assert made.taught.path.stat().st_size < made.narrow.path.stat().st_size
    state = checkpoint.load(tmp_path / "run" / "narrow.pt")
    assert state is not None
    solved = embed(restored(state, [each.stride for each in teacher]), choose.crops)
    np.testing.assert_allclose(made.narrow(choose.crops), solved, atol=1e-3)
    assert agreement(made.taught(choose.crops), solved) > 0.9
    assert np.abs(made.taught(choose.crops) - solved).max() > 1e-4


def test_the_curve_on_held_out_faces_names_its_baseline(tmp_path):
    known = recipe("lineament-s-data").recipe
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    taught = {"SFace": (1.0, 0.8), "2 faces": (0.6, 0.5), "9 faces": (0.9, 0.7)}
    solved = {"2 faces": (0.4, 0.3), "9 faces": (0.85, 0.6)}
    found = list(lineament_s_data._agreed(taught, solved, "hash", job))
    assert [each.ours for each in found] == [0.6, 0.5, 0.9, 0.7]
    assert [each.baseline_value for each in found] == [0.9, 0.7, None, None]
    assert [each.baseline for each in found] == ["9 faces", "9 faces", None, None]
    assert "closed form alone: 0.4000" in found[0].note
    assert len({each.key for each in found}) == 4
