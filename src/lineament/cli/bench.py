"""``bench``: measure, print, write the evidence and the report."""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from lineament.bench.context import (
    Context,
    Outcome,
    Protocol,
    default_album,
    default_data,
    protocol,
    protocols,
)
from lineament.bench.finished import fingerprint, finish, is_finished
from lineament.bench.published import unexplained
from lineament.bench.sets import MissingSet
from lineament.cli.bench_report import write_bench_report
from lineament.cli.output import print_json, print_table
from lineament.core.errors import BadInput, LicenceNotAccepted
from lineament.measure.evidence import Result, evidence_folder, to_json, write

FAILED = 1
"""Exit code of `bench --all` where a protocol failed."""


def bench(options: Namespace) -> int:
    """Run one protocol, or all of them; without a name, list them."""
    options = Namespace(**{"report": None, "fresh": False, **vars(options)})
    if options.all and options.protocol:
        raise BadInput("--all runs every protocol with every method; leave out the names")
    if not options.all and not options.protocol:
        _list(options.json)
        return 0
    if options.out.exists() and not options.out.is_dir():
        raise BadInput("is not a folder", str(options.out))
    context = Context(
        data=options.data or default_data(),
        album=default_album(),
        out=options.out,
        methods=tuple(options.methods),
        say=lambda line: print(line, file=sys.stderr),
    )
    if options.all:
        return _all(context, options)
    chosen = protocol(options.protocol)
    report = options.report or Path("out") / f"bench-{chosen.name}.html"
    results, _ = _measure(chosen, context, report, show=not options.json)
    if options.json:
        print_json([to_json(result) for result in results])
    return 0


def _all(context: Context, options: Namespace) -> int:
    """Every protocol in turn; one that fails or lacks its set does not stop the others."""
    reports: Path = options.report or Path("out")
    if reports.exists() and not reports.is_dir():
        raise BadInput("is not a folder; with --all, --report names one", str(reports))
    started = time.perf_counter()
    results: list[Result] = []
    lines: list[tuple[str, str, str]] = []
    failures = 0
    for each in protocols().values():
        seconds = 0.0
        try:
            if not options.fresh and is_finished(each, context):
                said = "was complete"
            else:
                path = reports / f"bench-{each.name}.html"
                found, seconds = _measure(each, context, path, show=not options.json)
                results += found
                said = "measured"
        except (MissingSet, LicenceNotAccepted) as error:
            said = f"left out: {error}"
        except Exception as error:  # whatever it is, the others are to run
            said = f"FAILED: {type(error).__name__}: {error}"
            failures += 1
        if said != "measured":
            context.say(f"{each.name}: {said}")
        lines.append((each.name, said, f"{seconds:.1f}"))
    failures += not _remake_leaderboard(context)
    lines.append(("total", "", f"{time.perf_counter() - started:.1f}"))
    if options.json:
        print_json([to_json(result) for result in results])
    else:
        print_table(("protocol", "", "s#"), lines)
    if failures:
        context.say(f"{failures} failed; `lineament bench --all` takes up what is not complete")
    return FAILED if failures else 0


def _measure(
    chosen: Protocol, context: Context, report: Path, *, show: bool
) -> tuple[list[Result], float]:
    """Run a protocol; print it, and keep its evidence and its report. Results and seconds."""
    before = fingerprint(chosen, context)
    started = time.perf_counter()
    outcome = chosen.run(context)
    seconds = time.perf_counter() - started
    outcome = replace(
        outcome, results=[replace(row, version=chosen.version) for row in outcome.results]
    )
    _keep(outcome, context.out)
    write_bench_report(chosen, outcome, context, seconds, report)
    finish(chosen, context, outcome.results, before)
    if show:
        _show(outcome)
    for result in unexplained(outcome.results):
        context.say(f"{result.method}, {result.metric}: differs from the paper, and no note why")
    context.say(f"{chosen.name}: {seconds:.1f} s; report: {report}")
    return list(outcome.results), seconds


def _remake_leaderboard(context: Context) -> bool:
    """In a checkout, the docs' leaderboard is made again from the evidence; whether that went."""
    page = evidence_folder().parent / "docs" / "leaderboard_page.py"
    if context.out.resolve() != evidence_folder().resolve() or not page.is_file():
        return True
    done = subprocess.run([sys.executable, page], capture_output=True, text=True, check=False)
    if done.returncode:
        context.say(f"the leaderboard could not be made: {done.stderr.strip()}")
    return done.returncode == 0


def _list(as_json: bool) -> None:
    rows = [
        {"name": p.name, "version": p.version, "title": p.title, "sets": p.sets}
        for p in protocols().values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("protocol", "measures", "needs"),
            [(r["name"], r["title"], ", ".join(r["sets"]) or "-") for r in rows],
        )


def _keep(outcome: Outcome, folder: Path) -> None:
    for slug in dict.fromkeys(result.method for result in outcome.results):
        write(slug, [r for r in outcome.results if r.method == slug], folder)


def _show(outcome: Outcome) -> None:
    for table in outcome.tables:
        print(table.title)
        print_table(table.headings, table.rows)
