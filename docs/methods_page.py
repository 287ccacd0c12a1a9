"""Makes ``methods.md`` from the cards and the evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from lineament.core.cards import Card, Method, Weight, methods
from lineament.measure.evidence import Result, read, read_all, status
from page import publish

HEAD = """\
# Methods

Every method is one file that begins with its card. This page is made from the cards and from the
evidence that `lineament bench` writes.

A status is computed, never typed: `card` is described; `runs` can be called, and the tests call
it; `measured` was held against a named baseline; `reproduced` means that every figure of the paper
that we measured holds here.
"""

VERBS = {
    "detect": "Finding faces",
    "embed": "Telling faces apart",
    "identify": "Whole systems",
    "describe": "Describing faces",
    "extract": "Features for any purpose",
    "check": "Checks of a gallery",
    "judge": "Comparing whole chains",
    "audit": "Looking into weights",
}
"""Titles of the parts, in the order of the page; other verbs follow under their own names."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; pipes in cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(c.replace('|', chr(92) + '|') for c in row)} |\n" for row in lines
    )


def linked(reference: str) -> str:
    """A reference as a link, where it leads somewhere."""
    if match := re.fullmatch(r"arXiv:(\S+)", reference):
        return f"[{reference}](https://arxiv.org/abs/{match[1]})"
    if match := re.fullmatch(r"doi:(\S+)", reference):
        return f"[{reference}](https://doi.org/{match[1]})"
    if re.fullmatch(r"(https?://)?[\w.-]+\.[a-z]+/\S+", reference):
        bare = re.sub(r"^https?://", "", reference)
        return f"[{bare}]({reference if reference != bare else 'https://' + bare})"
    return reference


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def figure(result: Result) -> str:
    """Our figure with its interval."""
    if result.interval is None:
        return number(result.ours)
    low, high = map(number, result.interval)
    return f"{number(result.ours)} ({low} to {high})"


def held_against(result: Result) -> str:
    if result.baseline is None:
        return ""
    return f"{result.baseline} {number(result.baseline_value)}".strip()


def claim(result: Result) -> str:
    if result.paper is None:
        return ""
    return f"{number(result.paper)}, {'holds' if result.claim_holds else 'does not hold'}"


MANY = 12
"""A protocol of more figures than this stands on the leaderboard alone."""


def folded(results: Sequence[Result]) -> str:
    """The figures of a method; of protocols that have very many, where they are to be found."""
    counts = Counter(r.protocol for r in results)
    few = [r for r in results if counts[r.protocol] <= MANY]
    text = "Measured here:\n\n" + evidence_table(few) + "\n" if few else ""
    for protocol, count in sorted(counts.items()):
        if count > MANY:
            text += f"{count} figures of `{protocol}` are on the [leaderboard](leaderboard.md).\n\n"
    return text


def evidence_table(results: Sequence[Result]) -> str:
    return table(
        ["protocol", "data", "metric", "ours (95 %)", "beside it", "the paper's"],
        [
            [r.protocol, r.data, r.metric, figure(r), held_against(r), claim(r)]
            for r in sorted(results, key=lambda r: r.key)
        ],
    )


def weight_lines(weight: Weight) -> str:
    use = (
        "commercial use allowed" if weight.commercial else "**research only**, asks for acceptance"
    )
    return (
        f"- weight `{weight.name}`: {weight.licence}; {use}. "
        f"Trained on {weight.trained_on}. {weight.size / 1e6:.1f} MB, "
        f"sha256 `{weight.sha256[:16]}`...\n"
    )


def section(method: Method) -> str:
    card = method.card
    facts = [
        f"`{method.module}` · paper {linked(card.paper)}"
        + (f" · code {linked(card.code)}" if card.code else ""),
        f"Needs {', '.join(card.needs)}; gives {', '.join(card.gives)}.",
        f"**Risk.** {card.risk}",
    ]
    if card.deviations:
        facts.append(f"**Departs from the paper.** {' '.join(card.deviations)}")
    text = f"### {card.slug}\n\n**{card.title}** ({status(method)}). {card.task}\n\n"
    text += "\n\n".join(facts) + "\n\n"
    text += "".join(map(weight_lines, card.weights)) + "\n"
    if card.published:
        rows = [[protocol, metric, number(value)] for protocol, metric, value in card.published]
        text += "The authors' figures:\n\n" + table(["protocol", "metric", "value"], rows) + "\n"
    if results := read(card.slug):
        text += folded(results)
    return text


def overview(found: Iterable[Method]) -> str:
    def terms(card: Card) -> str:
        return "research only" if any(not w.commercial for w in card.weights) else "commercial use"

    return table(
        ["method", "verb", "status", "weights allow", "what it does"],
        [
            [f"[{m.card.slug}](#{m.card.slug})", m.card.verb, status(m), terms(m.card), m.card.task]
            for m in found
        ],
    )


def page() -> str:
    order = [*VERBS, *(m.card.verb for m in methods().values())]
    found = sorted(methods().values(), key=lambda m: order.index(m.card.verb))
    text = HEAD + "\n" + overview(found)
    for verb, group in groupby(found, key=lambda m: m.card.verb):
        text += f"\n## {VERBS.get(verb, verb.capitalize())}\n\n" + "\n".join(map(section, group))
    whole = {slug: rows for slug, rows in read_all().items() if slug not in methods() and rows}
    if whole:
        text += "\n## The whole\n\nWhat is of no one method.\n"
    for slug, results in whole.items():
        text += f"\n### {slug}\n\n" + evidence_table(results)
    return re.sub(r"\n{3,}", "\n\n", text)


if __name__ == "__main__":
    publish("methods.md", page())
