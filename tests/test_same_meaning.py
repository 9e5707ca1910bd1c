"""The same table means the same from every source; what would mislead is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import chymist as cy
from chymist.errors import ChymistError

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "a": RANDOM.normal(size=60), "z": np.resize([1.0, 2.0, 3.0, np.nan], 60),
    "y": np.resize(["n", "p", "n"], 60),
})  # fmt: skip


def test_a_category_of_whole_numbers_is_the_same_in_a_file_and_a_frame(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_parquet(tmp_path / "t.parquet", index=False)
    sources = (tmp_path / "t.csv", tmp_path / "t.parquet", FRAME, pl.from_pandas(FRAME))
    made = [cy.load(source, target="y", columns={"z": "category"}) for source in sources]
    assert len({data.fingerprint for data in made}) == 1
    for data in made:
        assert set(data.inputs["z"]) == {"1", "2", "3", None}  # type: ignore[index]


@pytest.mark.parametrize(
    "source",
    [
        (FRAME, FRAME[["y"]]), (FRAME, FRAME["y"]),
        ({"a": FRAME["a"], "y": FRAME["y"]}, FRAME["y"]),
        (pl.from_pandas(FRAME), pl.from_pandas(FRAME).select("y")),
    ],
    ids=["frame", "series", "mapping", "polars"],
)  # fmt: skip
def test_targets_that_are_also_a_column_are_refused(source: Any) -> None:
    with pytest.raises(ChymistError, match="also a column"):
        cy.load(source)


def test_a_whole_number_that_names_a_column_means_that_one() -> None:
    frame = pd.DataFrame(RANDOM.normal(size=(30, 5)))
    data = cy.load(frame, target=4)
    assert data.target == "4"
    assert [column.name for column in data.columns] == ["0", "1", "2", "3"]
    assert cy.load(dict(enumerate(RANDOM.normal(size=(3, 30)))), target=2).target == "2"
    named = cy.load(frame.rename(columns=lambda n: f"c{n}"), target=4)
    assert named.target == "c3"
    kinds = cy.load(frame.round(0), target=4, columns={0: "category"}).columns  # type: ignore[dict-item]
    assert kinds[0].kind == "category"


def test_the_index_of_pandas_in_a_parquet_file_is_left_aside(tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.index = pd.Index(np.arange(60) * 2.5, name="when")
    frame.to_parquet(tmp_path / "t.parquet")
    data = cy.load(tmp_path / "t.parquet")
    assert data.target == "y"
    assert [column.name for column in data.columns] == ["a", "z"]


def test_what_pandas_calls_unknown_is_missing() -> None:
    column = pd.Series(["u", pd.NA, "v"] * 10, dtype="string")
    data = cy.load(({"a": np.arange(30.0), "b": column}, FRAME["y"][:30].to_numpy()))
    assert data.columns[1].missing == 10
    with pytest.raises(ChymistError, match="target"):
        cy.load((np.ones((3, 1)), pd.Series([True, pd.NA, False], dtype="boolean")))


def test_masked_cells_do_not_count_as_values() -> None:
    masked = np.ma.masked_equal(RANDOM.integers(0, 3, (30, 2)), 0)
    for source in ((masked, np.arange(30) % 2), ({"a": masked[:, 0]}, np.arange(30) % 2)):
        with pytest.raises(ChymistError, match="masked cells"):
            cy.load(source)


@pytest.mark.parametrize("source", [FRAME["a"], (FRAME["a"], FRAME["y"]), pl.Series([1, 2])])
def test_a_series_is_no_table(source: Any) -> None:
    with pytest.raises(ChymistError, match="a single column"):
        cy.load(source)


def test_a_row_as_series_is_no_table() -> None:
    data = cy.load(FRAME, target="y")
    run = cy.fit(cy.Recipe(model="softmax", length="1 epoch"), data)
    with pytest.raises(ChymistError, match="a single column"):
        cy.predict(run, FRAME.drop(columns="y").iloc[0])
