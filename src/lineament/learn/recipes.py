"""Recipes: what `lineament train` can run. A literal at the top of a method's file, as its card is;
settings that recipes share may stand there by name.

A recipe is read without importing its file, so listing them needs no torch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from lineament.core.errors import UnknownMethod
from lineament.learn.settings import (
    DISTILLING,
    DISTILLING_ON_GPU,
    PRETRAINING_ON_GPU,
    SHORT,
    SHORT_ON_GPU,
    SHORTER,
    Settings,
)
from lineament.measure.evidence import Result


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a method is trained, and what its idea is held against.

    Attributes:
        slug: the method's.
        title: one line on what is trained on what.
        entry: the function of the file that does it; takes a `Job`, gives a `Comparison`.
        baseline: what is trained beside it, on the same budget.
        settings: of each run; seeds 0 and up in turn. A CPU is enough for them.
        gpu: settings for a GPU, where the recipe can use one.
        gpu_run: what came of those; says so where nobody has run them.
        seeds: how many.
        sets: test sets that it reads, by folder name.
        of: slugs of the methods that it compares, where it is no method's own.
    """

    slug: str
    title: str
    entry: str
    baseline: str
    settings: Settings
    gpu: Settings | None = None
    gpu_run: str = "not run yet"
    seeds: int = 3
    sets: tuple[str, ...] = ()
    of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a recipe is run with.

    Attributes:
        recipe: the recipe.
        settings: its settings, as the user changed them.
        seeds: of the runs.
        out: folder for everything that comes of it; a job that was stopped is taken up there.
        data: folder of test sets, or None.
        faces: folder of pictures to train on in place of a test set, or None.
        say: shows a line of progress.
    """

    recipe: Recipe
    settings: Settings
    seeds: tuple[int, ...]
    out: Path
    data: Path | None = None
    faces: Path | None = None
    say: Callable[[str], None] = field(default=lambda line: None)


@dataclass(frozen=True)
class Comparison:
    """What came of a recipe, beside its baseline.

    Attributes:
        title: what was measured, on what.
        headings: of the columns; one that ends in '#' holds numbers.
        rows: cells as text.
        results: the same as evidence.
        files: what was made, such as ONNX files.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    results: Sequence[Result]
    files: Sequence[Path] = ()


@dataclass(frozen=True)
class Entry:
    """A recipe and the module that it stands in."""

    recipe: Recipe
    module: str

    def load(self) -> Callable[[Job], Comparison]:
        """The function that the recipe names. Imports the module, and torch with it.

        Raises:
            UnknownMethod: torch is not installed.
        """
        _torch()
        return getattr(import_module(self.module), self.recipe.entry)


def has_gpu() -> bool:
    """Whether torch is there and sees a GPU.

    Raises:
        UnknownMethod: torch is not installed.
    """
    return _torch().cuda.is_available()


_CALLS = {"Recipe": Recipe, "Settings": Settings}
_NAMES = {
    "SHORT": SHORT,
    "SHORTER": SHORTER,
    "SHORT_ON_GPU": SHORT_ON_GPU,
    "PRETRAINING_ON_GPU": PRETRAINING_ON_GPU,
    "DISTILLING": DISTILLING,
    "DISTILLING_ON_GPU": DISTILLING_ON_GPU,
}


@cache
def recipes() -> dict[str, Entry]:
    """Every recipe of this floor by slug.

    Raises:
        ValueError: a recipe is not made of literals alone.
    """
    floor = Path(__file__).parent
    found: dict[str, Entry] = {}
    for path in sorted(floor.rglob("*.py")):
        if recipe := read_recipe(path):
            parts = path.relative_to(floor).with_suffix("").parts
            found[recipe.slug] = Entry(recipe, ".".join(("lineament", "learn", *parts)))
    return found


def recipe(slug: str) -> Entry:
    """The recipe of this name.

    Raises:
        UnknownMethod: there is none; the message lists those there are.
    """
    known = recipes()
    if slug not in known:
        raise UnknownMethod(f"no recipe {slug!r}; there are {', '.join(known)}")
    return known[slug]


def read_recipe(path: Path) -> Recipe | None:
    """The recipe at the top of a Python file, or None where there is none.

    Raises:
        ValueError: it is not made of literals alone.
    """
    text = path.read_text(encoding="utf-8")
    if "\nRECIPE = Recipe(" not in text:
        return None
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RECIPE":
            found = _evaluate(node.value)
            return found if isinstance(found, Recipe) else None
    return None


def _torch() -> ModuleType:
    try:
        return import_module("torch")
    except ModuleNotFoundError as error:
        raise UnknownMethod("training needs torch: pip install 'lineament[train]'") from error


def _evaluate(node: ast.expr):
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in _CALLS or node.args:
            raise ValueError(f"line {node.lineno}: a recipe holds literals only")
        return _CALLS[node.func.id](**{str(k.arg): _evaluate(k.value) for k in node.keywords})
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    return ast.literal_eval(node)
