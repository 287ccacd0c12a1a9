"""Evidence: kept, replaced, and turned into a status that nobody types."""

from __future__ import annotations

import dataclasses
import json
import socket

import pytest

from lineament.core.cards import Card, Method, methods
from lineament.core.errors import LineamentError
from lineament.measure import evidence
from lineament.measure.evidence import Result, from_json, read, read_all, status, to_json, write

ROW = Result(
    method="toy",
    protocol="lfw",
    data="LFW",
    data_hash="0123",
    metric="accuracy",
    ours=0.99,
    interval=(0.985, 0.995),
)


def toy(entry: str = "Toy") -> Method:
    card = Card(slug="toy", title="t", paper="p", verb="embed", task="Does.", entry=entry)
    return Method(card, "lineament.know.embed.toy")


def changed(**fields) -> Result:
    return dataclasses.replace(ROW, **fields)


def test_what_is_written_is_read_again(tmp_path):
    rows = [ROW, changed(metric="eer", baseline="sface", baseline_value=0.02, seed=3, note="n")]
    assert write("toy", rows, tmp_path) == tmp_path / "toy.json"
    assert read("toy", tmp_path) == [from_json(to_json(row)) for row in rows]
    assert [dataclasses.replace(r, holds=None) for r in read("toy", tmp_path)] == rows
    assert list(read_all(tmp_path)) == ["toy"]
    assert [path.name for path in tmp_path.iterdir()] == ["toy.json"]


def test_a_new_figure_replaces_the_old_one_and_leaves_the_others(tmp_path):
    write("toy", [ROW, changed(metric="eer"), changed(data="ORL")], tmp_path)
    write("toy", [changed(ours=0.5, interval=None)], tmp_path)
    found = {r.key: r.ours for r in read("toy", tmp_path)}
    assert found == {
        ("lfw", "LFW", "accuracy"): 0.5,
        ("lfw", "LFW", "eer"): 0.99,
        ("lfw", "ORL", "accuracy"): 0.99,
    }
    write("toy", [changed(metric="eer"), changed(data="ORL")], tmp_path)
    runs = json.loads((tmp_path / "toy.json").read_text())["runs"]
    assert [len(run["results"]) for run in runs] == [1, 2]  # the run that is left empty is gone


def test_a_run_says_what_is_needed_to_repeat_it(tmp_path):
    text = write("sface", [changed(method="sface")], tmp_path).read_text()
    (run,) = json.loads(text)["runs"]
    assert set(run) == {"date", "commit", "versions", "machine", "weights", "results"}
    assert run["versions"].keys() >= {"python", "lineament", "numpy", "onnxruntime"}
    assert run["machine"]["cores"] >= 1
    assert run["machine"]["cpu"]
    assert run["weights"] == {w.name: w.sha256 for w in methods()["sface"].card.weights}
    assert run["weights"]
    assert socket.gethostname() not in text


def test_the_commit_is_marked_where_the_code_has_changed(tmp_path, monkeypatch):
    (tmp_path / "src" / "lineament").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(evidence, "_ROOT", tmp_path)
    assert evidence._commit() == ""  # no git here
    code = tmp_path / "src" / "lineament" / "a.py"
    code.write_text("1")
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    evidence._git("init", "-q")
    evidence._git("add", ".")
    evidence._git(*who, "commit", "-q", "-m", "one")
    clean = evidence._commit()
    assert len(clean) == 12
    code.write_text("2")
    assert evidence._commit() == clean + "+"
    assert evidence.evidence_folder() == tmp_path / "evidence"


def test_an_installed_package_brings_its_evidence(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "_ROOT", tmp_path)
    assert evidence.evidence_folder().parts[-2:] == ("lineament", "_evidence")
    assert evidence._commit() == ""


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({}, None),
        ({"paper": 0.995}, True),  # the interval reaches it
        ({"paper": 0.996}, False),
        ({"paper": 0.99, "interval": None}, True),
        ({"paper": 0.991, "interval": None}, False),
        ({"paper": 0.985, "higher_is_better": False}, True),
        ({"paper": 0.984, "higher_is_better": False}, False),
        ({"paper": 0.5, "holds": False}, False),  # the protocol knows better
        ({"paper": 1.0, "holds": True}, True),
    ],
)
def test_when_a_papers_claim_holds(fields, holds):
    assert changed(**fields).claim_holds is holds
    assert to_json(changed(**fields))["holds"] is holds


BASELINE = changed(baseline="sface", baseline_value=0.98)
GOOD, BAD = changed(metric="a", paper=0.9), changed(metric="b", paper=0.999)


@pytest.mark.parametrize(
    ("entry", "rows", "expected"),
    [
        ("", [], "card"),
        ("", [GOOD], "card"),
        ("Toy", [], "runs"),
        ("Toy", [ROW], "runs"),
        ("Toy", [BASELINE], "measured"),
        ("Toy", [BASELINE, BAD], "measured"),
        ("Toy", [BASELINE, GOOD, BAD], "measured"),
        ("Toy", [BASELINE, GOOD], "reproduced"),
        ("Toy", [GOOD], "reproduced"),
    ],
)
def test_status_is_computed(tmp_path, entry, rows, expected):
    write("toy", rows, tmp_path)
    assert status(toy(entry), tmp_path) == expected


def test_no_evidence_is_no_error(tmp_path):
    assert read("toy", tmp_path) == []
    assert read_all(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": [{"results": [{}]}]}', '{"runs": [1]}'])
def test_a_file_that_is_no_evidence_is_an_error(tmp_path, text):
    (tmp_path / "toy.json").write_text(text)
    with pytest.raises(LineamentError, match=r"toy\.json is not evidence"):
        read("toy", tmp_path)


def test_wrong_results_are_refused_and_change_nothing(tmp_path):
    write("toy", [ROW], tmp_path)
    with pytest.raises(ValueError, match="other cannot be evidence for toy"):
        write("toy", [changed(method="other")], tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write("toy", [changed(ours=float("nan"))], tmp_path)
    assert [r.ours for r in read("toy", tmp_path)] == [0.99]


def test_the_evidence_of_this_checkout_is_in_its_place():
    for slug, results in read_all().items():
        assert {r.method for r in results} == {slug}
        assert len({r.key for r in results}) == len(results)
