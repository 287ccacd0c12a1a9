"""Calibrations of embedding spaces: measured, kept with the evidence, shipped with the package."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from lineament.core.errors import LineamentError
from lineament.core.verdict import Calibration
from lineament.measure.evidence import evidence_folder


def calibration_file(folder: Path, space: str) -> Path:
    """Where the calibration of a space lies in an evidence folder."""
    return folder / "calibration" / f"{space.partition('@')[0]}.json"


def write_calibration(calibration: Calibration, folder: Path) -> Path:
    """Keep a calibration with the evidence of a folder."""
    path = calibration_file(folder, calibration.space)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
    return path


def read_calibration(path: Path) -> Calibration:
    """The calibration that `write_calibration` wrote.

    Raises:
        LineamentError: the file does not hold one.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return Calibration(**{**row, "rates": tuple(row["rates"]), "scores": tuple(row["scores"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LineamentError(f"{path}: not a calibration: {error}") from error


@cache
def calibration_of(space: str) -> Calibration:
    """The calibration of an embedding space that ships with the package.

    Raises:
        LineamentError: none has been measured for it.
    """
    path = calibration_file(evidence_folder(), space)
    if path.is_file():
        found = read_calibration(path)
        if found.space == space:
            return found
    raise LineamentError(f"no calibration for {space}; `lineament bench lfw` measures one")
