"""Videos are written at the source's times with the source's sound, all of it or nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import shade, shades, sound_packets, write_video
from lineament.core.errors import BadInput
from lineament.core.image import Image
from lineament.core.video import read_video, video_info
from lineament.core.video_writer import VideoWriter


def copied(source: Path, target: Path) -> VideoWriter:
    with VideoWriter(target, source=source, comment="drawn", rate=25) as writer:
        for frame in read_video(source):
            writer.write(frame.image, frame.seconds)
    return writer


@pytest.mark.parametrize(
    ("source", "target", "codec"),
    [(".mp4", ".mp4", "aac"), (".mkv", ".mov", "aac"), (".mp4", ".mkv", "aac")]
    + [(".mkv", ".webm", "libopus"), (".mkv", ".mkv", "pcm_s16le")],
)
def test_sound_is_copied_packet_by_packet_and_frames_keep_their_times(
    tmp_path, source, target, codec
):
    times = np.cumsum(np.random.default_rng(0).integers(10, 90, 60)).tolist()
    times = [time - times[0] for time in times]
    film = write_video(tmp_path / f"a{source}", shades(60), times=times, sound=codec)
    writer = copied(film, tmp_path / f"b{target}")
    before, after = sound_packets(film), sound_packets(writer.path)
    assert [data for _, data in after] == [data for _, data in before]
    # Matroska has no times below 0, where AAC begins: all of it is moved then, pictures as well.
    moved = after[0][0] - before[0][0]
    assert moved == 0 if target != ".mkv" else 0 <= moved < 0.025
    assert [at - moved for at, _ in after] == pytest.approx([at for at, _ in before], abs=2e-3)
    frames = list(read_video(writer.path))
    assert [frame.seconds for frame in frames] == pytest.approx(
        [time / 1000 + moved for time in times], abs=2e-3
    )
    assert [shade(frame.image.pixels) for frame in frames] == pytest.approx(range(60), abs=3)
    assert video_info(writer.path).comment == "drawn"
    assert writer.silent == ""
    assert writer.encoder == ("libvpx-vp9" if target == ".webm" else "libx264")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([film.name, writer.path.name])


def test_sound_that_does_not_fit_is_said_to_be_left_out(tmp_path):
    film = write_video(tmp_path / "a.mkv", shades(10), sound="pcm_s16le")
    writer = copied(film, tmp_path / "b.mp4")
    assert "pcm_s16le" in writer.silent
    assert video_info(writer.path).sound == ()
    assert len(list(read_video(writer.path))) == 10


def test_odd_sizes_and_changing_ones_are_taken(tmp_path):
    with VideoWriter(tmp_path / "v.mp4") as writer:
        writer.write(Image(np.full((97, 161, 3), 90, np.uint8)), 0.0)
        writer.write(Image(np.full((200, 50, 3), 90, np.uint8)), 0.1)
    info = video_info(tmp_path / "v.mp4")
    assert (info.width, info.height) == (162, 98)
    assert len(list(read_video(tmp_path / "v.mp4"))) == 2


def test_another_encoder_steps_in_and_is_named(tmp_path, monkeypatch):
    from lineament.core import video_writer

    left = {"mpeg4": video_writer._ENCODERS["mpeg4"]}
    monkeypatch.setattr(video_writer, "_ENCODERS", left)
    film = write_video(tmp_path / "a.mkv", shades(20), times=list(range(0, 660, 33)))
    writer = copied(film, tmp_path / "b.mp4")
    assert (writer.encoder, video_info(writer.path).codec) == ("mpeg4", "mpeg4")
    times = [frame.seconds for frame in read_video(writer.path)]
    assert times == pytest.approx([0.033 * n for n in range(20)], abs=1e-3)


def test_an_error_leaves_nothing_behind_and_what_was_there_stays(tmp_path):
    target = tmp_path / "v.mp4"
    target.write_bytes(b"older")
    with suppress(KeyboardInterrupt), VideoWriter(target) as writer:
        writer.write(Image(np.zeros((96, 160, 3), np.uint8)), 0.0)
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]
    assert target.read_bytes() == b"older"


def test_what_cannot_be_written_is_refused(tmp_path):
    film = write_video(tmp_path / "a.mp4", shades(3))
    before = film.read_bytes()
    with pytest.raises(BadInput, match="the video itself"):
        VideoWriter(film, source=film)
    with pytest.raises(BadInput, match=r"\.mp4"):
        VideoWriter(tmp_path / "v.gif")
    with pytest.raises(BadInput, match="without a picture"), VideoWriter(tmp_path / "v.mp4"):
        pass
    black = Image(np.zeros((96, 160, 3), np.uint8))
    with VideoWriter(tmp_path / "w.mp4") as writer:
        writer.write(black, 1.0)
        with pytest.raises(BadInput, match="later one"):
            writer.write(black, 0.5)
    with (
        pytest.raises(BadInput, match="cannot be written"),
        VideoWriter(tmp_path / "no folder" / "v.mp4") as writer,
    ):
        writer.write(black, 0.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "w.mp4"]
    assert film.read_bytes() == before
