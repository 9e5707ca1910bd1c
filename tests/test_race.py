"""Races of optimisers: members are fits, verdicts claim what is clear, and the command tells it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import mean_t
from chymist.evidence.optimizer_races import (
    Race,
    Racer,
    against_the_leader,
    cells_of,
    in_order,
    race_verdict,
)
from chymist.verbs.optimizer_race import RACERS, RATES
from chymist.verbs.study_pages import race_page

SEEDS = 3
RATE = (1e-3, 1e-1, 1e3)


@pytest.fixture(scope="module")
def split() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


@pytest.fixture(scope="module")
def found(split: cy.Split) -> Race:
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="4 epochs", precision="float64")
    return cy.race(split, rates=RATE, seeds=SEEDS, recipe=recipe)


def test_every_member_is_what_fit_gives(found: Race, split: cy.Split) -> None:
    assert found.facts["members"] == len(RACERS) * len(RATE) * SEEDS
    assert sorted(one.name for one in found.racers) == sorted(RACERS)
    for one in found.racers:
        recipe = cy.Recipe.from_dict(found.recipe).replace(
            optimizer=RACERS[one.name].replace(lr=0.1)
        )
        if one.name == "bgd":
            recipe = recipe.replace(batch_size="all")
        run = cy.fit(recipe, split, seed=2)
        assert one.losses[1, 2] == pytest.approx(run.history["val_loss"][-1, 1], abs=1e-9)
        assert one.curves[1, 2] == pytest.approx(run.history["val_loss"][:, 1], abs=1e-9)
        assert one.scores[1, 2] == pytest.approx(run.score.value, abs=1e-12)


def test_numbers_of_a_race_are_what_they_say(found: Race) -> None:
    for one in found.racers:
        means = [np.mean(row) for row in one.losses]
        assert one.best == int(np.argmin(means))
        wanted = mean_t(one.losses[one.best])
        assert one.estimate == wanted._replace(low=max(wanted.low, 0.0))
        low, high = one.good
        assert low <= one.rates[one.best] <= high
    bests = [float(one.means.min()) for one in found.racers]
    assert bests == sorted(bests)
    assert all(one.lost >= SEEDS for one in found.racers if one.name in ("sgd", "adam")), "1e3"
    leader = found.racers[0]
    for pair in found.pairs:
        other = next(one for one in found.racers if one.name == pair["name"])
        apart = other.losses[other.best] - leader.losses[leader.best]
        assert pair["higher"] == pytest.approx(apart.mean())
        assert pair["clear"] == (pair["low"] > 0)
    plain = found.to_dict()
    assert plain["selected_on"] == "val_loss"
    assert any("optimistic" in note for note in plain["facts"]["notes"])
    assert any("seed by seed, corrected" in note for note in plain["facts"]["notes"])


def racer(name: str, losses: list[list[float]], uninformed: float | None = 2.0) -> Racer:
    values = np.array(losses)
    rates = 10.0 ** np.arange(-len(losses), 0)
    return Racer(name, name, rates, values, np.full(values.shape, 0.9),
                 values[:, :, None], "accuracy", uninformed)  # fmt: skip


def test_a_lead_is_claimed_only_where_it_is_clear() -> None:
    low = racer("adam", [[0.10, 0.11, 0.12], [0.5, 0.5, 0.5]])
    near = racer("sgd", [[0.12, 0.10, 0.13], [0.9, 0.9, 0.9]])
    far = racer("bgd", [[1.0, 1.01, 1.02], [1.5, 1.5, np.inf]])
    racers = in_order([far, near, low])
    assert [one.name for one in racers] == ["adam", "sgd", "bgd"]
    pairs = against_the_leader(racers)
    assert [(p["name"], p["clear"]) for p in pairs] == [("sgd", False), ("bgd", True)]
    verdict = race_verdict(racers, pairs)
    assert verdict.startswith("adam at rate 0.01 ends lowest")
    assert verdict.endswith("clearly higher: bgd; cannot tell it from sgd")
    assert race_verdict(racers[:2], against_the_leader(racers[:2])).startswith("cannot tell which")
    # Bonferroni: two comparisons take half of the 5 % each
    assert pairs[0]["low"] == pytest.approx(mean_t(np.array([0.02, -0.01, 0.01]), 0.975).low)


def test_members_that_are_lost() -> None:
    one = racer("sgd", [[0.5, 0.6], [0.4, np.inf], [2.5, 2.0]])
    assert (one.best, one.diverged, one.lost) == (0, 1, 3)
    assert cells_of(one)[-1] == "3 of 6, 1 not finite"
    none = racer("sgd", [[np.inf, np.inf]])
    assert (none.best, none.good, cells_of(none)[1]) == (None, None, "none")
    assert race_verdict([none], against_the_leader([none])).startswith("cannot tell: every member")
    alone = racer("adam", [[0.3]])
    assert "nothing to compare" in race_verdict([alone], ())
    two = [alone, racer("sgd", [[9.0]])]
    assert race_verdict(two, against_the_leader(two)).startswith("cannot tell"), "one seed"


def test_good_rates_are_those_around_the_best() -> None:
    one = racer("sgd", [[1.0], [9.0], [1.2], [1.0], [1.2], [1.3]])
    assert one.best == 0  # the lower of two equal ones
    one = racer("sgd", [[1.1], [9.0], [1.2], [1.0], [1.2], [1.3]])
    assert one.good == pytest.approx((1e-4, 1e-2))


def test_the_report_is_one_page_without_scripts(found: Race) -> None:
    page = race_page(found.to_dict(), found.curves)
    assert page == race_page(found.to_dict(), found.curves)
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    for name in RACERS:
        assert f"Validation loss of {name} by learning rate" in page
    assert found.verdict.split(" [")[0] in page
    lost = racer("sgd", [[np.inf, np.inf]])
    empty = Race((lost,), "cannot tell", (), (0, 1), found.recipe, found.facts)
    assert "Every member diverged" in race_page(empty.to_dict(), empty.curves)


def test_what_a_race_refuses(split: cy.Split) -> None:
    with pytest.raises(UsageError, match="have a rate"):
        cy.race(split, ["sgd", "lbfgs"])
    with pytest.raises(UsageError, match="did you mean 'adam'"):
        cy.race(split, ["adamm"])
    with pytest.raises(UsageError, match="positive rates"):
        cy.race(split, rates=[0.0, 0.1])
    with pytest.raises(UsageError, match="what races"):
        cy.race(split, recipe=cy.Recipe(optimizer="adam"))
    with pytest.raises(UsageError, match="validation rows"):
        cy.race(cy.split(cy.load("iris"), valid=0, seed=0))
    with pytest.raises(UsageError, match="needs optimisers"):
        cy.race(split, [])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["race", "iris", "--optimizers", "sgd,adam,adamw", "--rates", "0.001,0.1",
             "--seeds", "2", "--length", "3 epochs", "--json"]  # fmt: skip
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sorted(row["name"] for row in answer["rows"]) == ["adam", "adamw", "sgd"]
    assert answer["run"] == "runs/iris-race-0001"
    folder = tmp_path / answer["run"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves.npz",
        "race.json",
        "report.html",
    ]
    assert json.loads((folder / "race.json").read_text())["verdict"] == answer["verdict"]
    assert main(["runs"]) == 0
    assert "race" in capsys.readouterr().out
    assert main(["race", "iris", "--rates", "fast"]) == 2
    with pytest.raises(InputError):
        cy.race(cy.load("iris"), out=folder)


def test_ten_rates_of_half_a_decade() -> None:
    assert len(RATES) == 10
    assert np.allclose(np.diff(np.log10(RATES)), 0.5, atol=0.01)
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize(("losses", "low"), [([0.02, 0.03], 0.0), ([-0.02, 0.03], -0.3127)])
def test_the_interval_of_a_loss_ends_at_0_unless_a_loss_is_below(losses, low) -> None:
    one = Racer("sgd", "sgd()", np.array([0.1]), np.array([losses]), np.ones((1, 2)),
                np.ones((1, 2, 1)), "accuracy", None)  # fmt: skip
    assert one.estimate is not None
    assert one.estimate.low == pytest.approx(low, abs=1e-4)
