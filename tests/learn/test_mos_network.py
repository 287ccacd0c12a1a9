"""MOS's network: its parts against their definitions, its export, and what a step shows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lineament.core.sessions import Session
from lineament.learn.detection.anchors import CHANNELS, WIDTHS, anchors, to_boxes
from lineament.learn.detection.decoding import by_task as split_by_task
from lineament.learn.detection.feedback import Feedback
from lineament.learn.detection.fitting import (
    SIZE,
    Idea,
    Learner,
    by_task,
    pay,
    pictures,
    task_losses,
)
from lineament.learn.detection.matching import assign
from lineament.learn.detection.network import Context, CrossStitch
from lineament.learn.detection.scenes import Scene
from lineament.learn.detection.trial import ship
from lineament.learn.engine import seeded

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def learner() -> Learner:
    with seeded(1):
        made = Learner(3, Idea())
        made.network(torch.rand(4, 3, 64, 64) * 255)  # the norms have seen something
    return made.eval()


def scene(boxes: list[list[float]], known: bool = True) -> Scene:
    count = len(boxes)
    points = np.full((count, 5, 2), 50.0 if known else np.nan, np.float32)
    poses = np.full((count, 3), 0.2 if known else np.nan, np.float32)
    pixels = RNG.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    return Scene(pixels, np.asarray(boxes, np.float32).reshape(-1, 4), points, poses)


def test_a_stitch_is_a_weighted_sum_channel_by_channel():
    stitch = CrossStitch(3, 2)
    features = [torch.full((1, 2, 1, 1), float(10**k)) for k in range(3)]
    found = torch.cat([f.flatten() for f in stitch(features)]).detach()
    expected = [0.9 + 1 + 10, 0.1 + 9 + 10, 0.1 + 1 + 90]
    np.testing.assert_allclose(found.numpy(), np.repeat(expected, 2), rtol=1e-6)
    with torch.no_grad():
        stitch.weights[0, 2, 1] = 5.0
    assert float(stitch(features)[0][0, 1].detach()) == pytest.approx(0.9 + 1 + 500)


def test_a_context_sees_seven_cells_across_and_no_more():
    context = Context(8).eval()
    with torch.no_grad():
        for weight in context.parameters():  # nothing is cut off below 0 on the way
            weight.abs_()
    seen = []
    for shift in (3, 4):
        x = torch.zeros(1, 8, 17, 17)
        before = context(x)[0, :, 8, 8]
        x[0, :, 8, 8 + shift] = 5.0
        seen.append(float((context(x)[0, :, 8, 8] - before).abs().max().detach()))
    assert seen[0] > 0
    assert seen[1] == 0


def test_the_network_answers_for_every_anchor_and_is_light(learner):
    maps = learner.network(torch.rand(2, 3, 64, 96) * 255)
    assert [tuple(m.shape) for m in maps] == [
        (2, CHANNELS, 8, 12), (2, CHANNELS, 4, 6), (2, CHANNELS, 2, 3)
    ]  # fmt: skip
    assert sum(p.numel() for p in learner.network.parameters()) < 365_000


def test_tasks_are_split_alike_in_torch_and_numpy(learner):
    with torch.no_grad():
        maps = learner.network(torch.rand(2, 3, 64, 96) * 255)
    theirs = split_by_task([m[1].numpy() for m in maps])
    for task, answer in by_task(maps).items():
        assert answer.shape == (2, len(anchors(64, 96)), WIDTHS[task])
        np.testing.assert_array_equal(answer[1].numpy(), theirs[task])


def test_what_is_exported_answers_for_other_sizes_and_batches(learner, tmp_path):
    path = ship(learner, tmp_path / "mos.onnx")
    assert path.stat().st_size < 1_500_000
    x = torch.rand(3, 3, 96, 160, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        theirs = learner.network.eval()(x)
    for ours, their in zip(Session(path, threads=1).run(x.numpy()), theirs, strict=True):
        np.testing.assert_allclose(ours, their.numpy(), atol=1e-3)


def test_losses_are_of_the_anchors_that_stand_for_faces(learner):
    """A face of 40 pixels counts, one of 4 is ignored, one of unknown points pays for its box."""
    with torch.no_grad():
        answers = by_task(learner.network(torch.rand(1, 3, SIZE, SIZE) * 255))
    faces = scene([[20, 20, 60, 60], [100, 100, 104, 104]])
    owners = assign(faces.boxes, to_boxes(anchors(SIZE, SIZE)))[None]
    assert (owners == 1).any()
    losses, small, boxes = task_losses(answers, owners, [faces])
    rows = np.flatnonzero(owners[0] == 0)
    places = anchors(SIZE, SIZE)[rows]
    middle, side = np.asarray([40, 40]), 40
    shifts = (middle - places[:, :2]) / places[:, 2:] / 0.1
    logs = np.log(side / places[:, 2:]).repeat(2, axis=1) / 0.2
    off = np.abs(answers["box"][0, rows].numpy() - np.concatenate([shifts, logs], axis=1))
    each = np.where(off < 1, off**2 / 2, off - 0.5).sum(axis=1)
    assert float(losses["box"]) == pytest.approx(each.mean(), rel=1e-4)
    assert float(boxes) == pytest.approx(each.sum(), rel=1e-4)
    assert float(small) == 0
    unknown, _, _ = task_losses(answers, owners, [scene([[20, 20, 60, 60]] * 2, known=False)])
    assert float(unknown["points"]) == float(unknown["pose"]) == 0
    assert float(unknown["box"]) > 0


def test_a_step_stitches_only_where_small_faces_were_neglected():
    scenes = [scene([[20, 20, 90, 90]]) for _ in range(3)]
    rows = np.asarray([0, 1])
    state = Feedback(3)
    seen, stitched = pictures(state, Idea(), scenes, [], rows, np.random.default_rng(0))
    assert not stitched
    assert [one.row for one in seen] == [0, 1]
    state.note_loss(torch.tensor(0.0), torch.tensor(1.0), False)
    seen, stitched = pictures(state, Idea(), scenes, [], rows, np.random.default_rng(0))
    assert stitched
    assert all(one.row is None and one.scene.pixels.shape == (SIZE, SIZE, 3) for one in seen)
    seen, stitched = pictures(
        state, Idea(feedback=False), scenes, [], rows, np.random.default_rng(0)
    )
    assert not stitched


def test_portraits_have_the_same_share_whatever_is_shown():
    """A quarter: one picture of four, or one quarter of each stitched one."""
    scenes = [scene([[20, 20, 90, 90]]) for _ in range(3)]
    white = Scene(np.full((256, 256, 3), 255, np.uint8), scenes[0].boxes, scenes[0].points,
                  scenes[0].poses)  # fmt: skip
    for one in scenes:
        one.pixels[:] = 7
    state, rows = Feedback(3), np.arange(4) % 3
    for share, idea in ((1.0, Idea()), (1.0, Idea(feedback=False)), (0.0, Idea())):
        state.note_loss(torch.tensor(share), torch.tensor(1.0), False)
        seen, stitched = pictures(state, idea, scenes, [white], rows, np.random.default_rng(4))
        assert stitched is (share == 0)
        half = SIZE // 2
        squares = [one.scene.pixels for one in seen]
        if stitched:
            squares = [s[y : y + half, x : x + half] for s in squares
                       for y in (0, half) for x in (0, half)]  # fmt: skip
        bright = [bool((s == 255).any()) for s in squares]
        assert sum(bright) == len(squares) / 4


def test_false_detections_are_shown_again():
    """Scene 2 alone had any: half of the step is cut from it, around where they were."""
    scenes = [scene([[20, 20, 90, 90]]) for _ in range(3)]
    state = Feedback(3)
    state.note_errors(2, 4, np.asarray([150.0, 40.0]))
    seen, _ = pictures(
        state, Idea(), scenes, [], np.asarray([0, 1, 0, 1]), np.random.default_rng(0)
    )
    assert [one.row for one in seen] == [2, 2, 0, 1]
    for one in seen[:2]:
        assert one.matrix is not None
        shown = one.matrix[:, :2] @ (150.0, 40.0) + one.matrix[:, 2]
        assert np.all((shown > 0) & (shown < SIZE))


def test_a_step_tells_the_next_one_what_it_took_for_faces(learner):
    """A network that is sure of everything is wrong wherever there is nobody."""
    with seeded(2):
        sure = Learner(3, Idea())
    with torch.no_grad():
        for name, weights in sure.network.named_parameters():
            if name.endswith("answers.0.bias"):
                weights.fill_(9.0)
    scenes = [scene([[20, 20, 90, 90]]) for _ in range(3)]
    seen, stitched = pictures(
        sure.feedback, Idea(), scenes, [], np.asarray([0, 2]), np.random.default_rng(0)
    )
    total = pay(sure, seen, stitched, np.random.default_rng(0))
    assert np.isfinite(float(total.detach()))
    errors = sure.feedback.errors.numpy()
    assert errors[1] == 0
    assert min(errors[0], errors[2]) > 0.8 * len(anchors(SIZE, SIZE))
    assert sure.feedback.steps.tolist() == [1, 0]
