"""What tests of the weights store share: bytes to fetch, and where they lie in a cache."""

from __future__ import annotations

import random
from pathlib import Path

from lineament.core.cards import Weight

CONTENT = random.Random(1).randbytes(400_000)
WRONG = random.Random(2).randbytes(400_000)  # of the right size


def folder_of(home: Path, weight: Weight) -> Path:
    return home / "weights" / weight.sha256[:16]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
