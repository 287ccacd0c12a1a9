"""``methods`` and ``models``: what there is, what it has shown, and on what terms."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from lineament.cli.output import print_json, print_table, progress
from lineament.core import cards, weights
from lineament.core.errors import BadInput
from lineament.measure.evidence import status


def methods(options: Namespace) -> int:
    """List the cards, or show one whole."""
    if options.slug:
        return _one_method(cards.method(options.slug), options.json)
    rows = [
        {
            "slug": m.card.slug,
            "title": m.card.title,
            "room": m.room,
            "verb": m.card.verb,
            "status": status(m),
            "paper": m.card.paper,
            "licences": [w.licence for w in m.card.weights],
        }
        for m in cards.methods().values()
    ]
    if options.json:
        print_json(rows)
    else:
        print_table(
            ("method", "room", "verb", "status", "title"),
            [(r["slug"], r["room"], r["verb"], r["status"], r["title"]) for r in rows],
        )
    return 0


def _one_method(found: cards.Method, as_json: bool) -> int:
    card = {"room": found.room, "status": status(found), **asdict(found.card)}
    if as_json:
        print_json(card)
    else:
        rows = [(key, _words(value)) for key, value in card.items() if value and key != "weights"]
        rows += [(f"weight {w.name}", f"{w.licence}; {w.trained_on}") for w in found.card.weights]
        print_table(("", found.card.slug), rows)
    return 0


def _words(value: object) -> str:
    return "\n".join(map(_words, value)) if isinstance(value, tuple | list) else str(value)


def models(options: Namespace) -> int:
    """List weights; with options, accept terms, fetch ahead, or check what is cached."""
    known = cards.weights()
    if unknown := set(options.names) - set(known):
        raise BadInput(f"no weight {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if (options.accept or options.fetch) and not options.names:
        raise BadInput("say which weights; `lineament models` lists them")
    chosen = [known[name] for name in options.names or known]
    if options.accept:
        for weight in chosen:
            weights.accept(weight)
    if options.fetch:
        with progress(not options.json) as bars:
            for weight in chosen:
                task = bars.add_task(weight.name, total=weight.size)
                weights.fetch(
                    weight, progress=lambda done, total, t=task: bars.update(t, completed=done)
                )
    if options.verify:
        for weight in chosen:
            if weights.cached(weight):
                weights.verify(weight)
    if options.cards:
        _print_cards(chosen, options)
    else:
        _print_models(chosen, options)
    return 0


def _print_cards(chosen: list[cards.Weight], options: Namespace) -> None:
    """Origin, terms, claims beside measurements, and what the cached bytes are."""
    from lineament.measure.model_reuse import ATTRIBUTES, weight_cards

    names = {weight.name for weight in chosen}
    files = {weight.name: path for weight in chosen if (path := weights.cached(weight))}
    found = [card for card in weight_cards(files=files) if card.weight.name in names]
    if options.json:
        print_json(
            [{**asdict(card), "intact": card.intact, "known": sorted(card.known)} for card in found]
        )
        return
    for card in found:
        claims = [
            f"{c.protocol}, {c.metric}: claimed {c.claimed:g}, "
            + ("not measured here" if c.measured is None else f"measured {c.measured:.4g}")
            for c in card.claims
        ]
        risks = list(card.file.findings) if card.file else ["not on this machine"]
        rows = {
            "method": card.method,
            "licence": card.weight.licence,
            "commercial use": "allowed" if card.weight.commercial else "not allowed",
            "trained on": card.weight.trained_on,
            "taken from": "\n".join(card.weight.sources),
            "sha256": card.weight.sha256,
            "bytes": "\n".join(risks) or f"{card.file.format if card.file else ''}, no findings",
            "as recorded": {True: "yes", False: "NO", None: "-"}[card.intact],
            "claims": "\n".join(claims) or "none",
            "risk": card.risk,
            "open": ", ".join(a for a in ATTRIBUTES if a not in card.known) or "nothing",
        }
        print_table(("", card.weight.name), list(rows.items()))


def _print_models(chosen: list[cards.Weight], options: Namespace) -> None:
    accepted = weights.accepted()
    rows = [
        {
            "name": w.name,
            "megabytes": round(w.size / 1e6, 1),
            "licence": w.licence,
            "commercial": w.commercial,
            "accepted": w.commercial or w.name in accepted,
            "cached": weights.cached(w) is not None,
            "sha256": w.sha256,
            "trained_on": w.trained_on,
        }
        for w in chosen
    ]
    if options.json:
        print_json(rows)
        return
    state = "whole" if options.verify else "cached"
    print_table(
        ("weight", "MB#", "here", "use", "licence"),
        [
            (
                r["name"],
                r["megabytes"],
                state if r["cached"] else "-",
                "free"
                if r["commercial"]
                else "research, accepted"
                if r["accepted"]
                else "research",
                r["licence"],
            )
            for r in rows
        ],
    )
