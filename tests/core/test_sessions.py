"""Sessions: right answers, an honest clock, level memory, and one line for a broken file."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineament.core.errors import BadInput, WeightError
from lineament.core.sessions import Session


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolves n x 3 x h x w pictures with 8 filters of ones."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    ones = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Add", ["c", "s"], ["y"]),
    ]
    return _saved(tmp_path_factory, helper.make_graph(nodes, "g", [x], [y], [ones]))


@pytest.fixture(scope="module")
def difference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two inputs, two outputs: a - b and b - a."""
    a, b, y, z = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in "abyz")
    nodes = [helper.make_node("Sub", ["a", "b"], ["y"]), helper.make_node("Sub", ["b", "a"], ["z"])]
    return _saved(tmp_path_factory, helper.make_graph(nodes, "g", [a, b], [y, z]))


def _saved(factory: pytest.TempPathFactory, graph: onnx.GraphProto) -> Path:
    path = factory.mktemp("net") / "net.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def test_one_array_goes_to_the_one_input(network: Path) -> None:
    session = Session(network, threads=1)
    (y,) = session.run(np.ones((2, 3, 4, 4), np.float32))
    assert y.shape == (2, 8, 4, 4)
    # 27 ones under the filter inside, 12 in a corner; the sigmoid of both is 1.
    assert y[0, 0, 1, 1] == pytest.approx(28)
    assert y[0, 0, 0, 0] == pytest.approx(13, abs=1e-4)
    assert (session.inputs, session.outputs) == (("x",), ("y",))


def test_named_arrays_come_back_in_order(difference: Path) -> None:
    session = Session(str(difference))
    a, b = np.array([5], np.float32), np.array([2], np.float32)
    assert [y.item() for y in session.run({"b": b, "a": a})] == [3, -3]
    with pytest.raises(ValueError, match="name the array of each input: a, b"):
        session.run(a)  # which of the two would it be?


def test_the_clock_runs_inside_the_network_only(network: Path) -> None:
    session = Session(network, threads=1)
    pixels = np.ones((1, 3, 256, 256), np.float32)
    session.run(pixels)
    start = time.perf_counter()
    with session.timed() as clock:
        for _ in range(5):
            session.run(pixels)
        inside = time.perf_counter() - start
        time.sleep(0.2)
    assert session.calls == clock.calls == 5
    assert 0.2 * inside < clock.seconds <= inside


def test_threads_lose_no_call(network: Path) -> None:
    session = Session(network, threads=1)
    pixels = np.ones((1, 3, 8, 8), np.float32)
    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: session.run(pixels)[0], range(400)))
    wall = time.perf_counter() - start
    assert session.calls == 400
    assert 0 < session.seconds < 8 * wall
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_a_failed_call_leaves_the_session_usable(network: Path) -> None:
    session = Session(network)
    with pytest.raises(Exception, match="Got invalid dimensions"):
        session.run(np.ones((1, 4, 8, 8), np.float32))
    assert session.run(np.ones((1, 3, 8, 8), np.float32))[0].shape == (1, 8, 8, 8)


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_damaged_model_is_one_line(tmp_path: Path, network: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(network.read_bytes()[:-40] if content is None else content)
    with pytest.raises(WeightError, match="is damaged or no ONNX model") as caught:
        Session(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightError, match="there is no such model file"):
        Session(tmp_path / "absent.onnx")


def test_the_provider_is_the_one_that_runs(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAMENT_PROVIDERS", raising=False)
    assert Session(network).provider == "cpu"
    with pytest.raises(BadInput, match="no provider goes by tpu; there are cpu, cuda"):
        Session(network, providers=["tpu"])
    monkeypatch.setenv("LINEAMENT_PROVIDERS", "tpu")
    with pytest.raises(BadInput, match="tpu"):
        Session(network)
    assert Session(network, providers=["CPU"]).provider == "cpu"
    absent = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    monkeypatch.setenv("LINEAMENT_PROVIDERS", "cuda, cpu")
    assert (Session(network).provider == "cpu") == absent


_MEMORY = """
import sys, numpy as np
from lineament.core.sessions import Session

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

session = Session(sys.argv[1], threads=1)
canvas = np.zeros((3, 3, 256, 256), np.float32)
shapes = [(n, h, w) for n in (1, 2, 3) for h in range(40, 256, 7) for w in range(40, 256, 7)]
np.random.default_rng(0).shuffle(shapes)
session.run(canvas)
seen = []
for n, h, w in shapes:
    session.run(np.ascontiguousarray(canvas[:n, :, :h, :w]))
    seen.append(resident())
print(len(shapes), max(seen[:300]), max(seen[-300:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_level_over_thousands_of_sizes(network: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(network)], capture_output=True, text=True, check=True
    )
    count, early, late = map(float, done.stdout.split())
    assert count > 2500
    assert late - early < 4  # MB
