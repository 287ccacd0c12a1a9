"""A real web server on this machine whose manners a test can spoil, and packages to put on it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from lineament.core.cards import Weight


class Web(ThreadingHTTPServer):
    """Serves `files` by path, and counts the requests.

    Attributes:
        files: what is there.
        requests: how often each path was asked for.
        ranges: the Range headers that came, in order; None where there was none.
        cuts: after how many bytes each next answer breaks off; empty for whole answers.
        resumable: whether Range is heeded.
        announces: whether an answer says how long it is.
        gate: answers send their first half, then wait until this is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.cuts: list[int] = []
        self.resumable = True
        self.announces = True
        self.gate = threading.Event()
        self.gate.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or is killed, is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        web = cast(Web, self.server)
        path = self.path.replace("%2f", "/")
        web.requests[path] += 1
        web.ranges.append(self.headers["Range"])
        body = web.files.get(path)
        if body is None:
            self.send_error(404)
            return
        start = 0
        if web.resumable and self.headers["Range"]:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if path.startswith("/simple/"):
            self.send_header("Content-Type", "text/html")
        if web.announces:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if web.cuts:
            rest = rest[: web.cuts.pop(0)]
        half = len(rest) // 2
        self.wfile.write(rest[:half])
        self.wfile.flush()
        web.gate.wait(60)
        self.wfile.write(rest[half:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


@contextmanager
def local_web() -> Iterator[Web]:
    """A server that runs while the context is open."""
    web = Web()
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield web
    finally:
        web.gate.set()
        web.shutdown()
        web.server_close()
        thread.join()


def record(content: bytes, *sources: str, **fields: Any) -> Weight:
    """The record of a weight of these bytes."""
    defaults = {
        "name": "toy",
        "file": "toy.bin",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": "CC0",
        "commercial": True,
        "trained_on": "nothing",
        "preprocessing": "none",
    }
    return Weight(**{**defaults, **fields}, sources=sources)


def make_wheel(
    folder: Path, files: Mapping[str, bytes], tags: str = "py3-none-any", requires: str = ">=3.7"
) -> Path:
    """A wheel of ``toynets`` 1.0 with these files in it."""
    path = folder / f"toynets-1.0-{tags}.whl"
    metadata = f"Metadata-Version: 2.1\nName: toynets\nVersion: 1.0\nRequires-Python: {requires}\n"
    described = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tags}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("toynets-1.0.dist-info/METADATA", metadata)
        wheel.writestr("toynets-1.0.dist-info/WHEEL", described)
        wheel.writestr("toynets-1.0.dist-info/RECORD", "")
        for name, content in files.items():
            wheel.writestr(name, content)
    return path


def make_sdist(folder: Path, setup: str, files: Mapping[str, bytes]) -> Path:
    """A source distribution of ``toynets`` 1.0 whose build runs `setup`."""
    path = folder / "toynets-1.0.tar.gz"
    info = "Metadata-Version: 2.1\nName: toynets\nVersion: 1.0\n"
    content = {"setup.py": setup.encode(), "PKG-INFO": info.encode(), **files}
    path.write_bytes(_tarball({f"toynets-1.0/{name}": body for name, body in content.items()}))
    return path


def serve_npm_package(
    web: Web, files: Mapping[str, bytes], scripts: dict[str, str], links: Mapping[str, str] = {}
) -> None:
    """Put ``toy-nets`` 1.0.0 on the server, in the form in which npm asks for packages."""
    manifest = {"name": "toy-nets", "version": "1.0.0", "scripts": scripts}
    content = {"package.json": json.dumps(manifest).encode(), **files}
    packed = _tarball({f"package/{name}": body for name, body in content.items()}, links)
    web.files["/toy-nets/-/toy-nets-1.0.0.tgz"] = packed
    dist = {
        "tarball": f"{web.address}/toy-nets/-/toy-nets-1.0.0.tgz",
        "shasum": hashlib.sha1(packed).hexdigest(),
    }
    versions = {"1.0.0": {**manifest, "dist": dist}}
    document = {"name": "toy-nets", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
    web.files["/toy-nets"] = json.dumps(document).encode()


def _tarball(files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarball:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tarball.addfile(entry, io.BytesIO(content))
        for name, aim in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, aim
            tarball.addfile(entry)
    return buffer.getvalue()
