"""``train``: run a recipe, print what came of it beside its baseline, and keep the evidence."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from dataclasses import replace

from lineament.bench.context import default_data
from lineament.cli.output import print_json, print_table
from lineament.core.errors import BadInput
from lineament.learn.recipes import Comparison, Job, recipe, recipes
from lineament.measure.evidence import to_json, write


def train(options: Namespace) -> int:
    """Run one recipe; without a name, list them."""
    if not options.recipe:
        _list(options.json)
        return 0
    entry = recipe(options.recipe)
    known = entry.recipe
    if any(number is not None and number < 1 for number in (options.seeds, options.steps)):
        raise BadInput("--seeds and --steps are at least 1")
    for folder in (options.data, options.faces):
        if folder and not folder.is_dir():
            raise BadInput("is not a folder", str(folder))
    job = Job(
        recipe=known,
        settings=replace(known.settings, steps=options.steps or known.settings.steps),
        seeds=tuple(range(options.seeds or known.seeds)),
        out=options.out / known.slug,
        data=options.data or default_data(),
        faces=options.faces,
        say=lambda line: print(line, file=sys.stderr),
    )
    done = entry.load()(job)
    if os.environ.get("RANK", "0") != "0":  # of several processes that torchrun started, one tells
        return 0
    _keep(job, done)
    if options.json:
        print_json([to_json(result) for result in done.results])
    else:
        print(done.title)
        print_table(done.headings, done.rows)
        print(f"Made in {job.out}: {', '.join(str(p.relative_to(job.out)) for p in done.files)}")
    return 0


def _keep(job: Job, done: Comparison) -> None:
    """Evidence beside the weights: what is in ``evidence/`` comes of the tests of a release."""
    if done.results:
        write(job.recipe.slug, done.results, job.out / "evidence")


def _list(as_json: bool) -> None:
    known = [entry.recipe for entry in recipes().values()]
    if as_json:
        fields = ("slug", "title", "baseline", "seeds", "sets")
        print_json([{name: getattr(each, name) for name in fields} for each in known])
        return
    rows = [
        (each.slug, each.title, each.baseline, str(each.settings.steps), str(each.seeds))
        for each in known
    ]
    print_table(("recipe", "what", "beside", "steps#", "seeds#"), rows)
