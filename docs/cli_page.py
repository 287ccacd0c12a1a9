"""Makes ``cli.md`` from the command line's own help."""

from __future__ import annotations

import argparse
import os

os.environ.update(COLUMNS="80", NO_COLOR="1")  # argparse looks at both

from lineament.cli.main import build_parser
from page import publish

HEAD = """\
# The command

Every command takes `--json` and then prints JSON on standard output; progress and messages go to
standard error. An error is one line that says what to do, and an exit code that scripts can use:

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | not done, or `verify --exit-code` and two people |
| 2 | wrong usage, or an unknown method |
| 3 | a file cannot be used |
| 4 | a weight cannot be had or trusted, or its terms are not accepted |
| 5 | the gallery cannot be used |
| 130 | interrupted; what was done is kept |

| variable | meaning |
| --- | --- |
| `LINEAMENT_GALLERY` | the gallery, where `--gallery` does not name one |
| `LINEAMENT_HOME` | the folder of weights and accepted terms |
| `LINEAMENT_OFFLINE` | 1: never touch the network |
| `LINEAMENT_ACCEPT_RESEARCH` | 1: accept the terms of all research-only weights |
| `LINEAMENT_PROVIDERS` | what networks run on, best first: `cuda,cpu`; default: `cpu` |
| `LINEAMENT_DATA` | the folder of test sets, for `bench` and the tests |
"""


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The sub-commands by name, in the order of the help."""
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def page() -> str:
    parser = build_parser()
    text = HEAD + f"\n## lineament\n\n```text\n{parser.format_help()}```\n"
    for name, command in commands(parser).items():
        text += f"\n## {name}\n\n```text\n{command.format_help()}```\n"
    return text


if __name__ == "__main__":
    publish("cli.md", page())
