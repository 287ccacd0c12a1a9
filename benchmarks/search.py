"""Print the table of searches: ``python benchmarks/search.py [--count N] [--json FILE]``."""

import argparse
import json
from pathlib import Path

from lineament.bench.search import COUNT, bench_search, table
from lineament.cli.output import print_table

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--count", type=int, default=COUNT, help="faces; default: %(default)s")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
options = parser.parse_args()

figures = bench_search(options.count, options.seed)
shown = table(figures)
print(shown.title)
print_table(shown.headings, shown.rows)
if options.json:
    options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
