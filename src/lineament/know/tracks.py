"""What is kept of a face that is followed through a video: little, however long it lasts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64

_ROUNDING = 1e-6
"""Seconds that the time of a frame may be off."""


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """How faces are followed. Cosines are of the embedder's space.

    Attributes:
        same: cosine from which a face is taken for one that was lost out of sight. The default is
            SFace's at a false-match rate of 1e-3.
        apart: cosine below which a face is not the one that was expected in its place.
        overlap: least intersection over union of a face with the place where it was expected.
        sure: intersection over union from which the place alone decides, where no other face and no
            other track is near.
        coast: seconds for which a track goes on unseen by motion alone.
        recall: seconds for which a lost track can be found again by its looks.
        most_lost: tracks that can be found again, at most.
        refresh: seconds from one embedding of an undisturbed track to the next.
        judge: seconds from one look at the quality of a track's picture to the next.
        better: a face is embedded at once where it is so many times better than the best so far.
        confirm: frames in which a face must be seen to count; detectors err for a frame or two.
        shots: best pictures kept of each track.
        spread: seconds that lie between two of them, at least.
        path: places kept of each track, at most; longer ones are thinned.
    """

    same: float = 0.356
    apart: float = 0.1
    overlap: float = 0.3
    sure: float = 0.6
    coast: float = 1.0
    recall: float = 120.0
    most_lost: int = 256
    refresh: float = 2.0
    judge: float = 0.2
    better: float = 1.1
    confirm: int = 3
    shots: int = 4
    spread: float = 1.0
    path: int = 256


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture of a face, worth keeping.

    Attributes:
        seconds: when.
        box: x1, y1, x2, y2 in pixels of the upright video.
        keypoints: (x, y) of scheme "5", the same pixels.
        score: the detector's confidence, in [0, 1].
        quality: in [0, 1].
        crop: a small JPEG for people to look at.
    """

    seconds: float
    box: Float32[np.ndarray, " 4"]
    keypoints: Float32[np.ndarray, "5 2"]
    score: float
    quality: float
    crop: bytes


@dataclass(frozen=True, eq=False)
class Track:
    """One face through a video, as far as it could be followed.

    Attributes:
        id: from 1, in the order in which tracks were sure to be faces.
        first: when it was first seen, seconds.
        last: when it was last seen, seconds. It may have been out of sight in between.
        frames: in which it was seen.
        times: of `boxes`, rising, the first and the last sighting among them.
        boxes: where it was at those times, pixels of the upright video.
        best: its best shots, best first.
        embedding: mean of its embeddings by quality, of length 1; None where none was computed.
    """

    id: int
    first: float
    last: float
    frames: int
    times: Float64[np.ndarray, " p"]
    boxes: Float32[np.ndarray, "p 4"]
    best: tuple[Shot, ...]
    embedding: Float32[np.ndarray, " d"] | None


@dataclass(eq=False)
class OpenTrack:
    """A track that may go on.

    Attributes:
        id: 0 until it is sure to be a face.
        last: when it was last seen.
        frames: in which it was seen.
        judged: when the quality of its picture was last looked at.
        looked: when it was last embedded.
        best_quality: of the faces that were embedded.
        mean: of their embeddings, of length 1.
    """

    config: TrackConfig
    first: float
    id: int = 0
    last: float = float("-inf")
    frames: int = 0
    judged: float = float("-inf")
    looked: float = float("-inf")
    best_quality: float = 0.0
    mean: Float32[np.ndarray, " d"] | None = None
    _sum: Float64[np.ndarray, " d"] | None = None
    _shots: list[Shot] = field(default_factory=list)
    _path: list[tuple[float, Float32[np.ndarray, " 4"]]] = field(default_factory=list)
    _gap: float = 0.0
    _here: Float32[np.ndarray, " 4"] | None = None

    def see(self, seconds: float, box: Float32[np.ndarray, " 4"]) -> None:
        """It was seen there."""
        self.last, self._here = seconds, box
        self.frames += 1
        if not self._path or seconds - self._path[-1][0] >= self._gap:
            self._path.append((seconds, box))
            self._thin()

    def learn(self, vector: Float32[np.ndarray, " d"], quality: float, seconds: float) -> None:
        """What it looked like then counts by its quality."""
        share = (quality + 0.01) * vector.astype(np.float64)
        self._sum = share if self._sum is None else self._sum + share
        self.looked = seconds
        self.best_quality = max(self.best_quality, quality)
        self._settle_mean()

    def due(self, seconds: float) -> bool:
        """Whether its picture should be looked at: often while it is young, now and then later."""
        return not self.id or seconds - self.judged >= self.config.judge - _ROUNDING

    def wants(self, quality: float, seconds: float) -> bool:
        """Whether a shot of this quality would be kept."""
        rivals = self._rivals(seconds)
        if rivals or len(self._shots) < self.config.shots:
            return all(quality > shot.quality for shot in rivals)
        return quality > min(shot.quality for shot in self._shots)

    def keep(self, shot: Shot) -> None:
        """Keep a shot that is wanted, instead of those of its time, or of the weakest."""
        rivals = self._rivals(shot.seconds)
        left = [other for other in self._shots if other not in rivals]
        best_first = sorted([*left, shot], key=lambda s: (-s.quality, s.seconds))
        self._shots = best_first[: self.config.shots]

    def joined(self, later: OpenTrack) -> OpenTrack:
        """This track, going on as one that began after it was lost."""
        for shot in later._shots:
            if self.wants(shot.quality, shot.seconds):
                self.keep(shot)
        self.id = self.id or later.id
        self.last, self._here = later.last, later._here
        self.frames += later.frames
        self.looked = max(self.looked, later.looked)
        self.best_quality = max(self.best_quality, later.best_quality)
        if self._sum is not None and later._sum is not None:
            self._sum = self._sum + later._sum
            self._settle_mean()
        self._path += later._path
        self._gap = max(self._gap, later._gap)
        self._thin()
        return self

    def done(self) -> Track:
        """The track as it stands."""
        path = list(self._path)
        if self._here is not None and path[-1][0] < self.last:
            path.append((self.last, self._here))
        return Track(
            self.id,
            self.first,
            self.last,
            self.frames,
            np.asarray([seconds for seconds, _ in path]),
            np.stack([box for _, box in path]),
            tuple(self._shots),
            self.mean,
        )

    def _rivals(self, seconds: float) -> list[Shot]:
        return [s for s in self._shots if abs(s.seconds - seconds) < self.config.spread]

    def _settle_mean(self) -> None:
        assert self._sum is not None
        self.mean = (self._sum / max(float(np.linalg.norm(self._sum)), 1e-12)).astype(np.float32)

    def _thin(self) -> None:
        """Every other place, where there are too many: the path gets coarser as it gets longer."""
        while len(self._path) > self.config.path:
            self._gap = 2 * (self._path[-1][0] - self._path[0][0]) / len(self._path)
            self._path = self._path[::2]
