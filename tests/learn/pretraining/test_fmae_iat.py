"""Identity-adversarial training: gradients by hand, units and subjects by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lineament.core.errors import BadInput
from lineament.learn.pretraining.behaviour import UNITS, Leak, subjects_of, units_of
from lineament.learn.pretraining.fmae_iat import AGAINST, Autoencoder, Behaving, Reversed
from lineament.learn.pretraining.masked import MaskedViT, over, patch_errors
from lineament.learn.pretraining.meshes import Meshes
from lineament.learn.pretraining.tasks import Pairs, Verification

FACES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
PEOPLE = torch.tensor([0, 1, 2, 0])
THERE = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])


def made(against: float) -> Behaving:
    torch.manual_seed(0)
    return Behaving(MaskedViT(16, 8, 16, 1, 2), 2, 3, against)


def gradients(model: Behaving, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }


def test_a_reversal_changes_nothing_forward_and_turns_the_gradient():
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = Reversed.apply(x, 2.5)
    assert isinstance(y, torch.Tensor)
    assert torch.equal(y, x)
    (y * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-2.5, -25.0, -250.0]


@pytest.mark.parametrize("against", [0.0, 0.5, AGAINST])
def test_the_encoder_learns_units_and_unlearns_identities(against: float):
    model = made(against)
    features = model(FACES)
    units = functional.binary_cross_entropy_with_logits(model.units(features), THERE)
    who = functional.cross_entropy(model.people(features), PEOPLE)
    of_units = gradients(model, units)
    of_people = gradients(model, functional.cross_entropy(model.people(model(FACES)), PEOPLE))
    found = gradients(model, model.loss(FACES, THERE, PEOPLE))
    torch.testing.assert_close(model.loss(FACES, THERE, PEOPLE), units + who)
    for name, gradient in found.items():
        sign = 1.0 if name.startswith("people") else -against
        wanted = of_units[name] + sign * of_people[name]
        torch.testing.assert_close(gradient, wanted, msg=name, rtol=1e-4, atol=1e-6)


def test_the_adversary_itself_always_learns():
    model = made(0.0)
    gradient = gradients(model, model.loss(FACES, THERE, PEOPLE))
    assert gradient["people.weight"].abs().sum() > 0


def test_a_step_of_the_encoder_raises_the_loss_of_identities():
    model = made(AGAINST)
    for layer in (model.units, model.people):
        layer.requires_grad_(False)

    def of_people() -> float:
        with torch.no_grad():
            return float(functional.cross_entropy(model.people(model(FACES)), PEOPLE))

    before = of_people()
    for _ in range(5):
        for parameter, gradient in zip(
            model.encoder.parameters(), _encoder_gradients(model), strict=True
        ):
            parameter.data -= 0.01 * gradient
    assert of_people() > before


def _encoder_gradients(model: Behaving) -> list[torch.Tensor]:
    """Less those of the units."""
    model.zero_grad()
    model.loss(FACES, THERE, PEOPLE).backward()
    of_units = functional.binary_cross_entropy_with_logits(model.units(model(FACES)), THERE)
    units = torch.autograd.grad(of_units, list(model.encoder.parameters()))
    found = [p.grad for p in model.encoder.parameters()]
    return [f - u for f, u in zip(found, units, strict=True) if f is not None]


def test_pre_training_guesses_what_is_hidden():
    torch.manual_seed(0)
    model = Autoencoder(16)
    hidden = torch.tensor([[True, True, True, False]] * 4)
    guess = model.draw(model.encoder.words(FACES, hidden), hidden)[:, 1:]
    wanted = over(patch_errors(guess, FACES, 8), hidden)
    torch.testing.assert_close(model.loss(FACES, hidden), wanted)


def test_a_unit_is_there_where_both_sides_together_are_strong():
    names = tuple(
        name
        for shape in UNITS.values()
        for name in ([shape] if shape == "mouthPucker" else [f"{shape}Left", f"{shape}Right"])
    )
    scores = np.zeros((3, len(names)), np.float32)
    smile = (names.index("mouthSmileLeft"), names.index("mouthSmileRight"))
    scores[0, smile[0]] = 0.7  # 0.35 in the mean
    scores[1, smile[0]] = 0.5  # 0.25
    scores[2, names.index("mouthPucker")] = 0.31
    found = units_of(Meshes(np.zeros((3, 478, 2), np.float32), scores, names))
    columns = list(UNITS.values())
    assert found.sum(axis=1).tolist() == [1, 0, 1]
    assert found[0, columns.index("mouthSmile")]
    assert found[2, columns.index("mouthPucker")]


def test_subjects_are_those_with_most_faces_and_their_last_are_kept_out():
    labels = np.asarray([0, 1, 1, 2, 2, 2, 2, 1, 0, 3, 3, 3])
    learn, held = subjects_of(labels, 2, 1)
    assert learn.tolist() == [1, 2, 3, 4, 5]
    assert held.tolist() == [7, 6]
    assert not set(learn) & set(held)


def test_subjects_need_faces_to_keep_out():
    learn, held = subjects_of(np.asarray([0, 0, 1, 2, 2]), 3, 1)
    assert learn.tolist() == [0, 3]
    assert held.tolist() == [1, 4]
    with pytest.raises(BadInput, match="two people or more with 3 faces"):
        subjects_of(np.asarray([0, 0, 0, 1, 1]), 2, 2)


def test_a_leak_is_better_where_it_is_less():
    pixels = np.zeros((4, 2, 2, 3), np.uint8)
    rows = np.asarray([[0, 1], [2, 3]])
    fold = np.arange(2)
    pairs = Pairs(pixels, rows, np.asarray([True, False]), rows, fold)
    plain = Verification("recognition", "", "", pixels, np.asarray([0, 0, 1, 1]), pairs, pairs)
    leak = Leak(**{**vars(plain), "name": "identity, new"})
    assert plain.measure.higher_is_better
    assert not leak.measure.higher_is_better
    assert leak.name == "identity, new"
    assert leak.people().shape == (2, 2)
