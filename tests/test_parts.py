"""Parts and recipes: one contract for all registered parts."""

from __future__ import annotations

import pytest

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.parts import PALETTE, part, registered
from chymist.values import Length, Recipe

EVERY = [(kind, name) for kind in PALETTE for name in registered(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_part_is_described_documented_and_survives_toml(kind: str, name: str) -> None:
    made = part(kind, name)
    assert made == part(kind, name)
    assert hash(made) == hash(part(kind, name))
    assert registered(kind)[name].build.__doc__
    if kind in ("activation", "protocol", "toy"):  # no slots of the recipe
        return
    recipe = Recipe(**{kind: made})
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_defaults_given_explicitly_build_the_same_options(kind: str, name: str) -> None:
    options = {
        n: p.default for n, p in registered(kind)[name].options.items() if p.default is not p.empty
    }
    assert part(kind, name, **options).options == options


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_unknown_option_is_named(kind: str, name: str) -> None:
    with pytest.raises(UsageError, match="unknown option"):
        part(kind, name, no_such_option=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cy.optim.adam(lr=-1), "optimizer.lr"),
        (lambda: cy.optim.adam(lr="fast"), "optimizer.lr"),
        (lambda: cy.optim.sgd(momentum=1.0), "optimizer.momentum"),
        (lambda: cy.models.mlp(hidden=(0,)), "model.hidden"),
        (lambda: cy.models.mlp(hiden=(3,)), "did you mean 'hidden'"),
        (lambda: cy.models.mlp(dropout=1.0), "model.dropout"),
        (lambda: cy.part("loss", "cross_entropi"), "did you mean 'cross_entropy'"),
        (lambda: cy.part("los", "mse"), "did you mean 'loss'"),
        (lambda: cy.Recipe(model="lenet"), "did you mean 'lenet5'"),
        (lambda: cy.Recipe(model=3), "not a model"),
        (lambda: cy.Recipe(length="10"), "a number and a unit"),
        (lambda: cy.Recipe(length="ten epochs"), "a number and a unit"),
        (lambda: cy.Recipe(length="0 epochs"), "a number and a unit"),
        (lambda: cy.Recipe(length="10 epoks"), "a number and a unit"),
        (lambda: cy.Recipe(batch_size=0), "at least one row"),
        (lambda: cy.Recipe(batch_size="many"), "batch_size"),
        (lambda: cy.Recipe(precision="float8"), "unknown precision"),
        (lambda: cy.Recipe().replace(modle="mlp"), "did you mean 'model'"),
        (lambda: cy.Recipe.from_toml("modle = 'mlp'"), "did you mean 'model'"),
        (
            lambda: cy.Recipe.from_toml("[model]\nname = 'mlp'\nhiden = [3]"),
            "did you mean 'hidden'",
        ),
        (lambda: cy.stop.early("val_loss", patience="5"), None),
        (lambda: cy.clip.norm(0.0), "clip.max"),
        (lambda: cy.schedules.one_cycle(warmup=2), "schedule.warmup"),
        (lambda: cy.prepare(scale="big"), "data.scale"),
    ],
)
def test_wrong_parts_fail_when_they_are_described(make, message) -> None:
    if message is None:  # units of a stopping rule are resolved when the run is assembled
        with pytest.raises(UsageError, match="unit"):
            make().build(10)
        return
    with pytest.raises(UsageError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_toml_that_is_none_is_an_input_error() -> None:
    with pytest.raises(InputError, match="not valid TOML"):
        Recipe.from_toml("model = [")


def test_text_from_a_command_line_is_converted() -> None:
    made = part("model", "mlp", hidden="64, 32", dropout="0.5")
    assert made.options == {"hidden": (64, 32), "dropout": 0.5}
    assert part("data", "prepare", columns="zip=category,age=number").options == {
        "columns": {"zip": "category", "age": "number"}
    }


def test_a_recipe_holds_a_users_own_module_by_name_and_hash() -> None:
    import torch

    class Net(torch.nn.Module):
        pass

    recipe = Recipe(model=Net)
    plain = recipe.to_dict()["model"]
    assert plain["name"] == "Net"
    assert len(plain["source"]) == 16
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe(model=lambda shapes: Net()).model.name == "factory"


def test_lengths_have_units() -> None:
    assert Length.parse("1 epoch") == Length(1, "epochs")
    assert str(Length(1, "steps")) == "1 step"
    assert Length.parse("500 steps").steps(99) == 500
