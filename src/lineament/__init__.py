"""Lineament: the machine perception of human faces.

Names are loaded when they are first used, so that ``import lineament`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lineament.analyze import Analyzer as Analyzer
    from lineament.core.crops import Crops as Crops
    from lineament.core.embeddings import Embeddings as Embeddings
    from lineament.core.errors import LineamentError as LineamentError
    from lineament.core.faces import Face as Face
    from lineament.core.faces import Faces as Faces
    from lineament.core.image import Image as Image
    from lineament.core.landmarks import Landmarks as Landmarks
    from lineament.core.media import read_image as read_image
    from lineament.core.verdict import Verdict as Verdict
    from lineament.know.gallery import Gallery as Gallery

_HOMES = {
    "Analyzer": "lineament.analyze",
    "Crops": "lineament.core.crops",
    "Embeddings": "lineament.core.embeddings",
    "Face": "lineament.core.faces",
    "Faces": "lineament.core.faces",
    "Gallery": "lineament.know.gallery",
    "Image": "lineament.core.image",
    "Landmarks": "lineament.core.landmarks",
    "LineamentError": "lineament.core.errors",
    "Verdict": "lineament.core.verdict",
    "read_image": "lineament.core.media",
}

__all__ = ["__version__", *sorted(_HOMES)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lineament' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
