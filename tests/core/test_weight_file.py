"""What bytes are, told without loading them: real formats made here, and what hides in ONNX."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineament.core.cards import weights
from lineament.core.weight_file import file_format, inspect_file, is_pickle
from lineament.core.weights import cached, fetch


def model(*nodes: onnx.NodeProto, **more) -> onnx.ModelProto:
    value = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [value],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], **more)


def report(folder: Path, data: bytes, name: str = "weight.onnx"):
    path = folder / name
    path.write_bytes(data)
    return inspect_file(path)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("data.pkl"))
    return stream.getvalue()


def test_a_plain_model_has_nothing_against_it(tmp_path):
    data = model(producer_name="me", producer_version="1").SerializeToString()
    found = report(tmp_path, data)
    assert found.safe
    assert found.format == "onnx"
    assert found.size == len(data)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert dict(found.facts) == {"parameters": "6", "opset": "13", "made by": "me 1"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("content", [{"a": [1, 2]}, [0.5], (1, "x"), Path("x")], ids=str)
def test_every_protocol_of_pickle_is_refused(tmp_path, protocol, content):
    data = pickle.dumps(content, protocol)
    assert is_pickle(data)
    found = report(tmp_path, data)
    assert found.format == "pickle"
    assert not found.safe
    assert "runs whatever it says" in found.findings[0]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("zip", zipped()),
        ("tar", tarred()),
        ("gzip", gzip.compress(b"x", mtime=0)),
        ("executable", b"\x7fELF" + bytes(60)),
        ("script", b"#!/bin/sh\n"),
        ("hdf5", b"\x89HDF\r\n\x1a\n"),
        ("unknown", b"hello"),
        ("unknown", b""),
    ],
)
def test_what_is_no_weight_is_refused_whatever_its_name(tmp_path, name, data):
    found = report(tmp_path, data)
    assert found.format == name
    assert not found.safe


def test_tflite_is_known_by_its_mark():
    assert file_format(b"\x1c\x00\x00\x00TFL3" + bytes(20)) == "tflite"


def test_parameters_in_other_files_are_found(tmp_path):
    outside = model()
    tensor = outside.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"
    found = report(tmp_path, outside.SerializeToString())
    assert found.findings == ("1 parameters lie in other files, such as w",)


def test_parameters_in_other_files_are_found_within_branches(tmp_path):
    inner = model().graph
    inner.initializer[0].data_location = TensorProto.EXTERNAL
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=model().graph)
    found = report(tmp_path, model(node).SerializeToString())
    assert "other files" in found.findings[0]


def test_operators_of_somebody_s_own_are_found(tmp_path):
    node = helper.make_node("Steal", ["x"], ["y"], domain="com.example")
    found = report(tmp_path, model(node).SerializeToString())
    assert found.findings == ("operators that are not of the standard: com.example",)


def test_a_function_that_the_model_brings_along_is_no_foreign_operator(tmp_path):
    opset = [helper.make_opsetid("", 13)]
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("own", "Rectify", ["a"], ["b"], body, opset)
    node = helper.make_node("Rectify", ["x"], ["y"], domain="own")
    assert report(tmp_path, model(node, functions=[function]).SerializeToString()).safe
    function.node[0].domain = "elsewhere"
    foreign = report(tmp_path, model(node, functions=[function]).SerializeToString())
    assert "elsewhere" in foreign.findings[0]


def test_every_weight_of_ours_that_is_here_is_what_its_record_says():
    fetch(weights()["yunet"])
    here = {name: path for name, weight in weights().items() if (path := cached(weight))}
    assert "yunet" in here
    for name, path in here.items():
        seen = inspect_file(path)
        assert seen.safe, (name, seen.findings)
        assert (seen.size, seen.sha256) == (weights()[name].size, weights()[name].sha256)


def bundle(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_bundle_of_tflite_files_is_data_and_any_other_archive_is_not(tmp_path):
    network = b"\x1c\x00\x00\x00TFL3" + bytes(100)
    plain = bundle({"a.tflite": network, "about.binarypb": b"\x0a\x01x"})
    assert report(tmp_path, plain, "face.task").format == "tflite bundle"
    assert report(tmp_path, plain, "face.task").safe
    packed = bundle({"a.tflite": network}, zipfile.ZIP_DEFLATED)
    hidden = bundle({"a.tflite": network, "b.tflite": b"import os"})
    for data in (packed, hidden, bundle({}), plain[:40]):
        assert not report(tmp_path, data, "face.task").safe
    assert not report(tmp_path, plain, "face.zip").safe


def test_a_graph_of_tensorflow_js_is_told_from_other_json(tmp_path):
    assert report(tmp_path, b'{"modelTopology": {}}', "net.json").format == "tfjs graph"
    for data in (b'{"model": 1}', b"[" * 100_000, b"{", b"[1]"):
        assert not report(tmp_path, data, "net.json").safe
    assert report(tmp_path, b"\x01\x02\x03\x04", "net.bin").format == "numbers"
    assert not report(tmp_path, pickle.dumps([1]), "net.bin").safe
