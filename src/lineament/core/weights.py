"""The weights store: fetched once, checked by hash, kept in the user's cache.

A file gets its name in the cache only after its hash was right, by one atomic rename. So what is
there is whole, whoever was killed; and any number of threads and processes may ask at once.

Environment:
    LINEAMENT_HOME: the folder for weights and accepted terms, in place of the user's own.
    LINEAMENT_OFFLINE: 1 to never touch the network.
    LINEAMENT_ACCEPT_RESEARCH: 1 to accept the terms of all research-only weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from platformdirs import user_cache_path, user_config_path

from lineament.core.cards import Weight
from lineament.core.errors import (
    LicenceNotAccepted,
    Offline,
    SourceUnavailable,
    WeightError,
    WrongHash,
)
from lineament.core.sources import Progress, obtain

if TYPE_CHECKING:
    from onnx import ModelProto


def home() -> Path:
    """The folder that weights are kept under."""
    chosen = os.environ.get("LINEAMENT_HOME")
    return Path(chosen) if chosen else user_cache_path("lineament", appauthor=False)


def fetch(weight: Weight, *, progress: Progress | None = None) -> Path:
    """The weight's file, from the cache or else from the first source that has the right bytes.

    Args:
        weight: the record.
        progress: called with the bytes done and the bytes in all while a source delivers.

    Raises:
        LicenceNotAccepted: it is for research only and nobody has accepted that here.
        Offline: it is not in the cache and LINEAMENT_OFFLINE is set.
        SourceUnavailable: no source had it; the message says why of each.
        WrongHash: a source had other bytes under that name, and no source the right ones.
        WeightError: it cannot be written, for example because the disk is full.
    """
    _require_accepted(weight)
    if path := cached(weight):
        return path
    if _is_on("LINEAMENT_OFFLINE"):
        raise Offline(
            f"{weight.name} is not in the cache and LINEAMENT_OFFLINE is set; unset it, or fetch "
            f"ahead with: lineament models --fetch {weight.name}"
        )
    with _locked(weight):
        return cached(weight) or _download(weight, progress)


def cached(weight: Weight) -> Path | None:
    """The weight's file where the cache holds it whole, else None. Never uses the network."""
    path = _path(weight)
    return path if _is_whole(path, weight.sha256) else None


def verify(weight: Weight) -> Path:
    """The weight's file in the cache, after reading every byte of it again.

    Raises:
        WrongHash: its bytes have changed; they are deleted, and the next `fetch` replaces them.
        WeightError: it is not in the cache.
    """
    path = _path(weight)
    if not path.exists():
        raise WeightError(f"{weight.name} has not been fetched yet")
    with _locked(weight):
        _check_hash(weight, path, str(path))
    return path


def remove(weight: Weight) -> int:
    """Delete the weight and all that was prepared from it; the bytes that were freed."""
    folder = _folder(weight)
    if not folder.exists():
        return 0
    with _locked(weight):
        freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return freed


def prepared(weight: Weight, tag: str, mend: Callable[[ModelProto], ModelProto]) -> Path:
    """An ONNX weight after `mend`; kept as `derived` keeps it.

    Raises:
        WeightError: as `fetch`; or the file is no ONNX model, or cannot be written.
    """
    return derived(weight, tag, lambda path: mend(_read_model(path)).SerializeToString())


def derived(weight: Weight, tag: str, make: Callable[[Path], bytes]) -> Path:
    """The ONNX model that `make` reads from a weight's file, kept beside it, and made again where
    it is damaged.

    It is kept under the weight's hash and `tag` alone: who changes what `make` does changes the
    tag.

    Raises:
        WeightError: as `fetch`; or the model cannot be made or written.
    """
    if not re.fullmatch(r"[\w-]+", tag):
        raise ValueError(f"a tag is letters, digits and hyphens, not {tag!r}")
    original = fetch(weight)
    path = original.with_name(f"{original.stem}.{tag}.onnx")
    if _is_whole(path):
        return path
    with _locked(weight):
        if not _is_whole(path):
            model = make(original)
            _write(path, model)
            _stamp(path, hashlib.sha256(model).hexdigest())
    return path


def accept(weight: Weight) -> None:
    """Note that the user accepts the terms of a research-only weight, as they now read."""
    path = _acceptances()
    with _writing(path.parent, "the acceptance"), FileLock(path.with_suffix(".lock")):
        entry = {"licence": weight.licence, "on": datetime.now(UTC).date().isoformat()}
        entries = {**_read_json(path), weight.name: entry}
        _write(path, json.dumps(entries, indent=2).encode())


def accepted() -> frozenset[str]:
    """Names of the weights whose terms were accepted here."""
    return frozenset(_read_json(_acceptances()))


# ---- terms


def _require_accepted(weight: Weight) -> None:
    if weight.commercial or _is_on("LINEAMENT_ACCEPT_RESEARCH"):
        return
    entry = _read_json(_acceptances()).get(weight.name)
    # Terms that have changed since are not the terms that were accepted.
    if not isinstance(entry, dict) or entry.get("licence") != weight.licence:
        raise LicenceNotAccepted(
            f"{weight.name} is for research only ({weight.licence}); if your use fits these "
            f"terms, accept them once with: lineament models --accept {weight.name}"
        )


def _acceptances() -> Path:
    home = os.environ.get("LINEAMENT_HOME")
    folder = Path(home) if home else user_config_path("lineament", appauthor=False)
    return folder / "accepted.json"


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")


# ---- downloading


def _download(weight: Weight, progress: Progress | None) -> Path:
    """Try the sources in order. The caller holds the lock, so what lies about is from the dead."""
    path = _path(weight)
    arriving = path.with_name(f"{path.name}.new")
    for leftover in path.parent.glob("work-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    failures: list[WeightError] = []
    for source in weight.sources:
        try:
            obtain(source, arriving, weight.size, progress)
            _check_hash(weight, arriving, source)
            _settle(arriving, path)
            _stamp(path, weight.sha256)
            return path
        except WrongHash as failure:
            failures.append(failure)
        except SourceUnavailable as failure:
            failures.append(SourceUnavailable(f"{source}: {failure}"))
        finally:
            arriving.unlink(missing_ok=True)
    # Wrong bytes are worse news than no bytes.
    kind = WrongHash if any(isinstance(f, WrongHash) for f in failures) else SourceUnavailable
    reasons = "; ".join(str(failure) for failure in failures) or "its record names no source"
    raise kind(f"{weight.name} cannot be had: {reasons}")


def _check_hash(weight: Weight, path: Path, origin: str) -> None:
    found = _sha256(path)
    if found != weight.sha256:
        path.unlink()
        raise WrongHash(f"{origin} has sha256 {found}, but the record says {weight.sha256}")


def _read_model(path: Path) -> ModelProto:
    import onnx

    try:
        return onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf has several, of no public base
        raise WeightError(f"{path} is no ONNX model: {_one_line(error)}") from error


# ---- the cache


def _folder(weight: Weight) -> Path:
    return home() / "weights" / weight.sha256[:16]


def _path(weight: Weight) -> Path:
    return _folder(weight) / weight.file


@contextmanager
def _locked(weight: Weight) -> Iterator[None]:
    """Hold the weight's folder, which then exists, against other threads and processes."""
    folder = _folder(weight)
    with _writing(folder, f"{weight.name} ({weight.size:,} bytes)"):
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder, not in it: `remove` must not delete the lock that it holds.
        with FileLock(folder.with_suffix(".lock")):
            folder.mkdir(exist_ok=True)
            yield


@contextmanager
def _writing(folder: Path, what: str) -> Iterator[None]:
    """Turn the system's errors into one line that says what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WeightError(
            f"{what} cannot be kept under {folder}: {error.strerror or error}; make room "
            f"there, or set LINEAMENT_HOME to another folder"
        ) from error


def _is_whole(path: Path, sha256: str | None = None) -> bool:
    """Whether a file is still what it was when its hash was last right.

    The hash is taken again only where size or time of change differ from the stamp.
    """
    try:
        stamp = _read_json(_stamp_path(path))
        expected = sha256 or stamp.get("sha256")
        if expected and stamp == _facts(path, expected):
            return True
        if expected and _sha256(path) == expected:
            _stamp(path, expected)
            return True
    except OSError:
        pass
    return False


def _stamp(path: Path, sha256: str) -> None:
    """Note that the file had this hash. Without the note it is only slower: it is hashed again."""
    with suppress(OSError):
        _write(_stamp_path(path), json.dumps(_facts(path, sha256)).encode())


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.stamp")


def _facts(path: Path, sha256: str) -> dict[str, Any]:
    facts = path.stat()
    return {"sha256": sha256, "size": facts.st_size, "mtime_ns": facts.st_mtime_ns}


# ---- files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    """What a small file of ours says; nothing, where it is absent or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    arriving = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.new")
    try:
        arriving.write_bytes(content)
        _settle(arriving, path)
    finally:
        arriving.unlink(missing_ok=True)


def _settle(arriving: Path, path: Path) -> None:
    """Give a finished file its name, on the disk and not only in memory."""
    with arriving.open("rb+") as file:
        os.fsync(file.fileno())
    arriving.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
