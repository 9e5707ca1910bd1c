"""The table of function sets: every model is in it, with what `fit` would take."""

from __future__ import annotations

from pathlib import Path

import pytest

import chymist as cy
from chymist.parts import registered
from chymist.verbs.triples import PHOTO_MODELS, Family

IMAGES_OUT = ("conv_autoencoder",)  # its targets are images, which is no task of the table


@pytest.fixture(scope="module")
def families() -> list[Family]:
    return cy.families()


def test_every_function_set_has_a_row(families: list[Family]) -> None:
    assert {one.model for one in families} == set(registered("model")) - {
        *PHOTO_MODELS,
        *IMAGES_OUT,
    }
    assert len({(one.model, one.task) for one in families}) == len(families)


@pytest.mark.parametrize(
    ("model", "task", "loss", "optimizer", "parameters"),
    [
        ("linear", "values", "mse", "closed_form", 5),  # 4 columns and an intercept
        ("logistic", "2 classes", "binary_cross_entropy", "adamw", 5),
        ("softmax", "3 classes", "cross_entropy", "adamw", 15),  # W is 3 x 4, b has 3
    ],
)
def test_the_linear_rows_of_the_course(
    families: list[Family], model: str, task: str, loss: str, optimizer: str, parameters: int
) -> None:
    (found,) = [one for one in families if (one.model, one.task) == (model, task)]
    assert (found.loss, found.optimizer, found.parameters) == (loss, optimizer, parameters)


def test_the_page_has_the_table() -> None:
    from tools.make_choosing import family_table

    page = (Path(__file__).parent.parent / "docs" / "choosing.md").read_text("utf-8")
    made = f"<!-- families -->\n{family_table()}\n<!-- /families -->"
    assert made in page, "run tools/make_choosing.py"
