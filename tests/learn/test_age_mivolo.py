"""MiVOLO: the two pictures, the enhancer and the outlooker against their equations; a hidden face
does not hide what is around it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lineament.analyze import Analyzer
from lineament.core.media import read_image
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.attributes import mivolo as mv
from lineament.learn.attributes.age_trial import answers, fit
from lineament.learn.attributes.aged_faces import AgedFaces, Material
from lineament.learn.backbones.volo_blocks import Attention, ClassAttention, OutlookAttention
from lineament.learn.export import export
from lineament.learn.landmarks.augment import Amounts
from lineament.learn.settings import Settings

RNG = np.random.default_rng(6)
STILL = Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0)


def weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def softmax(x):
    high = np.exp(x - x.max(axis=-1, keepdims=True))
    return high / high.sum(axis=-1, keepdims=True)


def attended(w, name, asking, asked, heads):
    """Attention of one set of tokens to another, head by head."""
    width = asking.shape[1]
    query = asking @ w[f"{name}ask.weight"].T + w[f"{name}ask.bias"]
    both = asked @ w[f"{name}offer.weight"].T + w[f"{name}offer.bias"]
    keys, values = both[:, :width], both[:, width:]
    each = width // heads
    taken = np.zeros_like(asking)
    for head in range(heads):
        part = slice(head * each, (head + 1) * each)
        scores = query[:, part] @ keys[:, part].T / np.sqrt(each)
        shares = softmax(scores + w.get(f"{name}leaning", 0))
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        taken[:, part] = shares @ values[:, part]
    return taken @ w[f"{name}mix.weight"].T + w[f"{name}mix.bias"]


def test_the_face_is_the_middle_and_the_body_is_all_but_it():
    squares = torch.arange(3 * 16 * 16, dtype=torch.float32).reshape(1, 3, 16, 16) + 1
    face, body = mv.face_of(squares), mv.body_of(squares)
    assert torch.equal(face, squares[:, :, 4:12, 4:12])
    assert body.shape == face.shape
    assert (body[:, :, 2:6, 2:6] == 0).all()
    assert float(body[0, 1, 0, 7]) == float(squares[0, 1, 0:2, 14:16].mean())
    assert (body[:, :, :2] > 0).all()
    assert (body[:, :, 6:] > 0).all()


def test_hidden_faces_and_hidden_surroundings_make_up_the_square():
    squares = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(mv.without_face(squares) + mv.face_alone(squares), squares)
    assert (mv.face_of(mv.without_face(squares)) == 0).all()
    assert (mv.body_of(mv.face_alone(squares)) == 0).all()
    torch.testing.assert_close(mv.body_of(mv.without_face(squares)), mv.body_of(squares))


def test_pictures_are_left_out_as_often_as_is_said():
    squares = torch.ones(4000, 3, 8, 8)
    seen = mv.left_out(squares, np.random.default_rng(0), 0.5, 0.1)
    no_face = (mv.face_of(seen) == 0).all(dim=(1, 2, 3))
    no_body = (mv.body_of(seen) == 0).all(dim=(1, 2, 3))
    assert float(no_face.float().mean()) == pytest.approx(0.5, abs=0.03)
    assert float(no_body.float().mean()) == pytest.approx(0.1, abs=0.02)
    assert not (no_face & no_body).any()
    assert torch.equal(mv.left_out(squares, np.random.default_rng(0), 0, 0), squares)
    assert torch.equal(mv.left_out(squares, np.random.default_rng(0), 0, 1), mv.face_alone(squares))
    assert torch.equal(
        mv.left_out(squares, np.random.default_rng(0), 1, 0), mv.without_face(squares)
    )


def test_attention_is_its_equation():
    torch.manual_seed(0)
    attention = Attention(8, 2).double()
    asking, asked = RNG.normal(size=(3, 8)), RNG.normal(size=(5, 8))
    found = attention(torch.from_numpy(asking)[None], torch.from_numpy(asked)[None])[0]
    np.testing.assert_allclose(
        found.detach(), attended(weights(attention), "", asking, asked, 2), atol=1e-12
    )


def test_the_enhancer_asks_both_ways():
    torch.manual_seed(0)
    enhancer = mv.FeatureEnhancer(8, 2).double()
    # The four places of the grid, row by row: side by side, above each other, across.
    apart = np.asarray([[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]])
    np.testing.assert_array_equal(weights(enhancer)["face_asks.leaning"], -apart)
    face, body = RNG.normal(size=(2, 4, 8))
    found = enhancer(torch.from_numpy(face)[None], torch.from_numpy(body)[None])[0]
    w = weights(enhancer)
    both = np.concatenate(
        [attended(w, "face_asks.", face, body, 1), attended(w, "body_asks.", body, face, 1)], axis=1
    )
    mean, spread = both.mean(axis=1, keepdims=True), both.var(axis=1, keepdims=True)
    normal = (both - mean) / np.sqrt(spread + 1e-5) * w["norm.weight"] + w["norm.bias"]
    middle = torch.from_numpy(normal @ w["dense.0.weight"].T + w["dense.0.bias"])
    expected = functional.gelu(middle).numpy() @ w["dense.2.weight"].T + w["dense.2.bias"]
    np.testing.assert_allclose(found.detach(), expected, atol=1e-10)


def test_outlook_attention_is_unfold_weigh_fold():
    """Held to torch's own unfold and fold, which the network itself does without."""
    torch.manual_seed(0)
    outlook = OutlookAttention(6, 2).double()
    x = torch.from_numpy(RNG.normal(size=(2, 5, 4, 6)))
    values = outlook.values(x).permute(0, 3, 1, 2)
    windows = functional.unfold(values, 3, padding=1).reshape(2, 2, 3, 9, 20)
    shares = outlook.weigh(x).reshape(2, 20, 2, 9, 9) * 3**-0.5
    shares = shares.softmax(dim=-1).permute(0, 2, 1, 3, 4)
    spread = shares @ windows.permute(0, 1, 4, 3, 2)
    columns = spread.permute(0, 1, 4, 3, 2).reshape(2, 6 * 9, 20)
    folded = functional.fold(columns, (5, 4), 3, padding=1)
    expected = outlook.mix(folded.permute(0, 2, 3, 1))
    torch.testing.assert_close(outlook(x), expected)


def test_the_gathering_token_does_not_care_for_order():
    torch.manual_seed(0)
    gather = ClassAttention(8, 2)
    x = torch.randn(2, 6, 8)
    torch.testing.assert_close(gather(x[:, torch.randperm(6)]), gather(x))
    assert not torch.allclose(gather(torch.randn(2, 6, 8)), gather(x))


def test_rare_ages_weigh_more():
    ages = np.asarray([30.0] * 90 + [80.0] * 10, np.float32)
    found = mv.age_weights(ages)
    years = ages.astype(int)
    assert found[years].mean() == pytest.approx(1)
    assert found[80] / found[30] == pytest.approx(3, rel=1e-6)
    assert found[30] / found[31] == pytest.approx(np.exp(-1 / 16), rel=1e-3)
    assert np.isfinite(found).all(), "years that nobody is of have a weight too"


def test_a_hidden_face_says_nothing():
    torch.manual_seed(0)
    model = mv.MiVOLO(32, 16).eval()
    for weight in model.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.3)  # an untaught one hardly answers
    squares = 255 * torch.rand(2, 3, 32, 32)
    other = squares.clone()
    other[:, :, 8:24, 8:24] = 7
    with torch.no_grad():
        hidden, changed = (model(mv.without_face(x)) for x in (squares, other))
        torch.testing.assert_close(hidden, changed)
        assert not torch.allclose(model(squares)[0], model(other)[0], atol=0.1)
        assert not torch.allclose(model(mv.face_alone(squares))[0], hidden[0], atol=0.1)


def faces(count: int, seed: int) -> AgedFaces:
    """Squares whose middle is as bright as the age, with red or blue around it by the label."""
    rng = np.random.default_rng(seed)
    ages = rng.uniform(5, 80, count).astype(np.float32)
    sexes = rng.integers(0, 2, count)
    pixels = np.zeros((count, 50, 50, 3), np.float32)
    pixels[sexes == 0, ..., 0], pixels[sexes == 1, ..., 2] = 200, 200
    pixels[:, 18:32, 18:32] = ages[:, None, None, None] * 3
    pixels = (pixels + rng.normal(0, 2, pixels.shape)).clip(0, 255).astype(np.uint8)
    points, paths = np.zeros((count, 5, 2), np.float32), np.asarray(["nowhere"] * count)
    return AgedFaces(pixels, ages, sexes, np.zeros(count, np.int64), points, paths)


def test_it_learns_and_goes_on_where_the_face_is_hidden(tmp_path):
    train, more, choose, test = (faces(count, seed) for seed, count in enumerate((64, 64, 16, 40)))
    material = Material(train, more, choose, test, {}, "hash", 0, 0)
    settings = Settings(steps=120, batch=16, rate=0.004, warm_up=10, clip=1.0, seed=0)
    loss = mv._loss(torch.ones(121), 0.5, 0.1)
    model = fit(lambda: mv.MiVOLO(32, 16), loss, material, settings, tmp_path, 32, amounts=STILL)
    blind = np.abs(np.median(material.train.ages) - test.ages).mean()

    def measured(change):
        said = answers(model, test.pixels, 32, change)
        assert said.male is not None
        return np.abs(said.ages - test.ages).mean(), (said.male == (test.sexes == 1)).mean()

    whole, hidden = measured(lambda seen: seen), measured(mv.without_face)
    assert whole[0] < 0.5 * blind
    assert whole[1] > 0.95
    assert hidden[1] > 0.95, "the label is around the face"
    assert hidden[0] > 0.7 * blind, "the age is not"


def test_the_file_answers_as_torch_does_and_says_what_it_is(tmp_path):
    path = tmp_path / "age_sex.onnx"
    torch.manual_seed(0)
    model = mv.MiVOLO()
    export(model, 255 * torch.rand(3, 3, mv.SIZE, mv.SIZE), path, about=mv.ABOUT)
    session = Session(path, threads=1)
    assert Trained.of(session.metadata, "file") == mv.ABOUT
    age, sex = session.run(np.full((1, 3, mv.SIZE, mv.SIZE), 9, np.float32))
    assert age.shape == (1,)
    assert sex.sum(axis=1) == pytest.approx(1)


def test_the_file_describes_faces(album, tmp_path):
    path = tmp_path / "age_sex.onnx"
    torch.manual_seed(0)
    example = 255 * torch.rand(3, 3, mv.SIZE, mv.SIZE)
    export(mv.MiVOLO(), example, path, about=mv.ABOUT)
    image = read_image(next(album.rglob("IMG_0021.jpg")))
    analyzer = Analyzer.of(want={"age", "sex"}, using=[str(path)], embedder=None, threads=1)
    found = analyzer([image])[0]
    assert found.age.shape == (1,)
    assert found.sex.names == ("female", "male")
