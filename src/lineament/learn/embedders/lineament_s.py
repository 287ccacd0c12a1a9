"""The small embedder that is shipped: SFace made small, then taught by SFace on faces of nobody.

Four steps. SFace becomes a torch network (`sface_torch`); channels go and slopes go, and what is
left is solved anew in closed form (`pruning`); the narrow network learns to say of a worse picture
what SFace says of the clean one (`distil`); its numbers become bytes (`quantise`). The faces are
generated (`tools/make_faces.py`, `tools/make_quick_faces.py`) and need no label. No card stands
here: what the network does is the method of `know.embed.lineament_s`.

Source: Y. He, X. Zhang, J. Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV
2017 (arXiv:1707.06168); G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural
Network" (arXiv:1503.02531).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from torch import nn

from lineament.core.cards import weights
from lineament.core.errors import BadInput
from lineament.core.sessions import Session
from lineament.core.weights import fetch
from lineament.learn import checkpoint
from lineament.learn.embedders import judge
from lineament.learn.embedders.distil import agreement, distil
from lineament.learn.embedders.material import Faces, gather, unit
from lineament.learn.embedders.pruning import even, narrow
from lineament.learn.embedders.quantise import quantise
from lineament.learn.embedders.sface_torch import Chain, read_sface, restored
from lineament.learn.embedders.worse import still, worse
from lineament.learn.export import export
from lineament.learn.recipes import Comparison, Job, Recipe
from lineament.learn.settings import DISTILLING, DISTILLING_ON_GPU

RECIPE = Recipe(
    slug="lineament-s",
    title="SFace made small, taught by SFace on generated faces",
    entry="run",
    baseline="SFace, and the narrow network before it was taught",
    settings=DISTILLING,
    gpu=DISTILLING_ON_GPU,
    seeds=1,
    sets=("lfw",),
    of=("lineament-s",),
)

TEACHER = "sface"
WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""Outputs of the full and of each pointwise convolution: as many as SFace has."""
MIXED = 128
"""Channels that the head mixes the last maps to, before the dense layer over all places."""
FROZEN = 9
"""First units, which keep the weights of the closed form. They hold few weights, but their maps are
large, and much of a step's time would go into them."""
TAUGHT = 0.5
"""How far the weights go from the closed form's to the taught ones: what teaching gains on worse
pictures costs some agreement on clean ones, and between both lies more than either. Of 0.5 and 0.8
this was the better on faces of CelebA, which nothing learnt from. Source: M. Wortsman et al.,
"Robust fine-tuning of zero-shot models", CVPR 2022 (arXiv:2109.01903)."""
SOLVED_ON, EVENED_ON, CALIBRATED_ON = 2048, 48, 96
"""Faces that the closed form looks at, that channels are evened on, and that ranges of bytes are
found on."""


@dataclass(frozen=True, eq=False)
class Network:
    """An ONNX file that embeds crops.

    Attributes:
        path: of the file.
        session: that runs it, on one thread.
    """

    path: Path
    session: Session

    @staticmethod
    def open(path: Path) -> Network:
        """The network of a file."""
        return Network(path, Session(path, threads=1))

    def __call__(self, crops: UInt8[np.ndarray, "n 112 112 3"]) -> Float32[np.ndarray, "n d"]:
        """Embeddings of length 1."""
        parts = [
            self.session.run(_planes(crops[start : start + 32]))[0]
            for start in range(0, len(crops), 32)
        ]
        return unit(np.concatenate(parts))


@dataclass(frozen=True, eq=False)
class Made:
    """What came of one run: the closed form alone, and what is shipped."""

    narrow: Network
    taught: Network


def run(job: Job) -> Comparison:
    """Make it once a seed, and hold it to SFace and to the narrow network before it was taught.

    Raises:
        BadInput: no folder of faces is named, or LFW is not there.
    """
    if job.data is None:
        raise BadInput("an embedder is measured on lfw: name the folder of test sets (--data)")
    teacher = read_sface(fetch(weights()[TEACHER]))
    sface, faces = teach(job)
    learn, choose = faces.split()
    networks: dict[str, list[Network]] = {
        "SFace": [sface],
        "narrow, not taught": [],
        "lineament-s": [],
    }
    for seed in job.seeds:
        made = make(teacher, learn, choose, seed, job.out / f"seed-{seed}", job)
        networks["narrow, not taught"].append(made.narrow)
        networks["lineament-s"].append(made.taught)
    held_out = agreements(networks, choose)
    done = judge.compare(job, networks, held_out, len(learn), job.out / "made")
    return replace(done, files=[each.path for each in networks["lineament-s"]])


def make(teacher: Chain, learn: Faces, choose: Faces, seed: int, folder: Path, job: Job) -> Made:
    """All four steps once; what was begun in the folder is taken up.

    Args:
        teacher: SFace.
        learn: faces to learn from.
        choose: other faces, on which progress is shown.
        seed: of everything random.
        folder: of the run.
        job: whose settings count.
    """
    folder.mkdir(parents=True, exist_ok=True)
    student = narrowed(teacher, learn, seed, folder, job)
    narrow = Network.open(_written(student, folder / "narrow.onnx"))
    solved = [each.detach().clone() for each in student.parameters()]
    freeze(student)
    taught = distil(student, learn, choose, replace(job.settings, seed=seed), folder, job.say)
    assert isinstance(taught, Chain)
    taught.cpu().requires_grad_(False)
    for now, before in zip(taught.parameters(), solved, strict=True):
        now.lerp_(before, 1 - TAUGHT)
    full = Network.open(_written(taught, folder / "lineament_s_32.onnx"))
    some = learn[np.random.default_rng(seed).permutation(len(learn))[:CALIBRATED_ON]].crops
    # Steps of bytes are wasted on a lone large channel.
    even(taught, some[:EVENED_ON], peaks=1.0)
    quantise(taught, some, folder / "lineament_s.onnx")
    made = Made(narrow, Network.open(folder / "lineament_s.onnx"))
    bits = agreement(full(choose.crops), made.taught(choose.crops))
    job.say(f"8 bits agree with 32 by a mean cosine of {bits:.4f}")
    return made


def teach(job: Job) -> tuple[Network, Faces]:
    """SFace, written by us, and the faces of a job with its embeddings.

    Written by us it is the same network without the slow PReLU, and takes far less time.

    Raises:
        BadInput: no folder of faces is named.
    """
    if job.faces is None:
        raise BadInput("name a folder of faces to learn from (--faces)")
    made = job.out / "made"
    made.mkdir(parents=True, exist_ok=True)
    weight = weights()[TEACHER]
    sface = Network.open(_written(read_sface(fetch(weight)), made / "sface.onnx"))
    name = f"{TEACHER} {weight.sha256}, mirrored crops added"
    return sface, gather(job.faces, made, sface, name, job.say)


def narrowed(teacher: Chain, learn: Faces, seed: int, folder: Path, job: Job) -> Chain:
    """The narrow network of the closed form, its channels evened: made once, then kept."""
    kept = folder / "narrow.pt"
    if state := checkpoint.load(kept):
        return restored(state, [unit.stride for unit in teacher])
    some = half_worse(learn[np.random.default_rng(seed).permutation(len(learn))[:SOLVED_ON]])
    student = narrow(teacher, some, WIDTHS, MIXED, job.say, seed)
    even(student, some[:EVENED_ON])
    checkpoint.save(kept, student.state_dict())
    return student


def half_worse(faces: Faces) -> UInt8[np.ndarray, "n 112 112 3"]:
    """Crops, every other one made worse: a layer that is solved on many kinds of pictures gives
    what it should on others too."""
    crops = faces.crops
    for start in range(0, len(crops), 64):
        part = slice(start, start + 64)
        seen = worse(faces.squares[part], np.random.default_rng(start)).round().byte()
        crops[part][1::2] = seen.permute(0, 2, 3, 1).numpy()[1::2]
    return crops


def freeze(student: Chain) -> None:
    """Keep the first units as they are."""
    for first in [*student][:FROZEN]:
        first.requires_grad_(False)


def _written(model: nn.Module, path: Path) -> Path:
    """A model as ONNX, held to torch."""
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    export(model, still(crops).contiguous(), path, tolerance=1e-3)
    return path


def agreements(
    networks: Mapping[str, list[Network]], choose: Faces
) -> dict[str, tuple[float, float]]:
    """Mean cosine with the teacher's embeddings of faces that nothing was learnt from: as they are,
    and made worse."""
    seen = worse(choose.squares, np.random.default_rng(0))
    damaged = seen.round().byte().permute(0, 2, 3, 1).numpy()
    return {
        name: tuple(
            float(np.mean([agreement(each(crops), choose.targets) for each in some]))
            for crops in (choose.crops, damaged)
        )
        for name, some in networks.items()
    }  # pyright: ignore[reportReturnType]


def _planes(crops: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n 3 h w"]:
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
