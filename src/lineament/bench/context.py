"""What a protocol is, and what it is given to run with."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from lineament.bench.plots import Plot
from lineament.bench.sets import MissingSet
from lineament.core.errors import BadInput
from lineament.measure.evidence import Result


@dataclass(frozen=True)
class Table:
    """Figures side by side, as a person reads them.

    Attributes:
        title: what was measured, on what.
        headings: of the columns; one that ends in '#' holds numbers.
        rows: cells as text.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    """What a protocol found: for people, and for the evidence.

    Attributes:
        tables: figures side by side.
        results: the evidence.
        plots: what the report draws: `Curve`, `Bars` and `ErrorGallery` of `bench.plots`.
    """

    tables: Sequence[Table]
    results: Sequence[Result]
    plots: Sequence[Plot] = ()

    def __add__(self, other: Outcome) -> Outcome:
        """Both, this one first."""
        return Outcome(
            [*self.tables, *other.tables],
            [*self.results, *other.results],
            [*self.plots, *other.plots],
        )


@dataclass(frozen=True)
class Context:
    """Where a protocol finds its data and which methods it is asked for.

    Attributes:
        data: folder of test sets, or None.
        album: folder of the sample album, or None.
        out: folder of the evidence.
        methods: slugs; empty means all that fit.
        seed: of everything random.
        say: shows a line of progress.
    """

    data: Path | None = None
    album: Path | None = None
    out: Path = Path("evidence")
    methods: tuple[str, ...] = ()
    seed: int = 0
    say: Callable[[str], None] = field(default=lambda line: None)

    def set_folder(self, name: str) -> Path:
        """The folder of one test set.

        Raises:
            MissingSet: it is not there; the message says where to get it.
        """
        if self.data is None or not (self.data / name).is_dir():
            raise MissingSet(name)
        return self.data / name


@dataclass(frozen=True)
class Protocol:
    """A named way to measure.

    Attributes:
        name: at the door.
        title: one line.
        run: measures.
        sets: test sets that it needs, by folder name.
        version: goes up when the split or a metric changes, so that figures from before and after
            are not taken for one another.
        calibrates: writes calibrations that other protocols use, and so comes before them.
    """

    name: str
    title: str
    run: Callable[[Context], Outcome]
    sets: tuple[str, ...] = ()
    version: int = 1
    calibrates: bool = False


def protocols() -> dict[str, Protocol]:
    """Every protocol of this package by name: the modules that hold a ``PROTOCOL``. Those that
    calibrate come first."""
    package = import_module("lineament.bench")
    modules = [
        import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    ]
    found = [module.PROTOCOL for module in modules if hasattr(module, "PROTOCOL")]
    found.sort(key=lambda protocol: not protocol.calibrates)
    return {protocol.name: protocol for protocol in found}


def protocol(name: str) -> Protocol:
    """The protocol of this name.

    Raises:
        BadInput: there is none.
    """
    known = protocols()
    if name not in known:
        raise BadInput(f"no protocol {name!r}; there are {', '.join(known)}")
    return known[name]


def default_data() -> Path | None:
    """Where test sets are looked for: LINEAMENT_DATA, else ``../shared/data`` of the checkout."""
    named = os.environ.get("LINEAMENT_DATA")
    folder = Path(named) if named else Path(__file__).parents[4] / "shared" / "data"
    return folder if folder.is_dir() else None


def default_album() -> Path | None:
    """The sample album of the checkout, where this is one."""
    folder = Path(__file__).parents[3] / "examples" / "album"
    return folder if folder.is_dir() else None
