"""Recipes: read as literals without torch, run whole on a few faces."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lineament.learn
from lineament.cli.train import train
from lineament.core.cards import method
from lineament.core.errors import BadInput, UnknownMethod
from lineament.core.sessions import Session
from lineament.learn.curve import read_curve
from lineament.learn.landmarks import trial
from lineament.learn.recipes import Job, read_recipe, recipe, recipes
from lineament.measure.evidence import read

PLAIN = Namespace(
    recipe=None, out=Path(), seeds=None, steps=None, scale="cpu", device=None, data=None,
    faces=None, json=False,
)  # fmt: skip


def options(**chosen) -> Namespace:
    return Namespace(**{**vars(PLAIN), **chosen})


def test_recipes_and_squares_are_known_without_torch():
    code = (
        "import sys, lineament.learn.recipes as r, lineament.learn.landmarks.crops\n"
        "print(*r.recipes(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *known, torch = done.stdout.split()
    assert torch == "False"
    floor = Path(lineament.learn.__file__).parent
    files = [p for p in floor.rglob("*.py") if "\nRECIPE = Recipe(" in p.read_text("utf-8")]
    assert len(known) == len(files)
    assert {"fan-alignment", "landmark-kd", "lineament-68"} <= set(known)


@pytest.mark.parametrize("slug", recipes())
def test_a_recipe_is_of_a_method_that_has_a_card(slug):
    entry = recipe(slug)
    for each in entry.recipe.of or (slug,):
        card = method(each)
        assert card.card.verb == "describe" or entry.recipe.of or card.module == entry.module
    assert callable(entry.load())
    assert entry.recipe.baseline


def test_a_recipe_holds_literals_only(tmp_path):
    file = tmp_path / "some.py"
    file.write_text('"""D."""\nRECIPE = Recipe(slug=name(), title="")\n')
    with pytest.raises(ValueError, match="literals only"):
        read_recipe(file)
    file.write_text('"""No recipe."""\n')
    assert read_recipe(file) is None


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(UnknownMethod, match="landmark-kd"):
        train(options(recipe="nothing"))


def test_wrong_numbers_and_folders_are_refused(tmp_path):
    with pytest.raises(BadInput, match="at least 1"):
        train(options(recipe="landmark-kd", seeds=0, out=tmp_path))
    with pytest.raises(BadInput, match="not a folder"):
        train(options(recipe="landmark-kd", faces=tmp_path / "none", out=tmp_path))


def test_recipes_are_listed(capsys):
    train(PLAIN)
    assert "fan-alignment" in capsys.readouterr().out


@pytest.fixture(scope="module")
def few(shared_data, tmp_path_factory) -> Path:
    """A folder of test sets with the first faces of UCLA-68."""
    data = tmp_path_factory.mktemp("data")
    for kind, suffix in (("images", "jpg"), ("landmarks", "mat")):
        (data / "ucla68" / kind).mkdir(parents=True)
        for path in sorted((shared_data / "ucla68" / kind).glob(f"*.{suffix}"))[:12]:
            (data / "ucla68" / kind / path.name).symlink_to(path)
    return data


@pytest.mark.parametrize(
    ("slug", "baseline", "rivals"),
    [
        ("landmark-kd", "L2 alone", ()),
        ("fan-alignment", "plain bottlenecks", ()),
        ("lineament-68", "face-landmarker", ("face-landmarker",)),
    ],
)
def test_a_recipe_runs_and_is_taken_up(slug, baseline, rivals, few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trial, "RIVALS", rivals)
    chosen = options(recipe=slug, out=tmp_path, seeds=1, steps=2, data=few)
    train(chosen)
    shown = capsys.readouterr().out
    assert baseline in shown
    assert "6 test faces" in shown
    results = {r.baseline: r for r in read(slug, tmp_path / slug / "evidence")}
    assert {baseline, "mean face", *rivals} <= set(results)
    assert all(0 < (results[rival].baseline_value or 1) < 0.1 for rival in rivals)
    assert 0.05 < results[baseline].ours < 2  # of two steps
    files = sorted((tmp_path / slug).rglob("*.onnx"))
    assert len(files) == len({f.parent for f in files}) >= 1
    side = {"fan-alignment": 64}.get(slug, 80)
    answer = Session(files[0]).run(np.zeros((3, 3, side, side), np.float32))[0]
    assert answer.shape == (3, 68, 2)
    rows = read_curve(files[0].parent / "curve.csv")
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    train(chosen)  # what is done is not done again
    again = {r.baseline: r.ours for r in read(slug, tmp_path / slug / "evidence")}
    assert again[baseline] == results[baseline].ours


def test_pictures_are_labelled_by_another_method(album, few, tmp_path, monkeypatch):
    """A folder of pictures in place of annotations: faces of nobody, groups and no-face pictures
    among them."""
    monkeypatch.setattr(trial, "RIVALS", ())
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in sorted(album.glob("*.jpg"))[:12]:
        (folder / path.name).symlink_to(path)
    (folder / "broken.jpg").write_bytes(b"no picture")
    known = recipe("landmark-kd").recipe
    settings = replace(known.settings, steps=1)
    job = Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path, data=few, faces=folder)
    material = trial.gather(job, 64)
    assert 6 <= len(material.train) + len(material.choose) <= 12
    assert material.train.pixels.shape[1:] == (128, 128, 3)
    assert np.abs(material.train.points).max() < 0.5
    mouth, eyes = material.train.points[:, 48:].mean(axis=1), material.train.points[:, 36:48]
    assert (mouth[:, 1] > eyes.mean(axis=1)[:, 1]).all()
    assert trial.gather(job, 64).train.hash == material.train.hash
