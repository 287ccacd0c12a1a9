"""Running networks: a thin door to ONNX Runtime, with a clock inside.

Environment:
    LINEAMENT_PROVIDERS: what to run on, best first, as in ``cuda,cpu``; CPU alone where unset.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime

from lineament.core.errors import BadInput, WeightError

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}


class Session:
    """One network, ready to run. Threads may share it.

    Memory stays level however many input sizes come by.

    Args:
        path: an ONNX file.
        threads: that one call may use; None lets ONNX Runtime choose.
        providers: of ``cpu``, ``cuda``, ``openvino``, ``coreml``, best first. Those that are not
            installed are passed over, and CPU stands behind all of them: `provider` says which one
            it came to. None takes LINEAMENT_PROVIDERS, or CPU.

    Attributes:
        path: the file.
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
        provider: what the network really runs on.
        metadata: what the file says of itself, as its maker's own keys and texts.

    Raises:
        WeightError: the file is absent or damaged.
        BadInput: a provider's name is unknown.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._network = _open(self.path, _options(threads), _choose(providers))
        self.inputs = tuple(value.name for value in self._network.get_inputs())
        self.outputs = tuple(value.name for value in self._network.get_outputs())
        names = {full: short for short, full in _PROVIDERS.items()}
        self.provider = names[self._network.get_providers()[0]]
        self.metadata = dict(self._network.get_modelmeta().custom_metadata_map)
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._calls = 0

    def run(self, inputs: np.ndarray | Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs, in the order of `outputs`.

        Args:
            inputs: an array for each name, or one array for a network of one input.

        Raises:
            ValueError: one array was given to a network of several inputs.
        """
        if isinstance(inputs, np.ndarray):
            if len(self.inputs) != 1:
                raise ValueError(f"name the array of each input: {', '.join(self.inputs)}")
            inputs = {self.inputs[0]: inputs}
        start = time.perf_counter()
        try:
            return self._network.run(None, dict(inputs))  # pyright: ignore[reportReturnType]
        finally:
            taken = time.perf_counter() - start
            with self._lock:
                self._seconds += taken
                self._calls += 1

    @property
    def seconds(self) -> float:
        """Time spent inside the network; threads that run at once add up."""
        return self._seconds

    @property
    def calls(self) -> int:
        """How often the network ran."""
        return self._calls

    @contextmanager
    def timed(self) -> Iterator[Session]:
        """Set the clock to zero, as in ``with session.timed() as clock: ...; clock.seconds``."""
        with self._lock:
            self._seconds = 0.0
            self._calls = 0
        yield self


def _options(threads: int | None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.inter_op_num_threads = 1
    if threads is not None:
        options.intra_op_num_threads = threads
    # A memory plan is kept for each input size ever seen: over photos of all sizes it only grows.
    options.enable_mem_pattern = False
    # Idle threads that spin take their core from whoever has work: with a second busy process on
    # two cores, two spinning threads are slower than one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _choose(providers: Sequence[str] | None) -> list[str]:
    """Full names of the installed ones among those asked for, CPU last."""
    if providers is None:
        providers = os.environ.get("LINEAMENT_PROVIDERS", "").replace(",", " ").split()
    wanted = [name.lower() for name in providers]
    if unknown := set(wanted) - set(_PROVIDERS):
        raise BadInput(
            f"no provider goes by {', '.join(sorted(unknown))}; there are {', '.join(_PROVIDERS)}"
        )
    installed = onnxruntime.get_available_providers()
    full = [_PROVIDERS[name] for name in dict.fromkeys([*wanted, "cpu"])]
    return [name for name in full if name in installed]


def _open(
    path: Path, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise WeightError(f"{path}: there is no such model file")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no common base but this one
        reason = " ".join(str(error).split())[:200]
        raise WeightError(f"{path} is damaged or no ONNX model: {reason}") from error
