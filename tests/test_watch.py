"""Videos of faces that move by known paths: encoded, read, watched, drawn.

Who is where in each frame is known by construction; nobody's face is a real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import sound_packets, write_video
from lineament.analyze import Analyzer
from lineament.core.draw import draw_faces
from lineament.core.embeddings import Embeddings, similarity
from lineament.core.errors import BadInput, BrokenVideo, SpaceMismatch, UnsupportedFormat
from lineament.core.faces import Faces
from lineament.core.geometry import box_iou
from lineament.core.image import Image
from lineament.core.media import read_image
from lineament.core.video import Frame, read_video, video_info
from lineament.know.calibration import calibration_of
from lineament.know.named_people import NamedPeople, Recognised
from lineament.know.tracks import Track
from lineament.measure.tracking import Labelled, TrackingScore, tracking_score
from lineament.watch import COMMENT, Moment, Moments, WatchConfig, drawn, track_config, watch
from moving_faces import Actor, Scene, line, plain_photos

PERIOD = 80
"""Milliseconds from one frame of a scene to the next."""


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.of(threads=1)


@cache
def scenes(album: Path) -> dict[str, tuple[Scene, ...]]:
    """What happens to two people of the album; several scenes make a video with cuts."""
    there, back = (70, 180), (570, 180)
    return {
        "crossing": (
            Scene(
                album,
                [
                    Actor("p10", 0, 110, line((100, 180), (540, 180), 0, 29)),
                    Actor("p14", 0, 120, line((540, 190), (100, 190), 0, 29)),
                ],
                30,
            ),
        ),
        "behind a post": (
            Scene(
                album,
                [
                    Actor("p03", 0, 100, line(there, back, 0, 39)),
                    Actor("p19", 0, 100, line((600, 120), (500, 110), 0, 39)),
                ],
                40,
                posts=[(220, 430)],
                seed=1,
            ),
        ),
        "leaving and coming back": (
            Scene(
                album,
                [
                    Actor("p21", 0, 110, line((300, 180), (740, 180), 0, 15)),
                    Actor("p22", 0, 110, line((700, 180), (300, 180), 18, 38)),
                    Actor("p21", 1, 110, line((-60, 180), (250, 200), 30, 45)),
                ],
                45,
                seed=2,
            ),
        ),
        "cuts": tuple(
            Scene(
                album,
                [
                    Actor("p10", photo, 115, line((150 + shift, 180), (200 + shift, 180), 0, 12)),
                    Actor("p18", photo, 115, line((450 - shift, 180), (400 - shift, 180), 0, 12)),
                ],
                13,
                seed=3 + photo,
            )
            for photo, shift in ((0, 0), (1, 260), (0, 0))
        ),
    }


class Given:
    """A detector that repeats what another one found in the same frames."""

    seconds = 0.0

    def __init__(self, found: Sequence[Faces]) -> None:
        self._found = iter(found)

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        return [next(self._found) for _ in images]


@pytest.mark.parametrize("name", ["crossing", "behind a post", "leaving and coming back", "cuts"])
def test_people_keep_their_tracks_where_motion_alone_loses_them(album, tmp_path, analyzer, name):
    played = [shown for scene in scenes(album)[name] for shown in scene.play()]
    times = list(range(0, PERIOD * len(played), PERIOD))
    path = write_video(tmp_path / "v.mp4", (image.pixels for image, _ in played), times=times)
    truth = [labelled for _, labelled in played]
    config = WatchConfig(track=track_config(analyzer))
    moments = Moments(path, analyzer, config=config)
    found: list[Faces] = []
    answer = []
    for moment in moments:
        found.append(moment.faces)
        answer.append(labels(moment))
    whole = tracking_score(truth, answer, overlap=0.4)
    by_motion = Moments(path, Analyzer(Given(found), None, want=()), config=config)
    baseline = tracking_score(truth, [labels(moment) for moment in by_motion], overlap=0.4)
    print(f"\n{name}: {whole}\n  motion alone: {baseline}")
    people = len({who for frame in truth for who in frame.ids.tolist()})
    assert (whole.switches, len(moments.tracks)) == (0, people)
    assert whole.idf1 > 0.8
    assert whole.mota > 0.7
    assert better(whole, baseline)
    assert all(of_one_person(track, truth) for track in moments.tracks)


def labels(moment) -> Labelled:
    sure = moment.tracks > 0
    return Labelled(moment.tracks[sure], moment.faces.boxes[sure])


def better(whole: TrackingScore, baseline: TrackingScore) -> bool:
    return whole.idf1 > baseline.idf1 + 0.1 and whole.switches < baseline.switches


def of_one_person(track: Track, truth: Sequence[Labelled]) -> bool:
    """Whether all best shots of a track show the same person."""
    people = set()
    for shot in track.best:
        frame = truth[round(shot.seconds * 1000 / PERIOD)]
        overlap = box_iou(shot.box[None].astype(float), frame.boxes)[0]
        people.add(int(frame.ids[np.argmax(overlap)]))
    return len(people) == 1


@pytest.fixture(scope="module")
def film(album, tmp_path_factory) -> Path:
    """Two people and a tone, on its side with a flag that says so."""
    scene = Scene(
        album,
        [
            Actor("p10", 0, 110, line((120, 180), (250, 180), 0, 49)),
            Actor("p18", 0, 110, line((500, 180), (420, 180), 0, 49)),
        ],
        50,
    )
    turned = (np.rot90(image.pixels, -1) for image, _ in scene.play())
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    times = [40 * n + (n % 3) * 7 for n in range(50)]
    return write_video(path, turned, times=times, sound="aac", rotation=90)


def test_a_drawn_video_has_the_times_and_the_sound_and_says_what_it_is(film, tmp_path, analyzer):
    out = tmp_path / "drawn.mp4"
    watched = watch(film, analyzer, draw=out)
    assert (watched.info.width, watched.info.height) == (640, 360)
    assert len(watched.tracks) == 2
    assert sound_packets(out) == sound_packets(film)
    assert video_info(out).comment == COMMENT
    before, after = list(read_video(film)), list(read_video(out))
    assert [f.seconds for f in after] == pytest.approx([f.seconds for f in before], abs=1e-3)
    box = watched.tracks[0].boxes[25].round().astype(int)
    changed = np.abs(after[25].image.pixels.astype(int) - before[25].image.pixels).max(axis=2) > 60
    left = changed[box[1] : box[3], box[0] - 3 : box[0] + 4].any(axis=1)
    below = changed[box[3] - 3 : box[3] + 4, box[0] : box[2]].any(axis=0)
    assert min(left.mean(), below.mean()) > 0.9, "the box is drawn where the face is"
    assert changed.mean() < 0.2, "and the rest is as it was"


def test_names_are_drawn_and_the_others_keep_their_numbers():
    ground = Image(np.full((200, 300, 3), 128, np.uint8))
    boxes = np.asarray([[20, 60, 70, 120], [120, 60, 170, 120], [220, 60, 270, 120]], np.float32)
    faces, tracks = Faces(boxes), np.asarray([2, 3, 0])
    ada = Recognised(7, "Ada", 0.618, 1e-4)
    moment = Moment(Frame(ground, 0.0, 0), faces, tracks, True, False, (ada, None, None))
    expected = draw_faces(ground, faces, ["Ada 0.62", "person 3", None], colours=[2, 3, 0])
    assert np.array_equal(drawn(moment).pixels, expected.pixels)
    plain = draw_faces(ground, faces, ["2", "3", None], colours=[2, 3, 0])
    assert np.array_equal(drawn(replace(moment, names=())).pixels, plain.pixels)


def test_names_come_while_a_track_is_followed_and_hold_for_all_of_it(film, album, analyzer):
    """Two people; one is known by another photo of theirs."""
    photo, _ = plain_photos(album)["p18"][1]
    known = analyzer([read_image(photo)])[0]
    calibration = calibration_of(known.embeddings.space)
    named = NamedPeople(known.embeddings, np.asarray([4]), {4: "Ada"}, calibration)
    seen = list(Moments(film, analyzer, named=named, config=WatchConfig(detect_every=2)))
    assert seen[0].names == (None, None), "who has only just been seen is nobody yet"
    for moment in seen[10:]:
        names = [who.name if who else None for who in moment.names]
        right_most = int(np.argmax(moment.faces.boxes[:, 0]))
        assert names[right_most] == "Ada"
        assert names.count(None) == 1
    watched = watch(film, analyzer, named=named)
    ((number, who),) = watched.names.items()
    rightmost = max(watched.tracks, key=lambda track: track.boxes[0, 0])
    assert (number, who.person, who.name) == (rightmost.id, 4, "Ada")
    assert rightmost.embedding is not None
    assert who.score == pytest.approx(float(known.embeddings.vectors[0] @ rightmost.embedding))
    strange = Embeddings(known.embeddings.vectors, "b@1")
    other = NamedPeople(strange, np.asarray([4]), {4: "Ada"}, calibration)
    with pytest.raises(SpaceMismatch):
        Moments(film, analyzer, named=other)
    with pytest.raises(BadInput, match="embedder"):
        Moments(film, Analyzer(analyzer.detector, None, want=()), named=named)


def test_shots_are_in_pixels_of_the_file_however_small_the_frames_are_read(film, analyzer):
    from lineament.core.video_file import VideoLimits

    full = watch(film, analyzer)
    half = watch(film, analyzer, limits=VideoLimits(max_side=400))
    leftmost = [sorted(w.tracks, key=lambda track: track.boxes[0, 0]) for w in (full, half)]
    for a, b in zip(*leftmost, strict=True):
        assert box_iou(a.boxes[:1], b.boxes[:1])[0, 0] > 0.75
        assert a.best[0].crop[:2] == b"\xff\xd8"
        assert a.embedding is not None
        assert b.embedding is not None
        space = "sface"
        both = similarity(
            Embeddings(a.embedding[None], space), Embeddings(b.embedding[None], space)
        )
        assert both[0, 0] > 0.7


def test_embeddings_are_asked_for_now_and_then_only(film):
    plain = Analyzer.of(threads=1)
    embedder = plain.embedder
    assert embedder is not None

    class Counted:
        template, space, dimension, seconds = (
            embedder.template,
            embedder.space,
            embedder.dimension,
            0.0,
        )
        faces = 0

        def __call__(self, crops):
            self.faces += len(crops)
            return embedder(crops)

    counted = Counted()
    watched = watch(film, Analyzer(plain.detector, counted))
    assert sum(track.frames for track in watched.tracks) == 100
    assert counted.faces <= 20


def test_detecting_every_third_frame_keeps_the_tracks(film, analyzer):
    every_frame = watch(film, analyzer)
    moments = Moments(film, analyzer, config=WatchConfig(detect_every=3))
    seen = list(moments)
    assert [moment.found for moment in seen[:6]] == [True, False, False, True, False, False]
    assert len(moments.tracks) == len(every_frame.tracks) == 2
    between = [moment for moment in seen[10:] if not moment.found]
    assert all(len(moment.faces) == 2 for moment in between)
    whole = {track.id: track for track in every_frame.tracks}
    last = between[-1]
    for box, track in zip(last.faces.boxes, last.tracks.tolist(), strict=True):
        at = np.argmin(np.abs(whole[track].times - last.frame.seconds))
        assert box_iou(box[None], whole[track].boxes[at][None])[0, 0] > 0.7


def test_a_frame_now_and_then_will_do(film, analyzer):
    watched = watch(film, analyzer, config=WatchConfig(every=0.5))
    assert (watched.frames, [track.frames for track in watched.tracks]) == (4, [4, 4])


def test_of_a_broken_video_what_was_seen_is_given(film, tmp_path, analyzer):
    whole = [frame.image.pixels for frame in read_video(film)]
    path = write_video(tmp_path / "v.mkv", whole * 2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    out = tmp_path / "drawn.mp4"
    watched = watch(path, analyzer, draw=out)
    assert isinstance(watched.broken, BrokenVideo)
    assert 20 <= watched.frames < 100
    assert len(watched.tracks) == 2
    assert len(list(read_video(out))) == watched.frames
    path.write_bytes(b"nothing that can be seen")
    with pytest.raises(UnsupportedFormat):
        watch(path, analyzer)


def test_without_an_embedder_motion_must_do(film, analyzer):
    watched = watch(film, Analyzer(analyzer.detector, None, want=()))
    assert [track.frames for track in watched.tracks] == [50, 50]
    assert all(track.embedding is None and track.best for track in watched.tracks)


MEASURE = """
import resource, sys
from lineament.analyze import Analyzer
from lineament.watch import Moments, WatchConfig
analyzer = Analyzer.of(threads=1)
config = WatchConfig(detect_every=3)
marks = {}
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
for number, moment in enumerate(Moments(sys.argv[1], analyzer, config=config), 1):
    if number in (300, 3000):
        marks[number] = resident()
print(marks[300], marks[3000])
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_length_of_a_video(album, tmp_path):
    """Resident memory after 300 and after 3,000 frames of a process of its own: within 10 %."""
    scene = Scene(
        album, [Actor("p10", 0, 60, line((50, 60), (110, 60), 0, 29))], 30, size=(160, 120)
    )
    pictures = [image.pixels for image, _ in scene.play()]
    path = write_video(tmp_path / "v.mp4", (pictures[n % 30] for n in range(3000)))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    early, late = map(int, run.stdout.split())
    assert late < 1.1 * early, f"{early / 2**20:.1f} MiB became {late / 2**20:.1f}"


def test_thresholds_come_from_the_calibration(analyzer):
    assert analyzer.embedder is not None
    calibration = calibration_of(analyzer.embedder.space)
    config = track_config(analyzer)
    assert config.same == calibration.threshold(1e-3)
    assert config.apart == calibration.threshold(0.3)
    assert replace(config, same=0.356, apart=0.1) == type(config)()
