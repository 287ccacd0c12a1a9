"""FaceForensics++: 1,000 videos, and each of them forged by several methods.

Layout: ``original_sequences/youtube/c23/videos/000.mp4``,
``manipulated_sequences/Deepfakes/c23/videos/000_003.mp4`` (the face of 003 in the video 000), with
``raw``, ``c23`` or ``c40`` for the compression, and ``splits/test.json`` (or
``dataset/splits/test.json``): a list of pairs such as ``["000", "003"]``. A split holds both
videos of each pair, and the forgeries in both directions.

Source: A. Rössler et al., "FaceForensics++: learning to detect manipulated facial images", ICCV
2019, section 3; github.com/ondyari/FaceForensics, dataset.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Terms

TERMS = Terms(
    name="FaceForensics++",
    where="its authors, on request (github.com/ondyari/FaceForensics)",
    terms="non-commercial research and education, under its terms of use",
)
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
"""Forgeries of the 1,000 videos. Published figures mostly take the first four."""
COMPRESSIONS = ("raw", "c23", "c40")
SPLITS = ("train", "val", "test")
ORIGINAL = "original"
_MAX_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Forgeries:
    """Videos, real and forged.

    Attributes:
        paths: of the videos.
        method: of each, as a number in `methods`; 0 is a real one.
        target: number of the video whose person is seen.
        source: number of the video whose face was put in; for a real one its own.
        methods: names, ``original`` first.
    """

    paths: tuple[Path, ...]
    method: Int64[np.ndarray, " n"]
    target: Int64[np.ndarray, " n"]
    source: Int64[np.ndarray, " n"]
    methods: tuple[str, ...]

    @property
    def real(self) -> Bool[np.ndarray, " n"]:
        """Not forged."""
        return self.method == 0


def read_faceforensics(
    folder: Path,
    split: str = "test",
    compression: str = "c23",
    methods: tuple[str, ...] = METHODS[:4],
) -> Forgeries:
    """Read a folder of FaceForensics++.

    Args:
        folder: holds what the module says.
        split: ``train`` (720 real videos), ``val`` (140) or ``test`` (140).
        compression: ``raw``, ``c23`` or ``c40``.
        methods: some of `METHODS`.

    Raises:
        MissingFile: it, or a method's folder, is not there; the message says where to get it,
            and its terms.
        BadInput: the split does not follow its format, or there is no such split, compression
            or method.
    """
    if split not in SPLITS or compression not in COMPRESSIONS or not set(methods) <= set(METHODS):
        raise BadInput(f"FaceForensics++ has no {split}, {compression}, {', '.join(methods)}")
    pairs = _read_split(folder, split)
    originals = folder / "original_sequences" / "youtube" / compression / "videos"
    forged = [
        folder / "manipulated_sequences" / method / compression / "videos" for method in methods
    ]
    for place in (originals, *forged):
        if not place.is_dir():
            raise TERMS.missing(place)
    ways = [way for a, b in pairs for way in ((a, b), (b, a))]
    paths = [originals / f"{target}.mp4" for target, _ in ways]
    ends = [(0, int(target), int(target)) for target, _ in ways]
    for number, place in enumerate(forged, 1):
        paths += [place / f"{target}_{source}.mp4" for target, source in ways]
        ends += [(number, int(target), int(source)) for target, source in ways]
    method, target, source = np.asarray(ends, np.int64).T
    return Forgeries(
        tuple(paths), method.copy(), target.copy(), source.copy(), (ORIGINAL, *methods)
    )


def _read_split(folder: Path, split: str) -> list[tuple[str, str]]:
    places = [folder / "splits", folder / "dataset" / "splits"]
    found = [place / f"{split}.json" for place in places if (place / f"{split}.json").is_file()]
    if not found:
        raise TERMS.missing(places[0] / f"{split}.json")
    path = found[0]
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES:,} bytes")
        pairs = [_pair(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
        videos = [video for pair in pairs for video in pair]
        if not pairs or len(set(videos)) != len(videos):
            raise ValueError("no pairs, or a video in two of them")
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise BadInput(f"not a list of pairs: {str(error)[:100]}", str(path)) from error
    return pairs


def _pair(entry: object) -> tuple[str, str]:
    if not isinstance(entry, list) or len(entry) != 2:
        raise ValueError("an entry that is not a pair")
    if not all(isinstance(video, str) and re.fullmatch(r"\d{3}", video) for video in entry):
        raise ValueError("a video that is not three digits")
    return entry[0], entry[1]
