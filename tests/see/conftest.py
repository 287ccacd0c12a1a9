"""Real pictures and the detectors, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.see.detect.centerface import CenterFace
from lineament.see.detect.network import OnnxDetector
from lineament.see.detect.scrfd import SCRFD
from lineament.see.detect.yunet import YuNet

Detectors = dict[str, OnnxDetector]
Read = Callable[[str, int], list[Image]]


@pytest.fixture(scope="session")
def detectors() -> Iterator[Detectors]:
    """Every detector with its defaults. Tests are research: terms are accepted for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
        yield {
            "yunet": YuNet(threads=1),
            "scrfd-500m": SCRFD(threads=1),
            "centerface": CenterFace(threads=1),
        }


@pytest.fixture(scope="session")
def read(shared_data: Path) -> Read:
    """``read(folder, count)``: so many pictures, spread evenly over a folder of the real data."""

    def spread(folder: str, count: int) -> list[Image]:
        paths = sorted(p for p in (shared_data / folder).rglob("*") if p.suffix in {".jpg", ".png"})
        chosen = paths[:: max(1, len(paths) // count)][:count]
        return [read_image(path) for path in chosen]

    return spread
