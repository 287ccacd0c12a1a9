"""The pipeline for videos: who is seen from when to when, and their best pictures.

Frames are read, faces found and followed. An embedding is computed only where a track asks for one
(see `know.track`): that is what keeps a video of many thousand frames near the cost of detection.
Frames go by one at a time and are kept by nobody, so that memory stays level over hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from lineament.analyze import Analyzer
from lineament.core.crops import ARCFACE_112, Crops, Template, align
from lineament.core.draw import draw_faces
from lineament.core.embeddings import require_same_space
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import encode_jpeg
from lineament.core.video import Frame, VideoInfo, read_video, video_info
from lineament.core.video_file import VideoLimits
from lineament.core.video_writer import VideoWriter
from lineament.know.calibration import calibration_of
from lineament.know.named_people import NamedPeople, Recognised
from lineament.know.track import Sightings, Tracker
from lineament.know.tracks import Shot, Track, TrackConfig
from lineament.see.cuts import CutDetector
from lineament.see.quality import quality, thumbnail
from lineament.see.steady import SteadyFaces
from lineament.see.upright import Search

COMMENT = "Drawn into by Lineament: an edited picture, not the recording itself."
"""What a drawn video says of itself."""
_SAME_RATE, _APART_RATE = 1e-3, 0.3
"""False-match rates at whose thresholds strangers may pass for one track, and at which a face is
taken to be the one expected in its place."""

Describe = Callable[[Sequence[Image], Sequence[Faces]], Sequence[Faces]]
"""Adds fields to faces that were found."""

_no_limits_given = VideoLimits()


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """How a video is gone through.

    Attributes:
        every: look at the first frame of each so many seconds only; None for all frames.
        detect_every: find faces in every n-th frame, and move them along in between.
        track: how faces are followed; None takes the thresholds of the embedder's calibration.
        upright: try the other turns of every frame where nobody is certain. A video says which way
            up it is; this is for those that lie, and takes several times as long.
        threads: of the decoder; None lets it choose.
    """

    every: float | None = None
    detect_every: int = 1
    track: TrackConfig | None = None
    upright: bool = False
    threads: int | None = None


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame and who is in it.

    Attributes:
        frame: the picture and its time.
        faces: in pixels of that picture.
        tracks: the number of each, from 1; 0 for a face that has only just been seen.
        found: whether faces were looked for; else they are where they were expected.
        cut: whether a new shot begins here.
        names: who each is taken for by now, where named people were given; else empty.
    """

    frame: Frame
    faces: Faces
    tracks: Int64[np.ndarray, " n"]
    found: bool
    cut: bool
    names: tuple[Recognised | None, ...] = ()


@dataclass
class Watched:
    """What going through a video found.

    Attributes:
        info: what the file says of itself.
        tracks: everybody who was followed, in order of appearance.
        names: who of the named people a track is, by its number.
        frames: looked at.
        seconds: of the video, to the last frame looked at.
        broken: what was wrong with the file, where something was.
        encoder: that wrote the drawn video; empty where none was drawn.
        silent: why the drawn video lacks sound; empty where it does not.
        wall_seconds: that it took.
        network_seconds: of these, inside the networks.
    """

    info: VideoInfo
    tracks: list[Track] = field(default_factory=list)
    names: dict[int, Recognised] = field(default_factory=dict)
    frames: int = 0
    seconds: float = 0.0
    broken: UnreadableImage | None = None
    encoder: str = ""
    silent: str = ""
    wall_seconds: float = 0.0
    network_seconds: float = 0.0


def watch(
    path: str | Path,
    analyzer: Analyzer,
    *,
    draw: str | Path | None = None,
    config: WatchConfig | None = None,
    limits: VideoLimits = _no_limits_given,
    describe: Describe | None = None,
    named: NamedPeople | None = None,
    on_moment: Callable[[Moment], None] | None = None,
) -> Watched:
    """Go through a video from beginning to end.

    Args:
        path: of the video.
        analyzer: its detector finds faces; its embedder, where there is one, tells them apart.
        draw: also write the video with boxes, numbers and points drawn in, held steady, and with
            the source's sound.
        config: see `WatchConfig`.
        limits: on what the file may ask for.
        describe: adds fields to the faces of each frame, such as landmarks to draw.
        named: people to be recognised. A drawn frame shows who is known by then; `Watched.names` is
            what the whole track says.
        on_moment: called after each frame.

    Raises:
        UnreadableImage: nothing of it can be seen. A video that breaks off is no error: what was
            seen before is given, and `Watched.broken` says where.
        BadInput: the drawn video cannot be written.
        SpaceMismatch: the named people's faces are of another embedder.
    """
    started, before = time.perf_counter(), analyzer.seconds
    watched = Watched(video_info(path, limits=limits))
    moments = Moments(path, analyzer, config=config, limits=limits, describe=describe, named=named)
    with ExitStack() as stack:
        writer, steady = None, SteadyFaces()
        if draw is not None:
            writer = stack.enter_context(
                VideoWriter(draw, source=path, comment=COMMENT, rate=watched.info.rate)
            )
        for moment in moments:
            watched.frames += 1
            watched.seconds = moment.frame.seconds
            if writer:
                at = moment.frame.seconds
                faces = steady(moment.faces, moment.tracks, at, cut=moment.cut)
                writer.write(drawn(replace(moment, faces=faces)), at)
            if on_moment:
                on_moment(moment)
    if writer:
        watched.encoder, watched.silent = writer.encoder, writer.silent
    watched.tracks, watched.broken = moments.tracks, moments.broken
    watched.names = named.tracks(watched.tracks) if named else {}
    watched.wall_seconds = time.perf_counter() - started
    watched.network_seconds = analyzer.seconds - before
    return watched


class Moments:
    """The frames of a video with who is in them, to be gone through once.

    Args:
        path, analyzer, config, limits, describe, named: see `watch`.

    Attributes:
        tracks: those that are done; after the last frame all of them, in order of appearance.
        broken: after the last frame, what was wrong with the file.

    Raises:
        UnreadableImage: while iterating, where there is nothing to see.
    """

    def __init__(
        self,
        path: str | Path,
        analyzer: Analyzer,
        *,
        config: WatchConfig | None = None,
        limits: VideoLimits = _no_limits_given,
        describe: Describe | None = None,
        named: NamedPeople | None = None,
    ) -> None:
        if named is not None:
            if analyzer.embedder is None:
                raise BadInput("nobody can be recognised without an embedder")
            require_same_space(named.space, analyzer.embedder.space)
        self.tracks: list[Track] = []
        self.broken: UnreadableImage | None = None
        self._path = path
        self._embedder = analyzer.embedder
        self._config = config or WatchConfig()
        self._detector = analyzer.detector
        if isinstance(self._detector, Search) and not self._config.upright:
            small = self._detector.small_faces
            self._detector = Search(self._detector.detector, upright=False, small_faces=small)
        self._limits = limits
        self._describe = describe
        self._named = named
        self._tracker = Tracker(self._track_config(analyzer))

    def _track_config(self, analyzer: Analyzer) -> TrackConfig:
        """Where frames are far apart, tracks must last from one to the next."""
        track = self._config.track or track_config(analyzer)
        return replace(track, coast=max(track.coast, 2.5 * (self._config.every or 0.0)))

    def __iter__(self) -> Iterator[Moment]:
        frames = read_video(
            self._path,
            every=self._config.every,
            limits=self._limits,
            threads=self._config.threads,
        )
        cuts = CutDetector()
        begun = False
        try:
            for frame in frames:
                begun = True
                yield self._moment(frame, cuts(frame.image))
                self.tracks += self._tracker.closed()
        except UnreadableImage as error:
            if not begun:
                raise
            self.broken = error
        self.tracks += self._tracker.finish()
        self.tracks.sort(key=lambda track: (track.first, track.id))

    def _moment(self, frame: Frame, cut: bool) -> Moment:
        if frame.index % self._config.detect_every and not cut:
            boxes, tracks = self._tracker.expected(frame.seconds)
            faces = Faces(boxes * np.float32(frame.image.scale))
            return Moment(frame, faces, tracks, False, False, self._names(tracks))
        faces = self._detector([frame.image])[0]
        tracks = self._tracker.step(frame.seconds, self._sightings(frame, faces), cut=cut)
        if self._describe:
            faces = self._describe([frame.image], [faces])[0]
        return Moment(frame, faces, tracks, True, cut, self._names(tracks))

    def _names(self, tracks: Int64[np.ndarray, " n"]) -> tuple[Recognised | None, ...]:
        if self._named is None:
            return ()
        looks = self._tracker.looks()
        return self._named.together([looks.get(track) for track in tracks.tolist()])

    def _sightings(self, frame: Frame, faces: Faces) -> Sightings:
        """What the tracker may ask of the faces: in pixels of the file, and only when it asks."""
        image, embedder = frame.image, self._embedder
        scale = np.float32(image.scale)
        worth: dict[int, float] = {}
        crops: dict[str, dict[int, Crops]] = {}

        def aligned(rows: Int64[np.ndarray, " k"], template: Template) -> Crops:
            done = crops.setdefault(template.name, {})
            for row in rows.tolist():
                if row not in done:
                    done[row] = align(image, faces.keypoints[row : row + 1], template)
            return Crops.join([done[row] for row in rows.tolist()])

        def judge(rows: Int64[np.ndarray, " k"]) -> Float32[np.ndarray, " k"]:
            found = quality(aligned(rows, ARCFACE_112), faces.keypoints[rows])
            worth.update(zip(rows.tolist(), found.tolist(), strict=True))
            return found

        def embed(rows: Int64[np.ndarray, " k"]) -> Float32[np.ndarray, "k d"]:
            assert embedder is not None
            return embedder(aligned(rows, embedder.template)).vectors

        def shoot(row: int) -> Shot:
            box, points = faces.boxes[row], faces.keypoints.points[row]
            crop = encode_jpeg(thumbnail(image, box, points), 80)
            score = float(faces.scores[row])
            return Shot(frame.seconds, box / scale, points / scale, score, worth[row], crop)

        return Sightings(faces.boxes / scale, judge, embed if embedder else None, shoot)


def track_config(analyzer: Analyzer) -> TrackConfig:
    """How faces are followed with this analyzer's embedder, by its calibration.

    Raises:
        LineamentError: none has been measured for its space.
    """
    if analyzer.embedder is None:
        return TrackConfig()
    calibration = calibration_of(analyzer.embedder.space)
    same, apart = calibration.threshold(_SAME_RATE), calibration.threshold(_APART_RATE)
    return replace(TrackConfig(), same=same, apart=apart)


def drawn(moment: Moment) -> Image:
    """The frame with its faces drawn in: a track keeps its number and its colour. Where people were
    to be recognised, it shows their names with the scores."""
    tracks = moment.tracks.tolist()
    names = moment.names or [None] * len(tracks)
    word = "person " if moment.names else ""
    labels = [
        f"{name.name} {name.score:.2f}" if name else f"{word}{track}" if track else None
        for track, name in zip(tracks, names, strict=True)
    ]
    return draw_faces(moment.frame.image, moment.faces, labels, colours=tracks)
