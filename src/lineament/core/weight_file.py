"""What a weight's bytes really are, whatever its name says: formats that run code are refused.

Nothing is loaded to find out. The first bytes tell the format; an ONNX file is then read as the
message that it is, and searched for what reaches beyond itself: parameters in other files, and
operators that only a library of somebody's own can run.

Source: the risks are those of W. Jiang et al., arXiv:2303.02552; the ONNX message:
onnx.proto of the ONNX project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lineament.core.errors import BadInput
from lineament.core.torch_file import parse_state_dict

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

_TFLITE = b"TFL3"
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (257, b"ustar", "tar"),
    (0, b"\x7fELF", "executable"),
    (0, b"MZ", "executable"),
    (0, b"#!", "script"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"<?xml", "xml"),
    (4, _TFLITE, "tflite"),
)
_DATA = {"onnx", "dlib", "tflite", "tflite bundle", "state dict", "tfjs graph", "numbers"}
"""Formats that hold numbers, or a graph too, and that loading runs no code of."""
_STANDARD = {"", "ai.onnx", "ai.onnx.ml"}
_DLIB = {".dat"}
_TORCH = {".pth", ".pt"}
_BUNDLE = ".task"
_NUMBERS = ".bin"
"""What fills a graph of TensorFlow.js: numbers without any mark, which nothing could run."""


@dataclass(frozen=True)
class FileReport:
    """What was found in one file.

    Attributes:
        format: by its bytes; ``unknown`` where nothing is recognised.
        size: in bytes.
        sha256: of the bytes, 64 hex digits.
        findings: what speaks against it, a sentence each; empty where nothing does.
        facts: what else it says of itself, as (name, value).
    """

    format: str
    size: int
    sha256: str
    findings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def safe(self) -> bool:
        """Whether loading it runs no code but the runtime's, on no bytes but these."""
        return not self.findings


def inspect_file(path: Path) -> FileReport:
    """Look into a weight's file.

    Raises:
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    kind = file_format(data, path.suffix)
    if kind == "onnx":
        findings, facts = _inspect_onnx(data)
        return FileReport(kind, len(data), digest, findings, facts)
    against = () if kind in _DATA else (_against(kind),)
    return FileReport(kind, len(data), digest, against)


def file_format(data: bytes, suffix: str = "") -> str:
    """The format of these bytes; the suffix decides only among formats that have no mark."""
    if suffix in _TORCH and _is_state_dict(data):
        return "state dict"
    if suffix == _BUNDLE and _is_tflite_bundle(data):
        return "tflite bundle"
    for start, mark, name in _MAGIC:
        if data[start : start + len(mark)] == mark:
            return name
    if is_pickle(data):
        return "pickle"
    if _is_onnx(data):
        return "onnx"
    if suffix in _DLIB and _is_dlib(data):
        return "dlib"
    if suffix == ".json" and _is_tfjs_graph(data):
        return "tfjs graph"
    return "numbers" if suffix == _NUMBERS else "unknown"


def is_pickle(data: bytes) -> bool:
    """Whether bytes begin as a pickle does: a protocol from 2 on, or opcodes of one before."""
    if data[:1] == b"\x80":
        return len(data) > 2 and 2 <= data[1] <= 5 and data.rstrip(b"\n")[-1:] == b"."
    # Protocols 0 and 1 have no mark; they open with a container or a global, and end with a stop.
    return data[:1] in (b"(", b"]", b"}", b"c") and data[-1:] == b"."


def _against(kind: str) -> str:
    if kind == "pickle":
        return "a pickle: loading it runs whatever it says"
    if kind in ("zip", "tar", "gzip", "bzip2", "xz", "7z"):
        return f"an archive ({kind}): what is in it is not what the hash of its record was for"
    if kind in ("executable", "script"):
        return f"a program ({kind})"
    return f"not a format that is read here: {kind}"


def _is_state_dict(data: bytes) -> bool:
    """Whether PyTorch's file asks for arrays alone, which our reader makes without unpickling."""
    try:
        return bool(parse_state_dict(data))
    except BadInput:
        return False


def _is_tflite_bundle(data: bytes) -> bool:
    """Whether MediaPipe's archive holds TFLite files and their metadata alone, all of it plain."""
    from io import BytesIO
    from zipfile import ZIP_STORED, BadZipFile, ZipFile

    try:
        with ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            if any(member.compress_type != ZIP_STORED for member in members):
                return False  # what unpacks to more than it is may be a bomb
            return bool(members) and all(
                member.filename.endswith(".binarypb") or archive.open(member).read(8)[4:] == _TFLITE
                for member in members
            )
    except (BadZipFile, OSError, NotImplementedError, RuntimeError):
        return False


def _is_tfjs_graph(data: bytes) -> bool:
    """Whether it is TensorFlow.js's description of a graph, as JSON."""
    import json

    try:
        graph = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(graph, dict) and "modelTopology" in graph


def _is_dlib(data: bytes) -> bool:
    # A dlib number: a control byte of at most 8 bytes to follow, then a small version.
    return len(data) > 2 and 0 < data[0] & 0x0F <= 8 and data[0] & 0x70 == 0


def _parse_onnx(data: bytes) -> ModelProto | None:
    import onnx

    try:
        return onnx.load_model_from_string(data)
    except Exception:  # protobuf has several, of no public base
        return None


def _is_onnx(data: bytes) -> bool:
    model = _parse_onnx(data)
    return model is not None and bool(model.ir_version) and bool(model.graph.node)


def _inspect_onnx(data: bytes) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    model = _parse_onnx(data)
    assert model is not None
    findings = []
    outside = sorted({tensor.name or "unnamed" for tensor in _tensors(model) if _external(tensor)})
    if outside:
        findings.append(f"{len(outside)} parameters lie in other files, such as {outside[0]}")
    own = {function.domain for function in model.functions}
    foreign = sorted({node.domain for node in _nodes(model)} - _STANDARD - own)
    if foreign:
        findings.append(f"operators that are not of the standard: {', '.join(foreign)}")
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    numbers = sum(_count(tensor) for tensor in model.graph.initializer)
    facts = (
        ("parameters", f"{numbers:,}"),
        ("opset", str(versions.get("ai.onnx", 0))),
        ("made by", f"{model.producer_name} {model.producer_version}".strip() or "not stated"),
    )
    return tuple(findings), facts


def _external(tensor: TensorProto) -> bool:
    return tensor.data_location == 1 or bool(tensor.external_data)


def _count(tensor: TensorProto) -> int:
    count = 1
    for side in tensor.dims:
        count *= side
    return count


def _graphs(model: ModelProto) -> Iterator[GraphProto | FunctionProto]:
    """The graph, the model's own functions, and the graphs inside nodes of either."""
    waiting: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in _graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.HasField("t") else []
                yield from attribute.tensors
