"""The doctor's rules: a smoke subset of the fault cases, and rules that need no training."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import chymist as cy
from bench.faults.baselines import AutoTrainer, DeepDiagnosis
from bench.faults.cases import CASES
from bench.faults.harness import Case, alarms, examine, score_of
from bench.faults.run import names, rate, summary
from chymist.doctor import Finding, Watcher

BY_NAME = {case.name: case for case in CASES}

# One of each group whose program and twin take a quarter of a second.
FAULTY = (
    "too_few_units", "rows_softmax", "twice_softmax", "other_model", "wrong_sign", "log_of_zero",
    "dead_units", "other_units", "missing_cells", "one_label", "rate_low_adam", "target_as_feature",
)  # fmt: skip
HEALTHY = ("smoothed", "weighted", "tokens", "twenty_rows", "shares_column", "summed")


@pytest.mark.parametrize("name", FAULTY)
def test_the_first_finding_names_the_fault(name: str) -> None:
    case = BY_NAME[name]
    run = examine(case, 0, twin=False, doctor=Watcher)
    assert not run.error
    assert names(run, 1, lenient=True), run.said


@pytest.mark.parametrize("name", FAULTY)
def test_a_repaired_program_gets_no_finding(name: str) -> None:
    run = examine(BY_NAME[name], 0, twin=True, doctor=Watcher)
    assert not run.error
    assert run.said == {}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_finding(name: str) -> None:
    run = examine(BY_NAME[name], 0, twin=False, doctor=Watcher)
    assert not run.error
    assert run.said == {}


def test_every_row_of_the_taxonomy_that_a_program_can_show_has_a_case() -> None:
    wanted = """loss_activation_mismatch missing_softmax double_softmax softmax_mse
        shape_broadcast_loss no_update missing_zero_grad train_eval_mode lr_too_high lr_too_low
        undertrained nan_inf_loss vanishing_gradient exploding_gradient dead_relu
        saturated_activation symmetric_init init_scale optimisation_failure model_bias
        missing_nonlinearity over_regularised dropout_misuse overfitting bn_small_batch
        unnormalised_input unnormalised_target label_noise label_misalignment constant_labels
        class_imbalance data_leakage distribution_mismatch unshuffled_data data_loading_bound"""
    assert set(wanted.split()) <= {code for case in CASES for code in case.fault}
    assert len({case.name for case in CASES}) == len(CASES)
    assert sum(not case.fault for case in CASES) >= 15


def test_observations_are_no_alarms() -> None:
    found = [
        Finding("a", "observation", ""),
        Finding("b", "finding", ""),
        Finding("b", "certain", ""),
    ]
    assert alarms(found) == {"b": "finding"}


def test_scores_of_programs() -> None:
    assert score_of(torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0])) == 1.0
    assert score_of(torch.tensor([[0.6], [0.4]]), torch.tensor([1, 1]), 0.5) == 0.5
    assert score_of(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [3.0]])) == 1.0
    assert score_of(torch.tensor([[float("nan")]]), torch.tensor([[1.0]])) == -1.0


def test_rates_are_means_over_cases() -> None:
    runs = [examine(BY_NAME["one_label"], seed, False, _silent) for seed in (0, 1)]
    assert rate(runs, lambda r: r.seed == 0)["value"] == 0.5
    assert summary(runs)["recall"]["value"] == 0.0


class _silent:
    findings: tuple[Finding, ...] = ()

    def __init__(self, **parts: object) -> None: ...
    def step(self, *seen: object) -> None: ...
    def epoch(self, **seen: object) -> None: ...


def test_baselines_alarm_as_published() -> None:
    assert examine(BY_NAME["dead_units"], 0, False, DeepDiagnosis).said == {"dead_relu": "finding"}
    run = examine(BY_NAME["log_of_zero"], 0, False, AutoTrainer)
    assert run.said == {"exploding_gradient": "finding"}


def findings(
    model: nn.Module, loss: object, train: tuple, valid: tuple, **more: object
) -> list[str]:  # type: ignore[type-arg]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watcher = Watcher(model, optimizer, loss, train, valid, 8, **more)  # type: ignore[arg-type]
    return [f.code for f in watcher.findings if f.level == "certain"]


def test_a_negated_loss_is_certain_before_the_first_step() -> None:
    x, y = torch.randn(40, 3), torch.arange(40) % 2
    rows = (x, y), (x[:20], y[:20])
    assert "no_update" in findings(
        nn.Linear(3, 2), lambda o, t: -functional.cross_entropy(o, t), *rows
    )
    assert findings(nn.Linear(3, 2), functional.cross_entropy, *rows) == []


def test_zero_branches_are_not_symmetric() -> None:
    from bench.faults.healthy import residual

    program = residual(0, False)
    said = findings(program.model, program.loss_fn, program.train, program.valid)
    assert "symmetric_init" not in said
    model = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert "symmetric_init" in findings(model, program.loss_fn, program.train, program.valid)


def test_cases_are_the_same_each_time() -> None:
    case: Case = BY_NAME["raw_inputs"]
    one, other = case.build(3), case.build(3)
    assert torch.equal(one.train[0], other.train[0])
    assert all(map(torch.equal, one.model.parameters(), other.model.parameters()))


def test_a_rate_is_never_both_too_high_and_too_low() -> None:
    recipe = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=10.0), length="20 epochs",
                       data=cy.prepare(scale="none"))  # fmt: skip
    run = cy.fit(recipe, cy.split(cy.load("breast_cancer"), valid=0.2, seed=0))
    codes = {finding.code for finding in run.findings}
    assert "lr_too_high" in codes
    assert "lr_too_low" not in codes
