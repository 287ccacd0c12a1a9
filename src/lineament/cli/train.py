"""``train``: run a recipe, print what came of it beside its baseline, and keep the evidence."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from lineament.bench.context import default_data
from lineament.cli.output import print_json, print_table
from lineament.core.errors import BadInput
from lineament.learn.recipes import Comparison, Job, Recipe, has_gpu, recipe, recipes
from lineament.learn.settings import Settings
from lineament.measure.evidence import to_json, write


def train(options: Namespace) -> int:
    """Run one recipe; without a name, list them."""
    if not options.recipe:
        _list(options.scale, options.json)
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
        settings=_settings(known, options),
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


def _settings(known: Recipe, options: Namespace) -> Settings:
    """The recipe's settings of the scale, as the user changed them.

    Raises:
        BadInput: the recipe has none of this scale, or the device is not there.
    """
    settings = known.settings if options.scale == "cpu" else known.gpu
    if settings is None:
        raise BadInput(f"the recipe {known.slug} has no settings for a GPU")
    device = options.device or settings.device
    if device.startswith("cuda") and not has_gpu():
        raise BadInput("torch sees no GPU here; --device cpu runs the same settings on the CPU")
    return replace(settings, steps=options.steps or settings.steps, device=device)


def _list(scale: str, as_json: bool) -> None:
    known = [entry.recipe for entry in recipes().values()]
    if scale == "gpu":
        known = [each for each in known if each.gpu]
    if as_json:
        fields = ("slug", "title", "baseline", "seeds", "sets")
        print_json([{name: getattr(each, name) for name in fields} for each in known])
    elif scale == "gpu":
        print_table(
            ("recipe", "steps#", "batch#", "rate#", "run"), [_on_gpu(each) for each in known]
        )
    else:
        print_table(
            ("recipe", "what", "beside", "steps#", "seeds#"), [_on_cpu(each) for each in known]
        )


def _on_cpu(known: Recipe) -> Sequence[str]:
    numbers = str(known.settings.steps), str(known.seeds)
    return known.slug, known.title, known.baseline, *numbers


def _on_gpu(known: Recipe) -> Sequence[str]:
    gpu = known.gpu or known.settings
    return known.slug, str(gpu.steps), str(gpu.batch), str(gpu.rate), known.gpu_run
