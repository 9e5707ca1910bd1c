"""Experiments on finished runs: findings settled, kept in the folder, told, drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.doctor.experiments_findings import RELATED, settle
from chymist.doctor.experiments_reading import Experiments, Losses
from chymist.doctor.finding import Finding
from chymist.doctor.texts import CODES
from chymist.doctor.verdict_words import CHINESE, CHINESE_NAMES, REASONS, SAID, told
from chymist.doctor.verdicts import Effect, Verdict
from chymist.errors import Diverged, InputError, UsageError
from chymist.verbs.diagnosing import read_findings, read_signalled

SLOW: dict[str, Any] = {
    "model": cy.models.mlp(hidden=(16,)), "optimizer": cy.optim.sgd(lr=1e-6),
    "schedule": "constant", "length": "20 epochs", "batch_size": 16, "stop": "none",
}  # fmt: skip
RUN = Losses(1.0, 1.0, steps=1000, chance=2.3)
HELPS, HURTS = Effect(1.5, 0.5, 0.1), Effect(1.5, 1.6, 0.1)


def found_to_be(cause: Any, route: Any = "training", **parts: Any) -> Experiments:
    return Experiments(Verdict(cause, shares=parts.pop("shares", {})), route, RUN, **parts)


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code: finding.level for finding in findings}


def signalled(*codes: str) -> list[Finding]:
    return [Finding(code, "finding", "seen", {"seen": 1}) for code in codes]


@pytest.fixture(scope="module")
def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


# ---------------------------------------------------------------- findings in the light of a verdict
def test_what_experiments_bear_out_is_confirmed_with_numbers() -> None:
    found = found_to_be("model_bias", effects={"big": HELPS, "lr x 10": HURTS},
                        answers={"rate": False, "big": True})  # fmt: skip
    settled = settle(signalled("lr_too_low", "model_bias", "optimisation_failure"), found)
    assert levels(settled) == {"model_bias": "confirmed", "lr_too_low": "observation",
                               "optimisation_failure": "observation"}  # fmt: skip
    assert settled[0].evidence == {"seen": 1, "experiment": "big", "loss with it": 0.5,
                                   "loss without": 1.5, "by chance": 0.1}  # fmt: skip


def test_a_cause_that_no_signal_named_is_added_once() -> None:
    found = found_to_be("overfitting", "gap", effects={"half": HELPS},
                        shares={"overfitting": 0.8, "mismatch": 0.2})  # fmt: skip
    settled = settle([], found)
    assert levels(settled) == {"overfitting": "confirmed"}
    assert settled[0].evidence["share of overfitting"] == 0.8
    assert settled[0].remedy is not None
    assert len(settle(settled, found)) == 1


def test_a_rate_speaks_for_its_own_direction() -> None:
    for name, code in (("lr x 0.1", "lr_too_high"), ("lr x 10", "lr_too_low")):
        found = found_to_be("rate", effects={name: HELPS})
        assert levels(settle([], found)) == {code: "confirmed"}
        both = settle(signalled("lr_too_low", "lr_too_high"), found)
        assert both[0].code == code
        assert both[1].level == "finding"
    other = settle(signalled("init_scale"), found_to_be("rate", effects={"lr x 0.1": HELPS}))
    assert levels(other) == {"init_scale": "confirmed"}  # a rate mends scales too
    unclear = settle([], found_to_be("rate"))  # a default optimiser learned the few rows
    assert levels(unclear) == {"optimisation_failure": "confirmed"}


def test_a_cause_that_is_certain_is_not_contradicted() -> None:
    certain = Finding("double_softmax", "certain", "twice")
    assert settle([certain], found_to_be("model_bias", effects={"big": HELPS})) == [certain]
    wiring = settle([certain], found_to_be("wiring"))
    assert levels(wiring) == {"double_softmax": "certain"}
    bad = Finding("nan_inf_loss", "certain", "nan")
    known = settle([bad], found_to_be("rate", effects={"lr x 0.1": HELPS}))
    assert levels(known) == {"nan_inf_loss": "certain", "lr_too_high": "confirmed"}


def test_without_a_verdict_an_effect_still_confirms_its_own_finding_only() -> None:
    found = found_to_be("inconclusive", effects={"big": HELPS, "lr x 10": HURTS})
    settled = settle(signalled("lr_too_low", "model_bias"), found)
    assert levels(settled) == {"model_bias": "confirmed", "lr_too_low": "finding"}
    assert settle([], found) == []
    slower = found_to_be("inconclusive", effects={"big": Effect(1.5, 1.2, 0.1)})
    assert levels(settle(signalled("model_bias"), slower)) == {"model_bias": "finding"}


@pytest.mark.parametrize("cause", ["nothing", "noise_floor", "inconclusive"])
def test_what_is_no_fault_adds_no_finding(cause: Any) -> None:
    assert settle([], found_to_be(cause)) == []


def test_easier_validation_rows_are_no_alarm() -> None:
    assert levels(settle([], found_to_be("leakage", "gap"))) == {"data_leakage": "observation"}


def test_every_code_and_cause_has_words_in_both_languages() -> None:
    assert {code for codes in RELATED.values() for code in codes} <= CODES.keys() | {
        "hidden_activation_misuse", "dead_output"}  # fmt: skip
    assert SAID.keys() == CHINESE.keys() == CHINESE_NAMES.keys()
    from chymist.doctor import experiments

    for name in ("TOO_DEAR", "TOO_SHORT", "NOT_ASKED", "NOTHING_SMALLER", "UNTRAINED", "FEW_ROWS",
                 "DECIDED"):  # fmt: skip
        assert getattr(experiments, name) in REASONS


# ---------------------------------------------------------------- runs
def test_experiments_settle_findings_and_are_kept(iris: cy.Split, tmp_path: Path) -> None:
    run = cy.fit(cy.Recipe(**SLOW), iris, out=tmp_path / "run")
    before = cy.diagnose(run)
    assert before.experiments is None
    report = cy.diagnose(run, experiments=True, budget=2.0)
    assert report.experiments is not None
    assert report.experiments["verdict"] == "rate"
    assert report.experiments["steps"] <= report.experiments["allowed"] == 240
    assert report[0].code == "lr_too_low"
    assert report[0].level == "confirmed"
    assert "optimisation_failure" not in [f.code for f in report if f.level != "observation"]
    again = cy.load_run(tmp_path / "run")
    assert cy.diagnose(tmp_path / "run").to_dict() == report.to_dict()
    assert again.findings == report.findings
    assert again.experiments == report.experiments
    page = (tmp_path / "run/report.html").read_text()
    assert "<h3>experiments</h3>" in page
    assert report.experiments["claim"] in page
    # what signals said stays, so that other experiments start from it
    stored = read_signalled(tmp_path / "run")
    assert stored is not None
    assert tuple(stored.findings) == before.findings
    short = cy.diagnose(run, experiments=True)
    assert short.experiments is not None
    assert short.experiments["allowed"] == 30
    assert short[0].level == "finding"
    assert short.experiments["needed"] > 1


def test_a_write_that_fails_leaves_the_old_experiments(
    iris: cy.Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cy.fit(cy.Recipe(**SLOW), iris, out=tmp_path / "run")
    first = cy.diagnose(run, experiments=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chymist.engine.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        cy.diagnose(run, experiments=True, budget=1.0)
    assert cy.diagnose(run).to_dict() == first.to_dict()
    assert not list((tmp_path / "run").glob(".tmp*"))
    (tmp_path / "run/experiments.json").write_text("{")
    with pytest.raises(InputError, match=r"damaged.*experiments\.json|experiments\.json"):
        cy.diagnose(run)


def test_a_run_that_diverged_is_experimented_with(iris: cy.Split, tmp_path: Path) -> None:
    recipe = cy.Recipe(**{**SLOW, "optimizer": cy.optim.sgd(lr=1e30)})
    with pytest.raises(Diverged):
        cy.fit(recipe, iris, out=tmp_path / "run")
    report = cy.diagnose(tmp_path / "run", experiments=True, budget=3.0)
    assert report.experiments is not None
    assert report.experiments["verdict"] == "rate"
    assert report.experiments["run"]["train"] is None
    assert "cont" not in report.experiments["experiments"]
    assert report[0].code == "nan_inf_loss"


def test_a_healthy_run_takes_no_steps_and_an_unwatched_one_is_told_of(iris: cy.Split) -> None:
    run = cy.fit(cy.Recipe(model="softmax", length="60 epochs"), iris, doctor=False)
    report = cy.diagnose(run, experiments=True)
    assert report.experiments is not None
    assert (report.experiments["verdict"], report.experiments["steps"]) == ("nothing", 0)
    assert list(report) == []
    assert str(report).startswith("nobody watched this run")
    assert read_signalled(run.path) is None
    assert read_findings(run.path) is not None


def test_what_is_not_at_hand_is_one_line(iris: cy.Split, tmp_path: Path) -> None:
    def net(shapes: cy.Shapes) -> nn.Module:
        return nn.Sequential(
            nn.Linear(shapes.inputs[0], 4), nn.ReLU(), nn.Linear(4, shapes.outputs)
        )

    recipe = cy.Recipe(**{**SLOW, "model": net, "length": "4 epochs"})
    cy.fit(recipe, iris, out=tmp_path / "own")
    with pytest.raises(InputError, match="model of the user's own"):
        cy.diagnose(tmp_path / "own", experiments=True)
    assert cy.diagnose(tmp_path / "own", experiments=True, model=net).experiments
    rows = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    cy.fit(cy.Recipe(**{**SLOW, "length": "4 epochs"}), cy.load(rows), out=tmp_path / "memory")
    with pytest.raises(InputError, match="given in memory"):
        cy.diagnose(tmp_path / "memory", experiments=True)
    assert cy.diagnose(tmp_path / "memory", experiments=True, data=cy.load(rows)).experiments
    closed = cy.fit(cy.Recipe(model="linear"), cy.split(cy.load("diabetes")))
    with pytest.raises(UsageError, match="solved model"):
        cy.diagnose(closed, experiments=True)
    with pytest.raises(UsageError, match="budget"):
        cy.diagnose(tmp_path / "own", experiments=True, budget=-1, model=net)


# ---------------------------------------------------------------- faces
def test_the_command_tells_in_two_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "--model mlp --model.hidden 16 --optimizer sgd --optimizer.lr 1e-6 --batch-size 16"
    assert main(["fit", "iris", *words.split(), "--schedule", "constant", "--stop", "none",
                 "--length", "20 epochs", "--out", "run"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["diagnose", "run", "--experiments", "--budget", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Finding confirmed  lr_too_low: ")
    assert "Verdict learning rate, initialisation or scaling: another rate learns" in lines
    assert sum(line.startswith(("Effects", "Chance", "Untried", "Steps")) for line in lines) == 4
    assert main(["diagnose", "run", "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "Verdict 学习率、初始化或数值范围不当：换一个学习率就能学会" in out
    assert main(["diagnose", "run", "--json", "--quiet"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["experiments"]["verdict"] == "rate"
    assert plain["findings"][0]["level"] == "confirmed"
    assert main(["diagnose", "run", "--experiments", "--budget", "x"]) == 2


def test_lines_are_few_and_name_what_is_missing() -> None:
    found = Experiments(
        Verdict("inconclusive", possible=("optimisation", "model_bias")), "training", RUN,
        effects={"big": HELPS}, steps=100, allowed=120, needed=2.6,
        left_out={"small": "the model has no depth to halve", "cont": "the budget of steps does "
                  "not reach", "lr x 3": "the budget of steps does not reach"},
    ).to_dict()  # fmt: skip
    lines = told(found)
    assert lines["Verdict"] == "the experiments do not decide: optimisation or model bias"
    assert lines["Effects"] == "the training loss becomes big 0.5"
    assert lines["Chance"] == "without a change 1.5 ± 0.1; the run ended at 1"
    assert lines["Untried"] == (
        "small (the model has no depth to halve); cont, lr x 3 (the budget of steps does not reach)"
    )
    assert lines["Steps"].endswith("a budget of 2.6 (times the steps of the run) may decide")
    assert told(found, "zh")["Verdict"] == "实验不能得出结论：优化或模型偏差"
