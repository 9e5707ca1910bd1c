"""What the command line says of parts and of models that are solved."""

from __future__ import annotations

from pathlib import Path

import pytest

from chymist.cli import main
from chymist.cli.terminal import Progress, Screen
from chymist.engine.events import Epoch


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dropout", "it is an option of "), ("contrastive", "cy.losses.contrastive"),
        ("n_pair", "cy.losses.n_pair"), ("batch", "--model.norm batch"),
        ("zzzzzz", "chymist part lists them all"), ("adm", "did you mean 'adam'?"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_part_is_told_where_it_belongs(name, said, capsys) -> None:
    assert main(["part", name]) == 2
    assert said in capsys.readouterr().err


def test_kinds_of_parts_are_apart_from_their_names(capsys) -> None:
    assert main(["part"]) == 0
    assert "gradient_noise  annealed" in capsys.readouterr().out


def test_a_model_that_is_solved_is_not_told_as_a_loop(capsys, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["fit", "iris", "--model", "gaussian", "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert "Plan    solved from 90 rows by direct()" in said
    assert "Train   solved in 1 step " in said
    assert "initial loss" not in said
    assert main(["show", str(run)]) == 0
    assert " 1 step · 1 epoch · " in capsys.readouterr().out


def test_solved_models_have_no_memory_of_batches(capsys) -> None:
    assert main(["shapes", "c45", "--input", "4"]) == 0
    assert "memory for batches" not in capsys.readouterr().out


def test_a_run_that_ended_early_has_no_time_left() -> None:
    progress = Progress(Screen(quiet=True), 1000, 1, 10)
    ends = [Epoch(80, 80, {"train_loss": 0.1}, False, last) for last in (False, True)]
    texts = [progress.text(event, progress.began + 8.0) for event in ends]
    assert "92 s left" in texts[0]
    assert "left" not in texts[1]
