"""What a person reads: tables, progress, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.progress import Progress


_UNBROKEN = 1000
"""Characters of a line that nobody is looking at."""


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


def numbers(values: np.ndarray, digits: int = 2) -> list[Any]:
    """An array as nested lists of short numbers."""
    return np.round(values.astype(np.float64), digits).tolist()


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as wide as the terminal allows; columns whose heading ends in '#' align right.

    Where nobody is looking (a pipe, a file) no cell is broken, so that lines can be searched.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        number = heading.endswith("#")
        table.add_column(
            heading.removesuffix("#"), justify="right" if number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(str, row))
    width = None if sys.stdout.isatty() else _UNBROKEN
    Console(markup=False, highlight=False, width=width).print(table)


@contextmanager
def progress(show: bool) -> Iterator[Progress]:
    """A progress bar on standard error, where a person is looking."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (show and console.is_terminal),
    ) as bars:
        yield bars
