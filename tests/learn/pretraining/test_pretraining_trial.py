"""Short runs on made faces: what arms share, what is judged, what figures and gaps say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.cards import method
from lineament.core.sessions import Session
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.pretraining import (
    barlow_twins,
    figures,
    rotnet,
    trial,
    tuning,
    universal_pretraining,
)
from lineament.learn.pretraining.barlow_twins import BarlowTwins, cross_correlation
from lineament.learn.pretraining.figures import Run, compare
from lineament.learn.pretraining.material import Material, recognition
from lineament.learn.pretraining.rotnet import RotNet, all_four, in_all_turns
from lineament.learn.pretraining.tasks import (
    Labelled,
    Measure,
    Probed,
    Scores,
    right_class,
    score,
    years_off,
)
from lineament.learn.pretraining.trial import (
    Arm,
    encoder,
    features,
    supervised,
    two_views,
    untrained,
    watched,
)
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import material as recognition_material
from lineament.learn.recognition.material import People, every_pair
from lineament.learn.settings import Settings

RNG = np.random.default_rng(4)
SLUGS = ("barlow-twins", "rotnet", "universal-pretraining")


def made_people(count: int, each: int, first: int = 0) -> People:
    """People of one colour each, with noise."""
    labels = np.repeat(np.arange(count), each)
    rng = np.random.default_rng(first)
    own = rng.uniform(40, 215, (count, 3))[labels]
    faces = own[:, None, None] + rng.normal(0, 20, (len(labels), 32, 32, 3))
    return People(faces.clip(0, 255).astype(np.uint8), labels, f"people from {first}")


def made_task(name: str, measure: Measure, column: int, classes: int) -> Probed:
    def part(first: int) -> Labelled:
        people = made_people(30, 2, first)
        pixels = people.pixels[np.arange(60)]
        level = pixels[..., column].mean(axis=(1, 2)).astype(np.float32)
        targets = level[:, None] / 4
        if classes:
            targets = np.eye(classes, dtype=np.float32)[(level > 128).astype(int)]
        return Labelled(pixels, targets, people.labels)

    return Probed(name, f"made faces, {name}", name, measure, part(1), part(2), part(3))


@pytest.fixture(scope="module")
def material() -> Material:
    people = recognition_material.Material(
        made_people(30, 4), made_people(8, 4, 50), (every_pair("pairs", made_people(10, 4, 90)),)
    )
    years = Measure("mean error, years", years_off, higher_is_better=False, percent=False)
    return Material(
        people,
        (
            recognition(people),
            made_task("expression", Measure("accuracy", right_class), 0, 2),
            made_task("age", years, 1, 0),
        ),
    )


@pytest.fixture(autouse=True)
def few_draws(monkeypatch) -> None:
    monkeypatch.setattr(figures, "ROUNDS", 8)


def small_encoder() -> nn.Module:
    return encoder(32)


def job(slug: str, out: Path, **changed: int) -> Job:
    known = recipe(slug).recipe
    settings = replace(known.settings, **{"steps": 4, "batch": 16, "warm_up": 0, **changed})
    return Job(recipe=known, settings=settings, seeds=(0, 1), out=out / slug)


def test_a_recipe_runs_and_says_what_each_arm_is_worth(material, tmp_path):
    ours = job("rotnet", tmp_path)
    arms = [
        Arm("RotNet", lambda: RotNet(encoder(32)), all_four, in_all_turns, change=rotnet.a_quarter),
        untrained(small_encoder),
    ]
    table = trial.run(ours, arms, material=material, shares=(0.1, 1.0))
    names = [row[:2] for row in table.rows]
    arms_shown = ["RotNet", "untrained", "raw pixels", "RotNet less untrained"]
    assert names == [(arm, share) for arm in arms_shown for share in ("10 %", "100 %")]
    assert len(table.results) == 2 * 3
    assert {r.higher_is_better for r in table.results if "age" in r.metric} == {False}
    assert len({r.key for r in table.results}) == len(table.results)
    for result in table.results:
        assert result.interval is not None
        low, high = result.interval
        assert low <= result.ours <= high
        assert result.baseline == "untrained"
    # The file holds the representation and nothing of the task that it was learnt by.
    pixels = material.tasks[1].test.pixels[:4]
    faces = (pixels.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5
    (given,) = Session(table.files[0], threads=1).run(faces)
    again = arms[0].train(material, ours.settings, ours)
    np.testing.assert_allclose(given, features(arms[0], again)(pixels), atol=1e-4)


def test_a_finished_run_is_taken_up_and_not_repeated(material, tmp_path):
    ours = job("barlow-twins", tmp_path)
    arm = Arm(
        "Barlow Twins",
        lambda: BarlowTwins(encoder(32), 16),
        barlow_twins.objective,
        two_views(),
    )
    first = arm.train(material, ours.settings, ours)
    again = arm.train(material, ours.settings, ours)
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    ranks = barlow_twins.directions(arm, ours, material)
    assert len(ranks) == 2
    assert all(1 <= rank <= 32 for rank in ranks)
    result = barlow_twins.rank_result(ours, material, "a", "b", {"a": ranks, "b": [3.0, 5.0]})
    assert (result.baseline_value, result.ours) == (4.0, np.mean(ranks))


def test_redundancy_reduction_uses_more_directions(material, tmp_path):
    def learnt(redundancy: float) -> float:
        torch.manual_seed(0)
        model = BarlowTwins(encoder(32), 32, redundancy).train()
        optimiser = torch.optim.Adam(model.parameters(), 0.01)
        rng = np.random.default_rng(0)
        for _ in range(12):
            seen = two_views()(material.faces[rng.choice(120, 32, False)], rng)
            optimiser.zero_grad()
            model.loss(seen).backward()
            optimiser.step()
        with torch.no_grad():
            views = two_views()(material.faces, rng)
            first, second = (model.projector(model.encoder(views[:, k])) for k in range(2))
            matrix = cross_correlation(first, second)
        return float((matrix - torch.diag(matrix.diagonal())).square().mean())

    assert learnt(0.5) < learnt(0.0)


def test_an_untrained_arm_keeps_its_weights_and_settles_its_norms(material, tmp_path):
    arm = untrained(small_encoder)
    ours = job("rotnet", tmp_path)
    model = arm.train(material, ours.settings, ours)
    with trial.seeded(ours.settings.seed):
        start = small_encoder()
    kept, first = model.state_dict(), start.state_dict()
    torch.testing.assert_close(kept["stem.0.weight"], first["stem.0.weight"])
    assert not torch.allclose(kept["stem.1.running_mean"], first["stem.1.running_mean"])
    assert not model.training


def test_arms_with_labels_are_judged_before_the_projection():
    arm = supervised()
    model = arm.labelled.make(5).eval()
    faces = torch.randn(2, 3, 64, 64)
    found = arm.represent(model, faces)
    assert found.shape == (2, 512)
    assert isinstance(model, trial.Learner)
    assert isinstance(model.backbone, IResNet)
    # The embedding that training looks at is the head of this very map.
    torch.testing.assert_close(model.backbone.head(found.view(2, 128, 2, 2)), model(faces))


def test_an_objective_never_sees_a_label(material, tmp_path):
    seen = []

    def objective(model: nn.Module, faces: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        seen.append(faces.dtype)
        return model(faces).square().mean()

    ours = job("rotnet", tmp_path, steps=2)
    watched(Arm("any", small_encoder, objective), ours, material)
    assert seen == [torch.float32] * 2


def test_gaps_where_less_is_better_are_read_the_other_way(material):
    years = material.tasks[2]
    rows = len(years.people())
    better, worse = np.full(rows, 2.0), np.full(rows, 5.0) + RNG.normal(0, 0.1, rows)
    runs = [
        Run(arm, seed, Scores({("age", 1.0): credit}))
        for arm, credit in (("ours", better), ("theirs", worse))
        for seed in (0, 1)
    ]
    known = job("rotnet", Path("nowhere"))
    table = compare(known, material, runs, [], [("ours", "theirs")], (1.0,))
    assert table.rows[-1][-1].endswith("helps")
    assert table.rows[-1][2:4] == ("", "")
    back = compare(known, material, runs, [], [("theirs", "ours")], (1.0,))
    assert back.rows[-1][-1].endswith("hurts")


def test_tuning_moves_a_copy_of_the_network_and_learns_the_task(material, tmp_path):
    arm = untrained(small_encoder)
    ours = job("rotnet", tmp_path)
    model = arm.train(material, ours.settings, ours)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    task = material.tasks[2]
    assert isinstance(task, Probed)
    settings = Settings(steps=60, batch=32, rate=0.003)
    off = tuning.tuned(arm, model, task, 1.0, settings, tmp_path / "tuned")
    middle = task.train.targets.mean()
    assert off.mean() < 0.6 * np.abs(task.test.targets - middle).mean()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_tuned_runs_are_named_after_their_arms(material, tmp_path):
    ours = job("universal-pretraining", tmp_path)
    settings = Settings(steps=1, batch=8, rate=0.001)
    runs = tuning.tuned_runs(ours, material, [untrained(small_encoder)], settings, (1.0,))
    assert [(run.arm, run.seed) for run in runs] == [("untrained, tuned", k) for k in (0, 1)]
    assert set(runs[0].scores.credits) == {("expression", 1.0), ("age", 1.0)}


@pytest.mark.parametrize("slug", SLUGS)
def test_recipes_say_how_many_steps_their_deviations_speak_of(slug):
    settings = recipe(slug).recipe.settings
    told = " ".join(method(slug).card.deviations)
    assert f"{settings.steps} steps" in told
    assert callable(recipe(slug).load())


def test_universal_pretraining_is_the_evaluation_itself():
    assert method("universal-pretraining").load() is score
    assert method("universal-pretraining").module == universal_pretraining.__name__
