"""Videos are read as a viewer would see them, whatever is in the file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import shade, shades, write_video
from lineament.core.errors import (
    BadInput,
    BrokenVideo,
    EmptyFile,
    ExtraMissing,
    ImageTooLarge,
    MissingFile,
    UnreadableImage,
    UnsupportedFormat,
)
from lineament.core.video import Frame, read_video, video_info
from lineament.core.video_file import VideoLimits

MP4_AT_THE_FRONT = {"movflags": "faststart"}


def corners(pixels: np.ndarray) -> list[str]:
    """Colours of the four corners, clockwise from the top left."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    places = [(8, 8), (8, -8), (-8, -8), (-8, 8)]
    return [names.get(tuple((pixels[p] > 128).astype(int).tolist()), "?") for p in places]


def flag() -> np.ndarray:
    """Red, green, white and blue quarters: every turn and mirroring of it is another."""
    pixels = np.zeros((96, 160, 3), np.uint8)
    pixels[:48, :80, 0] = pixels[:48, 80:, 1] = pixels[48:, :80, 2] = 255
    pixels[48:, 80:] = 255
    return pixels


def damaged(path: Path) -> tuple[list[float], UnreadableImage]:
    """The times of all frames that come, and the error that follows."""
    times: list[float] = []
    with pytest.raises(UnreadableImage) as caught:
        times.extend(frame.seconds for frame in read_video(path))
    assert str(caught.value).startswith(str(path)), "the message names the file"
    return times, caught.value


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"),
    [
        (".mp4", "libx264", "yuv420p"),
        (".mkv", "libx264", "yuv444p"),
        (".mov", "libx265", "yuv420p10le"),
        (".webm", "libvpx-vp9", "yuv420p"),
        (".avi", "mpeg4", "yuv420p"),
        (".m2ts", "libx264", "yuv420p"),
        (".mkv", "ffv1", "gbrp16le"),
        (".mkv", "ffv1", "gray"),
    ],
)
def test_frames_come_in_order_at_their_times(tmp_path, suffix, codec, kept):
    options = {"b": "20M", "qmin": "1", "qmax": "2"} if codec.startswith("mpeg") else {}
    if codec == "libx265":
        options = {"x265-params": "log-level=none", "crf": "4"}
    path = write_video(
        tmp_path / f"v{suffix}", shades(60), codec=codec, pixel_format=kept, options=options
    )
    frames = list(read_video(path))
    assert [shade(frame.image.pixels) for frame in frames] == pytest.approx(range(60), abs=2)
    assert [frame.seconds for frame in frames] == pytest.approx([0.04 * n for n in range(60)])
    assert [frame.index for frame in frames] == list(range(60))
    info = video_info(path)
    assert (info.width, info.height, info.sound) == (160, 96, ())
    assert info.seconds == pytest.approx(2.4, abs=0.05)


def test_times_are_the_files_own(tmp_path):
    """Variable frame rate: a count of frames would be wrong by seconds."""
    times = np.cumsum(np.random.default_rng(0).integers(5, 400, 40)).tolist()
    path = write_video(tmp_path / "v.mkv", shades(40), times=times)
    found = [frame.seconds for frame in read_video(path)]
    assert found == pytest.approx([(time - times[0]) / 1000 for time in times], abs=2e-3)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (0, ["red", "green", "white", "blue"]),
        (90, ["green", "white", "blue", "red"]),
        (180, ["white", "blue", "red", "green"]),
        (-90, ["blue", "red", "green", "white"]),
    ],
)
def test_rotation_flags_are_applied(tmp_path, rotation, expected):
    """Turned 90 degrees counter-clockwise, the corner at the top right comes to the top left."""
    path = write_video(tmp_path / "v.mp4", [flag()] * 3, rotation=rotation)
    frame = next(read_video(path))
    assert corners(frame.image.pixels) == expected
    size = (160, 96) if rotation in (0, 180) else (96, 160)
    assert (frame.image.width, frame.image.height) == size
    assert (video_info(path).width, video_info(path).height) == size


def test_mirroring_is_applied(tmp_path):
    """The display matrix of the file itself is overwritten: -1 in its first place mirrors."""
    path = write_video(tmp_path / "v.mp4", [flag()] * 3)
    data = bytearray(path.read_bytes())
    unit = (1 << 16).to_bytes(4, "big")
    plain = unit + bytes(12) + unit + bytes(12) + (1 << 30).to_bytes(4, "big")
    place = data.index(plain, data.index(b"tkhd"))
    data[place : place + 4] = (-(1 << 16)).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    assert corners(next(read_video(path)).image.pixels) == ["green", "red", "blue", "white"]


def test_oblong_pixels_are_made_square(tmp_path):
    path = write_video(tmp_path / "v.mkv", [flag()] * 3, aspect=Fraction(3, 2))
    image = next(read_video(path)).image
    assert (image.width, image.height) == (240, 96)
    assert corners(image.pixels) == ["red", "green", "white", "blue"]


def test_large_frames_come_reduced_and_say_so(tmp_path):
    path = write_video(tmp_path / "v.mp4", [flag()] * 2, rotation=90)
    image = next(read_video(path, limits=VideoLimits(max_side=80))).image
    assert (image.width, image.height, image.scale) == (48, 80, 0.5)
    assert corners(image.pixels) == ["green", "white", "blue", "red"]


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_colours_are_those_that_went_in(tmp_path, size):
    """Unmarked files are BT.601 below 720 lines and BT.709 from there on: FFmpeg itself writes
    them so where it is told to, and the wrong guess would be off by 20 levels in pure green."""
    import av

    wanted = np.full((size[1], size[0], 3), (30, 200, 60), np.uint8)
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        frame = av.VideoFrame.from_ndarray(wanted, format="rgb24")
        space = "ITU709" if size[1] >= 720 else "ITU601"
        plain = frame.reformat(format="yuv444p", dst_colorspace=space)
        plain.colorspace = 2  # unspecified
        out.mux(stream.encode(plain))
        out.mux(stream.encode(None))
    found = next(read_video(path)).image.pixels
    assert np.abs(found.astype(int) - wanted).max() <= 2


def test_hdr_white_is_shown_as_white_and_not_as_grey(tmp_path):
    """On the PQ scale a white page of 203 cd/m2 lies at 58 % (ITU-R BT.2408): shown as it stands
    it would be a mid grey. 1,000 cd/m2 lie at 75 % and are the brightest white here."""
    options = {"x265-params": "log-level=none:transfer=smpte2084:lossless=1"}
    levels = (0.0, 0.58, 0.75)
    pictures = [np.full((96, 160, 3), round(255 * level), np.uint8) for level in levels]
    path = write_video(
        tmp_path / "v.mkv", pictures, codec="libx265", pixel_format="yuv444p10le", options=options
    )
    black, page, peak = (frame.image.pixels.mean() for frame in read_video(path))
    assert black <= 2
    assert 180 <= page <= 215, "a page is bright, with room above it"
    assert peak >= 250


@pytest.mark.parametrize("every", [0.1, 0.5, 1.0, 2.5, 100.0])
@pytest.mark.parametrize("options", [{}, {"g": "10"}, {"g": "12", "bf": "3", "preset": "medium"}])
def test_sampling_gives_the_first_frame_of_each_interval(tmp_path, every, options):
    """Whatever the keyframes and the order of decoding; nothing of it is blended or wrong."""
    path = write_video(tmp_path / "v.mkv", shades(150), options=options)
    frames = list(read_video(path, every=every))
    taken = [
        next(n for n in range(150) if n / 25 + 1e-9 >= k * every)
        for k in range(int(149 / 25 / every + 1e-9) + 1)
    ]
    assert [frame.seconds for frame in frames] == pytest.approx([n / 25 for n in taken], abs=1e-6)
    assert [shade(frame.image.pixels) for frame in frames] == pytest.approx(taken, abs=1)


def test_sampling_decodes_only_what_it_needs(tmp_path, monkeypatch):
    """20 s with a keyframe a second: for a frame each 5 s the other 16 seconds stay packets."""
    from lineament.core import video_decoding

    path = write_video(tmp_path / "v.mkv", shades(500), options={"g": "25", "bf": "0"})
    counts = {}
    decode = video_decoding._Decoder._decode
    for every in (None, 5.0):
        decoded = 0

        def count(self, packet):
            nonlocal decoded
            decoded += packet is not None
            return decode(self, packet)

        monkeypatch.setattr(video_decoding._Decoder, "_decode", count)
        counts[every] = len(list(read_video(path, every=every))), decoded
    assert counts[None] == (500, 500)
    assert counts[5.0][0] == 4
    assert counts[5.0][1] <= 4 * 25


def test_times_that_do_not_rise_are_mended(tmp_path):
    """Two recordings of a second each, one behind the other, each with its clock from 0."""
    parts = [write_video(tmp_path / f"{n}.m2ts", shades(25)).read_bytes() for n in range(2)]
    path = tmp_path / "v.m2ts"
    path.write_bytes(b"".join(parts))
    times = [frame.seconds for frame in _whatever_comes(path)]
    assert len(times) >= 48
    assert np.all(np.diff(times) > 0)
    assert times[-1] == pytest.approx(2, abs=0.2), "the second goes on where the first ended"


def _whatever_comes(path: Path, limits: VideoLimits | None = None) -> Iterator[Frame]:
    """All frames; how the file ends is another test's matter."""
    with suppress(BrokenVideo):
        yield from read_video(path, limits=limits or VideoLimits())


@pytest.mark.parametrize(
    ("suffix", "muxer"), [(".mp4", MP4_AT_THE_FRONT), (".mkv", {}), (".mov", MP4_AT_THE_FRONT)]
)
def test_of_a_truncated_file_what_is_there_is_given(tmp_path, suffix, muxer):
    rng = np.random.default_rng(1)
    noise = (rng.integers(0, 255, (96, 160, 3), dtype=np.uint8) for _ in range(100))
    path = write_video(tmp_path / f"v{suffix}", noise, muxer=muxer)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    times, error = damaged(path)
    assert isinstance(error, BrokenVideo)
    assert 30 <= len(times) <= 60
    assert times == pytest.approx([0.04 * n for n in range(len(times))])
    assert error.seconds == pytest.approx(times[-1], abs=0.1)
    assert f"{error.seconds:.2f} s" in str(error)


def test_of_a_damaged_file_the_rest_is_given(tmp_path):
    """Bytes overwritten in the middle: frames are lost there, and those after the next keyframe
    are as they were."""
    rng = np.random.default_rng(2)
    pictures = [np.full((96, 160, 3), 40 + n, np.uint8) for n in range(100)]
    for picture in pictures:
        picture[32:64] = rng.integers(0, 255, (32, 160, 3), dtype=np.uint8)
    path = write_video(tmp_path / "v.mkv", pictures, options={"g": "10"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = rng.bytes(3000)
    path.write_bytes(data)
    times, error = damaged(path)
    assert 60 <= len(times) < 100
    assert isinstance(error, BrokenVideo)
    assert error.seconds == pytest.approx(2.0, abs=0.6)
    assert times[-1] == pytest.approx(3.96)


def test_files_without_pictures_are_refused(tmp_path):
    import av

    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as out:
        stream = out.add_stream("aac", rate=48_000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 48_000, 0
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 1000)
    (tmp_path / "folder.mp4").mkdir()
    cases = {
        "sound.mp4": (UnsupportedFormat, "sound only"),
        "empty.mp4": (EmptyFile, "empty"),
        "text.mp4": (UnsupportedFormat, "damaged, cut off"),
        "folder.mp4": (UnsupportedFormat, "a folder"),
        "gone.mp4": (MissingFile, "no such file"),
    }
    for name, (kind, words) in cases.items():
        with pytest.raises(kind, match=words) as caught:
            next(read_video(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("disguise", ["v.m3u8", "v.mp4"])
def test_playlists_open_no_other_file(tmp_path, disguise):
    """A playlist would have FFmpeg open what it names: a file beside it, or an address."""
    write_video(tmp_path / "secret.m2ts", shades(10))
    playlist = tmp_path / disguise
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.m2ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(UnsupportedFormat):
        next(read_video(playlist))
    concat = tmp_path / "concat.mp4"
    concat.write_text("ffconcat version 1.0\nfile secret.m2ts\n")
    with pytest.raises(UnsupportedFormat):
        next(read_video(concat))
    with pytest.raises(MissingFile):
        next(read_video(f"concat:{tmp_path / 'secret.m2ts'}"))


def test_limits_hold(tmp_path):
    path = write_video(tmp_path / "v.mp4", shades(50))
    with pytest.raises(ImageTooLarge, match="max_pixels"):
        next(read_video(path, limits=VideoLimits(max_pixels=160 * 96 - 1)))
    with pytest.raises(ImageTooLarge, match="max_seconds"):
        next(read_video(path, limits=VideoLimits(max_seconds=1.5)))
    frames = read_video(path, limits=VideoLimits(max_frames=20))
    assert len(list(islice(frames, 20))) == 20
    with pytest.raises(ImageTooLarge, match="max_frames"):
        next(frames)
    with pytest.raises(BadInput, match="more than 0"):
        next(read_video(path, every=0.0))
    with pytest.raises(BrokenVideo, match=r"no frame in|to open"):
        list(read_video(path, limits=VideoLimits(patience=-1)))


def test_a_frame_that_grows_beyond_the_limit_is_not_decoded(tmp_path):
    """Two streams of different sizes, one behind the other: the header speaks of the first."""
    small = write_video(tmp_path / "a.mpg", shades(10, (64, 64)), codec="mpeg2video")
    large = write_video(tmp_path / "b.mpg", shades(10, (640, 480)), codec="mpeg2video")
    path = tmp_path / "v.mpg"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    frames = _whatever_comes(path, VideoLimits(max_pixels=10_000))
    assert {(frame.image.width, frame.image.height) for frame in frames} == {(64, 64)}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".m2ts", ".avi"])
def test_fuzzed_files_end_in_frames_or_in_one_typed_error(tmp_path, suffix):
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    whole = write_video(tmp_path / f"v{suffix}", shades(20), codec=codec).read_bytes()
    rng = np.random.default_rng(5)
    path = tmp_path / f"fuzzed{suffix}"
    for _ in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(0, len(data), rng.integers(0, 30)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data)
        times: list[float] = []
        with suppress(UnreadableImage):  # any other error fails the test
            times.extend(f.seconds for f in read_video(path, limits=VideoLimits(patience=5)))
        assert np.all(np.diff(times) > 0)


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    path = write_video(tmp_path / "v.mp4", shades(3))
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from lineament.core.errors import ExtraMissing\n"
        "from lineament.core.video import read_video\n"
        f"try: next(read_video({str(path)!r}))\n"
        "except ExtraMissing as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip().endswith("pip install 'lineament[video]'"), told.stderr
    assert len(told.stdout.strip().splitlines()) == 1
    assert issubclass(ExtraMissing, UnreadableImage), "a batch goes on without the file"
