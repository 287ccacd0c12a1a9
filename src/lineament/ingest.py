"""The second pipeline: a folder of photos in, a gallery of people out.

Photos are read and decoded a little ahead by worker threads while the networks run; each photo is
committed by itself, so that a killed run loses at most the photo in hand.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lineament.analyze import Analyzer
from lineament.core.errors import UnreadableImage
from lineament.core.headers import Limits
from lineament.core.image import Image
from lineament.core.media import decode, encode_jpeg, image_files, read_bytes
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord
from lineament.know.grouping import regroup
from lineament.see.quality import thumbnail

INDEX_LIMITS = Limits(max_side=2048)
"""Larger photos are decoded reduced: a face that matters still has far more than 112 pixels."""


@dataclass
class Tally:
    """What an indexing run did.

    Attributes:
        found: picture files seen.
        unchanged: files known from an earlier run, by path, size and time.
        known: files whose content was known already (copies, moved files).
        indexed: photos newly read.
        faces: found in those.
        forgotten: photos left out because they were told to forget.
        skipped: files that could not be read, with the reason.
        missing: files of an earlier run that are gone from the folder.
        people: in the gallery at the end.
        seconds: wall time.
        network_seconds: of that, inside the networks.
    """

    found: int = 0
    unchanged: int = 0
    known: int = 0
    indexed: int = 0
    faces: int = 0
    forgotten: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    missing: int = 0
    people: int = 0
    seconds: float = 0.0
    network_seconds: float = 0.0


@dataclass(frozen=True)
class _Loaded:
    """A file read ahead: its picture, or why there is none (neither, where it is known)."""

    path: Path
    digest: str
    size: int
    mtime_ns: int
    image: Image | None = None
    error: UnreadableImage | None = None


def index_folder(
    folder: Path,
    gallery: Gallery,
    analyzer: Analyzer,
    *,
    limits: Limits = INDEX_LIMITS,
    prune: bool = False,
    again: bool = False,
    readers: int = 2,
    on_photo: Callable[[Tally], None] | None = None,
) -> Tally:
    """Bring a gallery up to date with a folder, then group its faces into people.

    Args:
        folder: searched through all its sub-folders; a single photo will do.
        gallery: open for writing.
        analyzer: must compute embeddings of the gallery's space, and quality.
        limits: on what a file may ask for.
        prune: also drop photos of this folder whose files are gone.
        again: also take in photos that were told to forget.
        readers: threads that decode ahead.
        on_photo: called after each file with the tally so far.

    Raises:
        MissingFile: there is no such folder.
        GalleryError: the gallery cannot be written.
    """
    started, before = time.perf_counter(), analyzer.seconds
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (a linked album keeps its name)
    tally = Tally()
    seen: set[str] = set()

    def new_files() -> Iterator[Path]:
        for path in image_files(folder):
            tally.found += 1
            seen.add(path.as_posix())
            size, mtime_ns = _facts(path)
            if gallery.seen(path.as_posix(), size, mtime_ns):
                tally.unchanged += 1
            else:
                yield path

    with gallery.writing():
        known = gallery.digests()
        for loaded in _read_ahead(new_files(), known, limits, readers):
            if again and gallery.is_forgotten(loaded.digest):
                gallery.take_back_forgotten(loaded.digest)
            _store(loaded, gallery, analyzer, known, tally)
            if on_photo:
                on_photo(tally)
        gone = gallery.missing_under(folder, seen)
        tally.missing = len(gone)
        if prune:
            gallery.prune(gone)
        tally.people = regroup(gallery)
    tally.seconds = time.perf_counter() - started
    tally.network_seconds = analyzer.seconds - before
    return tally


def _read_ahead(
    paths: Iterable[Path], known: Collection[str], limits: Limits, readers: int
) -> Iterator[_Loaded]:
    """Files in order, decoded at most `readers` + 1 ahead, so that memory stays flat."""
    with ThreadPoolExecutor(readers) as pool:
        waiting: deque[Future[_Loaded]] = deque()
        for path in paths:
            waiting.append(pool.submit(_load, path, known, limits))
            if len(waiting) > readers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _load(path: Path, known: Collection[str], limits: Limits) -> _Loaded:
    digest, facts = "", _facts(path)
    try:
        data = read_bytes(path, limits)
        digest = hashlib.sha256(data).hexdigest()
        image = None if digest in known else decode(data, limits=limits, name=path.as_posix())
        return _Loaded(path, digest, *facts, image)
    except UnreadableImage as error:
        return _Loaded(path, digest, *facts, error=error)


def _facts(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for a file that has gone in the meantime."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _store(
    loaded: _Loaded, gallery: Gallery, analyzer: Analyzer, known: set[str], tally: Tally
) -> None:
    path = loaded.path.as_posix()
    if loaded.error:
        gallery.skip(path, loaded.error, loaded.size, loaded.mtime_ns)
        tally.skipped.append((path, loaded.error.reason))
    elif gallery.is_forgotten(loaded.digest):
        tally.forgotten += 1
    elif loaded.image is None or loaded.digest in known:
        gallery.add_path(loaded.digest, path, loaded.size, loaded.mtime_ns)
        tally.known += 1
    else:
        records = describe(loaded.image, analyzer)
        photo = PhotoRecord(
            loaded.digest,
            path,
            loaded.size,
            loaded.mtime_ns,
            round(loaded.image.width / loaded.image.scale),
            round(loaded.image.height / loaded.image.scale),
        )
        gallery.add_photo(photo, records)
        known.add(loaded.digest)
        tally.indexed += 1
        tally.faces += len(records)


def describe(image: Image, analyzer: Analyzer) -> list[FaceRecord]:
    """The faces of a photo as the gallery keeps them, in pixels of the upright file."""
    faces = analyzer([image])[0]
    codes = faces.embeddings.to_codes()
    return [
        FaceRecord(
            box=faces.boxes[i] / image.scale,
            score=float(faces.scores[i]),
            landmarks=faces.landmarks.points[i] / image.scale,
            quality=float(faces.quality[i]),
            code=codes[i],
            crop=encode_jpeg(thumbnail(image.pixels, faces.boxes[i], faces[i].points), 80),
        )
        for i in range(len(faces))
    ]
