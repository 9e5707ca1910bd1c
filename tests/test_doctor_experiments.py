"""Verdicts by the truth tables, planning within a budget, and experiments that find the cause."""

from __future__ import annotations

import doctest
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

import chymist as cy
from chymist.doctor.experiments import (
    NOTHING_SMALLER,
    WANTED,
    Route,
    affordable,
    doubled,
    halved,
    plan_experiments,
    unregularized,
)
from chymist.doctor.experiments_reading import Losses, read_gap, read_training, tell_apart
from chymist.doctor.verdict_words import SAID
from chymist.doctor.verdicts import (
    CODES,
    Effect,
    gap_shares,
    gap_verdict,
    noise_of,
    training_verdict,
)
from chymist.engine.defaults import complete
from chymist.errors import InputError, UsageError
from chymist.values import Recipe, Shapes, Split
from chymist.verbs.diagnosing_experiments import run_experiments

KNOWN = (True, False, None)
PLAIN: dict[str, Any] = {"batch_size": 64, "stop": "none", "schedule": "constant"}


@pytest.fixture(scope="module")
def digits() -> Split:
    return cy.split(cy.load("digits"), seed=0)


# ---------------------------------------------------------------- the truth tables
@pytest.mark.parametrize(
    ("tiny", "small", "rate", "big", "equal", "cause"),
    [
        (False, True, False, True, False, "wiring"),
        (False, False, False, False, True, "wiring"),
        (False, True, True, True, False, "rate"),
        (False, False, True, False, True, "rate"),
        (True, True, False, False, False, "not_optimised"),
        (True, True, True, True, True, "not_optimised"),
        (True, False, True, True, True, "optimisation"),
        (True, False, False, True, True, "model_bias"),
        (True, False, False, False, True, "no_signal"),
        (True, False, False, False, False, "noise_floor"),
    ],
)  # fmt: skip
def test_the_first_truth_table_is_that_of_the_taxonomy(
    tiny: bool, small: bool, rate: bool, big: bool, equal: bool, cause: str
) -> None:
    assert training_verdict(tiny, small, rate, big, equal).cause == cause
    assert training_verdict(tiny, small, rate, big, equal, closed=0.3).cause == "undertrained"
    assert training_verdict(tiny, small, rate, big, equal, closed=0.29).cause == cause


@pytest.mark.parametrize("answers", list(product(KNOWN, repeat=5)))
def test_what_is_not_known_never_decides(answers: tuple[bool | None, ...]) -> None:
    whole = product(*[(a,) if a is not None else (True, False) for a in answers])
    causes = {training_verdict(*one).cause for one in whole}
    found = training_verdict(*answers)
    assert set(found.possible or (found.cause,)) == causes
    assert (found.cause == "inconclusive") == (len(causes) > 1)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0.1, 9), st.floats(-5, 5))
def test_shares_of_the_gap_add_up_and_do_not_depend_on_the_unit(
    train: float, inner: float, valid: float, scale: float, shift: float
) -> None:
    shares = gap_shares(train, inner, valid)
    assert bool(shares) == (valid > train)
    if valid - train > 1e-3:
        assert sum(shares.values()) == pytest.approx(1)
        moved = gap_shares(*(scale * loss + shift for loss in (train, inner, valid)))
        assert moved["overfitting"] == pytest.approx(shares["overfitting"], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("losses", "half", "apart", "cause", "also", "possible"),
    [
        ((0.1, 0.9, 1.0), True, False, "overfitting", (), ()),
        ((0.1, 0.9, 1.0), False, True, "inconclusive", (), ("overfitting",)),
        ((0.1, 0.9, 1.0), None, True, "inconclusive", (), ("overfitting",)),
        ((0.1, 0.2, 1.0), True, True, "mismatch", (), ()),
        ((0.1, 0.2, 1.0), True, False, "inconclusive", (), ("mismatch",)),
        ((0.1, 0.6, 1.0), True, True, "overfitting", ("mismatch",), ()),
        ((0.1, 0.5, 1.0), True, True, "mismatch", ("overfitting",), ()),
        ((0.1, 0.6, 1.0), True, False, "overfitting", (), ()),
        ((0.1, 1.0, 0.5), True, True, "leakage", (), ()),
        ((0.1, 0.11, 0.12), True, True, "nothing", (), ()),
    ],
)  # fmt: skip
def test_the_second_truth_table(
    losses: tuple[float, float, float], half: bool | None, apart: bool | None, cause: str,
    also: tuple[str, ...], possible: tuple[str, ...],
) -> None:  # fmt: skip
    found = gap_verdict(*losses, 0.05, half, apart)
    assert (found.cause, found.also, found.possible) == (cause, also, possible)


def test_without_a_noise_floor_there_is_no_verdict() -> None:
    assert gap_verdict(0.1, 0.9, 1.0, math.inf, True, True).cause == "inconclusive"


def test_noise_is_the_interval_of_one_more_run() -> None:
    losses = [0.52, 0.47, 0.55, 0.5]
    found = noise_of(losses)
    mean, spread = np.mean(losses), np.std(losses, ddof=1)
    low, high = stats.t.interval(0.9, 3, loc=mean, scale=spread * math.sqrt(1.25))
    assert found.margin == pytest.approx((high - low) / 2)
    assert noise_of([1.0]).margin == math.inf


@given(st.floats(0.01, 10), st.floats(0.01, 10), st.floats(0, 5))
def test_an_effect_is_larger_than_the_shams_and_not_both_ways(
    before: float, after: float, margin: float
) -> None:
    effect = Effect(before, after, margin)
    assert not (effect.lowers and effect.raises)
    if effect.lowers or effect.raises:
        assert abs(before - after) > margin
    assert Effect(before, after, math.inf).lowers is None


def test_every_cause_has_words_and_codes() -> None:
    assert SAID.keys() == CODES.keys()
    assert training_verdict(True, True, True, True, True).codes == ("optimisation_failure",)


# ---------------------------------------------------------------- planning
@given(
    st.sampled_from(["training", "gap"]), st.integers(0, 5000), st.integers(20, 200),
    st.integers(200, 3000),
)  # fmt: skip
def test_a_budget_is_kept_and_what_decides_most_comes_first(
    route: Route, allowed: int, least: int, most: int
) -> None:
    found = affordable(WANTED[route], allowed, least, most)
    assert sum(found.values()) <= allowed
    assert tuple(found) == WANTED[route][: len(found)]
    alike = {steps for name, steps in found.items() if not name.startswith("tiny")}
    assert len(alike) <= 1
    assert all(least <= steps <= most for steps in alike)


def test_experiments_have_equal_updates_matched_seeds_and_no_test_rows(digits: Split) -> None:
    recipe = complete(Recipe(model=cy.models.mlp(hidden=(16,) * 4), length="500 steps"), digits)
    made = plan_experiments("training", recipe, digits, 7, 500, 4.0, nn.Linear(64, 10))
    assert [one.name for one in made.experiments] == list(WANTED["training"])
    assert not made.left_out
    assert made.steps <= 2000
    for one in made.experiments:
        assert not set(one.split.train) & set(digits.test)
        assert not set(one.split.test) & set(digits.test)
        assert (one.seed == 7) == (not one.name.startswith("sham"))
        assert one.recipe.stop.name == "none"
    by_name = {one.name: one.recipe for one in made.experiments}
    assert by_name["small"].model.options["hidden"] == (16, 16)
    assert by_name["big"].model.options["hidden"] == (32,) * 4
    assert by_name["tiny shallow"].model == cy.models.mlp()
    rates = [by_name[f"lr x {times}"].optimizer.options["lr"] for times in (0.1, 0.3, 3, 10)]
    assert rates == pytest.approx([3e-4, 9e-4, 9e-3, 3e-2])


def test_a_small_budget_says_what_it_leaves_out(digits: Split) -> None:
    recipe = complete(Recipe(model=cy.models.mlp(hidden=(16, 16)), length="400 steps"), digits)
    made = plan_experiments("training", recipe, digits, 0, 400, 0.25)
    assert made.steps <= 100
    assert made.left_out["big"] == "the budget of steps does not reach"
    assert made.left_out["cont"] == "needs the trained model"
    assert {one.name for one in made.experiments} | set(made.left_out) == set(WANTED["training"])


def test_rows_held_out_inside_are_training_rows(digits: Split) -> None:
    recipe = complete(Recipe(model="mlp", length="500 steps"), digits)
    made = plan_experiments("gap", recipe, digits, 0, 500, 1.0)
    by_name = {one.name: one.split for one in made.experiments}
    assert made.inner is not None
    assert len(made.inner) == math.ceil(len(digits.train) / 5)
    assert np.array_equal(np.union1d(made.inner, by_name["inner"].train), digits.train)
    assert np.array_equal(np.union1d(made.inner, digits.valid), by_name["inner"].test)
    assert len(by_name["half"].train) == round(len(digits.train) / 2)


def test_models_are_halved_and_doubled_where_they_have_options() -> None:
    assert halved(cy.models.mlp(hidden=(8,))) is None
    assert halved(cy.models.mlp(hidden=(64, 64, 2, 64))) == cy.models.mlp(hidden=(2, 2))
    smaller = halved(cy.models.cnn(channels=(8, 16, 16), hidden=(32, 32)))
    assert smaller is not None
    assert (smaller.options["channels"], smaller.options["hidden"]) == ((8,), (32,))
    assert doubled(cy.models.softmax()) == cy.models.mlp()
    own = Recipe(model=nn.Linear(4, 3)).model
    assert halved(own) is doubled(own) is None
    bare = unregularized(Recipe(model=cy.models.mlp(dropout=0.5), optimizer="sgd", loss="mse"))
    assert (bare.model.options, bare.optimizer.options) == (
        {"dropout": 0.0}, {"weight_decay": 0.0},
    )  # fmt: skip


# ---------------------------------------------------------------- reading
def losses_of(**trains: float) -> dict[str, Losses]:
    names = {name.replace("_", " "): value for name, value in trains.items()}
    return {name: Losses(value, value, steps=200, chance=2.3) for name, value in names.items()}


STUCK = Losses(2.3, 2.3, steps=200, chance=2.3)
SHAMS = {"base": 2.3, "sham_1": 2.31, "sham_2": 2.29}


def test_a_head_start_is_no_proof_and_a_short_failure_neither() -> None:
    run = Losses(1.0, 1.0, steps=1000, chance=2.3)
    early = losses_of(**SHAMS, tiny=0.1, lr_x_0=1.5, small=2.3, big=2.3)
    _, _, answers = read_training(run, early, {})
    assert answers["rate"] is None  # faster at first, and not below the end of the run
    assert answers["small"] is False  # a fifth of the run
    short = {
        name: Losses(one.train, one.valid, steps=199, chance=2.3) for name, one in early.items()
    }
    assert read_training(run, short, {})[2]["small"] is None


def test_wiring_is_accused_only_if_nothing_with_it_learns() -> None:
    bad = {"tiny": 2.2, "tiny_default": 2.2, "small": 2.3, "big": 2.3, "lr_x_0.1": 2.3,
           "lr_x_10": 2.3}  # fmt: skip
    found = losses_of(**SHAMS, **bad, tiny_shallow=2.2)
    assert read_training(STUCK, found, {})[0].cause == "wiring"
    for change, cause in (("tiny_default", "rate"), ("tiny_shallow", "no_signal"),
                          ("small", "not_optimised"), ("big", "model_bias"),
                          ("lr_x_0.1", "rate")):  # fmt: skip
        made = losses_of(**{**SHAMS, **bad, "tiny_shallow": 2.2, change: 0.1})
        assert read_training(STUCK, made, {})[0].cause == cause, change
    unknown = losses_of(**SHAMS, tiny=2.2, tiny_default=2.2)
    left_out = {"small": NOTHING_SMALLER, "tiny shallow": NOTHING_SMALLER}
    assert read_training(STUCK, unknown, left_out)[0].cause == "inconclusive"


def test_one_rate_does_not_speak_for_another_and_chance_hides_answers() -> None:
    run = Losses(1.0, 1.0, steps=1000, chance=2.3)
    tried = losses_of(**SHAMS, tiny=0.1, lr_x_0=2.3)
    both = {**tried, "lr x 0.1": Losses(2.3, 2.3, steps=200, chance=2.3)}
    assert read_training(run, both, {})[2]["rate"] is None
    assert read_training(run, {**both, "lr x 10": both["lr x 0.1"]}, {})[2]["rate"] is False
    wide = losses_of(**{"base": 2.3, "sham_1": 1.3}, tiny=0.1, big=1.4)
    assert read_training(run, wide, {})[2]["big"] is None  # 1.8 to 1.4 is much, and may be chance


def test_a_larger_model_that_beats_every_rate_is_what_it_is() -> None:
    run = Losses(1.0, 1.0, steps=1000, chance=2.3)
    rates = {"lr_x_0.1": 2.0, "lr_x_10": 1.5}
    left_out = {"small": NOTHING_SMALLER}
    found = losses_of(**SHAMS, tiny=0.1, big=0.4, **rates)
    assert read_training(run, found, left_out)[0].cause == "model_bias"
    close = losses_of(**SHAMS, tiny=0.1, big=0.4, **{**rates, "lr_x_10": 0.42})
    assert read_training(run, close, left_out)[0].cause == "optimisation"
    assert read_training(run, losses_of(**SHAMS, tiny=0.1, big=0.4), left_out)[0].possible


def test_going_on_is_looked_at_first() -> None:
    run = Losses(1.0, 1.0, steps=1000, chance=2.3)
    found = losses_of(**{"base": 1.0, "sham_1": 1.01, "sham_2": 0.99}, tiny=2.2, cont=0.6)
    assert read_training(run, found, {})[0].cause == "undertrained"
    assert read_training(run, losses_of(**SHAMS, tiny=2.2, cont=0.8), {})[0].cause != "undertrained"


def test_what_diverged_is_worse_than_a_constant_and_no_more() -> None:
    found = losses_of(**{**SHAMS, "sham_2": math.inf}, tiny=0.1, small=math.nan, big=0.1)
    _, effects, answers = read_training(STUCK, found, {})
    assert effects["small"].after == pytest.approx(4.6)
    assert math.isfinite(effects["big"].margin)
    assert answers["small"] is False


def test_a_gap_that_short_runs_do_not_show_is_not_denied() -> None:
    run = Losses(0.1, 1.0, error=0.05)
    made = Losses(2.0, 2.0), Losses(2.0, 2.01), Losses(2.0, 2.0, 2.0)
    losses = dict(zip(["base", "sham 1", "inner"], made, strict=True))
    found = read_gap(run, losses, told_apart=False)[0]
    assert (found.cause, found.possible) == ("inconclusive", ("overfitting", "mismatch"))


def test_two_samples_are_told_apart_only_if_they_differ() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(2, 80, 3))
    assert tell_apart(one, other) > 0.01
    assert tell_apart(one, other * 2) < 0.01  # spread differs, means do not


@pytest.mark.hard
def test_two_samples_of_one_kind_are_seldom_told_apart() -> None:
    draw = np.random.default_rng(0)
    p = [tell_apart(*draw.normal(size=(2, 80, 3)), seed) for seed in range(200)]
    assert sum(value < 0.05 for value in p) <= 17  # 10 expected; more with probability 0.01


# ---------------------------------------------------------------- carried out
def test_a_deep_plain_network_is_not_optimised_and_skips_cure_it(digits: Split) -> None:
    """The course's example: more layers, a larger *training* loss; it is not overfitting."""
    settings = {**PLAIN, "optimizer": cy.optim.adam(lr=3e-3), "length": "300 steps"}
    deep = Recipe(model=cy.models.mlp(hidden=(16,) * 24), **settings)
    found = run_experiments(deep, digits, seed=0, budget=3.0)
    assert found.verdict.cause == "not_optimised"
    assert found.effects["small"].after < found.run.train
    assert found.verdict.codes == ("optimisation_failure",)
    assert found.steps <= found.allowed == 900
    assert found.run.train > 0.95 * found.run.chance

    cured = cy.fit(Recipe(model=residual, **settings), digits, seed=0)
    assert cured.history["train_loss"][-1][1] < 0.5 * found.run.train
    assert cured.score.value > 0.85


class Block(nn.Module):
    """x + W relu(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.layer(inputs.relu())


def residual(shapes: Shapes) -> nn.Module:
    """As deep and as wide as the plain network, with a way around each layer."""
    blocks = [Block(16) for _ in range(23)]
    features = math.prod(shapes.inputs)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, 16), *blocks, nn.ReLU(), nn.Linear(16, shapes.outputs)
    )


@pytest.mark.parametrize("rate", [1.0, 1e-6])
def test_a_wrong_rate_is_found_within_a_quarter_of_the_run(digits: Split, rate: float) -> None:
    recipe = Recipe(model="mlp", optimizer=cy.optim.adam(lr=rate), length="600 steps", **PLAIN)
    found = run_experiments(recipe, digits)
    assert found.verdict.cause == "rate"
    assert found.steps <= found.allowed == 150
    assert "lr x 10" in found.left_out


def test_a_narrow_model_has_bias(digits: Split) -> None:
    recipe = Recipe(
        model=cy.models.mlp(hidden=(2,)), optimizer=cy.optim.adam(lr=1e-2), length="600 steps",
        **PLAIN,
    )  # fmt: skip
    found = run_experiments(recipe, digits, budget=4.0)
    assert found.verdict.cause == "model_bias"
    assert found.left_out["small"] == NOTHING_SMALLER


def test_a_good_run_is_left_alone_and_no_steps_are_spent(digits: Split) -> None:
    recipe = Recipe(model="mlp", optimizer=cy.optim.adam(lr=1e-3), length="400 steps", **PLAIN)
    run = cy.fit(recipe, digits, seed=0)
    found = run_experiments(recipe, digits, run=run)
    assert (found.verdict.cause, found.route, found.steps) == ("nothing", None, 0)
    assert found == run_experiments(recipe, digits)  # the run is trained again if it is not given
    with pytest.raises(InputError, match="another seed"):
        run_experiments(recipe, digits, seed=1, run=run)


def test_few_rows_and_a_large_model_overfit() -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(400, 20))
    labels = (inputs[:, 0] + 1.5 * draw.normal(size=400) > 0).astype(int)
    split = cy.split(cy.load((inputs, labels)), seed=0)
    recipe = Recipe(model=cy.models.mlp(hidden=(128,)), length="400 steps", **PLAIN)
    found = run_experiments(recipe, split, budget=5.0)
    assert found.route == "gap"
    assert found.verdict.cause == "overfitting"
    assert found.verdict.shares["overfitting"] > 0.7
    assert found.answers == {"half_worse": True, "told_apart": False}


def test_validation_rows_of_another_kind_are_a_mismatch() -> None:
    draw = np.random.default_rng(1)
    inputs = draw.normal(size=(900, 6))
    labels = (inputs[:, 0] > 0).astype(int)
    rows = np.arange(900)
    inputs[600:, 0] += 2.0
    split = Split(cy.load((inputs, labels)), rows[:600], rows[600:], rows[:0])
    recipe = Recipe(model="softmax", optimizer=cy.optim.adam(lr=1e-2), length="400 steps", **PLAIN)
    found = run_experiments(recipe, split, budget=5.0)
    assert found.verdict.cause == "mismatch"
    assert found.verdict.shares["mismatch"] > 0.7


def test_a_users_module_is_not_resized_and_a_cut_head_is_wiring(digits: Split) -> None:
    def closed(shapes: Shapes) -> nn.Module:
        """Outputs that do not depend on the inputs."""
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Zeroed())

    recipe = Recipe(model=closed, optimizer=cy.optim.adam(lr=1e-2), length="300 steps", **PLAIN)
    found = run_experiments(recipe, digits, budget=3.0)
    assert found.verdict.cause == "wiring"
    assert {"small", "big", "tiny shallow"} <= set(found.left_out)


class Zeroed(nn.Module):
    """A head that is cut off."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * 1e-9


def test_dropout_shows_in_the_mode(digits: Split) -> None:
    recipe = Recipe(model=cy.models.mlp(dropout=0.5), length="300 steps", **PLAIN)
    assert run_experiments(recipe, digits).mode > 0.02


def test_what_cannot_be_experimented_with_is_refused(digits: Split) -> None:
    rows = cy.split(cy.load("diabetes"))
    with pytest.raises(UsageError, match="solved model"):
        run_experiments(Recipe(model="linear"), rows)
    for wrong in (0, -1, math.inf, math.nan, True):
        with pytest.raises(UsageError, match="budget"):
            run_experiments(Recipe(model="mlp"), digits, budget=wrong)
    with pytest.raises(UsageError, match="route"):
        run_experiments(Recipe(model="mlp"), digits, route="nowhere")  # type: ignore[arg-type]


def test_the_page_of_experiments_runs() -> None:
    page = Path(__file__).parent.parent / "docs" / "experiments.md"
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert (failed, tried > 8) == (0, True)


def test_values_have_experiments_too() -> None:
    rows = cy.split(cy.load("diabetes"), seed=0)
    recipe = Recipe(model=cy.models.mlp(hidden=(64, 64)), length="400 steps", **PLAIN)
    found = run_experiments(recipe, rows, budget=2.0, route="gap")
    plain = found.to_dict()
    assert found.run.chance == pytest.approx(1.0, abs=1e-5)  # targets are standardised
    assert plain["route"] == "gap"
    assert plain["experiments"]["base"]["steps"] == found.losses["base"].steps
