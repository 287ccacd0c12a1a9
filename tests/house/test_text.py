"""What must stand in no tracked file, and pages that must equal what code makes of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lineament.core.cards import weights

ROOT = Path(__file__).parents[2]
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".svg", ".cfg", ".yml", ".yaml", ".html", ".j2", ""}

# Built from parts, so that this file does not hold what it looks for.
FORBIDDEN = {
    "a registry's address": r"pypi\s*\.\s*org|pythonhosted\s*\.\s*org|npm"
    + r"js\.(org|com)|debian\.org",
    "a path of somebody's machine": r"(?<![\w.])/(work|home|root|Users)/"
    + r"\w|/tmp/"
    + r"(venv|[a-z]/)",
    "a gap left to fill": r"\{\{[A-Z]" + r"+\}\}",
    "a private key": "BEGIN [A-Z ]*PRIVATE " + "KEY",
}


def tracked() -> list[Path]:
    """Files that git knows or would take up."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in tracked()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a registry's address", "https://" + "pypi" + ".org/simple"),
        ("a path of somebody's machine", "open('" + "/ho" + "me/ada/x')"),
        ("a path of somebody's machine", "/tm" + "p/venv/bin"),
        ("a gap left to fill", "{" + "{FIGURES}" + "}"),
        ("a private key", "-----BEGIN RSA PRIVATE" + " KEY-----"),
    ],
)
def test_the_patterns_see_what_they_are_for(what, line):
    assert re.search(FORBIDDEN[what], line)


def test_nothing_large_or_executable_is_tracked():
    files = tracked()
    binary = {p for p in files if p.suffix in {".pkl", ".pt", ".pth", ".onnx", ".so", ".dat"}}
    sources = [source for weight in weights().values() for source in weight.sources]
    shipped = {ROOT / "src/lineament" / s[8:] for s in sources if s.startswith("shipped:")}
    fixtures = {p for p in binary if p.parent == ROOT / "tests/core/data"}
    assert binary - fixtures == shipped
    assert sum(p.stat().st_size for p in fixtures) < 50_000
    assert sum(p.stat().st_size for p in files) < 20e6


@pytest.mark.parametrize("page", ["methods", "leaderboard", "weights", "cli"])
def test_a_made_page_is_up_to_date(page):
    """`make pages` makes them again."""
    if page == "cli" and sys.version_info[:2] != (3, 11):
        pytest.skip("argparse words its help differently from version to version")
    done = subprocess.run(
        [sys.executable, f"docs/{page}_page.py", "--print"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") == done.stdout


def test_links_between_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(
            r"\bmake ([a-z]+)", re.sub(r"[^`]*(`[^`]*`)?", r"\1", page.read_text())
        ):
            assert target in targets, f"{page.name} says make {target}"


def test_requirements_are_held_by_the_constraints():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.split(r"[\[<>=;]", line)[0].strip().lower()
        for line in [*project["dependencies"], *(line for extra in extras for line in extra)]
    }
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    held = {line.partition("==")[0].lower() for line in lines}
    assert {name.replace("_", "-") for name in wanted} - {"lineament"} <= {
        n.replace("_", "-") for n in held
    }


def test_changelog_fragments_have_a_kind():
    for path in (ROOT / "changelog.d").iterdir():
        assert re.fullmatch(r"README\.md|[\w-]+\.(added|changed|fixed|removed)\.md", path.name)
        assert path.read_text(encoding="utf-8").strip()
