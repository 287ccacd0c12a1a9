"""What a network that was trained here sees and gives. It is written into its ONNX file, so that
the file alone is enough to run it.

The note is JSON under the key `KEY` of the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lineament.core.errors import WeightError

KEY = "lineament"
_Kind = Literal["keypoints", "box", "aligned", "method"]
_NAMED = ("sex", "expression", "attributes", "blendshapes", "parsing")


@dataclass(frozen=True, kw_only=True)
class View:
    """How a network sees a face.

    It is given n x 3 x size x size, float32 RGB: ((value / 255) - mean) / std of each channel.

    Attributes:
        kind: "keypoints", a square with the eyes level, laid by the five points
            (`learn.landmarks.crops.template`); "box", an upright square around the middle of the
            detector's box; "aligned", the square of `crops.ARCFACE_112`, brought to `size` by
            averaging; "method", whatever the method's own class makes of it.
        size: side of the square, pixels.
        wider: than the template; or the square's side over the longer side of the box.
        mean: of red, green and blue.
        std: the same.
    """

    kind: _Kind
    size: int
    wider: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.kind not in get_args(_Kind) or not 1 <= self.size <= 4096 or not self.wider > 0:
            raise ValueError(f"no such view: {self.kind!r}, {self.size} pixels, {self.wider} wider")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("mean and std have three values each, those of std above 0")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One of a network's outputs and the field that it becomes.

    Attributes:
        name: in the ONNX file.
        field: ``landmarks`` (n x p x 2, shares of the square from its middle), ``pose`` (n x 3,
            radians), ``age`` (n or n x 1, years), ``parsing`` (n x k x h x w, scores of classes),
            ``embeddings`` (n x d, any length), or ``sex``, ``expression``, ``attributes`` (n x k,
            probabilities).
        names: of the k classes.
        scheme: of landmarks.
    """

    name: str
    field: str
    names: tuple[str, ...] = ()
    scheme: str = ""

    def __post_init__(self) -> None:
        if self.field in _NAMED and not self.names:
            raise ValueError(f"the classes of {self.field} need names")
        if self.field == "landmarks" and not self.scheme:
            raise ValueError("landmarks need a scheme")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network's note on itself.

    Attributes:
        method: slug of the method.
        view: what it sees.
        outputs: what it gives.
    """

    method: str
    view: View
    outputs: tuple[Output, ...]

    def to_json(self) -> str:
        """As it is written into the file."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, metadata: Mapping[str, str], file: str) -> Trained:
        """The note in a file's metadata.

        Args:
            metadata: `Session.metadata`.
            file: its name, for the error.

        Raises:
            WeightError: there is none, or it does not say what it must.
        """
        if KEY not in metadata:
            raise WeightError(f"{file} was not written by `lineament train`: it has no such note")
        try:
            return _read(json.loads(metadata[KEY]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightError(f"{file}: its note on itself cannot be read: {error}") from error


def _read(note: Mapping[str, Any]) -> Trained:
    view = {**note["view"], "mean": tuple(note["view"]["mean"]), "std": tuple(note["view"]["std"])}
    outputs = [Output(**{**each, "names": tuple(each["names"])}) for each in note["outputs"]]
    return Trained(method=str(note["method"]), view=View(**view), outputs=tuple(outputs))
