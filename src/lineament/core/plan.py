"""Which steps must run, and in which order, to compute what is wanted.

A step says which fields it needs and which it gives, as a card does. The chain is made and checked
before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from lineament.core.errors import BadInput


@runtime_checkable
class Step(Protocol):
    """Anything that declares the fields that it needs and gives."""

    @property
    def needs(self) -> tuple[str, ...]: ...

    @property
    def gives(self) -> tuple[str, ...]: ...


S = TypeVar("S", bound=Step)


def plan(
    want: Iterable[str], have: Iterable[str], steps: Sequence[S]
) -> list[tuple[S, tuple[str, ...]]]:
    """The steps that compute `want`, each once, each after those that it needs.

    Args:
        want: fields.
        have: fields that are there already.
        steps: what can be done; a field comes from the first that gives it.

    Returns:
        Steps in order, each with the fields that are taken from it.

    Raises:
        BadInput: nothing gives a field that is wanted or needed, or steps wait for each other.
    """
    source = {field: step for step in reversed(steps) for field in step.gives}
    there = set(have)
    chosen: list[S] = []

    def obtain(field: str, asked_by: tuple[str, ...]) -> None:
        if field in there:
            return
        if field in asked_by:
            raise BadInput(f"these wait for each other: {' -> '.join((*asked_by, field))}")
        if field not in source:
            reason = f", which {asked_by[-1]!r} needs" if asked_by else ""
            known = ", ".join(sorted({*source, *there}))
            raise BadInput(f"nothing computes {field!r}{reason}; there are {known}")
        step = source[field]
        for needed in step.needs:
            obtain(needed, (*asked_by, field))
        if step not in chosen:
            chosen.append(step)
        there.update(name for name in step.gives if source[name] is step)

    for field in sorted(want):
        obtain(field, ())
    return [(step, tuple(name for name in step.gives if source[name] is step)) for step in chosen]
