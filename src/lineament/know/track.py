"""Which face of a video's frame is which of the one before: tracking by detection.

Each frame's faces are matched with the tracks so far. Where motion alone leaves no doubt (a face
lies where just one track was expected, and nowhere else) it decides. Where faces meet, where one
comes back from behind something, and after a cut, embeddings decide, and only there are they asked
for. A frame's faces are matched one to one: two of them never end in one track.

Source: tracking by detection with a motion filter after A. Bewley et al., "Simple Online and
Realtime Tracking", arXiv:1602.00763; appearance beside motion after N. Wojke et al., "Simple Online
and Realtime Tracking with a Deep Association Metric", arXiv:1703.07402, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from lineament.core.assignment import assign
from lineament.core.geometry import box_iou
from lineament.know.tracks import OpenTrack, Shot, Track, TrackConfig
from lineament.see.motion import Motion

_TELLING = 0.5
"""Share of a track's best quality from which a face that looks like somebody else is taken for
somebody else: in profile, or blurred, everybody looks so."""
_TOUCHING = 0.1
"""Overlap of two faces of a frame from which neither is a clean picture of one person."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """The faces of a frame, as a tracker needs them.

    Attributes:
        boxes: x1, y1, x2, y2, pixels.
        quality: gives the quality of some rows, in [0, 1].
        embed: gives the embeddings of some rows, of length 1; None where there is no embedder, and
            motion alone must do.
        shoot: gives a row's `Shot`, for those that may be a track's best; None where none are kept.
    """

    boxes: Float32[np.ndarray, "n 4"]
    quality: Callable[[Int64[np.ndarray, " k"]], Float32[np.ndarray, " k"]]
    embed: Callable[[Int64[np.ndarray, " k"]], Float32[np.ndarray, "k d"]] | None = None
    shoot: Callable[[int], Shot] | None = None


class Tracker:
    """Follows faces through the frames of one video.

    Memory depends on how many faces are about, not on how long the video lasts: of a track that
    is open only a few shots and a thinned path are kept, and `closed` hands over those that are
    done.

    Args:
        config: see `TrackConfig`.
    """

    def __init__(self, config: TrackConfig) -> None:
        self.config = config
        self._live: list[OpenTrack] = []
        self._motion: Motion | None = None
        self._lost: list[OpenTrack] = []
        self._closed: list[Track] = []
        self._named = 0
        self._now = float("-inf")

    def step(
        self, seconds: float, seen: Sightings, *, cut: bool = False
    ) -> Int64[np.ndarray, " n"]:
        """Take in a frame.

        Args:
            seconds: its time, later than the one before.
            seen: its faces.
            cut: whether a new shot begins with it: then nobody is where they were.

        Returns:
            The track of each face, from 1; 0 for faces that have not been seen often enough yet to
            be told from a false find.
        """
        before, self._now = self._now, seconds
        self._retire(seconds, cut)
        n, asked = len(seen.boxes), _Asked(seen)
        rows = np.full(n, -1)  # the live track of each face
        if self._motion is not None and n:
            self._motion = self._motion.to(seconds)
            fresh = np.asarray([track.last >= before for track in self._live], bool)
            self._match_by_motion(seen, asked, rows, fresh)
        if n:
            self._match_by_looks(seen, asked, rows, seconds)
        for face, row in enumerate(rows.tolist()):
            self._live[row].see(seconds, seen.boxes[face])
        self._learn(seen, asked, rows.tolist(), seconds)
        for row in rows.tolist():
            self._name(self._live[row])
        return np.asarray([self._live[row].id for row in rows.tolist()], np.int64)

    def expected(
        self, seconds: float
    ) -> tuple[Float32[np.ndarray, "n 4"], Int64[np.ndarray, " n"]]:
        """Where those who were seen in the last frame should be by now, and who they are."""
        ids = np.asarray([track.id for track in self._live], np.int64)
        if self._motion is None:
            return np.empty((0, 4), np.float32), ids
        last = np.asarray([track.last for track in self._live])
        named = (ids > 0) & (last >= self._now)
        return self._motion.to(seconds).boxes[named], ids[named]

    def looks(self) -> dict[int, Float32[np.ndarray, " d"]]:
        """The mean embedding so far of each track that is about, by its number."""
        return {t.id: t.mean for t in self._live if t.id and t.mean is not None}

    def closed(self) -> list[Track]:
        """Tracks that can no longer go on, each given once."""
        done, self._closed = self._closed, []
        return done

    def finish(self) -> list[Track]:
        """The video is over: all tracks that have not been given yet, in order of appearance."""
        for track in [*self._live, *self._lost]:
            self._close(track)
        self._live, self._lost, self._motion = [], [], None
        return sorted(self.closed(), key=lambda track: (track.first, track.id))

    # Matching

    def _match_by_motion(
        self,
        seen: Sightings,
        asked: _Asked,
        rows: Int64[np.ndarray, " n"],
        fresh: Bool[np.ndarray, " t"],
    ) -> None:
        """Faces that lie where a track was expected. Contests are decided by looks as well, and so
        is who comes where somebody was last seen some time ago (not `fresh`)."""
        assert self._motion is not None
        overlap = box_iou(self._motion.boxes, seen.boxes)
        near = overlap >= self.config.overlap
        alone = (
            (overlap >= self.config.sure)
            & (near.sum(axis=0) == 1)
            & (near.sum(axis=1, keepdims=True) == 1)
            & fresh[:, None]
        )
        contested = near & ~alone
        benefit = np.where(near, overlap, 0.0)
        if asked.possible and contested.any():
            faces = np.flatnonzero(contested.any(axis=0))
            alike = self._alike([*self._live, *self._lost], asked, faces, len(rows))
            elsewhere = _best_other(alike)[: len(self._live)]
            alike = alike[: len(self._live)]
            # It looks like somebody who is not expected here, and not like who is.
            strange = (alike < self.config.same) & (elsewhere >= self.config.same)
            alike[[track.mean is None for track in self._live]] = self.config.apart
            benefit[contested] += alike[contested]
            benefit[contested & ((alike < self.config.apart) | strange)] = 0
        if asked.possible:
            for track, face in np.argwhere(alone).tolist():
                if self._doubtful(self._live[track], asked, face, self._motion.seconds):
                    benefit[track, face] = 0
        for track, face in assign(benefit).tolist():
            rows[face] = track
        matched = np.flatnonzero(rows >= 0)
        self._motion = self._motion.seen(rows[matched], seen.boxes[matched])

    def _doubtful(self, track: OpenTrack, asked: _Asked, face: int, seconds: float) -> bool:
        """Whether a face, where the track should be, does not look like it at all. It is asked only
        where the face is embedded anyway; and a poor picture says nothing."""
        if not track.id or track.mean is None or seconds - track.looked < self.config.refresh:
            return False
        if asked.quality([face])[0] < _TELLING * track.best_quality:
            return False
        return float(asked.all([face])[0] @ track.mean) < self.config.apart

    def _match_by_looks(
        self, seen: Sightings, asked: _Asked, rows: Int64[np.ndarray, " n"], seconds: float
    ) -> None:
        """Faces that are where nobody was expected: of a track that was lost, of one that moved
        too fast, or new."""
        new = np.flatnonzero(rows < 0)
        if not len(new):
            return
        taken = set(rows.tolist())
        free = [row for row in range(len(self._live)) if row not in taken]
        known = [*(self._live[row] for row in free), *self._lost]
        pairs = np.empty((0, 2), np.int64)
        if asked.possible and known:
            alike = self._alike(known, asked, new, len(rows))[:, new]
            # Who is about goes on before one who was lost comes back: they may yet prove to be one.
            about = (np.arange(len(known)) < len(free))[:, None]
            pairs = assign(np.where(alike >= self.config.same, alike + about, 0))
        found = {int(new[face]): known[track] for track, face in pairs.tolist()}
        gone = {id(track) for track in found.values()}
        keep = [row for row, track in enumerate(self._live) if id(track) not in gone]
        self._lost = [track for track in self._lost if id(track) not in gone]
        moved = {row: place for place, row in enumerate(keep)}
        rows[:] = [moved.get(row, -1) for row in rows.tolist()]
        self._live = [self._live[row] for row in keep]
        parts = [self._motion[np.asarray(keep, np.int64)]] if self._motion is not None else []
        for face in new.tolist():
            rows[face] = len(self._live)
            self._live.append(found.get(face) or OpenTrack(self.config, seconds))
        self._motion = Motion.join([*parts, Motion.at(seen.boxes[new], seconds)])

    def _alike(
        self, tracks: list[OpenTrack], asked: _Asked, faces: Int64[np.ndarray, " k"], n: int
    ) -> Float64[np.ndarray, "t n"]:
        """Cosines of tracks with some of the frame's n faces; -1 where there is none."""
        alike = np.full((len(tracks), n), -1.0)
        vectors = np.stack(asked.all(faces.tolist()))
        for row, track in enumerate(tracks):
            if track.mean is not None:
                alike[row, faces] = vectors @ track.mean
        return alike

    # Bookkeeping

    def _needs(self, track: OpenTrack, quality: float, seconds: float) -> bool:
        """Whether an embedding of this face would tell something new of its track."""
        overdue = seconds - track.looked >= self.config.refresh
        return overdue or not track.id or quality > track.best_quality * self.config.better

    def _learn(self, seen: Sightings, asked: _Asked, rows: list[int], seconds: float) -> None:
        """Keep pictures and embeddings that tell something new, of faces that nothing covers."""
        clear = [
            face
            for face in np.flatnonzero(_clear(seen.boxes)).tolist()
            if self._live[rows[face]].due(seconds)
        ]
        quality = dict(zip(clear, asked.quality(clear), strict=True))
        for face in clear:
            track = self._live[rows[face]]
            track.judged = seconds
            if seen.shoot and track.wants(quality[face], seconds):
                track.keep(seen.shoot(face))
        if asked.possible:
            new = [f for f in clear if self._needs(self._live[rows[f]], quality[f], seconds)]
            for face, vector in zip(new, asked.all(new), strict=True):
                self._live[rows[face]].learn(vector, quality[face], seconds)
                self._rejoin(rows[face])

    def _rejoin(self, row: int) -> None:
        """A track that turns out to be an earlier one goes on as that."""
        track = self._live[row]
        earlier = [
            (float(track.mean @ other.mean), other)
            for other in (*self._lost, *self._live)
            if other.last < track.first
            if other.mean is not None and track.mean is not None
        ]
        alike, best = max(earlier, key=lambda pair: pair[0], default=(-1.0, track))
        if alike >= self.config.same:
            self._lost = [other for other in self._lost if other is not best]
            # Where it was still expected it leaves an empty track, which goes with the next frame.
            empty = OpenTrack(self.config, track.first)
            self._live = [empty if other is best else other for other in self._live]
            self._live[row] = best.joined(track)

    def _name(self, track: OpenTrack) -> None:
        if not track.id and track.frames >= self.config.confirm:
            self._named += 1
            track.id = self._named

    def _retire(self, seconds: float, cut: bool) -> None:
        """Tracks that motion can no longer hold are lost; those lost for too long are closed."""
        stays = [not cut and seconds - track.last <= self.config.coast for track in self._live]
        if not all(stays):
            gone = [t for t, stay in zip(self._live, stays, strict=True) if not stay]
            self._lost += [t for t in gone if t.id or t.mean is not None]
            self._live = [t for t, stay in zip(self._live, stays, strict=True) if stay]
            assert self._motion is not None
            self._motion = self._motion[np.flatnonzero(stays)]
        self._lost.sort(key=lambda track: track.last)
        fresh = [t for t in self._lost if seconds - t.last <= self._recall(t)]
        kept = fresh[-self.config.most_lost :]
        if len(kept) < len(self._lost):
            held = set(map(id, kept))
            for track in self._lost:
                if id(track) not in held:
                    self._close(track)
        self._lost = kept

    def _recall(self, track: OpenTrack) -> float:
        """Seconds for which a track is remembered: briefly, if it may be a false find."""
        return self.config.recall if track.id else min(self.config.recall, 10 * self.config.coast)

    def _close(self, track: OpenTrack) -> None:
        if track.id:
            self._closed.append(track.done())


class _Asked:
    """What was asked of a frame's faces: each answer is computed when it is first asked for."""

    def __init__(self, seen: Sightings) -> None:
        self.possible = seen.embed is not None
        self._seen = seen
        self._vectors: dict[int, Float32[np.ndarray, " d"]] = {}
        self._qualities: dict[int, float] = {}

    def all(self, faces: Sequence[int]) -> list[Float32[np.ndarray, " d"]]:
        """Embeddings, in one call of the network."""
        missing = [face for face in faces if face not in self._vectors]
        if missing:
            assert self._seen.embed is not None
            vectors = self._seen.embed(np.asarray(missing, np.int64))
            self._vectors.update(zip(missing, vectors, strict=True))
        return [self._vectors[face] for face in faces]

    def quality(self, faces: Sequence[int]) -> list[float]:
        """Qualities, in [0, 1]."""
        missing = [face for face in faces if face not in self._qualities]
        if missing:
            values = self._seen.quality(np.asarray(missing, np.int64)).tolist()
            self._qualities.update(zip(missing, values, strict=True))
        return [self._qualities[face] for face in faces]


def _best_other(alike: Float64[np.ndarray, "t n"]) -> Float64[np.ndarray, "t n"]:
    """For each track and face, how alike the face is to the most similar of the other tracks."""
    best = np.full_like(alike, -1.0)
    if len(alike) > 1:
        order = np.argsort(alike, axis=0)
        first, second = order[-1], order[-2]
        columns = np.arange(alike.shape[1])
        best[:] = alike[first, columns]
        best[first, columns] = alike[second, columns]
    return best


def _clear(boxes: Float32[np.ndarray, "n 4"]) -> Bool[np.ndarray, " n"]:
    """Faces that no other face of the frame covers."""
    overlap = box_iou(boxes, boxes)
    np.fill_diagonal(overlap, 0)
    return overlap.max(axis=1, initial=0) < _TOUCHING
