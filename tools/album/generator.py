"""MobileStyleGAN with a style for each layer: https://arxiv.org/abs/2104.04767."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops

Array = np.ndarray
Find = Callable[[str], Path]

SEED = 0
FRAME = 1024  # pictures are FRAME x FRAME
LAYERS = 23  # style inputs, coarse to fine
AXES = 40  # principal axes in use: three quarters of the variance


class Generator:
    """MobileStyleGAN with one style per layer, and the geometry of its style space."""

    def __init__(self, find: Find) -> None:
        core = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
        mapping = core.compile_model(
            core.read_model(find("MappingNetwork.xml"), find("MappingNetwork.bin")), "CPU"
        )
        network = core.read_model(find("SynthesisNetwork.xml"), find("SynthesisNetwork.bin"))
        self._synthesis = core.compile_model(one_style_per_layer(network), "CPU")
        draws = np.random.default_rng(SEED).standard_normal((8000, 1, 512)).astype(np.float32)
        styles = np.concatenate([mapping(z)[0] for z in draws])
        self.mean = styles.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((styles - self.mean).T))
        scale = np.sqrt(variance[::-1][:AXES])
        #: (AXES, 512): principal axes, one standard deviation long.
        self.axes = axes[:, ::-1].T[:AXES] * scale[:, None]
        #: (8000, AXES): the drawn styles, in standard deviations.
        self.coordinates = (styles - self.mean) @ axes[:, ::-1][:, :AXES] / scale
        self._styles = styles

    def style(self, draw: int) -> Array:
        """(LAYERS, 512): the style of one draw, pulled towards the mean for a cleaner picture."""
        return np.tile(self.mean + 0.8 * (self._styles[draw] - self.mean), (LAYERS, 1))

    def picture(self, style: Array) -> Array:
        """(FRAME, FRAME, 3) uint8 RGB."""
        values = self._synthesis(style.astype(np.float32))[0][0]
        return ((values.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(1, 2, 0)


def one_style_per_layer(network: openvino.Model) -> openvino.Model:
    """The same network with input (LAYERS, 512) in place of (1, 512)."""
    old = network.inputs[0]
    new = ops.parameter([LAYERS, 512], np.float32, "styles")
    users = list(old.get_target_inputs())
    # A layer's own affine map of the style is a Gemm; their numbers rise from coarse to fine.
    maps = [user for user in users if user.get_node().get_type_name() == "MatMul"]
    maps.sort(key=lambda user: int(re.findall(r"\d+", user.get_node().get_friendly_name())[0]))
    rows = {id(user): row for row, user in enumerate(maps)}
    for user in users:
        row = rows.get(id(user), 0)
        one = ops.slice(new, np.array([row]), np.array([row + 1]), np.array([1]), np.array([0]))
        user.replace_source_output(one.output(0))
    network.add_parameters([new])
    network.remove_parameter(old.get_node())
    network.validate_nodes_and_infer_types()
    return network
