"""The house rules that a machine can hold: layers, light imports, short files, docstrings."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
HEAVY = "av numpy onnxruntime onnx faiss PIL rich sqlite3 jinja2 cv2 torch sklearn".split()


def test_imports_run_downward_only():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module", ["lineament", "lineament.cli.main", "lineament.measure.evidence"]
)
def test_the_doors_import_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    code = code.replace(repr(HEAVY), repr(set(HEAVY)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom lineament.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(' '.join({set(HEAVY)!r} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "index" in done.stdout


def test_every_public_name_can_be_had():
    code = "import lineament\nfor name in lineament.__all__: getattr(lineament, name)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_a_file_is_short_and_documented(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), "the file has no docstring"
    assert [name for name, node in public(tree) if not documented(node)] == []


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(scope: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Public classes and functions of a file, and the public methods of those classes."""
    for node in scope.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def documented(node: Definition) -> bool:
    """Whether a definition is explained, or needs no explanation.

    The class says what its properties are; overloads and protocols' bodies are only shapes.
    """
    decorators = {ast.unparse(d) for d in node.decorator_list}
    return bool(ast.get_docstring(node) or decorators & {"property", "overload", "cached_property"})


def test_the_docstring_check_sees_what_is_missing():
    tree = ast.parse("class A:\n  'x'\n  def f(self): pass\n  def _g(self): pass\ndef h(): pass")
    assert [name for name, node in public(tree) if not documented(node)] == ["A.f", "h"]


def test_no_source_imports_pickle():
    """Weights and galleries are data; nothing that can run code on loading is ever read."""
    for path in SOURCES:
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in [*node.names, ast.alias(getattr(node, "module", None) or "")]
        }
        assert not names & {"pickle", "dill", "joblib", "marshal", "shelve"}, path
