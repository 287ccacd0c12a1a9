"""Every weight's card: how much of it is filled, and what its bytes are.

The same ten attributes are counted twice: on our cards, and in what the package that a weight is
taken from says of it.
"""

from __future__ import annotations

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.cards import weights
from lineament.core.errors import LicenceNotAccepted
from lineament.core.weights import fetch
from lineament.measure.evidence import Result
from lineament.measure.model_reuse import ATTRIBUTES, STATED, WeightCard, weight_cards


def run(context: Context) -> Outcome:
    """Fetch every weight that may be used here, and look into it."""
    files = {}
    for name, weight in weights().items():
        try:
            files[name] = fetch(weight)
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
    cards = [card for card in weight_cards(files=files) if card.file]
    return Outcome(
        [_card_table(cards), _attribute_table(cards)], [r for card in cards for r in _results(card)]
    )


def stated(card: WeightCard) -> tuple[str, frozenset[str]] | None:
    """The first package that the weight is taken from, and what that says of it."""
    return next(((p, STATED[p]) for p in card.packages if p in STATED), None)


def _card_table(cards: list[WeightCard]) -> Table:
    rows = []
    for card in cards:
        package = stated(card)
        assert card.file is not None
        rows.append(
            (
                card.weight.name,
                card.file.format,
                "yes" if card.intact else "NO",
                "; ".join(card.file.findings) or "nothing",
                f"{len(card.known)}",
                f"{len(package[1])}" if package else "-",
                ", ".join(a for a in ATTRIBUTES if a not in card.known) or "-",
            )
        )
    return Table(
        f"Weights: what their bytes are, and how many of {len(ATTRIBUTES)} attributes are known",
        ("weight", "format", "as recorded", "against it", "card#", "package#", "open on the card"),
        rows,
    )


def _attribute_table(cards: list[WeightCard]) -> Table:
    packages = [package[1] for card in cards if (package := stated(card))]
    return Table(
        f"How many weights have it: {len(cards)} cards, and their packages' descriptions",
        ("attribute", "card#", "package#"),
        [
            (a, f"{sum(a in c.known for c in cards)}", f"{sum(a in p for p in packages)}")
            for a in ATTRIBUTES
        ],
    )


def _results(card: WeightCard) -> list[Result]:
    assert card.file is not None
    package = stated(card)
    facts = [("format", card.file.format), *card.file.facts]
    known = Result(
        method="model-reuse",
        protocol="model-reuse",
        data=card.weight.name,
        data_hash=card.weight.sha256,
        metric=f"attributes known, of {len(ATTRIBUTES)}",
        ours=len(card.known),
        baseline=package and package[0].partition(":")[2],
        baseline_value=package and len(package[1]),
        note="Open: " + (", ".join(a for a in ATTRIBUTES if a not in card.known) or "nothing"),
    )
    against = Result(
        method="model-reuse",
        protocol="model-reuse",
        data=card.weight.name,
        data_hash=card.weight.sha256,
        metric="findings against its bytes",
        ours=len(card.file.findings) + (not card.intact),
        higher_is_better=False,
        note="; ".join([*(f"{name} {value}" for name, value in facts), *card.file.findings]),
    )
    return [known, against]


PROTOCOL = Protocol("model-reuse", "what is known of each weight, and what its bytes are", run)
"""`lineament bench model-reuse`."""
