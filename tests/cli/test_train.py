"""``train``: which settings a recipe is run with."""

from __future__ import annotations

import pytest

from lineament.cli.main import main
from lineament.learn import recipes

torch = pytest.importorskip("torch", reason="training needs torch")
NO_GPU = "torch sees no GPU here"


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(["train", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_settings_for_a_gpu_are_listed_with_whether_they_were_run(capsys):
    _, out, _ = said(capsys, "--scale", "gpu")
    known = recipes.recipe("arcface").recipe
    assert known.gpu is not None
    (row,) = (line.split() for line in out.splitlines() if line.split()[:1] == ["arcface"])
    assert row[1:3] == [str(known.gpu.steps), str(known.gpu.batch)]
    assert " ".join(row[4:]) == known.gpu_run
    assert known.gpu.steps * known.gpu.batch > 100 * known.settings.steps * known.settings.batch
    assert "segface" not in out


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a GPU")
@pytest.mark.parametrize("chosen", [("--scale", "gpu"), ("--device", "cuda:0")])
def test_without_a_gpu_one_line_says_so(capsys, chosen):
    code, _, err = said(capsys, "arcface", *chosen)
    assert code != 0
    assert NO_GPU in err
    assert err.count("\n") == 1


def test_a_recipe_without_settings_for_a_gpu_says_so(capsys):
    code, _, err = said(capsys, "segface", "--scale", "gpu")
    assert code != 0
    assert "segface has no settings for a GPU" in err
