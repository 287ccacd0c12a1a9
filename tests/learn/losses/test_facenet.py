"""Triplets worked out by hand, what is mined, and networks that can be compared with older ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lineament.core.embeddings import code_scale
from lineament.learn.backbones.iresnet import IResNet
from lineament.learn.losses import facenet, harmonic
from lineament.learn.losses.crossing import crossed, search, shares
from lineament.learn.losses.facenet import FaceNet, as_bytes
from lineament.learn.losses.harmonic import Successor, apart, harmonised
from lineament.learn.losses.triplets import TripletLoss, at_random, semi_hard, squared_distances
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures, trial
from lineament.learn.recognition.figures import Run
from lineament.learn.recognition.material import Material, People, every_pair
from lineament.learn.recognition.trial import Arm, fit

SIDE = 16


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def squared(a: float, b: float) -> float:
    """Squared chord between two angles in degrees."""
    return 2 - 2 * float(np.cos(np.deg2rad(a - b)))


def test_squared_distances_are_those_of_directions():
    vectors = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)) * 9
    unit = vectors.numpy() / np.linalg.norm(vectors.numpy(), axis=1, keepdims=True)
    expected = ((unit[:, None] - unit) ** 2).sum(2)
    np.testing.assert_allclose(squared_distances(vectors).numpy(), expected, atol=1e-5)


def test_the_nearest_negative_beyond_the_positive_is_taken():
    # The anchor at 0 with its positive at 30: of the negatives at 20, 40 and 50, 20 is nearer than
    # the positive (hard), 40 is the nearest beyond it.
    labels = torch.tensor([0, 0, 1, 1, 2])
    distances = squared_distances(on_circle(0, 30, 20, 40, 50))
    assert semi_hard(distances, labels, torch.tensor([[0, 1]])).tolist() == [3]


def test_where_all_negatives_are_nearer_the_farthest_of_them_is_taken():
    labels = torch.tensor([0, 0, 1, 1])
    distances = squared_distances(on_circle(0, 90, 10, 60))
    assert semi_hard(distances, labels, torch.tensor([[0, 1]])).tolist() == [3]


def test_the_loss_is_the_hinge_over_all_anchors_and_positives():
    a, b, c, d = 0.0, 10.0, 25.0, 60.0
    labels = torch.tensor([0, 0, 1, 2])
    # Anchor a with b: both negatives are farther, c is nearer. Anchor b with a: c again.
    terms = [
        squared(a, b) - squared(a, c) + 0.2,
        squared(b, a) - squared(b, c) + 0.2,
    ]
    assert min(terms) > 0  # both inside the margin, or the case says little
    expected = sum(terms) / 2
    # Lengths do not count.
    embeddings = on_circle(a, b, c, d) * torch.tensor([[3.0], [0.1], [7.0], [1.0]])
    assert float(FaceNet()(embeddings, labels)) == pytest.approx(expected, abs=1e-6)
    # A triplet outside the margin gives nothing.
    apart = FaceNet()(on_circle(0, 1, 120, 200), labels)
    assert float(apart) == 0


def brute(embeddings: np.ndarray, labels: np.ndarray, margin: float) -> float:
    """Equations 3 and 4 in loops."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    terms = []
    for i in range(len(unit)):
        for j in range(len(unit)):
            if i == j or labels[i] != labels[j]:
                continue
            near = float(((unit[i] - unit[j]) ** 2).sum())
            others = [float(((unit[i] - u) ** 2).sum()) for u in unit[labels != labels[i]]]
            beyond = [d for d in others if d > near]
            terms.append(max(0.0, near - (min(beyond) if beyond else max(others)) + margin))
    return float(np.mean(terms))


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_that_of_loops_over_triplets(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(5), 3)
    embeddings = rng.normal(0, 1, (15, 4)) + rng.normal(0, 1.5, (5, 4))[labels]
    loss = TripletLoss(0.3)(torch.from_numpy(embeddings), torch.from_numpy(labels))
    assert float(loss) == pytest.approx(brute(embeddings, labels, 0.3), abs=1e-5)


def test_negatives_at_random_are_of_others_and_not_always_the_mined_ones():
    labels = torch.arange(6).repeat_interleave(2)
    distances = squared_distances(torch.randn(12, 4, generator=torch.Generator().manual_seed(1)))
    pairs = (labels == labels[:, None]).fill_diagonal_(False).nonzero()
    torch.manual_seed(0)
    drawn = torch.stack([at_random(distances, labels, pairs) for _ in range(60)])
    assert not bool((labels[drawn] == labels[pairs[:, 0]]).any())
    assert all(len(drawn[:, k].unique()) == 10 for k in range(len(pairs)))  # every negative comes


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(4)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    embeddings = torch.randn(6, 3, generator=generator)
    loss = FaceNet(margin=1.0)
    ours = embeddings.clone().requires_grad_()
    loss(ours, labels).backward()
    assert ours.grad is not None
    for row, column in ((0, 0), (3, 2), (5, 1)):
        change = torch.zeros_like(embeddings)
        change[row, column] = 1e-3
        higher, lower = (float(loss(embeddings + s * change, labels)) for s in (1, -1))
        expected = (higher - lower) / 2e-3
        assert float(ours.grad[row, column]) == pytest.approx(expected, abs=2e-3)


def test_the_settings_are_the_paper_s():
    assert (FaceNet().margin, FaceNet().mine) == (0.2, semi_hard)
    assert facenet.arm().name == "FaceNet"
    labels = np.repeat(np.arange(40), 5)
    rows = facenet.balanced(labels, recipe("facenet").recipe.settings)(0)
    assert len(rows) == 64
    assert np.all(np.unique(labels[rows], return_counts=True)[1] == 4)


def test_bytes_keep_embeddings_to_half_a_step():
    rng = np.random.default_rng(2)
    vectors = rng.normal(0, 1, (50, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    coded = as_bytes(vectors)
    assert np.unique(coded[0]).size < 100  # steps, no longer floats
    np.testing.assert_allclose(coded, vectors, atol=0.6 / code_scale(128))
    assert not np.array_equal(coded, vectors)


# Harmonic embeddings.


def small(dimension: int = 8) -> IResNet:
    return IResNet((1, 1), (8, 8, 16), SIDE, dimension, 2)


def people(count: int, each: int, first: int = 0) -> People:
    """People who differ in the colours of two stripes; two others say nothing."""
    labels = np.repeat(np.arange(count), each)
    own = np.stack([np.random.default_rng((first, int(k))).normal(128, 25, (2, 3)) for k in labels])
    rng = np.random.default_rng(first)
    stripes = np.concatenate([own, rng.normal(128, 60, (len(labels), 2, 3))], axis=1)
    faces = np.repeat(stripes, 4, axis=1)[:, :, None].repeat(SIDE, axis=2)
    faces = faces + rng.normal(0, 15, faces.shape)
    return People(faces.clip(0, 255).astype(np.uint8), labels, f"people from {first}")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch) -> None:
    monkeypatch.setattr(figures, "ROUNDS", 10)


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(people(40, 6), people(8, 5, 100), (every_pair("test", people(12, 5, 200)),))


def job(out: Path, **changed) -> Job:
    known = recipe("facenet-harmonic").recipe
    settings = replace(known.settings, steps=60, batch=24, rate=0.01, warm_up=5, save_every=10)
    return replace(Job(recipe=known, settings=settings, seeds=(0, 1), out=out), **changed)


def test_only_what_is_said_learns():
    torch.manual_seed(0)
    faces, whose = torch.rand(8, 3, SIDE, SIDE) * 2 - 1, torch.arange(8) // 2
    for last_only in (True, False):
        model = Successor(small(), small(), last_only)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        model.train()
        harmonised(model, faces, whose, np.random.default_rng(0)).backward()
        learns = {k for k, p in model.named_parameters() if p.grad is not None}
        last = {"new.head.3.weight", "new.head.3.bias", "new.head.4.weight", "new.head.4.bias"}
        assert learns == (
            last if last_only else {f"new.{n}" for n, _ in small().named_parameters()}
        )
        # What does not learn keeps its statistics as well.
        moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
        assert not any(k.startswith("old.") for k in moved)
        assert all(k.startswith("new.head.4") for k in moved) == last_only
        assert any(k.startswith("new.head.4.running") for k in moved)


def test_harmonic_triplets_are_of_both_networks_and_only_the_new_one_is_moved():
    torch.manual_seed(1)
    model = Successor(small(), small()).eval()
    faces, whose = torch.rand(6, 3, SIDE, SIDE) * 2 - 1, torch.arange(6) // 2
    new, old = model.new(faces), model.old(faces)
    both = torch.cat([new, old]).detach().numpy().astype(np.float64)
    labels = torch.cat([whose, whose]).numpy()
    rng = np.random.default_rng(0)
    expected = brute(both, labels, 0.2)
    assert expected > 0
    loss = harmonised(model, faces, whose, rng)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-5)
    alone = brute(both[:6], labels[:6], 0.2)
    assert float(apart(model, faces, whose, rng).detach()) == pytest.approx(alone, abs=1e-5)
    # A face's embeddings by both networks are a pair: alone in its person, it still has a loss.
    single = harmonised(model, faces, torch.arange(6), rng)
    assert float(single.detach()) == pytest.approx(
        brute(both, np.tile(np.arange(6), 2), 0.2), abs=1e-5
    )


def test_crossed_scores_take_the_gallery_from_one_and_probes_from_the_other(material):
    test = material.tests[0]
    first = np.random.default_rng(0).normal(0, 1, (len(test.gallery), 3)).astype(np.float32)
    second = np.random.default_rng(1).normal(0, 1, (len(test.probes), 3)).astype(np.float32)
    (scores,) = crossed(lambda faces: first, lambda faces: second, material.tests)
    i, j = test.pairs[17]
    assert scores[17] == pytest.approx(float(first[i] @ second[j]), rel=1e-5)


def test_a_search_finds_whose_first_face_is_most_alike(material):
    test = material.tests[0]
    labels = np.repeat(np.arange(12), 5)
    eye = np.eye(12, dtype=np.float32)[labels]
    right = search(lambda faces: eye, lambda faces: eye, test)
    assert right.hits.all()
    assert len(right.hits) == 12 * 4
    assert right.people.tolist() == [k for k in range(12) for _ in range(4)]
    turned = search(lambda faces: eye, lambda faces: np.roll(eye, 1, axis=1), test)
    assert not turned.hits.any()


def test_the_share_is_of_the_rates_means(material, tmp_path):
    test = material.tests[0]
    rng = np.random.default_rng(3)

    def runs(name: str, strength: float) -> list[Run]:
        noise = rng.normal(0, 1, (2, len(test.same)))
        scores = (strength * test.same + noise).astype(np.float32)
        return [Run(name, seed, (scores[seed],)) for seed in (0, 1)]

    own, across = runs("old", 3.0), runs("across", 2.0)
    row, (result,) = shares(job(tmp_path), material, across, own)
    rates = []
    for each_runs in (across, own):
        each = []
        for run in each_runs:
            scores = np.asarray(run.scores[0])
            bar = np.sort(scores[~test.same])[::-1][int(0.01 * (~test.same).sum())]
            each.append(np.mean(scores[test.same] > bar))
        rates.append(np.mean(each))
    assert result.ours == pytest.approx(rates[0] / rates[1], abs=1e-9)
    assert 0.2 < result.ours < 0.8
    assert "not reached" in result.note
    assert result.interval is not None
    assert result.interval[0] < result.ours < result.interval[1]
    assert row[0] == "across, share of old"
    whole = shares(job(tmp_path), material, own, own)[1][0]
    assert whole.ours == 1
    assert whole.note.startswith("Asked is 0.97: reached")


def test_a_harmonic_network_is_compatible_and_its_twin_is_not(material, tmp_path, monkeypatch):
    """The whole recipe on striped squares, and again from its checkpoints."""
    monkeypatch.setattr(harmonic, "gather", lambda job: material)
    monkeypatch.setattr("lineament.learn.losses.facenet.with_head", with_small(trial.with_head))
    monkeypatch.setattr("lineament.learn.losses.baselines.with_head", with_small(trial.with_head))
    monkeypatch.setattr(harmonic, "shipped", lambda *given: None)
    done = harmonic.run(job(tmp_path / "run", seeds=(0,)))
    column = done.headings.index("test TAR@1e-2#")
    cells = {row[0]: row[column] for row in done.rows}
    rate = {name: float(cell.split()[0]) for name, cell in cells.items()}
    assert rate[harmonic.ACROSS] > rate[harmonic.APART_ACROSS] + 4
    (rank,) = [r for r in done.results if "rank-1" in r.metric]
    assert rank.ours > 0.3  # one of twelve would be chance
    again = harmonic.run(job(tmp_path / "run", seeds=(0,)))
    assert again.rows == done.rows


def with_small(with_head):
    """Learners around a small network in place of the usual one."""
    return lambda head, backbone=None: with_head(head, small)


def test_the_recipe_shows_what_mining_and_bytes_do(material, tmp_path, monkeypatch):
    monkeypatch.setattr(facenet, "gather", lambda job: material)
    monkeypatch.setattr(facenet, "with_head", with_small(trial.with_head))
    monkeypatch.setattr("lineament.learn.losses.baselines.with_head", with_small(trial.with_head))
    monkeypatch.setattr(facenet, "shipped", lambda *given: None)
    known = recipe("facenet").recipe
    done = facenet.run(replace(job(tmp_path / "run", seeds=(0,)), recipe=known))
    column = done.headings.index("test TAR@1e-2#")
    rows = {row[0]: row[column] for row in done.rows}
    rate = {name: float(cell.split()[0]) for name, cell in rows.items()}
    assert rate["FaceNet"] > rate["raw pixels"] + 3
    assert abs(rate["FaceNet, 128 bytes"] - rate["FaceNet"]) < 5
    assert {r.baseline for r in done.results} == {
        "random triplets",
        "softmax of cosines",
        "FaceNet",
    }


class Killed(Exception):
    """In the middle of a step."""


def test_a_run_that_is_killed_goes_on_in_the_same_steps(material, tmp_path):
    settings = replace(job(tmp_path).settings, steps=20)
    old, new = small(), small()
    left = iter([*range(13)])

    def dying(*given):
        if next(left, None) is None:
            raise Killed
        return harmonised(*given)

    def arm(objective) -> Arm:
        return Arm("n", lambda count: Successor(new, old), objective, plan=facenet.balanced)

    whole = fit(arm(harmonised), material, settings, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(arm(dying), material, settings, tmp_path / "parts")
    resumed = fit(arm(harmonised), material, settings, tmp_path / "parts")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)
