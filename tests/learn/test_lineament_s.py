"""SFace in torch, channel pruning in closed form, distillation, and 8 bits."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lineament.core.cards import weights  # noqa: E402
from lineament.core.errors import BadInput  # noqa: E402
from lineament.core.onnx_graph import drop_initialiser_inputs, free_axes  # noqa: E402
from lineament.core.sessions import Session  # noqa: E402
from lineament.core.weights import fetch, prepared  # noqa: E402
from lineament.learn.embedders import pruning  # noqa: E402
from lineament.learn.embedders.distil import RELATIONS, distance  # noqa: E402
from lineament.learn.embedders.pruning import even, narrow  # noqa: E402
from lineament.learn.embedders.quantise import quantise, ranges  # noqa: E402
from lineament.learn.embedders.sface_torch import Chain, Head, Unit, read_sface  # noqa: E402
from lineament.learn.embedders.solutions import (  # noqa: E402
    Moments,
    choose,
    factors,
    fit,
    rectified,
)
from lineament.learn.embedders.worse import still, worse  # noqa: E402
from lineament.learn.export import export  # noqa: E402
from small_chains import SIDE, answers, chain, normal, pixels  # noqa: E402


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
