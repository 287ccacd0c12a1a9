"""A step of MOS's training: what it sees, what it pays, and what it passes on to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from lineament.core.geometry import nms
from lineament.learn.detection.anchors import (
    BINS,
    PER_CELL,
    WIDTHS,
    anchors,
    encode_boxes,
    encode_points,
    to_bins,
    to_boxes,
)
from lineament.learn.detection.decoding import decode
from lineament.learn.detection.feedback import SMALL, Feedback
from lineament.learn.detection.losses import Uncertainty, class_loss, code_losses, pose_loss
from lineament.learn.detection.matching import NOBODY, assign
from lineament.learn.detection.network import MOS
from lineament.learn.detection.scenes import (
    IN_PORTRAITS,
    IN_SCENES,
    Scene,
    back,
    choose_part,
    develop,
    part,
    stitch,
)
from lineament.learn.engine import seeded, train
from lineament.learn.settings import Settings
from lineament.measure.detection import average_precision

SIZE = 192
"""Side of what a step sees, pixels."""
TINY = 6.0
"""Faces of a lesser side are neither to be found nor wrong to find, pixels."""
PORTRAITS = 0.25
"""Share of the pictures that are portraits, where there are any."""
SURE = 0.5
"""Score from which an anchor of nobody is a false detection."""


@dataclass(frozen=True)
class Idea:
    """Which of the paper's ideas a run has.

    Attributes:
        tasks: that it learns.
        uncertainty: whether the weights of their losses are learned.
        feedback: whether a step's loss decides what the next step sees.
    """

    tasks: tuple[str, ...] = tuple(WIDTHS)
    uncertainty: bool = True
    feedback: bool = True


class Learner(nn.Module):
    """The network, with all that is learned or remembered beside it."""

    def __init__(self, rows: int, idea: Idea) -> None:
        super().__init__()
        self.network = MOS()
        self.uncertainty = Uncertainty(idea.tasks, idea.uncertainty)
        self.feedback = Feedback(rows)


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture of a step.

    Attributes:
        scene: the picture and its faces.
        row: of the scene that it is cut from; None where it is stitched, or a portrait.
        matrix: from that scene.
    """

    scene: Scene
    row: int | None = None
    matrix: Float32[np.ndarray, "2 3"] | None = None


def fit(
    scenes: Sequence[Scene],
    portraits: Sequence[Scene],
    choose: Sequence[Scene],
    idea: Idea,
    settings: Settings,
    folder: Path,
    data: str,
    say: Callable[[str], None] = lambda line: None,
) -> Learner:
    """Train a network on random parts of scenes and portraits.

    Args:
        scenes: to learn from.
        portraits: single faces to learn from besides; may be none.
        choose: to watch while training.
        idea: what of the paper to do.
        settings: of the run.
        folder: of the run.
        data: name of the data.
        say: shows a line of progress.
    """

    def loss(model: nn.Module, rows: Int64[np.ndarray, " b"], rng: np.random.Generator) -> Tensor:
        assert isinstance(model, Learner)
        seen, stitched = pictures(model.feedback, idea, scenes, portraits, rows, rng)
        return pay(model, seen, stitched, rng)

    def measure(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, Learner)
        return {"AP50": precision(model.network, choose)}

    with seeded(settings.seed):
        learner = Learner(len(scenes), idea)
    learner.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    trained = train(
        learner, loss, len(scenes), settings, folder, data=data, measure=measure, say=say
    )
    assert isinstance(trained, Learner)
    return trained


def pictures(
    feedback: Feedback,
    idea: Idea,
    scenes: Sequence[Scene],
    portraits: Sequence[Scene],
    rows: Int64[np.ndarray, " b"],
    rng: np.random.Generator,
) -> tuple[list[Seen], bool]:
    """What a step sees, and whether it is stitched. Whatever it is, the same share is portraits."""

    def scene(row: int, size: int, around: np.ndarray | None = None) -> Seen:
        matrix = choose_part(scenes[row], size, rng, IN_SCENES, around)
        return Seen(part(scenes[row], matrix, size), row, matrix)

    def portrait(size: int) -> Seen:
        one = portraits[int(rng.integers(len(portraits)))]
        return Seen(part(one, choose_part(one, size, rng, IN_PORTRAITS), size))

    def four(row: int) -> Seen:
        some = [row, *rng.integers(len(scenes), size=3).tolist()]
        quarters = [scene(row, SIZE // 2).scene for row in some]
        if portraits:
            quarters[3] = portrait(SIZE // 2).scene
        return Seen(stitch(quarters))

    if idea.feedback and feedback.wants_small:
        return [four(row) for row in rows.tolist()], True
    single = int(PORTRAITS * len(rows)) if portraits else 0
    rows = rows[: len(rows) - single]
    drawn = feedback.draw(rows, rng) if idea.feedback else [(row, None) for row in rows.tolist()]
    shown = [scene(row, SIZE, place) for row, place in drawn]
    return [*shown, *(portrait(SIZE) for _ in range(single))], False


def pay(learner: Learner, seen: Sequence[Seen], stitched: bool, rng: np.random.Generator) -> Tensor:
    """The loss of a step; what it tells the next one is kept in the learner."""
    scenes = [one.scene for one in seen]
    light = develop(np.stack([scene.pixels for scene in scenes]), rng)
    pixels = torch.from_numpy(light.transpose(0, 3, 1, 2))
    answers = by_task(learner.network(pixels.contiguous(memory_format=torch.channels_last)))
    owners = np.stack([assign(s.boxes, to_boxes(anchors(SIZE, SIZE))) for s in scenes])
    losses, small, boxes = task_losses(answers, owners, scenes)
    learner.feedback.note_loss(small, boxes, stitched)
    _note_false(learner.feedback, answers["class"].detach()[..., 0], owners, seen)
    return learner.uncertainty(losses)


def by_task(maps: Sequence[Tensor]) -> dict[str, Tensor]:
    """What each task says: pictures x anchors x numbers; as `decoding.by_task`, in torch."""
    parts: dict[str, list[Tensor]] = {task: [] for task in WIDTHS}
    for answers in maps:
        own = answers.split([PER_CELL * count for count in WIDTHS.values()], dim=1)
        for (task, count), some in zip(WIDTHS.items(), own, strict=True):
            cells = some.unflatten(1, (PER_CELL, count)).flatten(3).permute(0, 3, 1, 2)
            parts[task].append(cells.flatten(1, 2))
    return {task: torch.cat(part, dim=1) for task, part in parts.items()}


def task_losses(
    answers: dict[str, Tensor], owners: Int64[np.ndarray, "n a"], scenes: Sequence[Scene]
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The loss of each task; and of that of the boxes, the part of small faces, and all of it.

    Args:
        answers: by task.
        owners: the face of each anchor.
        scenes: one a picture, squares of `SIZE`.
    """
    starts = np.cumsum([0, *(len(s.boxes) for s in scenes[:-1])])
    boxes, points, poses = (
        np.concatenate([getattr(s, name) for s in scenes]) for name in ("boxes", "points", "poses")
    )
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    picture, anchor = np.nonzero(owners != NOBODY)
    face = owners[picture, anchor] + starts[picture]
    kept = sides[face] >= TINY
    ignored = torch.zeros(owners.shape, dtype=torch.bool)
    ignored[picture[~kept], anchor[~kept]] = True
    picture, anchor, face = picture[kept], anchor[kept], face[kept]
    places = anchors(SIZE, SIZE)[anchor]
    mine = {task: answer[picture, anchor] for task, answer in answers.items()}
    positive = torch.zeros(owners.shape, dtype=torch.bool)
    positive[picture, anchor] = True
    each = code_losses(mine["box"], torch.from_numpy(encode_boxes(boxes[face], places)))
    small = torch.from_numpy(sides[face] < SMALL)
    known = np.flatnonzero(np.isfinite(poses[face]).all(axis=1))
    flat = encode_points(points[face[known]], places[known]).reshape(-1, 10)
    angles = poses[face[known]]
    losses = {
        "class": class_loss(answers["class"][..., 0], positive, ~ignored),
        "box": each.sum() / max(1, len(face)),
        "points": code_losses(mine["points"][known], torch.from_numpy(flat)).sum()
        / max(1, len(known)),
        "pose": pose_loss(
            mine["pose"][known].reshape(-1, 3, BINS),
            torch.from_numpy(to_bins(angles)),
            torch.from_numpy(angles),
        ),
    }
    return losses, each[small].sum(), each.sum()


def _note_false(
    feedback: Feedback, scores: Tensor, owners: Int64[np.ndarray, "n a"], seen: Sequence[Seen]
) -> None:
    """Tell the feedback, of each scene seen, what was taken for a face."""
    sure = torch.sigmoid(scores).numpy()
    wrong = np.where(owners == NOBODY, sure, 0.0)
    for one, levels in zip(seen, wrong, strict=True):
        if one.row is not None and one.matrix is not None:
            surest = anchors(SIZE, SIZE)[levels.argmax(), :2]
            count = int((levels > SURE).sum())
            feedback.note_errors(one.row, count, back(one.matrix, surest))


@torch.no_grad()
def precision(network: MOS, scenes: Sequence[Scene]) -> float:
    """AP at an overlap of 0.5 on whole scenes, black to multiples of 32."""
    boxes, scores = [], []
    for scene in scenes:
        height, width = scene.pixels.shape[:2]
        planes = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)
        planes[0, :, :height, :width] = scene.pixels.transpose(2, 0, 1)
        found = decode([m[0].numpy() for m in network(torch.from_numpy(planes))], 0.05)
        kept = nms(found.boxes, found.scores, 0.4)
        boxes.append(found.boxes[kept])
        scores.append(found.scores[kept])
    return average_precision(boxes, scores, [scene.boxes for scene in scenes], 0.5)
