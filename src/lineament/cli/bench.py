"""``bench``: measure, print, and write the evidence."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from lineament.bench.context import (
    Context,
    Outcome,
    default_album,
    default_data,
    protocol,
    protocols,
)
from lineament.cli.output import print_json, print_table
from lineament.core.errors import BadInput, MissingFile
from lineament.measure.evidence import to_json, write


def bench(options: Namespace) -> int:
    """Run one protocol, or all of them; without a name, list them."""
    if not options.all and not options.protocol:
        _list(options.json)
        return 0
    chosen = protocols().values() if options.all else [protocol(options.protocol)]
    context = Context(
        data=options.data or default_data(),
        album=default_album(),
        out=options.out,
        methods=tuple(options.methods),
        say=lambda line: print(line, file=sys.stderr),
    )
    rows = []
    for each in chosen:
        try:
            outcome = each.run(context)
        except MissingFile as error:
            if not options.all:
                raise
            context.say(f"left out {each.name}: {error}")
            continue
        _keep(outcome, options.out)
        rows += [to_json(result) for result in outcome.results]
        if not options.json:
            _show(outcome)
    if options.json:
        print_json(rows)
    return 0


def _list(as_json: bool) -> None:
    rows = [{"name": p.name, "title": p.title, "sets": p.sets} for p in protocols().values()]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("protocol", "measures", "needs"),
            [(r["name"], r["title"], ", ".join(r["sets"]) or "-") for r in rows],
        )


def _keep(outcome: Outcome, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInput("is not a folder", str(folder))
    for slug in {result.method for result in outcome.results}:
        write(slug, [r for r in outcome.results if r.method == slug], folder)


def _show(outcome: Outcome) -> None:
    for table in outcome.tables:
        print(table.title)
        print_table(table.headings, table.rows)
