"""Evidence: what a method has been measured to do, kept as JSON beside the code.

``evidence/<slug>.json`` holds runs; a run says when, on which machine and with which versions its
results were measured. A method's status is computed from these files and typed nowhere.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lineament.core.cards import Method, methods
from lineament.core.errors import LineamentError

Status = Literal["card", "runs", "measured", "reproduced"]

_PACKAGES = ("lineament", "numpy", "pillow", "onnxruntime", "onnx", "faiss-cpu")
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure, and what it is to be held against.

    Attributes:
        method: slug of the method; anything else names a part of the house, such as ``gallery``.
        protocol: how it was measured.
        data: what on, in words.
        data_hash: of that data, or empty where there is none.
        metric: what the figure is, with its unit where it has one.
        ours: the figure.
        interval: 95 % confidence interval (low, high).
        baseline: what was measured beside it in the same run.
        baseline_value: the baseline's figure of the same metric.
        paper: the authors' own figure.
        higher_is_better: which way is good.
        holds: whether the paper's claim holds here; None lets `claim_holds` decide.
        seed: of everything random, where anything was.
        version: of the protocol.
        note: one sentence that a reader needs, or empty.
    """

    method: str
    protocol: str
    data: str
    data_hash: str
    metric: str
    ours: float
    interval: tuple[float, float] | None = None
    baseline: str | None = None
    baseline_value: float | None = None
    paper: float | None = None
    higher_is_better: bool = True
    holds: bool | None = None
    seed: int | None = None
    note: str = ""
    version: int = 1

    @property
    def key(self) -> tuple[str, str, str]:
        """A later result with the same key replaces this one."""
        return self.protocol, self.data, self.metric

    @property
    def claim_holds(self) -> bool | None:
        """Whether the paper's claim holds; None where it makes none.

        Unless the protocol decided otherwise: our figure, at the good end of its interval, is at
        least as good as the paper's.
        """
        if self.paper is None or self.holds is not None:
            return self.holds
        low, high = self.interval or (self.ours, self.ours)
        return high >= self.paper if self.higher_is_better else low <= self.paper


def to_json(result: Result) -> dict[str, Any]:
    """A result as JSON can hold it, with `claim_holds` as its ``holds``."""
    interval = result.interval and list(result.interval)
    return {**asdict(result), "interval": interval, "holds": result.claim_holds}


def from_json(row: dict[str, Any]) -> Result:
    """The result that `to_json` wrote."""
    interval = row["interval"] and tuple(row["interval"])
    return Result(**{**row, "interval": interval})


def evidence_folder() -> Path:
    """Where evidence is read: the checkout's ``evidence``, or what was installed with us."""
    return _ROOT / "evidence" if _is_checkout() else Path(__file__).parents[1] / "_evidence"


def write(slug: str, results: Iterable[Result], folder: Path | None = None) -> Path:
    """Add results to a method's evidence; they replace earlier ones of the same key.

    Args:
        slug: the method.
        results: of that method.
        folder: of the evidence; None is `evidence_folder`.

    Returns:
        The file written.

    Raises:
        ValueError: a result is of another method, or not a finite number.
        LineamentError: the file there is not evidence.
    """
    fresh = list(results)
    if strangers := {r.method for r in fresh} - {slug}:
        raise ValueError(f"results of {', '.join(strangers)} cannot be evidence for {slug}")
    path = (folder or evidence_folder()) / f"{slug}.json"
    replaced = {r.key for r in fresh}
    runs = [{**run, "results": _without(run["results"], replaced)} for run in _runs(path)]
    runs.append({**_circumstances(slug), "results": [to_json(r) for r in fresh]})
    kept = {"method": slug, "runs": [run for run in runs if run["results"]]}
    text = json.dumps(kept, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def read(slug: str, folder: Path | None = None) -> list[Result]:
    """A method's results, oldest run first; none where nothing was measured.

    Raises:
        LineamentError: the file there is not evidence.
    """
    path = (folder or evidence_folder()) / f"{slug}.json"
    try:
        return [from_json(row) for run in _runs(path) for row in run["results"]]
    except (TypeError, KeyError) as error:
        raise LineamentError(f"{path} is not evidence: {error}") from error


def read_all(folder: Path | None = None) -> dict[str, list[Result]]:
    """All results by method."""
    place = folder or evidence_folder()
    return {path.stem: read(path.stem, place) for path in sorted(place.glob("*.json"))}


def status(method: Method, folder: Path | None = None) -> Status:
    """How far a method has come.

    ``card``: described. ``runs``: there is something to call, and the tests call it on real
    pictures. ``measured``: held against a named baseline. ``reproduced``: the paper's figures that
    we measured, at least one, all hold.
    """
    if not method.card.entry:
        return "card"
    results = read(method.card.slug, folder)
    claims = [r.claim_holds for r in results if r.paper is not None]
    if claims and all(claims):
        return "reproduced"
    return "measured" if any(r.baseline for r in results) else "runs"


def _runs(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return json.loads(path.read_text(encoding="utf-8"))["runs"]
    except (ValueError, TypeError, KeyError) as error:
        raise LineamentError(f"{path} is not evidence: {error}") from error


def _without(rows: Sequence[dict[str, Any]], keys: set[tuple[str, str, str]]) -> list[dict]:
    return [row for row in rows if (row["protocol"], row["data"], row["metric"]) not in keys]


def _circumstances(slug: str) -> dict[str, Any]:
    """What a reader needs to judge or repeat a run; nothing that names a machine or a person."""
    known = methods().get(slug)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {"cpu": _cpu(), "cores": os.cpu_count()},
        "weights": {w.name: w.sha256 for w in known.card.weights} if known else {},
    }


def _is_checkout() -> bool:
    return (_ROOT / "pyproject.toml").is_file() and (_ROOT / "src" / "lineament").is_dir()


def _versions() -> dict[str, str]:
    from importlib.metadata import version  # slow to import, and only needed while measuring

    return {name: version(name) for name in _PACKAGES}


def _commit() -> str:
    """The checkout's commit, with ``+`` where the code differs from it; empty without git."""
    if not _is_checkout():
        return ""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "src") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _cpu() -> str:
    """The processor's model, in its maker's words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
