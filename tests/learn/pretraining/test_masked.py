"""Masked autoencoding by hand: positions, what is hidden, where words go, what an error is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lineament.core.errors import BadInput
from lineament.learn.pretraining.masked import (
    Decoder,
    MaskedViT,
    cut,
    left,
    over,
    patch_errors,
    random_masks,
    waves,
)


def mask_of(*rows: str) -> torch.Tensor:
    """'x' is hidden."""
    return torch.tensor([[each == "x" for each in row] for row in rows])


def test_positions_are_sines_and_cosines_of_column_and_row():
    found = waves(3, 8)[0].numpy()
    for patch in range(9):
        row, column = divmod(patch, 3)
        told = [f(place / 10_000 ** (k / 2)) for place in (column, row) for f in (np.sin, np.cos)
                for k in range(2)]  # fmt: skip
        np.testing.assert_allclose(found[patch], told, atol=1e-6)


def test_patches_are_cut_in_rows_and_columns():
    faces = torch.rand(2, 3, 12, 12)
    found = cut(faces, 4)
    assert found.shape == (2, 9, 48)
    block = faces[1, :, 8:12, 4:8].permute(1, 2, 0).reshape(-1)
    assert torch.equal(found[1, 7], block)


def test_what_a_mask_leaves():
    assert left(mask_of("x.x.", "xx..")).tolist() == [[1, 3], [2, 3]]
    with pytest.raises(BadInput, match="equally many"):
        left(mask_of("x.x.", "xxx."))


def test_the_encoder_never_sees_what_is_hidden():
    torch.manual_seed(0)
    model = MaskedViT(16, 8, 16, 2, 2).eval()
    faces, mask = torch.rand(2, 3, 16, 16), mask_of("x..x", ".xx.")
    before = model.words(faces, mask)
    assert before.shape == (2, 3, 16)
    changed = faces.clone()
    changed[0, :, :8, :8] = 5  # the first patch, hidden
    changed[1, :, :8, 8:] = 5  # the second
    assert torch.equal(model.words(changed, mask), before)
    changed[1, :, :8, :8] = 5  # the first, seen
    assert not torch.allclose(model.words(changed, mask)[1], before[1])


def test_words_of_a_mask_are_those_patches_at_their_places():
    torch.manual_seed(0)
    model = MaskedViT(16, 8, 16, 2, 2).eval()
    faces = torch.rand(1, 3, 16, 16)
    flat = cut(faces, 8).view(1, 4, 8, 8, 3).permute(0, 1, 4, 2, 3).reshape(1, 4, -1)
    assert model.patches.bias is not None
    seen = flat @ model.patches.weight.view(16, -1).T + model.patches.bias + waves(2, 16)
    words = torch.cat([model.whole, seen[:, [1, 2]]], dim=1)
    ours = model.words(faces, mask_of("x..x"))
    torch.testing.assert_close(ours, model.norm(model.blocks(words)))
    everything = model.words(faces)[:, 1:].mean(dim=1)
    assert torch.equal(model(faces), everything)


def test_the_decoder_puts_words_where_they_were_seen():
    torch.manual_seed(0)
    decoder = Decoder(2, 16, 5, 8, depth=0)
    words = torch.rand(1, 3, 16)
    found = decoder(words, mask_of("x..x"))
    entered, hidden, places = decoder.enter(words)[0], decoder.hidden[0, 0], waves(2, 8)[0]
    rows = [entered[0], hidden + places[0], entered[1] + places[1], entered[2] + places[2],
            hidden + places[3]]  # fmt: skip
    torch.testing.assert_close(found[0], decoder.leave(decoder.norm(torch.stack(rows))))


def test_without_a_mask_every_place_has_its_own_word():
    decoder = Decoder(2, 16, 5, 8, depth=0)
    words = torch.rand(2, 5, 16)
    assert torch.equal(decoder(words), decoder(words, mask_of("....", "....")))


def test_a_patch_is_compared_after_its_own_mean_and_spread():
    rng = np.random.default_rng(0)
    faces, guess = rng.random((1, 3, 8, 8)), rng.random((1, 4, 48))
    found = patch_errors(torch.tensor(guess), torch.tensor(faces), 4)
    pixels = faces[0, :, 4:, :4].transpose(1, 2, 0).ravel()
    wanted = (pixels - pixels.mean()) / np.sqrt(pixels.var(ddof=1) + 1e-6)
    assert found[0, 2] == pytest.approx(np.mean((guess[0, 2] - wanted) ** 2))


def test_brightness_and_contrast_of_a_patch_do_not_matter():
    faces, guess = torch.rand(1, 3, 8, 8).double(), torch.rand(1, 4, 48).double()
    other = patch_errors(guess, 3 * faces - 1, 4)
    torch.testing.assert_close(other, patch_errors(guess, faces, 4), rtol=1e-3, atol=1e-3)


def test_only_what_a_mask_names_counts():
    errors = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    assert over(errors, mask_of("x.", "xx")) == pytest.approx(13 / 3)
    assert over(errors, mask_of("..", "..")) == 0


def test_random_masks_hide_a_fixed_number_anywhere():
    drawn = random_masks(4000, 10, np.random.default_rng(0), 0.75)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 0.7, atol=0.03)
    pairs = (drawn[:, 0] & drawn[:, 1]).mean()
    assert pairs == pytest.approx(7 / 10 * 6 / 9, abs=0.03)


def test_guessing_is_learnt_through_hidden_patches_alone():
    torch.manual_seed(0)
    encoder, decoder = MaskedViT(16, 8, 16, 1, 2), Decoder(2, 16, 192, 8, 1, 2)
    faces, mask = torch.rand(2, 3, 16, 16), mask_of("xxx.", "xx.x")
    guess = decoder(encoder.words(faces, mask), mask)[:, 1:]
    guess.retain_grad()
    over(patch_errors(guess, faces, 8), mask).backward()
    assert guess.grad is not None
    assert (guess.grad.abs().sum(dim=2) > 0).equal(mask)
    assert isinstance(encoder.patches, nn.Conv2d)
    assert encoder.patches.weight.grad is not None
