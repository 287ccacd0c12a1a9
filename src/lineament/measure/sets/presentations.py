"""Videos of people and of attacks on a camera, as OULU-NPU and Replay-Attack hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

LIVE = "live"


@dataclass(frozen=True, eq=False)
class Presentations:
    """What was held before a camera.

    Attributes:
        paths: of the videos.
        kind: ``live``, or by what means a face was imitated, as a number in `kinds`.
        people: number of the person who is shown.
        conditions: light, session or support, in the set's own words.
        kinds: names, ``live`` first.
    """

    paths: tuple[Path, ...]
    kind: Int64[np.ndarray, " n"]
    people: Int64[np.ndarray, " n"]
    conditions: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def live(self) -> Bool[np.ndarray, " n"]:
        """A real person (ISO/IEC 30107-3: bona fide)."""
        return self.kind == self.kinds.index(LIVE)
