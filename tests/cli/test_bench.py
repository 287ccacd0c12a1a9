"""``bench`` as a command: its report, and ``--all``, which takes up what is not complete."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.bench.finished import FILE
from lineament.bench.plots import Axis, Bars, Curve, ErrorGallery, Mistake
from lineament.cli import bench as door
from lineament.cli.bench_report import render
from lineament.core.errors import BadInput
from lineament.measure.evidence import Result, read, write

HOSTILE = "<script>alert('&')</script>"


def result(method: str = "coin", **changes: Any) -> Result:
    facts = {"method": method, "protocol": "toss", "data": "coins", "data_hash": "ab" * 32}
    return Result(**{**facts, "metric": "share of heads", "ours": 0.5, **changes})


def outcome() -> Outcome:
    return Outcome(
        [Table("Tosses", ("coin", "heads %#"), [(HOSTILE, "50.0")])],
        [
            result(interval=(0.4, 0.6), baseline="dime", baseline_value=0.45, paper=0.51),
            result("dime", ours=0.45, paper=0.6, note="A bent dime."),
        ],
        [
            Curve(
                "Heads over tosses",
                Axis("tosses"),
                Axis("share"),
                {HOSTILE: ([1.0, 2.0], [0.0, 0.5]), "dime": ([1.0, 2.0], [1.0, 0.5])},
            ),
            Bars("By thrower", "share", [HOSTILE, "Bo"], {"dime": [0.4, 0.6]}),
            ErrorGallery("Wrong tosses", {"dime": [Mistake("tails", [HOSTILE, "12"], 0.25)]}),
        ],
    )


class Outline(HTMLParser):
    """Tags that are open, ids, links, and texts by tag; fails on what is not closed."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name))]


@pytest.fixture
def page(tmp_path: Path) -> Outline:
    found = outcome()
    for slug in ("coin", "dime"):
        write(slug, [r for r in found.results if r.method == slug], tmp_path)
    protocol = Protocol("toss", "coins tossed", lambda context: found, ("orl",))
    return Outline(render(protocol, found, Context(out=tmp_path, seed=7), 12.3))


def test_the_report_is_one_file_and_runs_nothing(page):
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert all(link.startswith("#") for link in page.values("href"))
    assert not page.values("src")
    (policy,) = [a for t, a in page.tags if a.get("http-equiv")]
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_the_report_can_be_walked_by_keyboard_and_read_aloud(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-describedby"):
        assert set(page.values(name)) <= set(ids)
    assert {link[1:] for link in page.values("href")} <= set(ids)
    for tag, attributes in page.tags:
        if tag == "th":
            assert attributes.get("scope")
        if attributes.get("tabindex"):
            assert attributes.get("aria-label")
    pictures = [a for t, a in page.tags if t == "svg" and a.get("class") == "plot"]
    assert len(pictures) == 2
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in pictures)


def test_the_report_holds_figures_baseline_paper_and_note(page):
    cells = [" ".join(cell.split()) for cell in page.cells]
    coin, dime = (cells[i : i + 7] for i in map(cells.index, ("coin", "dime")))
    assert coin[1:3] == ["0.5", "0.4 to 0.6"]
    assert coin[4:] == ["dime 0.45 better", "0.51 holds", "-1.00 points unexplained"]
    assert dime[1:3] == ["0.45 1", ""]  # with its note's number
    assert dime[4:] == ["", "0.6 does not hold", "-15.00 points"]
    assert HOSTILE in cells


def test_a_methods_line_has_one_colour_in_all_plots(page):
    lines = [a["class"] for t, a in page.tags if t in ("g", "li") and "class" in a]
    assert lines.count("s1") >= 4  # dime: line, legend, bars, legend
    assert "s0" in lines


# ---- bench --all


class Toss:
    """A protocol that counts its runs."""

    def __init__(self, name: str, act: Callable[[Context], Any] = lambda context: None) -> None:
        self.runs, self.act, self.name = 0, act, name
        self.protocol = Protocol(name, f"{name} tossed", self.run)

    def run(self, context: Context) -> Outcome:
        self.runs += 1
        self.act(context)
        return Outcome([], [result(protocol=self.name)])


@pytest.fixture
def tosses(monkeypatch, tmp_path) -> SimpleNamespace:
    """Two protocols that work, on a small set, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    (data / "orl").mkdir(parents=True)
    (data / "orl" / "1.pgm").write_text("P2")
    first, second = Toss("first"), Toss("second")
    known = {"first": first.protocol, "second": second.protocol}
    monkeypatch.setattr(door, "protocols", lambda: known)
    monkeypatch.setattr(door, "default_album", lambda: None)
    return SimpleNamespace(first=first, second=second, known=known, data=data)


def bench(tosses: SimpleNamespace, **changes: Any) -> int:
    options = {"protocol": None, "methods": [], "all": True, "json": False, "out": Path("ev")}
    return door.bench(Namespace(**{**options, "data": tosses.data, **changes}))


def test_what_is_complete_is_not_run_again(tosses, capsys):
    assert bench(tosses) == 0
    assert (tosses.first.runs, tosses.second.runs) == (1, 1)
    assert Path("out/bench-first.html").is_file()
    assert "total" in capsys.readouterr().out
    assert bench(tosses) == 0
    assert (tosses.first.runs, tosses.second.runs) == (1, 1)
    assert "first: was complete" in capsys.readouterr().err
    assert bench(tosses, fresh=True) == 0
    assert (tosses.first.runs, tosses.second.runs) == (2, 2)
    assert len(read("coin", Path("ev"))) == 2


def change_the_data(tosses):
    (tosses.data / "orl" / "2.pgm").write_text("P2")


def change_a_file(tosses):
    (tosses.data / "orl" / "1.pgm").write_text("P5 longer")


def lose_the_evidence(tosses):
    Path("ev/coin.json").unlink()


def damage_the_evidence(tosses):
    Path("ev/coin.json").write_text('{"method": "coin", "runs": []}')


def damage_the_note(tosses):
    (Path("ev") / FILE).write_text("[not json")


@pytest.mark.parametrize(
    "change",
    [change_the_data, change_a_file, lose_the_evidence, damage_the_evidence, damage_the_note],
)
def test_what_has_changed_runs_again(tosses, change):
    assert bench(tosses) == 0
    change(tosses)
    assert bench(tosses) == 0
    assert tosses.first.runs == 2


def test_terms_accepted_since_are_measured(tosses, monkeypatch):
    monkeypatch.delenv("LINEAMENT_ACCEPT_RESEARCH", raising=False)
    assert bench(tosses) == 0
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    assert bench(tosses) == 0
    assert tosses.first.runs == 2


def test_a_failure_does_not_stop_the_others(tosses, capsys):
    broken = Toss("broken", lambda context: 1 / 0)
    tosses.known.clear()
    tosses.known.update({"broken": broken.protocol, "first": tosses.first.protocol, **tosses.known})
    assert bench(tosses) == door.FAILED == 1
    assert tosses.first.runs == 1
    captured = capsys.readouterr()
    assert "broken: FAILED: ZeroDivisionError" in captured.err
    assert "FAILED" in captured.out
    broken.act = lambda context: None
    assert bench(tosses) == 0
    assert (tosses.first.runs, broken.runs) == (1, 2)


def test_a_missing_set_is_left_out_and_said(tosses, capsys):
    lacking = Toss("lacking", lambda context: context.set_folder("lfw"))
    tosses.known["lacking"] = lacking.protocol
    assert bench(tosses) == 0
    assert "lacking: left out: the test set 'lfw' is needed" in capsys.readouterr().err
    (tosses.data / "lfw").mkdir()
    assert bench(tosses) == 0
    assert (lacking.runs, tosses.first.runs) == (2, 1)


def test_an_interruption_keeps_what_was_done(tosses):
    def interrupt(context: Context) -> None:
        raise KeyboardInterrupt

    tosses.second.act = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench(tosses)
    tosses.second.act = lambda context: None
    assert bench(tosses) == 0
    assert (tosses.first.runs, tosses.second.runs) == (1, 2)


def test_json_is_the_evidence_and_nothing_else(tosses, capsys):
    assert bench(tosses, json=True) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["protocol"] for row in rows] == ["first", "second"]


def test_an_unexplained_difference_is_said(tosses, monkeypatch, capsys):
    tosses.first.protocol = Protocol(
        "first", "t", lambda context: Outcome([], [result(paper=0.6, protocol="first")])
    )
    tosses.known["first"] = tosses.first.protocol
    assert bench(tosses) == 0
    assert "differs from the paper, and no note why" in capsys.readouterr().err


def test_one_protocol_always_runs_and_reports_where_told(tosses, monkeypatch, tmp_path):
    monkeypatch.setattr(door, "protocol", lambda name: tosses.known[name])
    for runs in (1, 2):
        assert bench(tosses, all=False, protocol="first", report=tmp_path / "a" / "r.html") == 0
        assert tosses.first.runs == runs
    assert (tmp_path / "a" / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_wrong_usage_is_said(tosses, tmp_path):
    with pytest.raises(BadInput, match="--all"):
        bench(tosses, protocol="first")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="not a folder"):
        bench(tosses, out=tmp_path / "file")
    with pytest.raises(BadInput, match="--report"):
        bench(tosses, report=tmp_path / "file")
