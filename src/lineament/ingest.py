"""The second pipeline: a folder of photos and videos in, a gallery of people out.

Each worker thread takes a photo from its file to its faces by itself, with networks that keep to
one core: that makes better use of many cores than one photo spread over all of them. A photo is
stored as soon as it is done, each committed by itself, so that a killed run loses only the photo
that each worker has in hand. A video is a photo whose faces are those that could be followed
through it: each has one row, with its best picture and the mean of its embeddings.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue

from lineament.analyze import Analyzer
from lineament.core.embeddings import encode
from lineament.core.errors import ExtraMissing, UnreadableImage
from lineament.core.headers import Limits
from lineament.core.image import Image
from lineament.core.media import (
    SUFFIXES,
    content_hash,
    decode,
    encode_jpeg,
    image_files,
    read_bytes,
)
from lineament.core.video import VIDEO_SUFFIXES
from lineament.core.video_file import VideoLimits, av_module
from lineament.know.gallery import FaceRecord, Gallery, PhotoRecord, Span
from lineament.know.grouping import regroup
from lineament.know.tracks import Track
from lineament.see.quality import thumbnail
from lineament.watch import WatchConfig, track_config, watch

INDEX_LIMITS = Limits(max_side=2048)
"""Larger photos are decoded reduced: a face that matters still has far more than 112 pixels."""

MEDIA_SUFFIXES = SUFFIXES | VIDEO_SUFFIXES
"""Suffixes, in small letters, of the files that are looked at."""
_EVERY, _CONFIRM = 0.2, 2
"""Seconds between the frames of a video that are looked at, and how many must show a face."""


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
        videos: of the photos newly read, those that are videos.
        damaged: videos of which only a part could be read, with the reason.
        missing: files of an earlier run that are gone from the folder.
        people: in the gallery at the end.
        workers: photos worked on at once.
        seconds: wall time.
        network_seconds: inside the networks, of all workers together.
    """

    found: int = 0
    unchanged: int = 0
    known: int = 0
    indexed: int = 0
    faces: int = 0
    forgotten: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    videos: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)
    missing: int = 0
    people: int = 0
    workers: int = 1
    seconds: float = 0.0
    network_seconds: float = 0.0


@dataclass(frozen=True)
class _Worked:
    """What a worker made of a file: a picture's faces, or why there are none (neither, where the
    content is known or to be left out)."""

    path: str
    digest: str
    size: int
    mtime_ns: int
    picture: tuple[int, int] | None = None
    faces: tuple[FaceRecord, ...] = ()
    error: UnreadableImage | None = None
    seconds: float | None = None
    damage: str = ""


def index_folder(
    folder: Path,
    gallery: Gallery,
    analyzer: Analyzer,
    *,
    limits: Limits = INDEX_LIMITS,
    prune: bool = False,
    again: bool = False,
    workers: int | None = None,
    on_photo: Callable[[Tally], None] | None = None,
) -> Tally:
    """Bring a gallery up to date with a folder, then group its faces into people.

    Args:
        folder: searched through all its sub-folders; a single photo or video will do.
        gallery: open for writing.
        analyzer: must compute embeddings of the gallery's space, and quality. Its networks should
            keep to one thread each (``Analyzer.of(threads=1)``).
        limits: on what a file may ask for.
        prune: also drop photos of this folder whose files are gone.
        again: also take in photos that were told to forget.
        workers: photos worked on at once; None means one a core, at most 8.
        on_photo: called after each file with the tally so far.

    Raises:
        MissingFile: there is no such folder.
        GalleryError: the gallery cannot be written.
    """
    started, before = time.perf_counter(), analyzer.seconds
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (a linked album keeps its name)
    tally = Tally(workers=workers or min(8, os.cpu_count() or 1))
    seen: set[str] = set()

    def new_files() -> Iterator[Path]:
        for path in image_files(folder, suffixes=MEDIA_SUFFIXES):
            tally.found += 1
            seen.add(path.as_posix())
            if gallery.seen(path.as_posix(), *_facts(path)):
                tally.unchanged += 1
            else:
                yield path

    with gallery.writing():
        known = gallery.digests()
        left_out = gallery.forgotten()

        def work(path: Path) -> _Worked:
            return _work(
                path, analyzer, limits, lambda d: d in known or (not again and left_out(d))
            )

        for worked in _as_done(new_files(), work, tally.workers):
            if left_out(worked.digest):
                if not again:
                    tally.forgotten += 1
                    continue
                gallery.take_back_forgotten(worked.digest)
            _store(worked, gallery, known, tally)
            if on_photo:
                on_photo(tally)
        gone = gallery.missing_under(folder, seen)
        tally.missing = len(gone)
        if prune:
            gallery.prune(gone)
        tally.people = regroup(gallery)
    tally.skipped.sort()
    tally.damaged.sort()
    tally.seconds = time.perf_counter() - started
    tally.network_seconds = analyzer.seconds - before
    return tally


def _as_done(
    paths: Iterable[Path], work: Callable[[Path], _Worked], workers: int
) -> Iterator[_Worked]:
    """Results as they come. Each worker has one photo in hand and one path to go on with, so that
    it never waits and memory stays flat."""
    with ThreadPoolExecutor(workers) as pool:
        pending: set[Future[_Worked]] = set()
        done: SimpleQueue[Future[_Worked]] = SimpleQueue()

        def next_done() -> _Worked:
            future = done.get()
            pending.remove(future)
            return future.result()

        try:
            for path in paths:
                future = pool.submit(work, path)
                pending.add(future)
                future.add_done_callback(done.put)
                if len(pending) >= 2 * workers:
                    yield next_done()
            while pending:
                yield next_done()
        finally:
            for future in pending:
                future.cancel()


def _work(path: Path, analyzer: Analyzer, limits: Limits, skip: Callable[[str], bool]) -> _Worked:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _work_video(path, analyzer, limits, skip)
    digest, facts = "", _facts(path)
    try:
        data = read_bytes(path, limits)
        digest = hashlib.sha256(data).hexdigest()
        if skip(digest):
            return _Worked(path.as_posix(), digest, *facts)
        image = decode(data, limits=limits, name=path.as_posix())
    except UnreadableImage as error:
        return _Worked(path.as_posix(), digest, *facts, error=error)
    size = round(image.width / image.scale), round(image.height / image.scale)
    faces = tuple(describe(image, analyzer))
    return _Worked(path.as_posix(), digest, *facts, picture=size, faces=faces)


def _work_video(
    path: Path, analyzer: Analyzer, limits: Limits, skip: Callable[[str], bool]
) -> _Worked:
    name, digest, facts = path.as_posix(), "", _facts(path)
    try:
        av_module(name)
        digest = content_hash(path)
        if skip(digest):
            return _Worked(name, digest, *facts)
        bounds = VideoLimits(max_pixels=limits.max_pixels, max_side=limits.max_side)
        seen = watch(path, analyzer, config=video_config(analyzer), limits=bounds)
    except ExtraMissing as error:  # without size and time it is tried again when PyAV is there
        return _Worked(name, digest, 0, 0, error=error)
    except UnreadableImage as error:
        return _Worked(name, digest, *facts, error=error)
    length = max(seen.seconds, seen.info.seconds or 0.0)
    damage = seen.broken.reason if seen.broken else ""
    size, faces = (seen.info.width, seen.info.height), tuple(followed(seen.tracks))
    return _Worked(name, digest, *facts, picture=size, faces=faces, seconds=length, damage=damage)


def video_config(analyzer: Analyzer) -> WatchConfig:
    """How videos are gone through for a gallery: some frames of each second, on one core."""
    track = replace(track_config(analyzer), confirm=_CONFIRM)
    return WatchConfig(every=_EVERY, track=track, threads=1)


def followed(tracks: Iterable[Track]) -> Iterator[FaceRecord]:
    """The faces of a video as the gallery keeps them. Those that were never seen clearly enough to
    be recognised are left out."""
    for track in tracks:
        if track.best and track.embedding is not None:
            best = track.best[0]
            yield FaceRecord(
                box=best.box,
                score=best.score,
                landmarks=best.keypoints,
                quality=best.quality,
                code=encode(track.embedding[None])[0],
                crop=best.crop,
                span=Span(track.first, track.last, best.seconds, track.frames),
            )


def _facts(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for a file that has gone in the meantime."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _store(worked: _Worked, gallery: Gallery, known: set[str], tally: Tally) -> None:
    file = worked.path, worked.size, worked.mtime_ns
    if worked.error:
        gallery.skip(worked.path, worked.error, worked.size, worked.mtime_ns)
        tally.skipped.append((worked.path, worked.error.reason))
    elif worked.picture is None or worked.digest in known:
        gallery.add_path(worked.digest, *file)
        tally.known += 1
    else:
        photo = PhotoRecord(worked.digest, *file, *worked.picture, worked.seconds, worked.damage)
        gallery.add_photo(photo, worked.faces)
        known.add(worked.digest)
        tally.indexed += 1
        tally.faces += len(worked.faces)
        tally.videos += worked.seconds is not None
        if worked.damage:
            tally.damaged.append((worked.path, worked.damage))


def describe(image: Image, analyzer: Analyzer) -> list[FaceRecord]:
    """The faces of a photo as the gallery keeps them, in pixels of the upright file."""
    faces = analyzer([image])[0]
    codes = faces.embeddings.to_codes()
    return [
        FaceRecord(
            box=faces.boxes[i] / image.scale,
            score=float(faces.scores[i]),
            landmarks=faces.keypoints.points[i] / image.scale,
            quality=float(faces.quality[i]),
            code=codes[i],
            crop=encode_jpeg(thumbnail(image, faces.boxes[i], faces[i].points), 80),
        )
        for i in range(len(faces))
    ]
