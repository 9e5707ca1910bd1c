"""`fix` and `chymist diagnose --fix`: proved by paired runs, and nothing is changed silently."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.doctor import Finding
from chymist.engine.folder import open_folder
from chymist.errors import Diverged, InputError, UsageError
from chymist.verbs.diagnosing import write_findings
from chymist.verbs.fixing import FILE, plan_fix

SHORT = {"schedule": "constant", "stop": "none", "batch_size": 16, "length": "60 steps"}
WILD = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=30.0), **SHORT)
SLOW = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-3), **SHORT)
LOW = cy.Remedy("a higher learning rate", {"optimizer.lr": 0.1})


def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


def saying(run: cy.Run, *findings: Finding) -> cy.Run:
    """The run, as if the doctor had found this."""
    write_findings(run.path, findings, {"rules": 1}, {})
    return run


def test_a_remedy_is_proved_and_its_run_is_kept(tmp_path: Path) -> None:
    run = saying(
        cy.fit(SLOW, iris(), seed=4, out=tmp_path / "run"),
        Finding("dead_relu", "observation", "", remedy=cy.Remedy("", {"batch_size": 1})),
        Finding("no_update", "certain", "", remedy=cy.Remedy("by hand")),
        Finding("lr_too_low", "finding", "", remedy=LOW),
    )
    before = (run.path / "recipe.toml").read_bytes()
    found = cy.fix(run.path, seeds=3, out=tmp_path / "cured")
    assert found.plan.finding is not None
    assert found.plan.finding.code == "lr_too_low"  # the first with changes that is no observation
    assert found.proof is not None
    assert found.proof.effect == "helped"
    assert found.proof.before[0] == pytest.approx(run.score.value)  # paired: the same seeds
    assert found.cured is not None
    assert found.proof.after[0] == pytest.approx(found.cured.score.value)
    assert (run.path / "recipe.toml").read_bytes() == before
    again = cy.load_run(tmp_path / "cured")
    assert again.recipe == run.recipe.replace(optimizer=cy.optim.sgd(lr=0.1))
    assert again.seed == 4
    assert json.loads((again.path / FILE).read_text())["proof"]["effect"] == "helped"


def test_nothing_to_fix_and_advice(tmp_path: Path) -> None:
    run = saying(cy.fit(SLOW, iris(), out=tmp_path / "run"))
    assert cy.fix(run).sentence == "nothing to fix: nothing wrong was found"
    with pytest.raises(UsageError, match="no such finding"):
        cy.fix(run, "lr_too_low")
    saying(run, Finding("no_update", "certain", "", remedy=cy.Remedy("call step()")))
    found = cy.fix(run)
    assert found.sentence == "no_update takes a change by hand: call step()"
    assert (found.proof, found.cured) == (None, None)
    saying(run, Finding("dead_relu", "observation", "", remedy=LOW))
    assert cy.fix(run).sentence.startswith("nothing to fix")
    assert plan_fix(run, "dead_relu").remedy == LOW  # asked for


def test_a_remedy_that_hurts_is_said_to(tmp_path: Path) -> None:
    good = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=0.1), **SHORT)
    worse = cy.Remedy("", {"optimizer.lr": 1e-6})
    run = saying(
        cy.fit(good, iris(), out=tmp_path / "run"),
        Finding("lr_too_high", "finding", "", remedy=worse),
    )
    found = cy.fix(run)
    assert found.proof is not None
    assert found.proof.effect == "hurt"
    assert str(found).startswith("hurt: accuracy changes by -")


def test_a_diverged_run_is_cured(tmp_path: Path) -> None:
    wild = cy.Recipe(model=cy.models.mlp(hidden=(64, 64)), optimizer=cy.optim.sgd(lr=3.0), **SHORT)
    rows = cy.split(cy.load("diabetes"), seed=0)
    with pytest.raises(Diverged):
        cy.fit(wild, rows, out=tmp_path / "run")
    found = cy.fix(tmp_path / "run", seeds=2, out=tmp_path / "cured")
    assert found.plan.finding is not None
    assert found.plan.finding.code == "nan_inf_loss"
    assert found.proof is not None
    assert found.proof.effect == "helped"
    assert found.to_dict()["cured"] == str(tmp_path / "cured")
    assert found.to_dict()["proof"]["difference"]["low"] == -np.inf  # no pair is whole


def test_a_remedy_that_diverges_leaves_no_run(tmp_path: Path) -> None:
    rows = cy.split(cy.load("diabetes"), seed=0)
    model = cy.models.mlp(hidden=(64, 64))
    run = cy.fit(cy.Recipe(model=model, optimizer=cy.optim.sgd(lr=0.01), **SHORT), rows)
    saying(run, Finding("lr_too_low", "finding", "", remedy=cy.Remedy("", {"optimizer.lr": 3.0})))
    found = cy.fix(run, seeds=2)
    assert found.cured is None
    assert found.sentence.startswith("hurt: ")
    assert found.sentence.endswith("the run with the remedy diverged")


def test_a_leak_is_judged_by_another_measure_than_the_score(tmp_path: Path) -> None:
    rows = cy.split(cy.load("breast_cancer"), seed=0)
    remedy = cy.Remedy("", {"split.without_copies": True})
    run = saying(cy.fit(SLOW, rows), Finding("data_leakage", "finding", "", remedy=remedy))
    found = cy.fix(run, seeds=2)
    assert found.sentence.endswith("what the score loses is what the leak gave it")
    assert found.plan.command == ""  # rows have no option of the command line


def test_changed_rows_are_kept_in_the_folder(tmp_path: Path) -> None:
    rows = iris()
    gone = rows.train[:7].tolist()
    remedy = cy.Remedy("", {"split.without": gone})
    run = saying(cy.fit(SLOW, rows), Finding("label_noise", "finding", "", remedy=remedy))
    found = cy.fix(run, seeds=2, out=tmp_path / "cured")
    assert found.proof is not None
    assert found.proof.metric == "log_loss"  # what label noise harms first
    saved = open_folder(tmp_path / "cured").split
    assert saved["train"] == rows.train[7:].tolist()


def test_a_run_that_was_not_watched_cannot_be_fixed(tmp_path: Path) -> None:
    run = cy.fit(SLOW, iris(), doctor=False)
    with pytest.raises(InputError, match="no findings"):
        cy.fix(run)


# ---------------------------------------------------------------- the command line
def test_the_command_line_walks_from_a_deep_network_to_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    deep = ["--model", "mlp", "--model.hidden", ",".join(["16"] * 24), "--length", "8 epochs"]
    assert main(["fit", "digits", *deep, "--out", "runs/deep"]) == 0
    assert "--model.residual true" in capsys.readouterr().out
    assert main(["diagnose", "runs/deep", "--fix", "optimisation_failure", "--seeds", "2"]) == 0
    printed = capsys.readouterr().out
    lines = {line[:8].strip(): line[8:] for line in printed.splitlines()}
    assert lines["Changes"] == "--model.residual true"
    assert lines["Effect"].startswith("helped: accuracy changes by ")
    assert lines["Run"] == "runs/deep-fixed-0001"
    assert printed.index("Changes") < printed.index("Effect")
    cured = cy.load_run("runs/deep-fixed-0001")
    # The printed command is the cure: the same weights.
    command = shlex.split(lines["Command"])[1:]
    assert main([*command, "--out", "again", "--quiet"]) == 0
    assert cy.load_run("again").score == cured.score


def test_json_and_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = saying(
        cy.fit(SLOW, iris(), out=tmp_path / "run"), Finding("lr_too_low", "finding", "", remedy=LOW)
    )
    assert main(["diagnose", str(run.path), "--fix", "--lang", "zh", "--out", "cured"]) == 0
    printed = capsys.readouterr().out
    assert "Fix     lr_too_low: 提高学习率\nChanges --optimizer.lr 0.1" in printed
    assert main(["diagnose", "cured", "--fix", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["fix"]["sentence"].startswith(("nothing to fix", "helped", "no diff", "hurt"))
    assert main(["diagnose", str(run.path), "--fix", "--out", "cured", "--quiet"]) == 1
    assert "cured" in capsys.readouterr().err  # a folder that is there is not written over
    assert main(["diagnose", str(run.path), "--json"]) == 0
    assert "fix" not in json.loads(capsys.readouterr().out)


def test_rows_that_were_moved_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = iris().data
    rows = np.column_stack([*data.inputs.values(), data.targets])
    np.savetxt("old.csv", rows, delimiter=",", header="a,b,c,d,kind", comments="")
    data = cy.load("old.csv", target="kind", task="classification")
    run = saying(
        cy.fit(SLOW, cy.split(data, seed=0), out=tmp_path / "run"),
        Finding("lr_too_low", "finding", "", remedy=LOW),
    )
    Path("old.csv").rename("new.csv")
    asked = ["diagnose", str(run.path), "--fix", "lr_too_low", "--seeds", "2", "--quiet"]
    assert main(asked) == 1
    assert "--data" in capsys.readouterr().err
    assert main([*asked, "--data", "new.csv"]) == 0
    cured = cy.load_run(tmp_path / "run-fixed-0001")
    assert cured.recipe.optimizer == cy.optim.sgd(lr=0.1)
    assert cured.score.value > run.score.value
