"""The curve of a run as CSV, a row a step; it can be looked at while the run goes on."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

COLUMNS = ("step", "seconds", "rate", "loss")


class Curve:
    """Steps that are done, with what was measured at some of them.

    Args:
        path: of the file. Rows of steps after `step` are dropped: a run that takes up an earlier
            checkpoint writes them again.
        metrics: names of the further columns, which are empty where nothing was measured.
        step: how many steps are done.
    """

    def __init__(self, path: Path, metrics: Sequence[str], step: int) -> None:
        self._names = [*COLUMNS, *metrics]
        kept = [row for row in read_curve(path) if int(row["step"]) <= step] if step else []
        partial = path.with_suffix(".part")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        partial.replace(path)
        self._path = path

    def add(
        self, step: int, seconds: float, rate: float, loss: float, metrics: Mapping[str, float]
    ) -> None:
        """One more row.

        Args:
            step: steps done by now; 0 before the first.
            seconds: since the run began, without the time that it lay still.
            rate: of learning.
            loss: of this step.
            metrics: what was measured after it.
        """
        numbers = {"seconds": f"{seconds:.2f}", "rate": f"{rate:.6g}", "loss": f"{loss:.6g}"}
        measured = {name: f"{value:.6g}" for name, value in metrics.items()}
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._names).writerow({"step": step, **numbers, **measured})


def read_curve(path: Path) -> list[dict[str, str]]:
    """The rows of a curve, as text; none where there is no file. A last line that was cut off when
    the run was killed is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [row for row in rows if row.get("loss") and (row.get("step") or "").isdecimal()]
