"""Makes ``weights.md`` from the cards of weights and the evidence."""

from __future__ import annotations

from lineament.measure.evidence import Result, read
from lineament.measure.model_reuse import ATTRIBUTES, Claim, WeightCard, weight_cards
from methods_page import linked, number, table
from page import publish

HEAD = """\
# Weights

What is known of every weight before it is used: where it comes from, on which terms, what its
authors claim and what was measured here, and what its bytes are. This page is made from the cards
and from the evidence that `lineament bench` writes.

Bytes are looked into, never loaded: an archive, a pickle or a program is refused whatever its name,
and an ONNX file with parameters in other files or with operators outside the standard is too.
"""


def overview(cards: list[WeightCard]) -> str:
    """One line a weight."""
    return table(
        ["weight", "method", "MB", "commercial use", f"known, of {len(ATTRIBUTES)}", "open"],
        [
            [
                f"[{c.weight.name}](#{c.weight.name})",
                f"[{c.method}](methods.md#{c.method})",
                f"{c.weight.size / 1e6:.1f}",
                "yes" if c.weight.commercial else "**research only**",
                str(len(c.known)),
                ", ".join(a for a in ATTRIBUTES if a not in c.known),
            ]
            for c in cards
        ],
    )


def claim_row(claim: Claim) -> list[str]:
    """A claimed figure beside ours."""
    if claim.measured is None:
        return [claim.protocol, claim.metric, number(claim.claimed), "not measured", ""]
    low, high = map(number, claim.interval or (claim.measured, claim.measured))
    verdict = {True: "holds", False: "does not hold", None: ""}[claim.holds]
    ours = f"{number(claim.measured)} ({low} to {high})"
    return [claim.protocol, claim.metric, number(claim.claimed), ours, verdict]


def bytes_line(card: WeightCard, found: list[Result]) -> str:
    """What the last run of the protocol found in the file."""
    run = next(
        (
            r
            for r in found
            if r.data == card.weight.name
            and r.data_hash == card.weight.sha256
            and r.metric == "findings against its bytes"
        ),
        None,
    )
    if run is None:
        return "not looked into yet"
    verdict = "nothing against them" if run.ours == 0 else f"**{run.ours:.0f} findings**"
    return f"{verdict}; {run.note}"


def section(card: WeightCard, found: list[Result]) -> str:
    """All of one card."""
    weight = card.weight
    use = "commercial use allowed" if weight.commercial else "research only, asks for acceptance"
    facts = [
        ("Licence", f"{weight.licence}; {use}"),
        ("Trained on", weight.trained_on),
        ("Input", weight.preprocessing),
        ("File", f"`{weight.file}`, {weight.size:,} bytes, sha256 `{weight.sha256}`"),
        ("Bytes", bytes_line(card, found)),
        ("Taken from", "; ".join(f"`{source}`" for source in weight.sources)),
        ("Paper", linked(card.paper)),
        ("Code", linked(card.code) if card.code else "none"),
        ("Measured here by", ", ".join(card.measured) or "nothing yet"),
        ("Risk", card.risk),
    ]
    text = f"## {weight.name}\n\n" + "".join(f"- **{name}.** {what}\n" for name, what in facts)
    if card.claims:
        heads = ["protocol", "metric", "claimed", "ours (95 %)", ""]
        text += "\n" + table(heads, map(claim_row, card.claims))
    return text


def page() -> str:
    """The page."""
    cards, found = weight_cards(), read("model-reuse")
    parts = [section(card, found) for card in cards]
    return "\n".join([HEAD, overview(cards), *parts])


if __name__ == "__main__":
    publish("weights.md", page())
