"""Data of several steps and graphs beside the doctor, accumulation and the terminal."""

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.doctor.flow import flow_of
from chymist.doctor.row_facts import data_facts
from chymist.doctor.scoring import reference


def test_steps_without_a_target_may_depend_on_the_batch() -> None:
    module = cy.models.lstm(hidden=(8,), bidirectional=True).build(
        cy.Shapes((9,), 3, (), 20, None, True)
    )
    draw = np.random.default_rng(0)
    inputs = torch.from_numpy(draw.integers(1, 20, (8, 9)))
    for row, length in enumerate((4, 9, 3, 5, 2, 3, 4, 2)):
        inputs[row, length:] = 0
    goals = torch.where(inputs > 0, inputs % 3, -1)
    assert flow_of(module, inputs, 4, goals)["crossed"] is False
    assert flow_of(module, inputs, 4)["crossed"] is True  # what fills rows up does differ

    class Crossing(nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return module(tokens) + tokens.sum()

    assert flow_of(Crossing(), torch.cat([inputs[:1] % 2, inputs[1:]]), 4, goals)["crossed"] is True


def test_numbers_of_nodes_have_no_mean_and_teach_nothing() -> None:
    nodes, others = torch.arange(100)[:, None], torch.arange(100, 150)[:, None]
    goals = torch.arange(100) % 2
    assert data_facts((nodes, goals), (others, goals[:50])).shift == 0
    assert data_facts((nodes.float(), goals), (others.float(), goals[:50])).shift > 2
    assert reference((nodes, goals), (others, goals[:50])) is None
    assert reference((nodes.float(), goals), (others.float(), goals[:50])) is not None


def test_a_carried_state_is_not_accumulated() -> None:
    numbers = np.random.default_rng(0).integers(0, 5, 161)
    data = cy.load(
        (numbers[:-1].reshape(-1, 8), numbers[1:].reshape(-1, 8)), kind="tokens", task="language"
    )
    recipe = cy.Recipe(
        model=cy.models.lstm(hidden=(4,), carry=True), batch_size=4, length="2 steps", accumulate=2
    )
    with pytest.raises(cy.UsageError, match="one batch a step"):
        cy.fit(recipe, cy.split(data), doctor=False)


def test_nodes_are_told_with_their_features(
    tmp_path: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    draw = np.random.default_rng(0)
    lines = [f"{a:.2f},{b:.2f},{'uv'[n % 2]}" for n, (a, b) in enumerate(draw.normal(size=(40, 2)))]
    with open("nodes.csv", "w") as file:
        file.write("a,b,y\n" + "\n".join(lines))
    with open("edges.csv", "w") as file:
        file.write("source,target\n" + "\n".join(f"{n},{n + 2}" for n in range(38)))
    done = main(
        ["fit", "nodes.csv", "--graph", "edges.csv", "--target", "y", "--length", "2 steps"]
    )
    told = "".join(capsys.readouterr())
    assert done == 0
    assert "40 nodes of 2 features" in told
    assert "2 inputs, 2 outputs" in told
