"""Which protocols need not run again: a note beside the evidence, by fingerprint.

A fingerprint is a hash of everything that a protocol's figures hang on and that can be looked at
without running it: the package's code, the versions of what computes, the processor, the hashes
of all weights and which of them may be used, the shipped calibrations, the methods and the seed,
and the files of the test sets by name, size and time. When in doubt it changes: any edit of the
code measures everything again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lineament.bench.context import Context, Protocol
from lineament.core.cards import methods
from lineament.core.errors import LineamentError
from lineament.core.weights import accepted
from lineament.measure.evidence import Result, evidence_folder, read

FILE = ".finished"
"""In the folder of the evidence; no ``.json``, since it is none."""

_PACKAGE = Path(__file__).parents[1]
_VARIABLES = ("LINEAMENT_ACCEPT_RESEARCH", "LINEAMENT_PROVIDERS")
_COMPUTES = ("numpy", "onnxruntime", "faiss-cpu", "pillow", "scikit-learn", "scipy")


def fingerprint(protocol: Protocol, context: Context) -> str:
    """What this protocol would measure here and now, as a hash."""
    total = hashlib.sha256()
    for fact in _facts(protocol, context):
        total.update(json.dumps(fact, default=str).encode() + b"\n")
    return total.hexdigest()


def is_finished(protocol: Protocol, context: Context) -> bool:
    """Whether the same was measured before, and all its results still lie in ``context.out``."""
    note = _notes(context.out).get(protocol.name)
    if not note or note["fingerprint"] != fingerprint(protocol, context):
        return False
    return all(_is_kept(method, rows, context.out) for method, rows in note["results"].items())


def finish(
    protocol: Protocol, context: Context, results: Sequence[Result], fingerprint: str
) -> None:
    """Note that a protocol has run to its end and that its evidence is written.

    Args:
        protocol: what ran.
        context: what it ran with.
        results: its evidence.
        fingerprint: taken before it ran, so that what changed meanwhile is measured again.
    """
    rows = {m: [r.key for r in results if r.method == m] for m in {r.method for r in results}}
    notes = _notes(context.out)
    notes[protocol.name] = {"fingerprint": fingerprint, "results": rows}
    context.out.mkdir(parents=True, exist_ok=True)
    partial = context.out / f"{FILE}.part"
    partial.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(context.out / FILE)


def _facts(protocol: Protocol, context: Context) -> Iterator[Any]:
    yield protocol.name, protocol.sets, context.methods, context.seed
    yield platform.python_version(), platform.machine(), os.cpu_count()
    yield [(name, _version(name)) for name in _COMPUTES]
    yield [(w.name, w.sha256) for m in methods().values() for w in m.card.weights]
    yield sorted(accepted()), [os.environ.get(name, "") for name in _VARIABLES]
    yield _contents(sorted(p for p in _PACKAGE.rglob("*") if p.suffix in (".py", ".json", ".onnx")))
    if not protocol.calibrates:
        yield _contents(sorted((evidence_folder() / "calibration").glob("*.json")))
    # A protocol that names no set may use any of them.
    folders = [context.data / name for name in protocol.sets or ("",)] if context.data else []
    for folder in [*folders, *([context.album] if context.album else [])]:
        yield _listing(folder)


def _contents(paths: Iterable[Path]) -> list[tuple[str, str]]:
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of all files: a change of any is a change of the data."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = ((path, path.stat()) for path in files)
    return [(path.relative_to(folder).as_posix(), s.st_size, s.st_mtime_ns) for path, s in facts]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _is_kept(method: str, keys: Sequence[Sequence[str]], folder: Path) -> bool:
    try:
        return {tuple(key) for key in keys} <= {result.key for result in read(method, folder)}
    except LineamentError:
        return False


def _notes(folder: Path) -> dict[str, dict[str, Any]]:
    """All notes; none where the file is absent or damaged, so that everything runs again."""
    try:
        notes = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {
            name: note
            for name, note in notes.items()
            if isinstance(note, dict) and {"fingerprint", "results"} <= note.keys()
        }
    except (OSError, ValueError, AttributeError):
        return {}
